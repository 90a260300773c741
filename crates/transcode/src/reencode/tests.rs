//! Real streams go in; what comes out is decoded again and compared with the source, picture by picture.

use std::collections::BTreeMap;

use zongzi_media::h264::{SliceType, slice_type};

use super::*;
use crate::fixture::{self, OBS, X264_MEDIUM, X264_SLOW_BF8};

const HINT: Hint = Hint {
    bits_per_second: 1_000_000,
    pictures_per_second: 30.0,
};
const ON_TIME: Duration = Duration::from_millis(5);
const TOO_LATE: Duration = Duration::from_millis(500);

#[test]
fn every_picture_comes_out_in_the_order_and_at_the_time_it_is_shown() {
    for file in [OBS, X264_MEDIUM, X264_SLOW_BF8] {
        let (config, frames) = fixture::video(file);
        let (reencoder, out) = run(&config, &frames);
        let (configs, made) = split(&out);
        assert_eq!(configs.len(), 1);
        assert!(matches!(out[0], Output::Config(_)));
        let mut shown: Vec<MediaTime> = frames.iter().map(|frame| frame.pts).collect();
        shown.sort();
        let times: Vec<MediaTime> = made.iter().map(|frame| frame.pts).collect();
        assert_eq!(times, shown);
        assert!(made.iter().all(|frame| frame.dts == frame.pts));
        assert!(made[0].keyframe);
        let b = made
            .iter()
            .flat_map(|frame| NalUnits::new(frame.payload.clone(), 4))
            .filter(|unit| slice_type(unit) == Some(SliceType::B));
        assert_eq!(b.count(), 0);
        let Counts {
            decoded,
            broken,
            encoded,
            ..
        } = reencoder.counts();
        assert_eq!((decoded, broken, encoded), (60, 0, 60));
    }
}

#[test]
fn what_comes_out_looks_like_what_went_in() {
    let (config, frames) = fixture::video(OBS);
    let (_, out) = run(&config, &frames);
    let (configs, made) = split(&out);
    assert_eq!(configs[0].rfc6381(), "avc1.42c01e");
    let sps = configs[0].parsed.as_ref().unwrap();
    assert_eq!((sps.width, sps.height), (640, 360));
    let (source, copy) = (lumas(&config, &frames), lumas(configs[0], &made));
    assert_eq!(source.len(), 60);
    assert!(source.keys().eq(copy.keys()));
    let qualities: Vec<f64> = source
        .iter()
        .map(|(time, luma)| psnr(luma, &copy[time]))
        .collect();
    let worst = qualities.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(worst > 33.0, "{qualities:.1?}");
    // The next picture is another one: the comparison can tell.
    let shifted = source
        .values()
        .zip(copy.values().skip(5))
        .map(|(one, other)| psnr(one, other));
    assert!(shifted.fold(f64::INFINITY, f64::min) < 30.0);
}

#[test]
fn the_bit_rate_is_near_the_sources() {
    let (config, frames) = fixture::video(OBS);
    let (_, out) = run(&config, &frames);
    let bytes = |frames: &[Frame]| {
        frames
            .iter()
            .map(|frame| frame.payload.len())
            .sum::<usize>()
    };
    let (source, copy) = (bytes(&frames), bytes(&split(&out).1));
    assert!(
        (source * 6 / 10..source * 13 / 10).contains(&copy),
        "{source} became {copy}"
    );
}

#[test]
fn keyframes_come_every_two_seconds_and_on_request_once_a_second() {
    let (config, frames) = fixture::video(X264_SLOW_BF8);
    let mut reencoder = Reencoder::new(&config, HINT).unwrap();
    let mut out = Vec::new();
    // The clip five times over: 10 s.
    for frame in repeated(&frames, 5) {
        // From 6 s on every viewer wants one with every picture.
        if frame.dts >= MediaTime::from_millis(6_000) {
            reencoder.request_keyframe();
        }
        reencoder.push(&frame, ON_TIME, &mut out).unwrap();
    }
    let keyframes: Vec<i64> = split(&out)
        .1
        .iter()
        .filter(|frame| frame.keyframe)
        .map(|frame| frame.pts.as_millis() / 100)
        .collect();
    let first = keyframes[0];
    let since: Vec<i64> = keyframes.iter().map(|time| time - first).collect();
    assert_eq!(since[..3], [0, 20, 40]);
    let gaps: Vec<i64> = since[3..]
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .collect();
    assert!(
        gaps.len() >= 3 && gaps.iter().all(|gap| (10..=11).contains(gap)),
        "{since:?}"
    );
}

