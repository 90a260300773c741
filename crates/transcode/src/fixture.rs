//! Sound and pictures for the tests; `fixtures/README.md` says who made them.

use bytes::Bytes;
use zongzi_media::{Frame, MediaTime, TrackId, h264};

/// The frames of a file of sound.
pub(crate) fn frames(file: &'static [u8]) -> Vec<&'static [u8]> {
    let mut rest = file;
    let mut frames = Vec::new();
    while let Some((length, tail)) = rest.split_first_chunk::<2>() {
        let (frame, tail) = tail.split_at(usize::from(u16::from_be_bytes(*length)));
        frames.push(frame);
        rest = tail;
    }
    frames
}

/// The configuration and the access units of a file of pictures.
pub(crate) fn video(file: &'static [u8]) -> (h264::Config, Vec<Frame>) {
    let (length, rest) = file.split_first_chunk().unwrap();
    let (config, mut rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
    let config = h264::Config::parse(&Bytes::from_static(config)).unwrap();
    let mut frames = Vec::new();
    while let Some((head, tail)) = rest.split_first_chunk::<10>() {
        let [a, b, c, d, e, f, g, h, i, j] = *head;
        let (payload, tail) = tail.split_at(u32::from_be_bytes([a, b, c, d]) as usize);
        let dts = MediaTime::from_millis(i32::from_be_bytes([e, f, g, h]).into());
        let composition = i64::from(i16::from_be_bytes([i, j]));
        let payload = Bytes::from_static(payload);
        let keyframe = h264::NalUnits::new(payload.clone(), config.length_size)
            .any(|unit| unit.nal_type() == h264::NalType::IDR);
        frames.push(Frame {
            track: TrackId::VIDEO,
            dts,
            pts: dts.shifted(composition * 1_000),
            keyframe,
            payload,
        });
        rest = tail;
    }
    (config, frames)
}

pub(crate) const OBS_LC: &[u8] = include_bytes!("../fixtures/obs-lc.aacf");
pub(crate) const HE_V1: &[u8] = include_bytes!("../fixtures/he-v1.aacf");
pub(crate) const HE_V2: &[u8] = include_bytes!("../fixtures/he-v2.aacf");
pub(crate) const CLICK_48000_STEREO: &[u8] = include_bytes!("../fixtures/click-48000-2.aacf");
pub(crate) const CLICK_44100_MONO: &[u8] = include_bytes!("../fixtures/click-44100-1.aacf");
pub(crate) const CLICK_22050_STEREO: &[u8] = include_bytes!("../fixtures/click-22050-2.aacf");
pub(crate) const OBS: &[u8] = include_bytes!("../fixtures/obs.avcf");
pub(crate) const X264_MEDIUM: &[u8] = include_bytes!("../fixtures/x264-medium.avcf");
pub(crate) const X264_SLOW_BF8: &[u8] = include_bytes!("../fixtures/x264-slow-bf8.avcf");
