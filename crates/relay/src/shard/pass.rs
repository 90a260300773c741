use std::time::Instant;

use crate::hub::ViewerId;

/// What a viewer was let in with, where his channel asks for something or he has shown something.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pass {
    /// Who he is: his sessions count as one unique viewer.
    pub viewer: Option<ViewerId>,
    /// When his session ends by itself.
    pub ends: Option<Instant>,
}