#[test]
fn what_viewers_have_is_not_encoded_and_the_next_picture_is_the_first_keyframe() {
    let (config, frames) = fixture::video(X264_SLOW_BF8);
    let mut shown: Vec<MediaTime> = frames.iter().map(|frame| frame.pts).collect();
    shown.sort();
    let mut reencoder = Reencoder::new(&config, HINT).unwrap();
    let mut out = Vec::new();
    for frame in &frames[..10] {
        reencoder.warm(frame).unwrap();
    }
    reencoder.begin_after(shown[14]);
    for frame in &frames[10..] {
        reencoder.push(frame, ON_TIME, &mut out).unwrap();
    }
    reencoder.finish(&mut out);
    let (_, made) = split(&out);
    let times: Vec<MediaTime> = made.iter().map(|frame| frame.pts).collect();
    assert_eq!(times, shown[15..]);
    assert!(made[0].keyframe);
}

#[test]
fn a_rendition_that_is_late_gets_smaller_then_slower_then_gives_way() {
    let (config, frames) = fixture::video(X264_SLOW_BF8);
    let mut reencoder = Reencoder::new(&config, HINT).unwrap();
    let mut out = Vec::new();
    let mut sizes = Vec::new();
    let mut result = Ok(());
    for frame in repeated(&frames, 2) {
        result = reencoder.push(&frame, TOO_LATE, &mut out);
        if result.is_err() {
            break;
        }
        sizes.push((reencoder.level(), out.len()));
    }
    assert_eq!(result, Err(GiveWay::TooSlow));
    assert_eq!(sizes.len(), 44);
    let (configs, made) = split(&out);
    let widths: Vec<u32> = configs
        .iter()
        .map(|config| config.parsed.as_ref().unwrap().width)
        .collect();
    assert_eq!(widths, [320, 160]);
    let slow = made.len()
        - made
            .iter()
            .position(|frame| frame.pts >= frames[30].pts)
            .unwrap();
    assert!(
        (5..=9).contains(&slow),
        "half of 15 and the pictures held back: {slow}"
    );
    assert_eq!(reencoder.level(), Level::HalfRate);
}

#[test]
fn warming_up_encodes_nothing_and_the_first_picture_after_it_is_a_keyframe() {
    let (config, frames) = fixture::video(OBS);
    let mut reencoder = Reencoder::new(&config, HINT).unwrap();
    for frame in &frames[..40] {
        reencoder.warm(frame).unwrap();
    }
    assert_eq!(reencoder.counts().encoded, 0);
    let mut out = Vec::new();
    for frame in &frames[40..] {
        reencoder.push(frame, ON_TIME, &mut out).unwrap();
    }
    let (configs, made) = split(&out);
    assert_eq!(configs.len(), 1);
    assert!(made[0].keyframe);
    assert!(frames[38..42].iter().any(|frame| frame.pts == made[0].pts));
}

#[test]
fn another_size_in_the_middle_begins_with_a_new_configuration_and_a_keyframe() {
    let (config, frames) = fixture::video(OBS);
    let (other, others) = fixture::video(X264_MEDIUM);
    let mut reencoder = Reencoder::new(&config, HINT).unwrap();
    let mut out = Vec::new();
    for frame in &frames {
        reencoder.push(frame, ON_TIME, &mut out).unwrap();
    }
    reencoder.reconfigure(&other, &mut out).unwrap();
    for frame in &others {
        let frame = shifted(frame, 10_000);
        reencoder.push(&frame, ON_TIME, &mut out).unwrap();
    }
    reencoder.finish(&mut out);
    let (configs, made) = split(&out);
    assert_eq!(made.len(), 120);
    let sizes: Vec<u32> = configs
        .iter()
        .map(|config| config.parsed.as_ref().unwrap().width)
        .collect();
    assert_eq!(sizes, [640, 320]);
    let second = out
        .iter()
        .rposition(|output| matches!(output, Output::Config(_)))
        .unwrap();
    assert!(matches!(&out[second + 1], Output::Frame(frame) if frame.keyframe));
}

