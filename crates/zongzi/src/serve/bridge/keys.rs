use std::net::IpAddr;

use zongzi_control::store::Store;
use zongzi_control::{KeyGate, Refusal};
use zongzi_ingest::{Admitted, KeyCheck, KeyRefusal, StreamKey};

/// The gate of the control plane, as ingest asks for it.
#[derive(Debug)]
pub(crate) struct Door<S>(pub(crate) KeyGate<S>);

impl<S: Store + Clone> KeyCheck for Door<S> {
    async fn check(&self, key: StreamKey, peer: IpAddr) -> Result<Admitted, KeyRefusal> {
        match self.0.check(key.expose(), peer).await {
            Ok(admitted) => Ok(Admitted {
                channel: admitted.channel.name,
                key_id: admitted.key.as_str().to_owned(),
            }),
            Err(Refusal::Unknown) => Err(KeyRefusal::Unknown),
            Err(Refusal::Throttled(wait)) => Err(KeyRefusal::Throttled(wait)),
            Err(_) => Err(KeyRefusal::Unavailable),
        }
    }
}
