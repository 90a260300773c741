use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Adjustable as _, FixedAsync, Resampler as _, Slip};
use zongzi_media::MediaTime;
use zongzi_media::opus::SAMPLE_RATE;

use super::AacToOpus;
use super::decoder::FRAME_SAMPLES as AAC_SAMPLES;
use crate::ffi::opus::{BLOCK_SAMPLES, BLOCKS_MAX, CHANNELS};

/// Cuts sound at 48 kHz into packets and gives each its time, by counting samples and keeping the count with the host's
/// timestamps.
///
/// A packet is what of an AAC frame is there in blocks of 10 ms: 20 ms, and 30 ms where what was left of the frames
/// before has come to 10. So an AAC frame is one packet, and less than 10 ms of it wait for the next frame; packets of
/// 20 ms alone would let up to 20 wait, now none and now all of it, which a browser's buffer takes for jitter
/// (docs/decisions/0006-sound-with-its-picture.md).
pub(super) struct Framer {
    /// The host's sample rate.
    sample_rate: u32,
    /// Samples at 48 kHz by which what is heard lags behind what is pushed.
    delay: i64,
    /// The first frame's time; `None` before it.
    anchor: Option<MediaTime>,
    /// AAC samples since the anchor.
    samples_in: i64,
    /// Blocks since the anchor.
    blocks_out: i64,
    /// Samples at 48 kHz inserted (less those left out) since the anchor.
    slipped: i64,
    /// How far the host's timestamps are ahead of the count, in microseconds, smoothed.
    error: f64,
    slip: Slip<f32>,
    /// Interleaved samples that are in no packet yet.
    pending: Vec<f32>,
    /// The packet's samples, as many blocks as it has so far.
    packet: Vec<f32>,
    inserted: u64,
    dropped: u64,
}

/// How a frame's time fits the count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The first: it is the anchor.
    First,
    /// Where it should be.
    Next,
    /// Too far away for a clock's drift; nothing has changed yet.
    Jump,
}

impl Framer {
    pub(super) fn new(sample_rate: u32, delay: usize) -> Self {
        Self {
            sample_rate,
            delay: i64::try_from(delay).unwrap_or(0),
            anchor: None,
            samples_in: 0,
            blocks_out: 0,
            slipped: 0,
            error: 0.0,
            slip: Slip::new(BLOCK_SAMPLES, CHANNELS, FixedAsync::Output)
                .expect("480 samples are enough to slip in"),
            pending: Vec::new(),
            packet: Vec::with_capacity(PACKET_MAX),
            inserted: 0,
            dropped: 0,
        }
    }

    /// The next AAC frame carries this time.
    pub(super) fn arrive(&mut self, time: MediaTime) -> Arrival {
        let Some(anchor) = self.anchor else {
            self.anchor = Some(time);
            return Arrival::First;
        };
        let counted = MediaTime::from_ticks(self.samples_in, self.sample_rate).as_micros()
            + MediaTime::from_ticks(self.slipped, SAMPLE_RATE).as_micros();
        let error = time.micros_since(anchor.shifted(counted));
        if !(-AacToOpus::JUMP..=AacToOpus::JUMP).contains(&error) {
            return Arrival::Jump;
        }
        self.error += (error as f64 - self.error) * SMOOTHING;
        let excess = self.error - self.error.clamp(-TOLERANCE, TOLERANCE);
        let ratio = 1.0 + (excess / CATCH_UP).clamp(-RATIO_MAX, RATIO_MAX);
        self.slip
            .set_resample_ratio(ratio, false)
            .expect("the ratio is well inside the range of 480 samples");
        Arrival::Next
    }

    /// The decoded and resampled samples of the frame that has arrived.
    pub(super) fn push(&mut self, samples: &[f32]) {
        self.samples_in += i64::from(AAC_SAMPLES);
        self.pending.extend_from_slice(samples);
    }

