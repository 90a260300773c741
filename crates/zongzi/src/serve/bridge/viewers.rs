use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use zongzi_http::Connection;
use zongzi_http::whep::{
    Address, Change, Changed, Created, EntityTag, Offer, Refusal, SessionId, Sessions,
};
use zongzi_media::ChannelName;
use zongzi_relay::hub::Hub;
use zongzi_relay::shard::{JoinWatch, Shards};
use zongzi_relay::whep::{Error, Patched, Reach, Whep};
use zongzi_webrtc::dtls::Certificate;
use zongzi_webrtc::sdp;

use super::{Catalog, Entrance};
use crate::settings::Media;

/// The WHEP resource over the relay's sessions, for channels that exist.
#[derive(Debug)]
pub(crate) struct Viewers {
    whep: Whep,
    hub: Hub,
    catalog: Catalog,
    entrance: Entrance,
}

impl Viewers {
    pub(crate) fn new(
        media: &Media,
        shards: &Shards,
        hub: Hub,
        catalog: Catalog,
        entrance: Entrance,
        watch: Option<Arc<dyn JoinWatch>>,
    ) -> anyhow::Result<Self> {
        let certificate = Certificate::generate().context("no DTLS certificate could be made")?;
        let reach = Reach::new(shards.local_addr(), media.public_ips.clone());
        let whep = Whep::new(shards, certificate, reach)?.watched(watch);
        #[cfg(debug_assertions)]
        let tap = super::key_log::from_environment()?;
        #[cfg(debug_assertions)]
        let whep = match tap {
            Some(tap) => whep.tapped(tap),
            None => whep,
        };
        Ok(Self {
            whep,
            hub,
            catalog,
            entrance,
        })
    }

    /// Ends the sessions of those who watch a channel without a token, as it is private now.
    pub(crate) fn cut_off_strangers(&self, channel: &ChannelName) -> usize {
        let status = self.hub.status(channel);
        status.map_or(0, |status| self.whep.end_without_pass(status.broadcast))
    }

    /// The session's name in the relay, if it is one of the channel's.
    fn name(&self, address: &Address) -> Result<String, Refusal> {
        let name = address.session.to_string();
        let watched = self.whep.broadcast(&name).map_err(refusal)?;
        let channel = address
            .channel
            .parse()
            .map_err(|_not_a_name| Refusal::UnknownSession)?;
        match self.hub.status(&channel) {
            Some(status) if status.broadcast == watched => Ok(name),
            _ => Err(Refusal::UnknownSession),
        }
    }
}

impl Sessions for Viewers {
    async fn create(&self, offer: Offer) -> Result<Created, Refusal> {
        let asked = Instant::now();
        let found = self.catalog.find(&offer.channel).await;
        let channel = found
            .map_err(|error| Refusal::Unavailable(error.to_string().into()))?
            .ok_or(Refusal::UnknownChannel)?;
        let pass = self.entrance.pass(&channel, offer.token.as_ref()).await;
        let pass = pass.map_err(Refusal::NotAdmitted)?;
        let broadcast = self
            .hub
            .broadcast_id(&channel.name)
            .map_err(|refused| Refusal::Unavailable(refused.to_string().into()))?;
        // A place that is gone again in this instant is made anew by the subscription's failure and the player's return.
        let audience = self.hub.audience(broadcast).unwrap_or_default();
        let most = channel.max_viewers.map(|most| u64::from(most.get()));
        let local = offer.connection.map(|connection| connection.local);
        let answer = self
            .whep
            .create(broadcast, &audience, &offer.sdp, most, local, pass, asked)
            .map_err(refusal)?;
        let session: SessionId = answer
            .session_id
            .parse()
            .map_err(|_never| Refusal::Unavailable("the session got no usable name".into()))?;
        tracing::debug!(channel = %channel.name, ?session, "viewer's offer answered");
        Ok(Created {
            session,
            etag: tag(&answer.etag),
            answer: answer.sdp,
        })
    }

    async fn change(
        &self,
        address: Address,
        change: Change,
        connection: Option<Connection>,
    ) -> Result<Changed, Refusal> {
        let name = self.name(&address)?;
        let fragment = match change {
            Change::Trickle { etag, fragment } => {
                if tag(&self.whep.etag(&name).map_err(refusal)?) != etag {
                    return Err(Refusal::StaleTag);
                }
                fragment
            }
            Change::Restart { fragment } => fragment,
        };
        let local = connection.map(|connection| connection.local);
        match self.whep.patch(&name, &fragment, local).map_err(refusal)? {
            Patched::Noted => Ok(Changed::Trickled),
            Patched::Restarted { fragment, etag } => Ok(Changed::Restarted {
                etag: tag(&etag),
                fragment,
            }),
        }
    }

    async fn delete(&self, address: Address) -> Result<(), Refusal> {
        let name = self.name(&address)?;
        self.whep.delete(&name).map_err(refusal)
    }
}

/// The entity tag of an ICE state, made from its fragment.
fn tag(ufrag: &str) -> EntityTag {
    let mut hasher = DefaultHasher::new();
    hasher.write(ufrag.as_bytes());
    EntityTag::new(hasher.finish())
}

fn refusal(error: Error) -> Refusal {
    let words = error.to_string().into();
    let wait = error.retry_after().unwrap_or(RETRY_AFTER);
    match error {
        Error::Sdp(sdp::Error::NoCommonCodec { .. }) => Refusal::NothingInCommon(words),
        Error::Sdp(_) => Refusal::BadSdp(words),
        Error::Full => Refusal::Full(wait, FULL.into()),
        Error::Bandwidth => Refusal::Full(wait, BANDWIDTH.into()),
        Error::BroadcastFull(most) => Refusal::ChannelFull(
            wait,
            format!(
                "this channel takes {most} viewers at a time, and they are all there; try again after the time in \
                 Retry-After"
            )
            .into(),
        ),
        Error::Busy => Refusal::Full(wait, BUSY.into()),
        Error::NoSession => Refusal::UnknownSession,
        _ => {
            tracing::error!(error = %words, "a session could not be made");
            Refusal::Unavailable("no session could be made; the server's log says why".into())
        }
    }
}

const FULL: &str = "every place is taken right now; try again after the time in Retry-After";
const BANDWIDTH: &str = "all that this server may send is promised to others right now; try again \
                         after the time in Retry-After";
const BUSY: &str =
    "the server has too much to do right now; try again after the time in Retry-After";
const RETRY_AFTER: Duration = Duration::from_secs(5);
