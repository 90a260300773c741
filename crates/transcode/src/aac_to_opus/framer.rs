use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Adjustable as _, FixedAsync, Resampler as _, Slip};
use zongzi_media::MediaTime;
use zongzi_media::opus::SAMPLE_RATE;

use super::AacToOpus;
use super::decoder::FRAME_SAMPLES as AAC_SAMPLES;
use crate::ffi::opus::{CHANNELS, FRAME_SAMPLES};

/// Cuts sound at 48 kHz into 20 ms and gives each piece its time, by counting samples and keeping the count with the
/// host's timestamps.
pub(super) struct Framer {
    /// The host's sample rate.
    sample_rate: u32,
    /// Samples at 48 kHz by which what is heard lags behind what is pushed.
    delay: i64,
    /// The first frame's time; `None` before it.
    anchor: Option<MediaTime>,
    /// AAC samples since the anchor.
    samples_in: i64,
    /// Packets since the anchor.
    packets_out: i64,
    /// Samples at 48 kHz inserted (less those left out) since the anchor.
    slipped: i64,
    /// How far the host's timestamps are ahead of the count, in microseconds, smoothed.
    error: f64,
    slip: Slip<f32>,
    /// Interleaved samples that are in no packet yet.
    pending: Vec<f32>,
    packet: Box<[f32; FRAME_SAMPLES * CHANNELS]>,
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
            packets_out: 0,
            slipped: 0,
            error: 0.0,
            slip: Slip::new(FRAME_SAMPLES, CHANNELS, FixedAsync::Output)
                .expect("960 samples are enough to slip in"),
            pending: Vec::new(),
            packet: Box::new([0.0; FRAME_SAMPLES * CHANNELS]),
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
            .expect("the ratio is well inside the range of 960 samples");
        Arrival::Next
    }

    /// The decoded and resampled samples of the frame that has arrived.
    pub(super) fn push(&mut self, samples: &[f32]) {
        self.samples_in += i64::from(AAC_SAMPLES);
        self.pending.extend_from_slice(samples);
    }

    /// The next 20 ms, if they are complete, and when they are heard.
    pub(super) fn pop(&mut self) -> Option<(MediaTime, &[f32; FRAME_SAMPLES * CHANNELS])> {
        let anchor = self.anchor?;
        let wanted = self.slip.input_frames_next();
        if self.pending.len() < wanted * CHANNELS {
            return None;
        }
        let input = InterleavedSlice::new(self.pending.as_slice(), CHANNELS, wanted)
            .expect("so many samples are there");
        let mut output = InterleavedSlice::new_mut(&mut self.packet[..], CHANNELS, FRAME_SAMPLES)
            .expect("the packet has this size");
        self.slip
            .process_into_buffer(&input, &mut output, None)
            .expect("both buffers have the sizes that the slip asks for");
        self.pending.drain(..wanted * CHANNELS);
        self.inserted += FRAME_SAMPLES.saturating_sub(wanted) as u64;
        self.dropped += wanted.saturating_sub(FRAME_SAMPLES) as u64;
        self.slipped += FRAME_SAMPLES as i64 - wanted as i64;
        let ticks = self.packets_out * FRAME_SAMPLES as i64 - self.delay;
        self.packets_out += 1;
        let time = anchor.shifted(MediaTime::from_ticks(ticks, SAMPLE_RATE).as_micros());
        Some((time, &self.packet))
    }

    /// Forgets the samples that wait; the next frame is the first.
    pub(super) fn restart(&mut self) {
        self.anchor = None;
        self.samples_in = 0;
        self.packets_out = 0;
        self.slipped = 0;
        self.error = 0.0;
        self.slip.reset();
        self.pending.clear();
    }

    /// Samples inserted and samples left out, ever.
    pub(super) fn slips(&self) -> (u64, u64) {
        (self.inserted, self.dropped)
    }
}

/// Weight of a new timestamp in the smoothed error: a time constant of 64 frames, 1.4 s at 48 kHz.
const SMOOTHING: f64 = 1.0 / 64.0;
/// Microseconds of error that are left alone, so that the rounding of RTMP's timestamps (1 ms) changes no sample.
const TOLERANCE: f64 = 2_000.0;
/// The time in which an error is made good, in microseconds: at 100 ppm of drift 1 ms stays, above the tolerance.
const CATCH_UP: f64 = 10_000_000.0;
/// The fastest correction: 2 samples in each packet. Clocks drift by 0.01 %; the rest is for steps below
/// [`AacToOpus::JUMP`].
const RATIO_MAX: f64 = 0.002;

#[cfg(test)]
mod tests {
    use super::*;

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
            while let Some((time, _)) = framer.pop() {
                if let Some(last) = last {
                    assert_eq!(time.micros_since(last), 20_000, "frame {frame}");
                }
                last = Some(time);
            }
            // The end of what was pushed is, on the way out, this long after the end of the last packet.
            let waiting = i64::try_from(framer.pending.len() / CHANNELS).unwrap();
            let Some(last) = last else { continue };
            let end = last.shifted(20_000 + waiting * 1_000_000 / 48_000);
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
