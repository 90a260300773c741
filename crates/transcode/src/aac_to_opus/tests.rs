//! Real AAC frames go in; what comes out is listened to with libopus' own decoder.

use bytes::Bytes;
use proptest::prelude::*;
use zongzi_media::{Frame, MediaTime, TrackId, aac};

use super::*;
use crate::ffi::opus::Decoder as Listener;
use crate::fixture::{
    self, CLICK_22050_STEREO, CLICK_44100_MONO, CLICK_48000_STEREO, HE_V1, HE_V2, OBS_LC,
};

#[test]
fn a_click_is_heard_at_the_time_the_host_gave_it() {
    for (file, rate, channels) in [
        (CLICK_48000_STEREO, 48_000, 2),
        (CLICK_44100_MONO, 44_100, 1),
        (CLICK_22050_STEREO, 22_050, 2),
    ] {
        let mut transcoder = AacToOpus::new(&config(rate, channels)).unwrap();
        // The encoder's priming lies before the start of the sound.
        let first = -1_024 * 1_000_000 / i64::from(rate);
        let packets = play(&mut transcoder, &fixture::frames(file), |frame| {
            MediaTime::from_micros(first + frame * 1_024 * 1_000_000 / i64::from(rate))
        });
        let samples = listen(&packets);
        let loudest = |(time, pair): &(i64, [f32; 2])| (pair[0].abs().to_bits(), *time);
        let (time, pair) = samples.iter().copied().max_by_key(loudest).unwrap();
        assert!(pair[0].abs() > 0.2, "{rate} Hz: {pair:?}");
        assert!((time - 500_000).abs() < 1_000, "{rate} Hz: at {time} us");
        if channels == 1 {
            assert!(
                (pair[0] - pair[1]).abs() < 0.02,
                "mono is on both sides: {pair:?}"
            );
        }
    }
}

#[test]
fn the_effort_may_change_at_any_frame_and_is_not_heard_as_a_click() {
    let frames = fixture::frames(OBS_LC);
    let packets_by = |effort: &dyn Fn(i64) -> Effort| {
        let mut transcoder = AacToOpus::new(&config(48_000, 2)).unwrap();
        let mut packets = Vec::new();
        for (payload, number) in frames.iter().zip(0..) {
            transcoder.set_effort(effort(number));
            let frame = frame(payload, on_time(number));
            transcoder.push(&frame, &mut packets).unwrap();
        }
        packets
    };
    let steepest = |packets: &[Frame]| {
        let samples = listen(packets);
        let steps = samples.windows(2).map(|pair| pair[1].1[0] - pair[0].1[0]);
        steps.map(f32::abs).fold(0.0, f32::max)
    };
    let full = packets_by(&|_| Effort::Full);
    let least = packets_by(&|_| Effort::Least);
    let mixed = packets_by(&|number| match number % 3 {
        0 => Effort::Least,
        _ => Effort::Full,
    });
    assert_ne!(full, least, "it makes no difference");
    let times = |packets: &[Frame]| packets.iter().map(|packet| packet.pts).collect::<Vec<_>>();
    assert_eq!(times(&mixed), times(&full));
    let bound = 1.1 * steepest(&full).max(steepest(&least));
    let mixed = steepest(&mixed);
    assert!(mixed < bound, "{mixed}, at most {bound}");
}

#[test]
fn each_frame_is_a_packet_that_begins_where_the_last_ended_though_timestamps_are_rounded_to_milliseconds()
 {
    let mut transcoder = AacToOpus::new(&config(48_000, 2)).unwrap();
    let frames = fixture::frames(OBS_LC);
    let packets = play(&mut transcoder, &frames, |frame| {
        MediaTime::from_millis(7 + frame * 64 / 3)
    });
    // The low-delay mode looks ahead 2.5 ms.
    assert_eq!(packets[0].pts, MediaTime::from_micros(4_500));
    for pair in packets.windows(2) {
        assert_eq!(pair[1].pts, end(&pair[0]));
    }
    // 2,048 blocks of 10 ms in 960 frames: most packets have two, some three.
    assert_eq!(packets.len(), frames.len());
    let long = packets.iter().filter(|packet| length(packet) == 30_000);
    assert_eq!(long.count(), frames.len() * 2_048 / 960 - 2 * frames.len());
    let stats = transcoder.stats();
    assert_eq!(
        (
            stats.decoded,
            stats.concealed,
            stats.inserted,
            stats.dropped
        ),
        (96, 0, 0, 0)
    );
    assert!(
        packets
            .iter()
            .all(|packet| packet.keyframe && packet.payload.len() < 1_200)
    );
}

