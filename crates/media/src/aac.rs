//! AAC (ISO/IEC 14496-3): the AudioSpecificConfig of a track.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::Bytes;

use crate::bits::BitReader;

/// What an AudioSpecificConfig says (ISO/IEC 14496-3 §1.6.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Audio object type of the core: 2 is AAC-LC.
    pub object_type: u8,
    /// Sample rate of the core, in Hz.
    pub sample_rate: u32,
    /// Channels of the core; 0 when a program config element in the stream says it.
    pub channels: u8,
    /// Samples of one channel in a frame: 1024 or 960.
    pub frame_samples: u16,
    /// HE-AAC is signalled explicitly: spectral band replication (object type 5) or parametric stereo (29).
    pub explicit_sbr: bool,
    /// The AudioSpecificConfig itself, as the host sent it.
    pub raw: Bytes,
}

/// Why an AudioSpecificConfig was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It ends in the middle of a field.
    #[error("AudioSpecificConfig of {0} bytes is cut short")]
    Truncated(usize),
    /// The sample rate is none of the standard's.
    #[error("AudioSpecificConfig has a reserved sample rate index {0}")]
    SampleRate(u32),
    /// The channel configuration is reserved.
    #[error("AudioSpecificConfig has a reserved channel configuration {0}")]
    Channels(u32),
}

impl Config {
    /// Parses an AudioSpecificConfig.
    ///
    /// # Errors
    /// When it is truncated or uses reserved values.
    pub fn parse(raw: &Bytes) -> Result<Self, ConfigError> {
        let truncated = || ConfigError::Truncated(raw.len());
        let mut reader = BitReader::new(raw);
        let mut object_type = read_object_type(&mut reader).ok_or_else(truncated)?;
        let sample_rate = read_sample_rate(&mut reader).ok_or_else(truncated)??;
        let channels = match reader.bits(4).ok_or_else(truncated)? {
            7 => 8,
            direct @ 0..=6 => u8::try_from(direct).unwrap_or(0),
            reserved => return Err(ConfigError::Channels(reserved)),
        };
        let mut explicit_sbr = false;
        if matches!(object_type, OBJECT_SBR | OBJECT_PS) {
            explicit_sbr = true;
            read_sample_rate(&mut reader).ok_or_else(truncated)??;
            object_type = read_object_type(&mut reader).ok_or_else(truncated)?;
        }
        // GASpecificConfig: frameLengthFlag, dependsOnCoreCoder (+ 14 bits), extensionFlag. Some encoders cut it off.
        let short_frames = reader.bit().unwrap_or(false);
        if reader.bit().unwrap_or(false) {
            reader.skip(14);
        }
        reader.bit();
        if !explicit_sbr && reader.bits(11) == Some(SYNC_EXTENSION) {
            // Backward-compatible explicit signalling.
            explicit_sbr =
                read_object_type(&mut reader) == Some(OBJECT_SBR) && reader.bit() == Some(true);
        }
        Ok(Self {
            object_type,
            sample_rate,
            channels,
            frame_samples: if short_frames { 960 } else { 1_024 },
            explicit_sbr,
            raw: raw.clone(),
        })
    }

    /// `mp4a.40.` and the object type.
    pub fn rfc6381(&self) -> String {
        let object_type = if self.explicit_sbr {
            OBJECT_SBR
        } else {
            self.object_type
        };
        format!("mp4a.40.{object_type}")
    }
}

fn read_object_type(reader: &mut BitReader<'_>) -> Option<u8> {
    let short = reader.bits(5)?;
    let object_type = if short == 31 {
        reader.bits(6)?.saturating_add(32)
    } else {
        short
    };
    u8::try_from(object_type).ok()
}

/// The outer `None` is a truncated config.
fn read_sample_rate(reader: &mut BitReader<'_>) -> Option<Result<u32, ConfigError>> {
    let index = reader.bits(4)?;
    if index == 15 {
        return Some(Ok(reader.bits(24)?).and_then(|rate| {
            if rate == 0 {
                Err(ConfigError::SampleRate(index))
            } else {
                Ok(rate)
            }
        }));
    }
    let rate = usize::try_from(index)
        .ok()
        .and_then(|index| SAMPLE_RATES.get(index));
    Some(rate.copied().ok_or(ConfigError::SampleRate(index)))
}

/// AAC-LC, the one that plays everywhere.
pub const OBJECT_LC: u8 = 2;
const OBJECT_SBR: u8 = 5;
const OBJECT_PS: u8 = 29;
/// syncExtensionType (ISO/IEC 14496-3 §1.6.2.1).
const SYNC_EXTENSION: u32 = 0x2b7;
/// ISO/IEC 14496-3 table 1.18.
const SAMPLE_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &'static [u8]) -> Result<Config, ConfigError> {
        Config::parse(&Bytes::from_static(bytes))
    }

    #[test]
    fn what_obs_sends() {
        let config = parse(&[0x11, 0x90, 0x56, 0xe5, 0x00]).unwrap();
        assert_eq!(
            (config.object_type, config.sample_rate, config.channels),
            (2, 48_000, 2)
        );
        assert_eq!(config.frame_samples, 1_024);
        assert!(
            !config.explicit_sbr,
            "the sync extension is there, but its presence flag is 0"
        );
        assert_eq!(config.rfc6381(), "mp4a.40.2");
    }

    #[test]
    fn mono_at_44100() {
        let config = parse(&[0x12, 0x08]).unwrap();
        assert_eq!((config.sample_rate, config.channels), (44_100, 1));
    }

    #[test]
    fn explicit_high_efficiency_is_seen_in_both_ways_of_saying_it() {
        // Object type 5 at 24 kHz with 48 kHz output, core LC.
        let hierarchical = parse(&[0x2b, 0x11, 0x88, 0x00]).unwrap();
        assert!(hierarchical.explicit_sbr);
        assert_eq!(
            (hierarchical.object_type, hierarchical.sample_rate),
            (2, 24_000)
        );
        // LC at 24 kHz, then 0x2b7, type 5, present.
        let compatible = parse(&[0x13, 0x10, 0x56, 0xe5, 0x98]).unwrap();
        assert!(compatible.explicit_sbr);
        assert_eq!(compatible.rfc6381(), "mp4a.40.5");
    }

    #[test]
    fn bad_ones_are_errors() {
        assert_eq!(parse(&[]), Err(ConfigError::Truncated(0)));
        assert_eq!(parse(&[0x11]), Err(ConfigError::Truncated(1)));
        assert_eq!(parse(&[0x16, 0x80]), Err(ConfigError::SampleRate(13)));
        assert_eq!(parse(&[0x11, 0xf8]), Err(ConfigError::Channels(15)));
    }
}