    /// The next packet, if one is complete, and when it is heard.
    pub(super) fn pop(&mut self) -> Option<(MediaTime, &[f32])> {
        let anchor = self.anchor?;
        if self.packet.len() >= PACKET_MIN {
            // The one before.
            self.packet.clear();
        }
        while self.packet.len() < PACKET_MAX && self.block() {}
        if self.packet.len() < PACKET_MIN {
            return None;
        }
        let blocks = i64::try_from(self.packet.len() / BLOCK).unwrap_or(0);
        let ticks = (self.blocks_out - blocks) * BLOCK_SAMPLES as i64 - self.delay;
        let time = anchor.shifted(MediaTime::from_ticks(ticks, SAMPLE_RATE).as_micros());
        Some((time, &self.packet))
    }

    /// Moves a block from what waits to the packet. Returns whether there was one.
    fn block(&mut self) -> bool {
        let wanted = self.slip.input_frames_next();
        if self.pending.len() < wanted * CHANNELS {
            return false;
        }
        let begin = self.packet.len();
        self.packet.resize(begin + BLOCK, 0.0);
        let input = InterleavedSlice::new(self.pending.as_slice(), CHANNELS, wanted)
            .expect("so many samples are there");
        let place = self.packet.get_mut(begin..).unwrap_or_default();
        let mut output = InterleavedSlice::new_mut(place, CHANNELS, BLOCK_SAMPLES)
            .expect("the block was made this long");
        self.slip
            .process_into_buffer(&input, &mut output, None)
            .expect("both buffers have the sizes that the slip asks for");
        self.pending.drain(..wanted * CHANNELS);
        self.inserted += BLOCK_SAMPLES.saturating_sub(wanted) as u64;
        self.dropped += wanted.saturating_sub(BLOCK_SAMPLES) as u64;
        self.slipped += BLOCK_SAMPLES as i64 - wanted as i64;
        self.blocks_out += 1;
        true
    }

    /// Forgets the samples that wait; the next frame is the first.
    pub(super) fn restart(&mut self) {
        self.anchor = None;
        self.samples_in = 0;
        self.blocks_out = 0;
        self.slipped = 0;
        self.error = 0.0;
        self.slip.reset();
        self.pending.clear();
        self.packet.clear();
    }

    /// Samples inserted and samples left out, ever.
    pub(super) fn slips(&self) -> (u64, u64) {
        (self.inserted, self.dropped)
    }
}

/// Values (of both channels) in a block.
const BLOCK: usize = BLOCK_SAMPLES * CHANNELS;
/// The same of the shortest and the longest packet, 20 and 30 ms.
const PACKET_MIN: usize = 2 * BLOCK;
const PACKET_MAX: usize = BLOCKS_MAX * BLOCK;
/// Weight of a new timestamp in the smoothed error: a time constant of 64 frames, 1.4 s at 48 kHz.
const SMOOTHING: f64 = 1.0 / 64.0;
/// Microseconds of error that are left alone, so that the rounding of RTMP's timestamps (1 ms) changes no sample.
const TOLERANCE: f64 = 2_000.0;
/// The time in which an error is made good, in microseconds: at 100 ppm of drift 1 ms stays, above the tolerance.
const CATCH_UP: f64 = 10_000_000.0;
/// The fastest correction: a sample in each block. Clocks drift by 0.01 %; the rest is for steps below
/// [`AacToOpus::JUMP`].
const RATIO_MAX: f64 = 0.002;

#[cfg(test)]
mod tests {
    use super::*;

    impl Framer {
        /// Samples of a channel that are in no packet yet.
        fn waiting(&self) -> usize {
            let begun = if self.packet.len() < PACKET_MIN {
                self.packet.len()
            } else {
                0
            };
            (self.pending.len() + begun) / CHANNELS
        }
    }

