/// What a datagram on the media port is, told by its first byte (RFC 7983 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A STUN message: 0 to 3.
    Stun,
    /// A DTLS record: 20 to 63.
    Dtls,
    /// An RTP or RTCP packet: 128 to 191.
    Rtp,
    /// None of these, or nothing at all.
    Unknown,
}

impl Class {
    /// The class of a datagram.
    pub fn of(datagram: &[u8]) -> Self {
        match datagram.first() {
            Some(0..=3) => Self::Stun,
            Some(20..=63) => Self::Dtls,
            Some(128..=191) => Self::Rtp,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_tells_the_protocol() {
        let check = |first: u8, expected| assert_eq!(Class::of(&[first, 9]), expected, "{first}");
        for (range, class) in [
            (0..=3, Class::Stun),
            (4..=19, Class::Unknown),
            (20..=63, Class::Dtls),
            (64..=127, Class::Unknown),
            (128..=191, Class::Rtp),
            (192..=255, Class::Unknown),
        ] {
            range.for_each(|first| check(first, class));
        }
        assert_eq!(Class::of(&[]), Class::Unknown);
    }
}
