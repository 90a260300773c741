use std::collections::VecDeque;

use zongzi_media::{Frame, MediaTime};

use super::Hint;

/// Measures the source: bits and pictures a second over the last few seconds.
#[derive(Debug)]
pub(super) struct Rate {
    hint: Hint,
    /// Time of decoding and bytes, at most [`PICTURES_MAX`].
    recent: VecDeque<(MediaTime, usize)>,
}

impl Rate {
    pub(super) fn new(hint: Hint) -> Self {
        Self {
            hint,
            recent: VecDeque::new(),
        }
    }

    pub(super) fn observe(&mut self, frame: &Frame) {
        if self
            .recent
            .back()
            .is_some_and(|(last, _)| frame.dts <= *last)
        {
            self.recent.clear();
        }
        self.recent.push_back((frame.dts, frame.payload.len()));
        while self.recent.len() > PICTURES_MAX || self.span_micros() > WINDOW_MICROS {
            self.recent.pop_front();
        }
    }

    /// What was measured, or the hint while that is too little.
    pub(super) fn now(&self) -> Hint {
        let span = self.span_micros();
        if span < ENOUGH_MICROS {
            return self.hint;
        }
        // The newest picture's own time is not part of the span.
        let pictures = self.recent.len().saturating_sub(1) as f64;
        let bytes: usize = self.recent.iter().skip(1).map(|(_, bytes)| bytes).sum();
        let seconds = span as f64 / 1e6;
        let bits = (bytes as f64 * 8.0 / seconds)
            .round()
            .clamp(BITS_MIN, BITS_MAX);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to numbers that fit"
        )]
        Hint {
            bits_per_second: bits as u32,
            pictures_per_second: (pictures / seconds).clamp(1.0, 120.0) as f32,
        }
    }

    fn span_micros(&self) -> i64 {
        match (self.recent.front(), self.recent.back()) {
            (Some((first, _)), Some((last, _))) => last.micros_since(*first),
            _ => 0,
        }
    }
}

/// Long enough that keyframes 2 s apart don't swing it.
const WINDOW_MICROS: i64 = 4_000_000;
const ENOUGH_MICROS: i64 = 1_900_000;
/// 120 a second for the window.
const PICTURES_MAX: usize = 480;
/// Below, not even a small picture is bearable; above, WebRTC viewers would not follow.
const BITS_MIN: f64 = 150_000.0;
const BITS_MAX: f64 = 12_000_000.0;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use zongzi_media::TrackId;

    use super::*;

    const HINT: Hint = Hint {
        bits_per_second: 1_000_000,
        pictures_per_second: 30.0,
    };

    /// `count` pictures of `bytes` bytes, `micros` apart, from `start` on.
    fn observe(rate: &mut Rate, start: i64, count: i64, micros: i64, bytes: usize) {
        for index in 0..count {
            let time = MediaTime::from_micros(start + index * micros);
            let payload = Bytes::from(vec![0; bytes]);
            rate.observe(&Frame {
                track: TrackId::VIDEO,
                dts: time,
                pts: time,
                keyframe: false,
                payload,
            });
        }
    }

    #[test]
    fn the_hint_counts_until_enough_was_seen_then_the_stream() {
        let mut rate = Rate::new(HINT);
        observe(&mut rate, 0, 90, 20_000, 5_000);
        assert_eq!(rate.now(), HINT);
        observe(&mut rate, 1_800_000, 20, 20_000, 5_000);
        assert_eq!(
            rate.now(),
            Hint {
                bits_per_second: 2_000_000,
                pictures_per_second: 50.0
            }
        );
    }

    #[test]
    fn the_past_is_forgotten() {
        let mut rate = Rate::new(HINT);
        observe(&mut rate, 0, 500, 20_000, 5_000);
        observe(&mut rate, 10_000_000, 201, 20_000, 2_500);
        assert_eq!(
            rate.now(),
            Hint {
                bits_per_second: 1_000_000,
                pictures_per_second: 50.0
            }
        );
        observe(&mut rate, 0, 1, 0, 2_500);
        assert_eq!(rate.now(), HINT, "times went back");
    }

    #[test]
    fn absurd_streams_give_bearable_numbers_and_bounded_memory() {
        let mut rate = Rate::new(HINT);
        observe(&mut rate, 0, 10_000, 1, 1);
        assert!(rate.recent.len() <= PICTURES_MAX);
        observe(&mut rate, 1_000_000, 400, 9_000, 200_000);
        assert_eq!(rate.now().bits_per_second, 12_000_000);
    }
}
