use std::net::IpAddr;
use std::sync::Arc;

use zongzi_control::store::Store;
use zongzi_control::{GateStats, KeyGate, Refusal};
use zongzi_ingest::{Admitted, KeyCheck, KeyRefusal, StreamKey};

use super::Rejections;

/// The gate of the control plane, as ingest asks for it.
#[derive(Debug)]
pub(crate) struct Door<S> {
    gate: Arc<KeyGate<S>>,
    rejections: Arc<Rejections>,
}

impl<S: Store + Clone> Door<S> {
    pub(crate) fn new(gate: Arc<KeyGate<S>>, rejections: Arc<Rejections>) -> Self {
        Self { gate, rejections }
    }

    pub(crate) fn stats(&self) -> GateStats {
        self.gate.stats()
    }
}

impl<S: Store + Clone> KeyCheck for Door<S> {
    async fn check(&self, key: StreamKey, peer: IpAddr) -> Result<Admitted, KeyRefusal> {
        let (reason, refusal) = match self.gate.check(key.expose(), peer).await {
            Ok(admitted) => {
                return Ok(Admitted {
                    channel: admitted.channel.name,
                    key_id: admitted.key.as_str().to_owned(),
                });
            }
            Err(Refusal::Unknown) => ("bad_key", KeyRefusal::Unknown),
            Err(Refusal::Throttled(wait)) => ("throttled", KeyRefusal::Throttled(wait)),
            Err(_) => ("keys_unavailable", KeyRefusal::Unavailable),
        };
        self.rejections.tell(None, reason, peer);
        Err(refusal)
    }
}
