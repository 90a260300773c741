#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::Bytes;

use super::Sps;

/// What an AVCDecoderConfigurationRecord says (ISO/IEC 14496-15 §5.3.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Bytes of the length in front of each NAL unit of a frame: 1, 2 or 4.
    pub length_size: u8,
    /// Sequence parameter sets, each a whole NAL unit; at least one.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets, each a whole NAL unit; at least one.
    pub pps: Vec<Bytes>,
    /// The first sequence parameter set, parsed; `None` where it uses what the parser does not know.
    pub parsed: Option<Sps>,
    /// The record itself, as the host sent it.
    pub raw: Bytes,
}

/// Why an AVCDecoderConfigurationRecord was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It ends in the middle of a field.
    #[error("AVC configuration record of {0} bytes is cut short")]
    Truncated(usize),
    /// Not version 1.
    #[error("AVC configuration record has version {0}, only 1 is known")]
    Version(u8),
    /// NAL unit lengths of three bytes do not exist.
    #[error("AVC configuration record asks for NAL unit lengths of 3 bytes")]
    LengthSize,
    /// No sequence or no picture parameter set: nothing could be decoded.
    #[error("AVC configuration record lacks a sequence or picture parameter set")]
    NoParameterSets,
}

impl Config {
    /// Parses an AVCDecoderConfigurationRecord. At most 31 + 255 parameter sets of 65,535 bytes, by its format; the
    /// sets share `raw`'s memory.
    ///
    /// # Errors
    /// When it is truncated, of another version, or has no parameter sets.
    pub fn parse(raw: &Bytes) -> Result<Self, ConfigError> {
        let truncated = || ConfigError::Truncated(raw.len());
        let &[
            version,
            _profile,
            _compatibility,
            _level,
            length,
            sps_count,
            ..,
        ] = raw.as_ref()
        else {
            return Err(truncated());
        };
        if version != 1 {
            return Err(ConfigError::Version(version));
        }
        let length_size = match length & 3 {
            0 => 1,
            1 => 2,
            3 => 4,
            _ => return Err(ConfigError::LengthSize),
        };
        let mut position = 6;
        let sps = read_sets(raw, &mut position, sps_count & 31).ok_or_else(truncated)?;
        let pps_count = *raw.get(position).ok_or_else(truncated)?;
        position = position.saturating_add(1);
        let pps = read_sets(raw, &mut position, pps_count).ok_or_else(truncated)?;
        let (Some(first), false) = (sps.first(), pps.is_empty()) else {
            return Err(ConfigError::NoParameterSets);
        };
        let parsed = Sps::parse(first);
        Ok(Self {
            length_size,
            sps,
            pps,
            parsed,
            raw: raw.clone(),
        })
    }

    /// `avc1.` and profile, constraints and level in hexadecimal.
    pub fn rfc6381(&self) -> String {
        match self.sps.first().map(AsRef::as_ref) {
            Some([_, profile, constraints, level, ..]) => {
                format!("avc1.{profile:02x}{constraints:02x}{level:02x}")
            }
            _ => "avc1".to_owned(),
        }
    }
}

fn read_sets(raw: &Bytes, position: &mut usize, count: u8) -> Option<Vec<Bytes>> {
    let mut sets = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let body = position.checked_add(2)?;
        let length = u16::from_be_bytes(raw.get(*position..body)?.try_into().ok()?);
        let end = body.checked_add(usize::from(length))?;
        if length == 0 || end > raw.len() {
            return None;
        }
        sets.push(raw.slice(body..end));
        *position = end;
    }
    Some(sets)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The record of OBS 29 at 1280x720, x264 veryfast, default settings (captured with an RTMP tap).
    pub(super) const OBS_720P: &str =
        "0164001fffe1001c6764001facd9405005bb016a02020280000003008000001e478c18cb01000468efbcb0";

    fn hex(text: &str) -> Bytes {
        let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap();
        let byte = |pair: &[u8]| pair.iter().fold(0, |value, byte| value << 4 | digit(byte));
        text.as_bytes()
            .chunks(2)
            .map(|pair| u8::try_from(byte(pair)).unwrap())
            .collect()
    }

    #[test]
    fn a_real_record() {
        let config = Config::parse(&hex(OBS_720P)).unwrap();
        assert_eq!(
            (config.length_size, config.sps.len(), config.pps.len()),
            (4, 1, 1)
        );
        assert_eq!(config.rfc6381(), "avc1.64001f");
        let sps = config.parsed.unwrap();
        assert_eq!((sps.width, sps.height), (1_280, 720));
    }

    #[test]
    fn every_shortening_is_an_error() {
        let whole = hex(OBS_720P);
        for len in 0..whole.len() {
            assert!(Config::parse(&whole.slice(..len)).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn other_versions_and_lengths_are_refused() {
        let mut record = hex(OBS_720P).to_vec();
        record[4] = 0xfe;
        assert_eq!(
            Config::parse(&record.clone().into()),
            Err(ConfigError::LengthSize)
        );
        record[0] = 2;
        assert_eq!(Config::parse(&record.into()), Err(ConfigError::Version(2)));
        assert_eq!(
            Config::parse(&hex("0164001fffe000")),
            Err(ConfigError::NoParameterSets)
        );
    }
}
