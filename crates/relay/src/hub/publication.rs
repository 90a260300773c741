use std::sync::{Arc, OnceLock};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::host::{Ended, Finish, Media};

/// A live publication: the host's end of a broadcast. Dropping it without [`Publication::finish`] counts as
/// [`Finish::Lost`].
#[derive(Debug)]
pub struct Publication {
    media: mpsc::Sender<Queued>,
    /// Bytes that may still wait in the queue.
    room: Arc<Semaphore>,
    room_bytes: u32,
    ended: watch::Receiver<Option<Ended>>,
    finish: Arc<OnceLock<Finish>>,
}

/// The broadcast's end of a publication.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) media: mpsc::Receiver<Queued>,
    /// How the host left; unset until then, and [`Finish::Lost`] if it never said.
    pub(super) finish: Arc<OnceLock<Finish>>,
}

/// Media in the queue with its share of the queue's bytes, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) media: Media,
    _room: OwnedSemaphorePermit,
}

impl Publication {
    pub(super) fn new(
        messages: usize,
        bytes: usize,
        ended: watch::Receiver<Option<Ended>>,
    ) -> (Self, Feed) {
        let room_bytes = u32::try_from(bytes.min(Semaphore::MAX_PERMITS))
            .unwrap_or(u32::MAX)
            .max(1);
        let (sender, receiver) = mpsc::channel(messages.max(1));
        let finish = Arc::new(OnceLock::new());
        let publication = Self {
            media: sender,
            room: Arc::new(Semaphore::new(usize::try_from(room_bytes).unwrap_or(1))),
            room_bytes,
            ended,
            finish: Arc::clone(&finish),
        };
        (
            publication,
            Feed {
                media: receiver,
                finish,
            },
        )
    }

    /// Hands media on. Waits where the broadcast's bounded queue is full. Cancel-safe in that a cancelled call has
    /// handed on nothing.
    ///
    /// # Errors
    /// When the server has ended this publication: tell the host why and close.
    pub async fn send(&mut self, media: Media) -> Result<(), Ended> {
        let ended = *self.ended.borrow();
        if let Some(why) = ended {
            return Err(why);
        }
        // A frame larger than the whole queue takes all of it, and goes alone.
        let bytes = u32::try_from(media.bytes())
            .unwrap_or(u32::MAX)
            .min(self.room_bytes);
        let queue = async {
            let room = Arc::clone(&self.room)
                .acquire_many_owned(bytes)
                .await
                .ok()?;
            let slot = self.media.reserve().await.ok()?;
            slot.send(Queued { media, _room: room });
            Some(())
        };
        tokio::select! {
            biased;
            why = until_ended(&mut self.ended) => Err(why),
            queued = queue => queued.ok_or(Ended::Shutdown),
        }
    }

    /// Resolves when the server wants this publication to end, also while nothing is sent. Cancel-safe.
    pub async fn ended(&mut self) -> Ended {
        until_ended(&mut self.ended).await
    }

    /// The host is gone; what it sent before is still played.
    pub fn finish(self, how: Finish) {
        // The first word counts; there is only this one.
        let _ = self.finish.set(how);
    }
}

async fn until_ended(ended: &mut watch::Receiver<Option<Ended>>) -> Ended {
    match ended.wait_for(Option::is_some).await {
        Ok(why) => why.unwrap_or(Ended::Shutdown),
        // The hub itself is gone.
        Err(_) => Ended::Shutdown,
    }
}
