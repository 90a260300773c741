use zongzi_http::Timestamp;

use super::Error;
use crate::hooks::{Backlog, Delivery, DeliveryId, Hook, HookId, HookPatch, NewHook, Outgoing};

/// The most hooks in a store.
pub const HOOKS_MAX: u32 = 50;
/// The most deliveries of one hook that wait; newer events are left out.
pub const WAITING_MAX: u32 = 1_000;
/// The most deliveries of one hook that were given up and are kept; older ones go.
pub const DEAD_MAX: u32 = 1_000;
/// How long deliveries that were given up are kept.
pub const DEAD_KEPT_DAYS: u64 = 30;

/// What [`Outbox::enqueue`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Enqueued {
    /// Deliveries that were added.
    pub queued: u64,
    /// Deliveries that were not, because their hook had [`WAITING_MAX`] already.
    pub refused: u64,
}

/// The part of a [`super::Store`] that keeps hooks and what is on its way to them.
pub trait Outbox: Send + Sync + 'static {
    /// Makes a hook.
    fn create_hook(
        &self,
        hook: NewHook,
        now: Timestamp,
    ) -> impl Future<Output = Result<Hook, Error>> + Send;

    /// One hook.
    fn hook(&self, id: HookId) -> impl Future<Output = Result<Option<Hook>, Error>> + Send;

    /// Hooks in the order of their ids, from behind `after`, at most `limit`.
    fn hooks(
        &self,
        after: Option<HookId>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Hook>, Error>> + Send;

    /// Changes a hook, if it still is at `version`; `None` changes it whatever it is at.
    fn update_hook(
        &self,
        id: HookId,
        version: Option<u64>,
        patch: HookPatch,
    ) -> impl Future<Output = Result<Hook, Error>> + Send;

    /// Deletes a hook and its deliveries, if it still is at `version`.
    fn delete_hook(
        &self,
        id: HookId,
        version: Option<u64>,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Adds a delivery for each document and each hook that wants such events.
    fn enqueue(
        &self,
        documents: Vec<Outgoing>,
        now: Timestamp,
    ) -> impl Future<Output = Result<Enqueued, Error>> + Send;

    /// How the outbox stands, with the first delivery of each enabled hook that may be posted by `now`.
    fn backlog(&self, now: Timestamp) -> impl Future<Output = Result<Backlog, Error>> + Send;

    /// Takes out a delivery that its endpoint has taken.
    fn delivered(&self, id: DeliveryId) -> impl Future<Output = Result<(), Error>> + Send;

    /// Notes that a post failed, and why; `next` is when it is tried again, `None`: never.
    fn failed(
        &self,
        id: DeliveryId,
        next: Option<Timestamp>,
        why: String,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Deliveries of a hook that were given up, the oldest first, from behind `after`, at most `limit`.
    fn dead_letters(
        &self,
        hook: HookId,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Delivery>, Error>> + Send;

    /// Makes a delivery that was given up wait again, as if it had never been posted.
    fn redeliver(
        &self,
        hook: HookId,
        id: DeliveryId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Delivery, Error>> + Send;
}
