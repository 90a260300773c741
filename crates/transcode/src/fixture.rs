//! Sound for the tests; `fixtures/README.md` says who made it.

/// The frames of a fixture.
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

pub(crate) const OBS_LC: &[u8] = include_bytes!("../fixtures/obs-lc.aacf");
pub(crate) const HE_V1: &[u8] = include_bytes!("../fixtures/he-v1.aacf");
pub(crate) const HE_V2: &[u8] = include_bytes!("../fixtures/he-v2.aacf");
pub(crate) const CLICK_48000_STEREO: &[u8] = include_bytes!("../fixtures/click-48000-2.aacf");
pub(crate) const CLICK_44100_MONO: &[u8] = include_bytes!("../fixtures/click-44100-1.aacf");
pub(crate) const CLICK_22050_STEREO: &[u8] = include_bytes!("../fixtures/click-22050-2.aacf");
