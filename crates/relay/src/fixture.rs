//! What the tests share: real captures, made-up access units, and seeded chance.
//!
//! The captures in `tests/fixtures` are the first tags of FLV files recorded from OBS 29 (x264): one with untouched
//! default settings (B-frames), one with tune zerolatency and profile baseline (no B-frames, two slices a picture).

use bytes::Bytes;
use zongzi_media::h264::{NalUnit, SliceType, slice_type};
use zongzi_media::{Codec, Frame, MediaTime, Track, TrackId, aac, h264};

use crate::hub::Media;
use crate::rendition::{
    AudioRendition, DeliverVideo, Fate, GiveWay, InOrderRendition, Rate, Renditions, Unplayable,
    VideoRendition,
};

pub(crate) const OBS_STOCK: &[u8] = include_bytes!("../tests/fixtures/obs29-stock-360p30-cut.flv");
pub(crate) const OBS_BASELINE: &[u8] =
    include_bytes!("../tests/fixtures/obs29-zerolatency-baseline-cut.flv");

/// Tracks and frames of a capture, in its order: H.264 and AAC by the legacy FLV tags.
pub(crate) fn flv(file: &'static [u8]) -> Vec<Media> {
    let mut media = Vec::new();
    // FLV header of 9 bytes, previous tag size of 4.
    let mut rest = &file[13..];
    while rest.len() > 11 {
        let size = usize::from(rest[1]) << 16 | usize::from(rest[2]) << 8 | usize::from(rest[3]);
        let millis = i64::from(u32::from_be_bytes([rest[7], rest[4], rest[5], rest[6]]));
        let body = Bytes::from_static(&rest[11..11 + size]);
        match (rest[0], body.get(1)) {
            (9, Some(0)) => media.push(Media::Track(Track {
                id: TrackId::VIDEO,
                codec: Codec::H264(h264::Config::parse(&body.slice(5..)).unwrap()),
            })),
            (9, Some(1)) => {
                let composition = i32::from_be_bytes([0, body[2], body[3], body[4]]) << 8 >> 8;
                media.push(Media::Frame(Frame {
                    track: TrackId::VIDEO,
                    dts: MediaTime::from_millis(millis),
                    pts: MediaTime::from_millis(millis + i64::from(composition)),
                    keyframe: body[0] >> 4 == 1,
                    payload: body.slice(5..),
                }));
            }
            (8, Some(0)) => media.push(Media::Track(Track {
                id: TrackId::AUDIO,
                codec: Codec::Aac(aac::Config::parse(&body.slice(2..)).unwrap()),
            })),
            (8, Some(1)) => media.push(Media::Frame(sound(millis * 1_000, body.slice(2..)))),
            _ => {}
        }
        rest = &rest[11 + size + 4..];
    }
    media
}

/// The frames of a capture's video.
pub(crate) fn pictures(file: &'static [u8]) -> Vec<Frame> {
    let frames = flv(file).into_iter().filter_map(|media| match media {
        Media::Frame(frame) if frame.track == TrackId::VIDEO => Some(frame),
        _ => None,
    });
    frames.collect()
}

pub(crate) fn h264_config(file: &'static [u8]) -> h264::Config {
    let config = flv(file).into_iter().find_map(|media| match media {
        Media::Track(Track {
            codec: Codec::H264(config),
            ..
        }) => Some(config),
        _ => None,
    });
    config.unwrap()
}

pub(crate) fn units(frame: &Frame) -> Vec<NalUnit> {
    h264::NalUnits::new(frame.payload.clone(), 4).collect()
}

pub(crate) fn sound(micros: i64, payload: Bytes) -> Frame {
    let time = MediaTime::from_micros(micros);
    Frame {
        track: TrackId::AUDIO,
        dts: time,
        pts: time,
        keyframe: true,
        payload,
    }
}

