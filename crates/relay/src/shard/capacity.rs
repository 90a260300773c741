use std::time::{Duration, Instant};

/// How much a shard could carry, by how much of its time it takes to carry what it does.
///
/// Only live sending counts: handshakes and backlogs have a budget of their own and wait while there is live media.
#[derive(Debug)]
pub(super) struct Capacity {
    since: Instant,
    spent: Duration,
    /// Spans that still count as full, this one included.
    late_spans: u32,
    busy_spans: u32,
    /// Bits a second that were carried when the span began.
    carried: u64,
}

impl Capacity {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            spent: Duration::ZERO,
            late_spans: 0,
            busy_spans: 0,
            carried: 0,
        }
    }

    /// Live media was sent, which took so long.
    pub(super) fn note(&mut self, spent: Duration) {
        self.spent += spent;
    }

    /// Live media came to its turn so late that it was not sent.
    pub(super) fn late(&mut self) {
        self.late_spans = LATE_SPANS;
    }

    /// Whether it is time to [`Capacity::close`] the span.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= SPAN
    }

    /// Ends a span in which viewers of `carried` bits a second were served. Returns the bits a second that could be;
    /// `None` while the shard has so much time left that nobody can tell.
    pub(super) fn close(&mut self, now: Instant, carried: u64) -> Option<u64> {
        let span = now.saturating_duration_since(self.since);
        let busy = self.spent.as_millis() * 1_000 / span.as_millis().max(1);
        let late = self.late_spans > 0;
        let busy = if late { 1_000 } else { busy.min(1_000) };
        // Viewers may have come all the while.
        let mean = self.carried.midpoint(carried);
        self.since = now;
        self.spent = Duration::ZERO;
        self.late_spans = self.late_spans.saturating_sub(1);
        self.carried = carried;
        if busy < TELLING {
            self.busy_spans = 0;
            return None;
        }
        self.busy_spans = self.busy_spans.saturating_add(1);
        // One span may be busy because the whole machine stood still.
        if self.busy_spans < SPANS_MIN {
            return None;
        }
        u64::try_from(u128::from(mean) * FULL / busy).ok()
    }
}

/// Long enough for a keyframe and the pictures after it to make an average.
const SPAN: Duration = Duration::from_secs(2);
/// Thousandths of a shard's time from which on one can tell from them what more it could do.
const TELLING: u128 = 400;
/// Thousandths of its time that may be filled: what is left is for keyframes, joins, and what else the machine does.
const FULL: u128 = 850;
/// For so long a shard that was late counts as full. Viewers wait for the next keyframe then, and it has time.
const LATE_SPANS: u32 = 5;
const SPANS_MIN: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    /// Spans of which so many thousandths are spent, with what comes of each.
    fn spans(
        capacity: &mut Capacity,
        start: Instant,
        spent: &[u32],
        carried: u64,
    ) -> Vec<Option<u64>> {
        let spans = (1..).zip(spent);
        spans
            .map(|(number, spent)| {
                let end = start + SPAN * number;
                assert!(!capacity.is_due(end - Duration::from_millis(1)));
                assert!(capacity.is_due(end));
                capacity.note(SPAN * *spent / 2_000);
                capacity.note(SPAN * *spent / 2_000);
                capacity.close(end, carried)
            })
            .collect()
    }

    #[test]
    fn what_could_be_carried_follows_from_the_time_that_is_left() {
        let start = Instant::now();
        let mut capacity = Capacity::new(start);
        let told = spans(&mut capacity, start, &[500, 500, 850, 1_000], 5_000_000_000);
        let expected = [
            None,
            Some(8_500_000_000),
            Some(5_000_000_000),
            Some(4_250_000_000),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn viewers_who_come_meanwhile_do_not_make_the_others_look_cheap() {
        let start = Instant::now();
        let mut capacity = Capacity::new(start);
        spans(&mut capacity, start, &[500], 1_000);
        let told = spans(&mut capacity, start + SPAN, &[500], 3_000);
        assert_eq!(told, [Some(3_400)]);
    }

    #[test]
    fn a_shard_with_time_left_or_busy_only_once_tells_nothing() {
        let start = Instant::now();
        let mut capacity = Capacity::new(start);
        let told = spans(&mut capacity, start, &[300, 900, 300, 900, 390], 1_000_000);
        assert_eq!(told, [None; 5]);
    }

    #[test]
    fn a_shard_that_was_late_takes_nobody_for_a_while_although_it_sends_little() {
        let start = Instant::now();
        let mut capacity = Capacity::new(start);
        assert_eq!(spans(&mut capacity, start, &[500], 1_000), [None]);
        capacity.late();
        let told = spans(
            &mut capacity,
            start + SPAN,
            &[500, 300, 300, 500, 500, 500],
            1_000,
        );
        let full = Some(850);
        assert_eq!(told, [full, full, full, full, full, Some(1_700)]);
    }
}