#[test]
fn lost_and_spoilt_access_units_cost_pictures_but_not_the_stream() {
    let (config, frames) = fixture::video(X264_SLOW_BF8);
    let mut reencoder = Reencoder::new(&config, HINT).unwrap();
    let mut out = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        let mut frame = frame.clone();
        let mut payload = frame.payload.to_vec();
        let middle = payload.len() / 2;
        match index {
            // The first P picture is lost; later ones are cut in half, or have a bit turned, or are no H.264.
            1 => continue,
            7 | 8 => payload.truncate(middle),
            12..=15 => payload[middle] ^= 0x10,
            18 => payload.fill(0xff),
            19 => payload.clear(),
            _ => {}
        }
        frame.payload = payload.into();
        reencoder.push(&frame, ON_TIME, &mut out).unwrap();
    }
    reencoder.finish(&mut out);
    let counts = reencoder.counts();
    assert!(counts.broken >= 3, "{counts:?}");
    // From the second keyframe on all is well.
    let healed = frames
        .iter()
        .filter(|frame| frame.keyframe)
        .nth(1)
        .unwrap()
        .pts;
    let (configs, made) = split(&out);
    let (source, copy) = (lumas(&config, &frames), lumas(configs[0], &made));
    for (time, luma) in source.range(healed..) {
        assert!(
            psnr(luma, &copy[time]) > 28.0,
            "{time:?}: {}",
            psnr(luma, &copy[time])
        );
    }
}

#[test]
fn a_lost_reference_does_not_stop_the_pictures() {
    let (config, frames) = fixture::video(OBS);
    let mut reencoder = Reencoder::new(&config, HINT).unwrap();
    let mut out = Vec::new();
    // A P picture in the middle of the only group, and a B picture that others refer to.
    for (_, frame) in frames
        .iter()
        .enumerate()
        .filter(|(index, _)| ![20, 22].contains(index))
    {
        reencoder.push(frame, ON_TIME, &mut out).unwrap();
    }
    reencoder.finish(&mut out);
    let (configs, made) = split(&out);
    let (source, copy) = (lumas(&config, &frames), lumas(configs[0], &made));
    // Without concealment 21 pictures come, and none after the loss.
    assert!(made.len() >= 30, "{}", made.len());
    let last = copy
        .iter()
        .rev()
        .take(10)
        .map(|(time, luma)| psnr(luma, &source[time]));
    assert!(last.fold(f64::INFINITY, f64::min) > 35.0);
    assert!(
        copy.keys().last() >= source.keys().nth_back(3),
        "to the end"
    );
}

#[test]
fn what_cannot_be_decoded_is_refused_by_its_name() {
    let (config, _) = fixture::video(OBS);
    let refused = |sps: &[u8]| {
        let config = h264::Config {
            sps: vec![Bytes::copy_from_slice(sps)],
            ..config.clone()
        };
        Reencoder::new(&config, HINT).err()
    };
    // x264 at 320x192: High 10, High 4:2:2, interlaced.
    assert_eq!(refused(TEN_BITS), Some(Refused::BitDepth(10)));
    assert_eq!(refused(FOUR_TWO_TWO), Some(Refused::Chroma(2)));
    assert_eq!(refused(INTERLACED), Some(Refused::Interlaced));
    assert_eq!(refused(&[0x67, 0x64]), Some(Refused::Parameters));
}

#[test]
fn a_stream_without_pictures_gives_way() {
    let (config, frames) = fixture::video(OBS);
    let mut reencoder = Reencoder::new(&config, HINT).unwrap();
    let mut out = Vec::new();
    let given = (0..1_000).find_map(|_| reencoder.push(&frames[1], ON_TIME, &mut out).err());
    assert_eq!(given, Some(GiveWay::NoPictures(601)));
    assert!(out.is_empty());
}

fn run(config: &h264::Config, frames: &[Frame]) -> (Reencoder, Vec<Output>) {
    let mut reencoder = Reencoder::new(config, HINT).unwrap();
    let mut out = Vec::new();
    for frame in frames {
        reencoder.push(frame, ON_TIME, &mut out).unwrap();
    }
    reencoder.finish(&mut out);
    (reencoder, out)
}

fn split(out: &[Output]) -> (Vec<&h264::Config>, Vec<Frame>) {
    let (mut configs, mut frames) = (Vec::new(), Vec::new());
    for output in out {
        match output {
            Output::Config(config) => configs.push(config),
            Output::Frame(frame) => frames.push(frame.clone()),
        }
    }
    (configs, frames)
}

fn shifted(frame: &Frame, millis: i64) -> Frame {
    Frame {
        dts: frame.dts.shifted(millis * 1_000),
        pts: frame.pts.shifted(millis * 1_000),
        ..frame.clone()
    }
}

/// A clip of 2 s, several times over.
/// Another codec behind the seam: OpenH264, but each of its encoders fails at its 20th picture.
#[derive(Debug)]
struct Failing;

#[derive(Debug)]
struct FailingEncoder {
    inner: Box<dyn Encoder>,
    left: u32,
}