#[test]
fn the_sound_of_obs_survives() {
    // A tick of 1,000 Hz or a multiple of 250 above it (TOOLS: `make-source`) is loud; between the ticks is silence.
    let mut transcoder = AacToOpus::new(&config(48_000, 2)).unwrap();
    let packets = play(&mut transcoder, &fixture::frames(OBS_LC), on_time);
    let peaks: Vec<f32> = packets
        .iter()
        .scan(Listener::new(), |listener, packet| {
            Some(listener.decode(&packet.payload))
        })
        .map(|samples| {
            samples
                .iter()
                .fold(0.0, |peak: f32, sample| peak.max(sample.abs()))
        })
        .collect();
    let loud = peaks.iter().filter(|peak| **peak > 0.05).count();
    assert!((4..=12).contains(&loud), "{peaks:?}");
    assert!(
        peaks.iter().filter(|peak| **peak < 0.001).count() > 60,
        "{peaks:?}"
    );
}

#[test]
fn broken_frames_are_counted_and_leave_no_hole() {
    let mut transcoder = AacToOpus::new(&config(48_000, 2)).unwrap();
    let good = fixture::frames(OBS_LC);
    let mut frames = good.clone();
    frames[20] = &[];
    for (index, frame) in frames.iter_mut().enumerate().skip(30) {
        *frame = if index % 2 == 0 {
            &[0xff; 40]
        } else {
            &frame[..frame.len() / 2]
        };
    }
    let packets = play(&mut transcoder, &frames, on_time);
    let stats = transcoder.stats();
    assert_eq!(packets.len(), 96);
    assert_eq!(stats.decoded + stats.concealed, 96);
    assert!(stats.concealed > 30, "{stats:?}");
    // And it is well again with the next good frames.
    let again = play(&mut transcoder, &good, |frame| on_time(96 + frame));
    let stats = transcoder.stats();
    assert_eq!((stats.decoded + stats.concealed, stats.restarts), (192, 0));
    assert_eq!(again[0].pts, end(packets.last().unwrap()));
    assert!(stats.decoded >= 96 + 21, "{stats:?}");
}

#[test]
fn a_jump_starts_again_at_the_new_time() {
    let mut transcoder = AacToOpus::new(&config(48_000, 2)).unwrap();
    let frames = fixture::frames(OBS_LC);
    let before = play(&mut transcoder, &frames, on_time);
    let after = play(&mut transcoder, &frames, |frame| {
        on_time(frame).shifted(10_000_000)
    });
    assert_eq!(transcoder.stats().restarts, 1);
    assert_eq!(after[0].pts.micros_since(before[0].pts), 10_000_000);
    let mut fresh = AacToOpus::new(&config(48_000, 2)).unwrap();
    let expected = play(&mut fresh, &frames, |frame| {
        on_time(frame).shifted(10_000_000)
    });
    let different = after
        .iter()
        .zip(&expected)
        .position(|(one, other)| one != other);
    assert_eq!(different, None, "nothing is left of the time before");
}

#[test]
fn high_efficiency_is_refused_whether_it_is_said_or_not() {
    // Object type 5 at 24 kHz, core LC.
    let said = aac::Config::parse(&Bytes::from_static(&[0x2b, 0x11, 0x88, 0x00])).unwrap();
    assert_eq!(
        AacToOpus::new(&said).err(),
        Some(Unplayable::HighEfficiency)
    );
    for (file, channels) in [(HE_V1, 2), (HE_V2, 1)] {
        let mut transcoder = AacToOpus::new(&config(24_000, channels)).unwrap();
        let mut out = Vec::new();
        let refused = fixture::frames(file)
            .into_iter()
            .zip(0..)
            .map(|(payload, index)| {
                let time = MediaTime::from_ticks(index * 1_024, 24_000);
                transcoder.push(&frame(payload, time), &mut out)
            })
            .find_map(Result::err);
        assert_eq!(refused, Some(Unplayable::HighEfficiency));
    }
}

