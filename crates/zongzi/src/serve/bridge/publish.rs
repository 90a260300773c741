use std::sync::Arc;

use zongzi_ingest::{End, Finish, Media, PublishRefusal, PublishRequest};
use zongzi_relay::hub::{self, Hub};

use super::{Authority, Catalog, Rejections};

/// Hosts whose keys were good, into the hub.
#[derive(Debug)]
pub(crate) struct Stage {
    hub: Hub,
    catalog: Catalog,
    authority: Arc<Authority>,
    rejections: Arc<Rejections>,
}

impl Stage {
    pub(crate) fn new(
        hub: Hub,
        catalog: Catalog,
        authority: Arc<Authority>,
        rejections: Arc<Rejections>,
    ) -> Self {
        Self {
            hub,
            catalog,
            authority,
            rejections,
        }
    }
}

impl zongzi_ingest::Publish for Stage {
    type Publication = Publication;

    async fn begin(&self, request: PublishRequest) -> Result<Publication, PublishRefusal> {
        let (asked, peer) = (request.channel.clone(), request.peer.ip());
        let request = match self.authority.decide(request).await {
            Ok(request) => request,
            Err((reason, refusal)) => {
                self.rejections.tell(Some(asked), reason, peer);
                return Err(refusal);
            }
        };
        let takeover = self.catalog.takeover(&request.channel).await;
        let Some(takeover) = takeover else {
            let channel = Some(request.channel.clone());
            self.rejections.tell(channel, "channel_unavailable", peer);
            return Err(PublishRefusal::Unavailable(request.channel));
        };
        let host = hub::Host {
            key_id: request.key_id,
            protocol: request.protocol.as_str(),
            peer: request.peer,
            client: request.client,
            takeover,
        };
        match self.hub.publish(&request.channel, host) {
            Ok(publication) => Ok(Publication(publication)),
            Err(refused) => {
                let channel = Some(request.channel.clone());
                self.rejections.tell(channel, refused.code(), peer);
                Err(refusal(refused, request.channel))
            }
        }
    }
}

/// A live publication.
#[derive(Debug)]
pub(crate) struct Publication(hub::Publication);

impl zongzi_ingest::Publication for Publication {
    async fn send(&mut self, media: Media) -> Result<(), End> {
        let media = match media {
            Media::Track(track) => hub::Media::Track(track),
            Media::Frame(frame) => hub::Media::Frame(frame),
        };
        self.0.send(media).await.map_err(end)
    }

    async fn ended(&mut self) -> End {
        end(self.0.ended().await)
    }

    fn finish(self, how: Finish) {
        self.0.finish(match how {
            Finish::Orderly => hub::Finish::Orderly,
            Finish::Lost => hub::Finish::Lost,
        });
    }
}

fn end(ended: hub::Ended) -> End {
    match ended {
        hub::Ended::TakenOver => End::TakenOver,
        hub::Ended::KeyRevoked => End::KeyRevoked,
        hub::Ended::Kicked => End::Kicked,
        _ => End::Shutdown,
    }
}

fn refusal(refused: hub::Refused, channel: zongzi_media::ChannelName) -> PublishRefusal {
    match refused {
        hub::Refused::Busy(channel) => PublishRefusal::Busy(channel),
        hub::Refused::TakeoverStorm { channel, again } => {
            PublishRefusal::TakeoverStorm(channel, again.as_secs())
        }
        hub::Refused::Full(most) | hub::Refused::TooManyChannels(most) => {
            PublishRefusal::Full(most)
        }
        _ => PublishRefusal::Unavailable(channel),
    }
}