impl Codecs for Failing {
    fn decoder(&self) -> Result<Box<dyn Decoder>, codec::Failed> {
        OpenH264.decoder()
    }

    fn encoder(&self, settings: &Settings) -> Result<Box<dyn Encoder>, codec::Failed> {
        let inner = OpenH264.encoder(settings)?;
        Ok(Box::new(FailingEncoder { inner, left: 19 }))
    }
}

impl Encoder for FailingEncoder {
    fn encode(
        &mut self,
        picture: &Picture<'_>,
        time: MediaTime,
        keyframe: bool,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), codec::Failed> {
        self.left = self.left.checked_sub(1).ok_or(codec::Failed(7))?;
        self.inner.encode(picture, time, keyframe, take)
    }
}

#[test]
fn an_encoder_that_fails_costs_one_picture_and_the_next_one_begins_with_a_keyframe() {
    let (config, frames) = fixture::video(OBS);
    let mut reencoder = Reencoder::with(Arc::new(Failing), &config, HINT).unwrap();
    let mut out = Vec::new();
    for frame in &frames {
        reencoder.push(frame, ON_TIME, &mut out).unwrap();
    }
    reencoder.finish(&mut out);
    let counts = reencoder.counts();
    assert_eq!(
        (counts.decoded, counts.encoded, counts.skipped),
        (60, 57, 3)
    );
    let (configs, made) = split(&out);
    let keyframes: Vec<usize> = (0..made.len()).filter(|n| made[*n].keyframe).collect();
    assert_eq!(keyframes, [0, 19, 38]);
    assert_eq!(lumas(configs[0], &made).len(), 57, "and all can be decoded");
}

fn repeated(frames: &[Frame], times: i64) -> Vec<Frame> {
    (0..times)
        .flat_map(|round| {
            frames
                .iter()
                .map(move |frame| shifted(frame, round * 2_000))
        })
        .collect()
}

/// The brightness of each picture of a stream, by its time.
fn lumas(config: &h264::Config, frames: &[Frame]) -> BTreeMap<MediaTime, Vec<u8>> {
    let mut decoder = OpenH264.decoder().unwrap();
    let mut pictures = BTreeMap::new();
    let mut keep = |(time, picture): (MediaTime, Picture<'_>)| {
        let lines = picture.planes[0]
            .chunks(picture.strides[0])
            .take(picture.height);
        let luma = lines
            .flat_map(|line| &line[..picture.width])
            .copied()
            .collect();
        pictures.insert(time, luma);
    };
    for frame in frames {
        let mut unit = Vec::new();
        let sets = config
            .sps
            .iter()
            .chain(&config.pps)
            .filter(|_| frame.keyframe);
        let units: Vec<Bytes> = NalUnits::new(frame.payload.clone(), config.length_size)
            .map(|unit| unit.bytes().clone())
            .collect();
        for bytes in sets.chain(&units) {
            unit.extend_from_slice(&START_CODE);
            unit.extend_from_slice(bytes);
        }
        let (picture, outcome) = decoder.decode(&unit, frame.pts);
        assert_eq!(outcome, Ok(()));
        picture.map(&mut keep);
    }
    while let Some(picture) = decoder.flush() {
        keep(picture);
    }
    pictures
}

fn psnr(one: &[u8], other: &[u8]) -> f64 {
    assert_eq!(one.len(), other.len());
    let squares = one
        .iter()
        .zip(other)
        .map(|(one, other)| u64::from(one.abs_diff(*other)).pow(2));
    let error = squares.sum::<u64>() as f64 / one.len() as f64;
    10.0 * (255.0_f64.powi(2) / error.max(1e-3)).log10()
}

const TEN_BITS: &[u8] = &[
    0x67, 0x6e, 0x00, 0x0d, 0xa6, 0xcd, 0x94, 0x14, 0x19, 0xb0, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01,
    0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f, 0x14, 0x29, 0x96,
];
const FOUR_TWO_TWO: &[u8] = &[
    0x67, 0x7a, 0x00, 0x0d, 0xbc, 0xd9, 0x41, 0x41, 0x9b, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x42, 0x99, 0x60,
];
const INTERLACED: &[u8] = &[
    0x67, 0x64, 0x00, 0x15, 0xac, 0xd9, 0x41, 0x43, 0x36, 0x02, 0x20, 0x00, 0x00, 0x03, 0x00, 0x20,
    0x00, 0x00, 0x07, 0x83, 0xe2, 0x85, 0x32, 0xc0,
];
