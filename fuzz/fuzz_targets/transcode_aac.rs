//! A hostile AAC track: any rate, any frames, times that jump. Nothing may panic, and no AAC frame may become more
//! than its own length of Opus.
//!
//! Input: one byte (high half the sample rate index, low half the channel configuration), then frames behind their
//! lengths in 2 bytes, of which the highest 3 bits say how late the frame is. So a byte before a file of
//! `crates/transcode/fixtures` makes a seed.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use zongzi_media::{Frame, MediaTime, TrackId, aac};
use zongzi_transcode::AacToOpus;

const LATE_MILLIS: [i64; 8] = [0, 1, -1, 30, -59, 100, -5_000, 1 << 53];

fuzz_target!(|data: &[u8]| {
    let Some((first, mut rest)) = data.split_first() else {
        return;
    };
    let (rate, channels) = (first >> 4, first & 15);
    let raw = Bytes::copy_from_slice(&[0x10 | rate >> 1, rate << 7 | channels << 3]);
    let Ok(config) = aac::Config::parse(&raw) else {
        return;
    };
    let Ok(mut transcoder) = AacToOpus::new(&config) else {
        return;
    };
    let (mut out, mut count) = (Vec::new(), 0);
    while let Some((head, tail)) = rest.split_first_chunk() {
        let head = u16::from_be_bytes(*head);
        let Some((payload, tail)) = tail.split_at_checked(usize::from(head & 0x1fff)) else {
            break;
        };
        rest = tail;
        let due = MediaTime::from_ticks(count * 1_024, config.sample_rate);
        let time = due.shifted(LATE_MILLIS[usize::from(head >> 13)] * 1_000);
        let frame = Frame {
            track: TrackId::AUDIO,
            dts: time,
            pts: time,
            keyframe: true,
            payload: Bytes::copy_from_slice(payload),
        };
        if transcoder.push(&frame, &mut out).is_err() {
            return;
        }
        count += 1;
    }
    let stats = transcoder.stats();
    assert_eq!(stats.decoded + stats.concealed, count as u64);
    assert_eq!((stats.packets, stats.refused), (out.len() as u64, 0));
    // The fastest correction inserts 2 samples of each 960.
    let most = count * 1_024 * 50 * 960 / (i64::from(config.sample_rate) * 957) + 1;
    assert!(i64::try_from(out.len()).unwrap() <= most);
});
