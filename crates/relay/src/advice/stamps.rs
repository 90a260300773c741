use zongzi_media::MediaTime;

/// The host's clock, as the stamps of one track's frames show it.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    last: Option<MediaTime>,
}

/// How the clock has gone on with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There was no frame before it.
    First,
    /// So many microseconds, at most [`STEP_MAX`].
    On(u32),
    /// Back, or far ahead: what spans the jump says nothing.
    Jump,
}

impl Stamps {
    /// The next frame's stamp.
    pub(super) fn push(&mut self, time: MediaTime) -> Step {
        let Some(before) = self.last.replace(time) else {
            return Step::First;
        };
        match u32::try_from(time.micros_since(before)) {
            Ok(micros) if micros <= STEP_MAX => Step::On(micros),
            _ => Step::Jump,
        }
    }

    /// The newest frame's.
    pub(super) fn last(&self) -> Option<MediaTime> {
        self.last
    }
}

/// The longest step that is none of a jump, in microseconds.
const STEP_MAX: u32 = 5_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_back_and_far_ahead_are_jumps() {
        let mut stamps = Stamps::default();
        let steps = [0, 40, 40, 5_040, 10_041, 10_040, 10_080];
        let steps = steps.map(|millis| stamps.push(MediaTime::from_millis(millis)));
        assert_eq!(
            steps,
            [
                Step::First,
                Step::On(40_000),
                Step::On(0),
                Step::On(5_000_000),
                Step::Jump,
                Step::Jump,
                Step::On(40_000)
            ]
        );
        assert_eq!(stamps.last(), Some(MediaTime::from_millis(10_080)));
    }
}
