//! What a track's configuration alone shows.

use zongzi_media::{Codec, h264};

use super::Advisory;
use super::verdict::Verdict;

/// Profile and level.
pub(super) fn profile(codec: Option<&Codec>) -> Verdict {
    let Some(sps) = sps(codec) else {
        return Verdict::Fine;
    };
    let level = sps.level;
    let usual = match sps.profile {
        // Without its constraint it may have slices out of order, which hardware does not decode.
        BASELINE => sps.constraints & CONSTRAINED != 0,
        MAIN | HIGH => true,
        _ => false,
    };
    if usual && level <= LEVEL_MAX {
        return Verdict::Fine;
    }
    let profile = sps.profile_name();
    Verdict::Found(Advisory::Profile { profile, level })
}

/// Whole pictures or fields.
pub(super) fn interlaced(codec: Option<&Codec>) -> Verdict {
    match sps(codec) {
        Some(sps) if !sps.progressive => Verdict::Found(Advisory::Interlaced),
        _ => Verdict::Fine,
    }
}

/// The sample rate of sound.
pub(super) fn audio_rate(codec: Option<&Codec>) -> Verdict {
    match codec {
        Some(Codec::Aac(config)) if config.sample_rate < HERTZ_MIN && !config.explicit_sbr => {
            let hertz = config.sample_rate;
            Verdict::Found(Advisory::LowAudioRate { hertz })
        }
        _ => Verdict::Fine,
    }
}

fn sps(codec: Option<&Codec>) -> Option<&h264::Sps> {
    match codec {
        Some(Codec::H264(config)) => config.parsed.as_ref(),
        _ => None,
    }
}

/// profile_idc, ITU-T H.264 annex A.
const BASELINE: u8 = 66;
const MAIN: u8 = 77;
const HIGH: u8 = 100;
/// constraint_set1_flag.
const CONSTRAINED: u8 = 0x40;
/// 5.1: 4K at 30 a second. Decoders in phones end there.
const LEVEL_MAX: u8 = 51;
/// Below it sound lacks what is above 16 kHz.
const HERTZ_MIN: u32 = 32_000;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use zongzi_media::aac;

    use super::*;
    use crate::fixture;

    #[test]
    fn what_obs_sends_is_fine() {
        for capture in [fixture::OBS_STOCK, fixture::OBS_BASELINE] {
            let codec = Codec::H264(fixture::h264_config(capture));
            assert_eq!(profile(Some(&codec)), Verdict::Fine);
            assert_eq!(interlaced(Some(&codec)), Verdict::Fine);
        }
    }

    #[test]
    fn rare_profiles_levels_and_fields_are_told() {
        let mut config = fixture::h264_config(fixture::OBS_STOCK);
        let mut with = |change: fn(&mut h264::Sps)| {
            change(config.parsed.as_mut().unwrap());
            let codec = Codec::H264(config.clone());
            (profile(Some(&codec)), interlaced(Some(&codec)))
        };
        let found = |profile, level| Verdict::Found(Advisory::Profile { profile, level });
        assert_eq!(
            with(|sps| sps.profile = 88),
            (found("Extended", 30), Verdict::Fine)
        );
        assert_eq!(
            with(|sps| sps.profile = 66),
            (found("Baseline", 30), Verdict::Fine)
        );
        assert_eq!(with(|sps| sps.constraints |= 0x40).0, Verdict::Fine);
        assert_eq!(
            with(|sps| sps.level = 52).0,
            found("Constrained Baseline", 52)
        );
        assert_eq!(
            with(|sps| sps.progressive = false).1,
            Verdict::Found(Advisory::Interlaced)
        );
    }

    #[test]
    fn sound_of_a_telephone_is_told() {
        let rate = |bytes: &'static [u8]| {
            audio_rate(Some(&Codec::Aac(
                aac::Config::parse(&Bytes::from_static(bytes)).unwrap(),
            )))
        };
        assert_eq!(rate(&[0x11, 0x90]), Verdict::Fine);
        assert_eq!(rate(&[0x12, 0x10]), Verdict::Fine);
        let hertz = 16_000;
        assert_eq!(
            rate(&[0x14, 0x10]),
            Verdict::Found(Advisory::LowAudioRate { hertz })
        );
    }
}
