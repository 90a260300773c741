//! A hostile H.264 track into both renditions: the one that reads headers and the one that decodes and encodes again.
//! Nothing may panic or touch foreign memory; what comes out must be in order.
//!
//! Input: as the `.avcf` files of `crates/transcode/fixtures`: a configuration record behind its length in 2 bytes,
//! then access units, each behind 4 bytes of length, 4 of decoding time (ms) and 2 of composition offset (ms).
#![no_main]

use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use zongzi_media::h264::{self, NalType, NalUnits};
use zongzi_media::{Frame, MediaTime, TrackId};
use zongzi_transcode::ip;
use zongzi_transcode::reencode::{Hint, Output, Reencoder};

fuzz_target!(|data: &[u8]| {
    let Some((length, rest)) = data.split_first_chunk() else {
        return;
    };
    let Some((record, mut rest)) = rest.split_at_checked(u16::from_be_bytes(*length).into()) else {
        return;
    };
    let Ok(config) = h264::Config::parse(&Bytes::copy_from_slice(record)) else {
        return;
    };
    let mut kept = ip::Rendition::new(&config);
    let hint = Hint {
        bits_per_second: 500_000,
        pictures_per_second: 30.0,
    };
    let mut encoded = Reencoder::new(&config, hint).ok();
    let (mut passed, mut out) = (Vec::new(), Vec::new());
    while let Some((head, tail)) = rest.split_first_chunk::<10>() {
        let [a, b, c, d, e, f, g, h, i, j] = *head;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let (payload, tail) = tail.split_at(length.min(tail.len()));
        rest = tail;
        let dts = MediaTime::from_millis(i32::from_be_bytes([e, f, g, h]).into());
        let payload = Bytes::copy_from_slice(payload);
        let frame = Frame {
            track: TrackId::VIDEO,
            dts,
            pts: dts.shifted(i64::from(i16::from_be_bytes([i, j])) * 1_000),
            keyframe: NalUnits::new(payload.clone(), config.length_size)
                .any(|unit| unit.nal_type() == NalType::IDR),
            payload,
        };
        passed.extend(kept.push(&frame));
        if let Some(reencoder) = &mut encoded
            && reencoder.push(&frame, Duration::ZERO, &mut out).is_err()
        {
            encoded = None;
        }
    }
    if let Some(reencoder) = &mut encoded {
        reencoder.finish(&mut out);
    }
    let made: Vec<&Frame> = out
        .iter()
        .filter_map(|output| match output {
            Output::Frame(frame) => Some(frame),
            Output::Config(_) => None,
        })
        .collect();
    assert!(passed.is_sorted_by(|one, next| one.pts < next.pts));
    assert!(made.is_sorted_by(|one, next| one.pts < next.pts));
    assert!(made.first().is_none_or(|frame| frame.keyframe));
});
