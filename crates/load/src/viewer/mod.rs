//! One viewer: transport, protection, bookkeeping.

pub(crate) mod dtls;
pub(crate) mod full;
pub(crate) mod light;
pub(crate) mod link;
pub(crate) mod record;
#[cfg(test)]
mod tests;

use anyhow::Result;

pub(crate) use full::Full;
pub(crate) use light::Light;
pub(crate) use link::Link;
pub(crate) use record::{Context, Outcome, Record, Stats};

use crate::net::Receiver;
use crate::net::socket::Datagram;

/// A viewer of either kind.
#[derive(Debug)]
pub(crate) enum Viewer {
    /// Counts what comes.
    Light(Box<Light>),
    /// Decrypts and compares everything.
    Full(Box<Full>),
}

impl Viewer {
    /// Its figures.
    pub(crate) fn record(&self) -> &Record {
        match self {
            Self::Light(viewer) => viewer.record(),
            Self::Full(viewer) => viewer.record(),
        }
    }

    /// Its figures, to change.
    pub(crate) fn record_mut(&mut self) -> &mut Record {
        match self {
            Self::Light(viewer) => viewer.record_mut(),
            Self::Full(viewer) => viewer.record_mut(),
        }
    }

    /// It goes without a word from now on. What a slow link loses stays its own.
    pub(crate) fn vanish(&mut self) {
        let record = self.record_mut();
        if record.kind != record::Kind::Slow {
            record.kind = record::Kind::Vanished;
        }
    }

    /// Whether it still waits for its first keyframe: such viewers are looked after more often.
    pub(crate) fn is_joining(&self) -> bool {
        match self {
            Self::Light(viewer) => viewer.is_joining(),
            Self::Full(viewer) => viewer.is_joining(),
        }
    }

    /// Reads what came and does what is due. Each datagram is shown to `watch` first.
    ///
    /// # Errors
    /// What ended it.
    pub(crate) fn turn(
        &mut self,
        receiver: &mut Receiver,
        context: &mut Context<'_>,
        watch: &mut dyn FnMut(&Datagram<'_>),
    ) -> Result<()> {
        match self {
            Self::Light(viewer) => viewer.turn(receiver, context, watch),
            Self::Full(viewer) => viewer.turn(receiver, context, watch),
        }
    }

    /// Ends the association as a browser does that closes its connection.
    pub(crate) fn say_goodbye(&mut self) {
        match self {
            Self::Light(viewer) => viewer.say_goodbye(),
            Self::Full(viewer) => viewer.say_goodbye(),
        }
    }
}