    /// Plays a host for `frames` AAC frames; `time` says when its frame is, in microseconds, by its own clock.
    /// Returns the greatest distance, in microseconds, between the time of what is heard and the host's time.
    fn worst_error(framer: &mut Framer, frames: i64, time: impl Fn(i64) -> i64) -> i64 {
        let sound = vec![0.0; usize::from(AAC_SAMPLES) * CHANNELS];
        let mut last: Option<MediaTime> = None;
        let mut worst = 0;
        for frame in 0..frames {
            let host = MediaTime::from_micros(time(frame));
            assert_ne!(framer.arrive(host), Arrival::Jump, "frame {frame}");
            framer.push(&sound);
            while let Some((time, packet)) = framer.pop() {
                let length = i64::try_from(packet.len() / BLOCK).unwrap() * 10_000;
                assert!(length >= 20_000, "frame {frame}");
                assert!(last.is_none_or(|last| time == last), "frame {frame}");
                last = Some(time.shifted(length));
            }
            // The end of what was pushed is, on the way out, this long after the end of the last packet.
            let waiting = framer.waiting();
            assert!(waiting <= BLOCK_SAMPLES, "frame {frame}: {waiting}");
            let Some(last) = last else { continue };
            let end = last.shifted(i64::try_from(waiting).unwrap() * 1_000_000 / 48_000);
            let host_end = MediaTime::from_micros(time(frame + 1));
            worst = worst.max(end.micros_since(host_end).abs());
        }
        worst
    }

    /// An hour of frames of 1,024 samples at 48 kHz.
    const HOUR: i64 = 168_750;

    #[test]
    fn rounded_timestamps_touch_no_sample_in_an_hour() {
        let mut framer = Framer::new(48_000, 0);
        let worst = worst_error(&mut framer, HOUR, |frame| frame * 64 / 3 * 1_000);
        assert!(worst <= 1_000, "{worst}");
        assert_eq!(framer.slips(), (0, 0));
    }

    #[test]
    fn a_host_whose_clocks_drift_apart_is_followed_for_an_hour() {
        for ppm in [-300, -50, 50, 300] {
            let mut framer = Framer::new(48_000, 0);
            // 21,333.3 us a frame by the sample clock, in whole milliseconds of a clock that runs otherwise.
            let host = |frame: i64| frame * 64 * (1_000_000 + ppm) / 3_000_000 * 1_000;
            let worst = worst_error(&mut framer, HOUR, host);
            assert!(worst < 8_000, "{ppm} ppm: {worst} us");
            let (inserted, dropped) = framer.slips();
            let drift = 3_600 * 48_000 / 1_000_000 * ppm;
            let slipped = i64::try_from(inserted).unwrap() - i64::try_from(dropped).unwrap();
            assert!(
                (slipped - drift).abs() < 500,
                "{ppm} ppm: {slipped}, {drift}"
            );
        }
    }

    #[test]
    fn jitter_of_a_host_does_not_show_in_the_times_nor_in_the_sound() {
        let mut framer = Framer::new(48_000, 0);
        // A cycle of -15, 0, 15 ms.
        worst_error(&mut framer, 10_000, |frame| {
            frame * 64_000 / 3 + (frame % 3 - 1) * 15_000
        });
        // The anchor had -15 ms: that much is made good, once.
        let (inserted, dropped) = framer.slips();
        assert!((576..=760).contains(&inserted), "{inserted}");
        assert!(dropped <= 4, "{dropped}");
    }

    #[test]
    fn a_jump_is_seen_and_the_delay_comes_off_the_time() {
        let mut framer = Framer::new(48_000, 480);
        let sound = vec![0.0; usize::from(AAC_SAMPLES) * CHANNELS];
        assert_eq!(framer.arrive(MediaTime::from_millis(100)), Arrival::First);
        framer.push(&sound);
        assert_eq!(framer.pop().unwrap().0, MediaTime::from_millis(90));
        assert!(framer.pop().is_none());
        // 121.3 is due.
        for (millis, arrival) in [
            (182, Arrival::Jump),
            (181, Arrival::Next),
            (62, Arrival::Next),
            (61, Arrival::Jump),
        ] {
            assert_eq!(
                framer.arrive(MediaTime::from_millis(millis)),
                arrival,
                "{millis} ms"
            );
        }
    }
}
