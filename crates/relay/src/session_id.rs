use std::fmt;

/// Names a host's or a viewer's session to operators: 64 random bits. Knowing it is no right to anything, unlike the
/// name in a WHEP session's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

impl SessionId {
    /// Makes a new one.
    pub(crate) fn random() -> Self {
        let mut bytes = [0; 8];
        aws_lc_rs::rand::fill(&mut bytes)
            .expect("the system's random source does not fail once it is seeded");
        Self(u64::from_be_bytes(bytes))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
