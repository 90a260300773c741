use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How much a shard could carry, by how much of its time it takes to carry what it does.
///
/// What counts is what grows with those who watch: live media and their reports. Handshakes and backlogs have a budget of
/// their own and wait while there is live media.
#[derive(Debug)]
pub(super) struct Capacity {
    since: Instant,
    spent: Duration,
    late: bool,
    /// Spans in a row, up to the last one, in which something was.
    late_spans: u32,
    /// Bits a second that were carried when the span began.
    carried: u64,
    before: Option<Span>,
    /// Thousandths of a span under which the shard has time for everything.
    quiet: u16,
    /// What the last spans told, at most [`SPANS_MAX`].
    told: VecDeque<Option<u64>>,
}

/// One span that is over.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// Thousandths of it that were spent.
    busy: u128,
    /// Bits a second that were carried, on average: viewers may have come all the while.
    carried: u64,
}

impl Capacity {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            spent: Duration::ZERO,
            late: false,
            late_spans: 0,
            carried: 0,
            before: None,
            quiet: 0,
            told: VecDeque::with_capacity(SPANS_MAX),
        }
    }

    /// With so many thousandths of its time under which a shard [is quiet](Self::is_quiet).
    pub(super) fn with_quiet(self, quiet: u16) -> Self {
        Self { quiet, ..self }
    }

    /// Whether the shard had so much time left in the last span that it need not save any.
    pub(super) fn is_quiet(&self) -> bool {
        let before = self.before;
        before.is_some_and(|span| span.busy < u128::from(self.quiet))
    }

    /// Serving those who watch took so long.
    pub(super) fn note(&mut self, spent: Duration) {
        self.spent += spent;
    }

    /// Live media came to its turn so late that it was not sent.
    pub(super) fn late(&mut self) {
        self.late = true;
    }

    /// Whether this is more than a moment of the machine: the shard was late in each of the last [`STAYS_SPANS`]. Asking begins anew.
    pub(super) fn stays_behind(&mut self) -> bool {
        let stays = self.late_spans >= STAYS_SPANS;
        if stays {
            self.late_spans = 0;
        }
        stays
    }

    /// Whether it is time to [`Capacity::close`] the span.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= SPAN
    }

    /// Ends a span in which viewers of `carried` bits a second were served. Returns the bits a second that could be, by the
    /// worst of the last spans: a machine has its moments, and a shard that fell behind has time while its viewers wait
    /// for a keyframe. `None` while the shard has so much time left that nobody can tell.
    pub(super) fn close(&mut self, now: Instant, carried: u64) -> Option<u64> {
        let span = now.saturating_duration_since(self.since);
        let busy = self.spent.as_millis() * 1_000 / span.as_millis().max(1);
        let span = Span {
            busy: busy.min(1_000),
            carried: self.carried.midpoint(carried),
        };
        let before = self.before.replace(span);
        let told = if self.late {
            could_carry(span.carried, 1_000)
        } else {
            before.and_then(|before| together(before, span))
        };
        self.late_spans = if self.late { self.late_spans + 1 } else { 0 };
        self.since = now;
        self.spent = Duration::ZERO;
        self.late = false;
        self.carried = carried;
        if self.told.len() >= SPANS_MAX {
            self.told.pop_front();
        }
        self.told.push_back(told);
        self.told.iter().flatten().min().copied()
    }
}

/// Two spans tell more than one: one may have a keyframe and the other none, or the whole machine stood still in one.
fn together(before: Span, span: Span) -> Option<u64> {
    if before.busy.min(span.busy) < TELLING {
        return None;
    }
    let carried = before.carried.midpoint(span.carried);
    could_carry(carried, before.busy.midpoint(span.busy))
}

fn could_carry(carried: u64, busy: u128) -> Option<u64> {
    u64::try_from(u128::from(carried) * FULL / busy).ok()
}

