use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use zongzi_control::Channel;
use zongzi_control::playback::{Gate, Refusal as Refused};
use zongzi_control::store::Sqlite;
use zongzi_http::Bearer;
use zongzi_http::playback::{Admission, Refusal};
use zongzi_relay::hub::ViewerId;
use zongzi_relay::shard::Pass;

/// The gate of the control plane for viewers, as the public front and the relay ask for it.
#[derive(Clone)]
pub(crate) struct Entrance(Arc<Gate<Sqlite>>);

impl Entrance {
    pub(crate) fn new(gate: Arc<Gate<Sqlite>>) -> Self {
        Self(gate)
    }

    /// What a viewer's session is to carry; `None` where nothing is asked for and nothing that counts was shown.
    pub(crate) async fn pass(
        &self,
        channel: &Channel,
        token: Option<&Bearer>,
    ) -> Result<Option<Pass>, Refusal> {
        let checked = self.0.check(channel, token.map(Bearer::expose)).await;
        let pass = checked.map_err(refusal)?;
        Ok(pass.map(|pass| Pass {
            viewer: pass.viewer.as_deref().map(ViewerId::of),
            ends: pass.ends.and_then(instant),
        }))
    }

    /// Whether somebody may see what is said of a channel.
    pub(crate) async fn admission(
        &self,
        channel: &Channel,
        token: Option<&Bearer>,
    ) -> Result<Admission, Refusal> {
        let pass = self.pass(channel, token).await?;
        Ok(match pass {
            Some(pass) if channel.private => Admission::ByToken {
                ends: pass.ends.map(Into::into),
            },
            _ => Admission::Open,
        })
    }
}

impl fmt::Debug for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entrance(…)")
    }
}

/// A moment of the wall clock on the clock that timers run by; `None` beyond what that can say.
fn instant(at: SystemTime) -> Option<Instant> {
    let left = at.duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now().checked_add(left)
}

fn refusal(refusal: Refused) -> Refusal {
    match refusal {
        Refused::Needed => Refusal::Needed,
        Refused::Invalid => Refusal::Invalid,
        Refused::Expired => Refusal::Expired,
        Refused::Early(wait) => Refusal::Early(wait),
        Refused::OtherChannel => Refusal::OtherChannel,
        _ => Refusal::Unavailable,
    }
}