/// A made-up picture of one slice of `bytes` bytes. IDR: I slice; otherwise P, or B.
pub(crate) fn picture(micros: i64, kind: Picture, bytes: usize) -> Frame {
    let slice: &[u8] = match kind {
        Picture::Idr => &[0x65, 0b1000_1000, 0x80],
        Picture::P => &[0x41, 0b1001_1010, 0x80],
        Picture::Orphan => &[0x41, 0b1001_1010, ORPHAN],
        Picture::B => &[0x01, 0b1001_1110, 0x80],
    };
    let mut unit = slice.to_vec();
    unit.resize(bytes.max(3), 0xa5);
    let time = MediaTime::from_micros(micros);
    Frame {
        track: TrackId::VIDEO,
        dts: time,
        pts: time,
        keyframe: matches!(kind, Picture::Idr),
        payload: prefixed(&[unit]),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Picture {
    Idr,
    P,
    /// A P picture that [`InOrder`] takes for one that refers to a B picture.
    Orphan,
    B,
}

/// Third byte of an [`Picture::Orphan`]'s slice.
const ORPHAN: u8 = 0x77;

/// Opens what a test gives for sound, picks pictures by [`InOrder`], and encodes no video.
pub(crate) struct Sound<F>(pub(crate) F);

impl<F> Renditions for Sound<F>
where
    F: Fn() -> Result<Box<dyn AudioRendition>, Unplayable> + Send + Sync + 'static,
{
    fn in_order(&self, _: &h264::Config) -> Box<dyn InOrderRendition> {
        Box::<InOrder>::default()
    }

    fn reencode(
        &self,
        _: &h264::Config,
        _: Option<Rate>,
        _: DeliverVideo,
    ) -> Result<Box<dyn VideoRendition>, GiveWay> {
        Err(GiveWay::NoPlace)
    }

    fn opus(&self, _: &aac::Config) -> Result<Box<dyn AudioRendition>, Unplayable> {
        (self.0)()
    }
}

/// Picks pictures by their slice type alone.
#[derive(Debug, Default)]
pub(crate) struct InOrder(Option<MediaTime>);

impl InOrderRendition for InOrder {
    fn push(&mut self, frame: &Frame) -> Fate {
        let units = units(frame);
        if units
            .iter()
            .any(|unit| slice_type(unit) == Some(SliceType::B))
        {
            return Fate::B;
        }
        let orphan = units
            .iter()
            .any(|unit| unit.bytes().get(2) == Some(&ORPHAN));
        if orphan || self.0.is_some_and(|last| frame.pts <= last) {
            return Fate::Orphan;
        }
        self.0 = Some(frame.pts);
        Fate::Kept
    }
}

/// NAL units with lengths of four bytes in front.
pub(crate) fn prefixed(units: &[Vec<u8>]) -> Bytes {
    let mut payload = Vec::new();
    for unit in units {
        payload.extend_from_slice(&u32::try_from(unit.len()).unwrap().to_be_bytes());
        payload.extend_from_slice(unit);
    }
    payload.into()
}

/// A track whose parameter sets are `mark`ed, so that encoders can be told apart.
pub(crate) fn h264_track(mark: u8) -> Track {
    let record = [&[
        1, 66, 0, 30, 0xff, 0xe1, 0, 4, 0x67, 66, 0xc0, mark, 1, 0, 3, 0x68, 0xce, mark,
    ][..]]
    .concat();
    let codec = Codec::H264(h264::Config::parse(&record.into()).unwrap());
    Track {
        id: TrackId::VIDEO,
        codec,
    }
}

pub(crate) fn aac_track() -> Track {
    let config = aac::Config::parse(&Bytes::from_static(&[0x11, 0x90])).unwrap();
    Track {
        id: TrackId::AUDIO,
        codec: Codec::Aac(config),
    }
}

/// Runs `check` with a number of seeds, or with the one in `ZONGZI_SEED`; a failure names its seed.
pub(crate) fn with_seeds(check: impl Fn(&mut Chance)) {
    let given = std::env::var("ZONGZI_SEED")
        .ok()
        .map(|seed| seed.parse::<u64>().unwrap());
    let seeds = given.map_or(1..=300, |seed| seed..=seed);
    for seed in seeds {
        let named = NamesSeed(seed);
        check(&mut Chance::of(seed));
        drop(named);
    }
}

struct NamesSeed(u64);

impl Drop for NamesSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("failed with ZONGZI_SEED={}", self.0);
        }
    }
}

/// Marsaglia's xorshift64*.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// As this seed has it.
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The same chance from here on, once more.
    pub(crate) fn same_as(other: &Self) -> Self {
        Self(other.0)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) % bound.max(1)
    }

    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high - low).unwrap() + 1;
        low + i64::try_from(self.below(span)).unwrap()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count)
            .map(|_| u8::try_from(self.below(256)).unwrap())
            .collect()
    }
}