/// A crowd of hundreds a second is in before two of these are over.
const SPAN: Duration = Duration::from_secs(1);
/// What was told is forgotten after so many.
const SPANS_MAX: usize = 10;
/// A machine that stood still for half a second is late in one or two, and a crowd that comes at once in three or four.
const STAYS_SPANS: u32 = 5;
/// Thousandths of a shard's time from which on one can tell from them what more it could do.
const TELLING: u128 = 250;
/// Thousandths of its time that may be filled: what is left is for keyframes, joins, and what else the machine does.
const FULL: u128 = 850;

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

    /// A shard that carries so much from now on.
    fn carrying(start: Instant, carried: u64) -> Capacity {
        let mut capacity = Capacity::new(start - SPAN);
        assert_eq!(capacity.close(start, carried), None);
        capacity
    }

    #[test]
    fn what_could_be_carried_follows_from_the_time_that_is_left() {
        let start = Instant::now();
        let mut capacity = carrying(start, 5_000_000_000);
        let told = spans(
            &mut capacity,
            start,
            &[500, 500, 850, 850, 1_000, 1_000],
            5_000_000_000,
        );
        let expected = [
            None,
            Some(8_500_000_000),
            Some(6_296_296_296),
            Some(5_000_000_000),
            Some(4_594_594_594),
            Some(4_250_000_000),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_second_with_a_keyframe_and_one_without_tell_the_same_in_either_order() {
        let start = Instant::now();
        let mut capacity = carrying(start, 1_000);
        let told = spans(&mut capacity, start, &[300, 500, 300, 500], 1_000);
        assert_eq!(told, [None, Some(2_125), Some(2_125), Some(2_125)]);
    }

    #[test]
    fn viewers_who_come_meanwhile_do_not_make_the_others_look_cheap() {
        let start = Instant::now();
        let mut capacity = carrying(start, 0);
        // From none to a thousand, on to three.
        assert_eq!(spans(&mut capacity, start, &[250], 1_000), [None]);
        let told = spans(&mut capacity, start + SPAN, &[1_000], 3_000);
        assert_eq!(told, [Some(1_700)]);
    }

    #[test]
    fn a_shard_with_time_left_or_busy_only_once_tells_nothing() {
        let start = Instant::now();
        let mut capacity = carrying(start, 1_000_000);
        let told = spans(&mut capacity, start, &[200, 900, 200, 900, 240], 1_000_000);
        assert_eq!(told, [None; 5]);
    }

    #[test]
    fn the_worst_of_the_last_ten_spans_counts_and_is_forgotten_after_them() {
        let start = Instant::now();
        let mut capacity = carrying(start, 1_000);
        // The machine has less time for a while; then half of the viewers wait, and the shard has nothing to do.
        let busy = [500, 500, 850, 850, 500, 100, 100];
        let told = spans(&mut capacity, start, &busy, 1_000);
        let (plenty, some, few) = (Some(1_700), Some(1_259), Some(1_000));
        assert_eq!(told, [None, plenty, some, few, few, few, few]);
        let told = spans(&mut capacity, start + SPAN * 7, &[100; 8], 1_000);
        assert_eq!(told[..6], [few; 6]);
        assert_eq!(told[6..], [some, None]);
    }

    #[test]
    fn a_shard_is_quiet_while_the_last_second_left_it_time_and_not_before_the_first() {
        let start = Instant::now();
        let mut capacity = Capacity::new(start).with_quiet(100);
        assert!(!capacity.is_quiet());
        let mut quiet = Vec::new();
        for (number, spent) in (1..).zip([50, 99, 100, 0]) {
            capacity.note(SPAN * spent / 1_000);
            capacity.close(start + SPAN * number, 1_000);
            quiet.push(capacity.is_quiet());
        }
        assert_eq!(quiet, [true, true, false, true]);
        let mut never = Capacity::new(start);
        never.close(start + SPAN, 0);
        assert!(!never.is_quiet());
    }

    #[test]
    fn a_shard_stays_behind_when_it_is_late_five_seconds_in_a_row() {
        let start = Instant::now();
        let mut capacity = carrying(start, 1_000);
        let late = [4, 10].map(|spans| vec![true; spans]).join(&false);
        let mut stays = Vec::new();
        for (number, late) in (1_u32..).zip(late) {
            if late {
                capacity.late();
            }
            capacity.close(start + SPAN * number, 1_000);
            if capacity.stays_behind() {
                stays.push(number);
            }
        }
        assert_eq!(stays, [10, 15]);
    }

    #[test]
    fn a_shard_that_was_late_takes_nobody_for_a_while_although_it_sends_little() {
        let start = Instant::now();
        let mut capacity = carrying(start, 1_000);
        capacity.late();
        let told = spans(&mut capacity, start, &[100; 11], 1_000);
        assert_eq!(told[..10], [Some(850); 10]);
        assert_eq!(told[10], None);
    }
}