#[test]
fn what_cannot_be_played_is_said_at_once() {
    let refused = |bytes: &'static [u8]| {
        let config = aac::Config::parse(&Bytes::from_static(bytes)).unwrap();
        AacToOpus::new(&config).err()
    };
    assert_eq!(refused(&[0x11, 0xb0]), Some(Unplayable::Channels(6)), "5.1");
    assert_eq!(
        refused(&[0x11, 0x80]),
        Some(Unplayable::Channels(0)),
        "said in the stream"
    );
    assert_eq!(
        refused(&[0x09, 0x90]),
        Some(Unplayable::ObjectType(1)),
        "AAC Main"
    );
    assert_eq!(refused(&[0x11, 0x94]), Some(Unplayable::FrameLength(960)));
    // 47,999 Hz, spelled out.
    assert_eq!(
        refused(&[0x17, 0x80, 0x5d, 0xbf, 0x90]),
        Some(Unplayable::SampleRate(47_999))
    );
    assert_eq!(refused(&[0x11, 0x90]), None);
}

#[test]
fn every_rate_of_the_standard_plays() {
    let frames = fixture::frames(OBS_LC);
    for index in 0..13_u8 {
        let raw = Bytes::copy_from_slice(&[0x10 | index >> 1, index << 7 | 0x10]);
        let config = aac::Config::parse(&raw).unwrap();
        let rate = config.sample_rate;
        let mut transcoder = AacToOpus::new(&config).unwrap();
        let packets = play(&mut transcoder, &frames, |frame| {
            MediaTime::from_ticks(frame * 1_024, rate)
        });
        let sound = MediaTime::from_ticks(96 * 1_024, rate).as_micros();
        let played = packets.iter().map(length).sum::<i64>();
        assert!(
            (-40_000..=0).contains(&(played - sound)),
            "{rate} Hz: {played} of {sound} us"
        );
        assert!(packets[0].pts <= MediaTime::ZERO && packets[0].pts > MediaTime::from_millis(-60));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn spoilt_frames_and_wild_times_never_panic(
        spoilt in prop::collection::vec((0..96_usize, 0..400_usize, any::<u8>(), any::<i64>()), 1..40),
        channels in 1_u8..=2,
    ) {
        let mut transcoder = AacToOpus::new(&config(44_100, channels)).unwrap();
        let frames = fixture::frames(OBS_LC);
        let mut out = Vec::new();
        for (index, place, byte, time) in spoilt {
            let mut payload = frames[index].to_vec();
            let place = place % payload.len();
            payload[place] ^= byte;
            transcoder.push(&frame(&payload, MediaTime::from_micros(time)), &mut out).unwrap();
        }
        prop_assert!(out.iter().all(|packet| !packet.payload.is_empty()));
    }
}

fn config(sample_rate: u32, channels: u8) -> aac::Config {
    aac::Config {
        object_type: aac::OBJECT_LC,
        sample_rate,
        channels,
        frame_samples: 1_024,
        explicit_sbr: false,
        raw: Bytes::new(),
    }
}

fn on_time(frame: i64) -> MediaTime {
    MediaTime::from_ticks(frame * 1_024, 48_000)
}

fn frame(payload: &[u8], time: MediaTime) -> Frame {
    Frame {
        track: TrackId::AUDIO,
        dts: time,
        pts: time,
        keyframe: true,
        payload: Bytes::copy_from_slice(payload),
    }
}

fn play(
    transcoder: &mut AacToOpus,
    frames: &[&[u8]],
    time: impl Fn(i64) -> MediaTime,
) -> Vec<Frame> {
    let mut out = Vec::new();
    for (payload, index) in frames.iter().zip(0..) {
        transcoder
            .push(&frame(payload, time(index)), &mut out)
            .unwrap();
    }
    out
}

/// How long a packet sounds, in microseconds.
fn length(packet: &Frame) -> i64 {
    let samples = Listener::new().decode(&packet.payload).len() / 2;
    i64::try_from(samples).unwrap() * 1_000_000 / 48_000
}

/// When a packet's sound ends.
fn end(packet: &Frame) -> MediaTime {
    packet.pts.shifted(length(packet))
}

/// Every sample of the packets with its time in microseconds.
fn listen(packets: &[Frame]) -> Vec<(i64, [f32; 2])> {
    let mut listener = Listener::new();
    let mut samples = Vec::new();
    for packet in packets {
        let decoded = listener.decode(&packet.payload);
        let (pairs, _) = decoded.as_chunks::<2>();
        for (pair, index) in pairs.iter().zip(0..) {
            let time = packet.pts.as_micros() + index * 1_000_000 / 48_000;
            samples.push((time, *pair));
        }
    }
    samples
}
