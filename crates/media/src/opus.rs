//! Opus (RFC 6716): what a track's configuration says.

/// Configuration of an Opus track. Its RTP clock is always 48 kHz (RFC 7587 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// 1 or 2.
    pub channels: u8,
}

/// Opus' clock and sample rate in Hz.
pub const SAMPLE_RATE: u32 = 48_000;
