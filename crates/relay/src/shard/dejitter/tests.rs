//! A host's pictures in virtual time, each so many milliseconds early or late.

use super::*;
use crate::packetize::BatchKind;
use crate::rendition::Rendition;

const MS: Duration = Duration::from_millis(1);
/// One that is 1 ms off is not held: [`WORTH_A_WAKE`].
const UNHELD: i64 = 2;

/// A host with 30 pictures a second, and what is let go of them.
struct Show {
    start: Instant,
    dejitter: Dejitter,
    /// For each picture that was let go, when it was due by an even clock, came, and went; in milliseconds.
    went: Vec<(i64, i64, i64)>,
    next: u32,
    /// When pictures were looked at last.
    now: Instant,
    /// How much later than the last one a picture of that moment would be, in milliseconds.
    off: i32,
    /// Of the pictures that come.
    rendition: Rendition,
}

impl Show {
    fn new() -> Self {
        let start = Instant::now();
        Self {
            start,
            dejitter: Dejitter::default(),
            went: Vec::new(),
            next: 0,
            now: start,
            off: 0,
            rendition: Rendition::Source,
        }
    }

    fn due(&self, n: u32) -> Instant {
        self.start + MS * 1_000 + Duration::from_micros(33_333) * n
    }

    /// The next picture comes `late` ms after its time, but not before the one before it.
    fn picture(&mut self, late: i32) {
        let (due, off) = (self.due(self.next), MS * late.unsigned_abs());
        let came = if late < 0 { due - off } else { due + off };
        let came = came.max(self.now);
        self.let_go_until(came);
        let batch = Batch::new(
            BatchKind::Video { keyframe: false },
            self.next.into(),
            0,
            (u32::MAX - 30_000).wrapping_add(self.next * 3_000),
            came,
            Box::default(),
            Box::default(),
        )
        .with_rendition(self.rendition);
        self.dejitter.push(&Arc::new(batch));
        self.next += 1;
        self.let_go(came);
    }

    fn pictures(&mut self, count: u32, late: impl Fn(u32) -> i32) {
        for _ in 0..count {
            self.picture(late(self.next));
        }
    }

    /// Wakes when the dejitter asks for it.
    fn let_go_until(&mut self, until: Instant) {
        while let Some(due) = self.dejitter.due().filter(|due| *due <= until) {
            self.let_go(due.max(self.now));
        }
        self.now = until;
    }

    fn let_go(&mut self, now: Instant) {
        self.now = now;
        while let Some(batch) = self.dejitter.pop(now) {
            let n = u32::try_from(batch.sequence).unwrap();
            let ms = |at: Instant| (at - self.start).as_millis().try_into().unwrap();
            let said = self.dejitter.rtp_time(now).unwrap();
            self.off = said.wrapping_sub(batch.rtp_time).cast_signed() / 90;
            self.went
                .push((ms(self.due(n)), ms(batch.received), ms(now)));
        }
    }

    /// How long the last `count` pictures were held, in milliseconds.
    fn held(&self, count: usize) -> Vec<i64> {
        let last = self.went.iter().rev().take(count);
        last.map(|(_, came, went)| went - came).collect()
    }

    /// How far the last `count` pictures went from their time.
    fn late(&self, count: usize) -> Vec<i64> {
        let last = self.went.iter().rev().take(count);
        last.map(|(due, _, went)| went - due).collect()
    }

    /// The last `count` pictures, all of which went in their order.
    fn spread(&self, count: usize) -> i64 {
        let order = self.went.windows(2).all(|pair| pair[0].0 < pair[1].0);
        assert!(order, "out of order");
        let late = self.late(count);
        late.iter().max().unwrap() - late.iter().min().unwrap()
    }
}

#[test]
fn an_even_host_s_pictures_wait_for_nothing_after_the_first_second() {
    let mut show = Show::new();
    show.pictures(100, |_| 0);
    assert!(show.held(67).iter().all(|held| *held == 0));
    show.pictures(100, |n| [0, 1][n as usize % 2]);
    assert!(show.held(100).iter().all(|held| *held <= UNHELD));
}

#[test]
fn the_hub_s_clock_of_a_host_who_is_in_time_changes_nothing() {
    let mut hub = Show::new();
    hub.pictures(40, |_| 0);
    let mut show = Show::new();
    show.pictures(5, |_| 0);
    show.dejitter.adopt(hub.dejitter.clock);
    show.pictures(95, |_| 0);
    assert!(show.held(60).iter().all(|held| *held == 0));
}

#[test]
fn pictures_that_come_early_wait_for_those_that_come_late() {
    let mut show = Show::new();
    show.pictures(300, |n| [-8, 0, 8, -4, 4][n as usize % 5]);
    assert!(show.spread(200) <= UNHELD, "{:?}", show.late(200));
    let longest = *show.held(200).iter().max().unwrap();
    assert!((14..=18).contains(&longest), "{longest}");
    assert!(show.off.abs() <= 2, "{}", show.off);
}

#[test]
fn the_wait_has_a_bound_and_what_is_later_goes_late() {
    let mut show = Show::new();
    show.pictures(300, |n| [-20, 20][n as usize % 2]);
    let late = show.late(200);
    assert!(late.iter().all(|late| (8..=21).contains(late)), "{late:?}");
    assert!(show.spread(200) < 40, "no worse than they came");
    // One comes half a picture early by each of the next ones.
    show.pictures(40, |n| -16 - i32::try_from(n % 3).unwrap());
    let bound = i64::try_from(HELD_MAX.as_millis()).unwrap();
    assert!(show.held(240).iter().all(|held| *held <= bound));
}

#[test]
fn the_wait_of_a_host_who_has_become_even_goes_away() {
    let mut show = Show::new();
    show.pictures(100, |n| [-10, 10][n as usize % 2]);
    assert!(show.held(20).iter().any(|held| *held >= 15));
    show.pictures(30 * 40, |_| 0);
    assert!(show.held(30).iter().all(|held| *held == 0));
}

#[test]
fn a_host_who_was_held_up_holds_up_no_one_further() {
    let mut show = Show::new();
    show.pictures(100, |_| 0);
    // Half a second nothing, then 15 at once, then as before.
    show.pictures(15, |n| 500 - i32::try_from((n - 100) * 100 / 3).unwrap());
    assert!(show.held(15).iter().all(|held| *held == 0));
    show.pictures(60, |_| 0);
    let (held, late) = (show.held(59), show.late(59));
    assert!(held.iter().all(|held| *held <= 30), "{held:?}");
    assert!(late.iter().all(|late| *late <= 32), "{late:?}");
    assert!(show.late(20).iter().all(|late| *late <= 12));
}

#[test]
fn after_a_pause_the_clock_begins_anew() {
    let mut show = Show::new();
    show.pictures(100, |_| 0);
    // Ten seconds nothing, and from then on ten seconds later than before.
    show.pictures(100, |_| 10_000);
    let late = show.late(60);
    assert!(
        late.iter().all(|late| (10_000..=10_002).contains(late)),
        "{late:?}"
    );
}

#[test]
fn no_picture_waits_longer_than_the_bound_however_early_it_is() {
    let mut show = Show::new();
    // Every other one is 9 ms late, so those that are on time wait for as long; and then one is a whole picture early.
    show.pictures(301, |n| i32::try_from(n % 2).unwrap() * 9);
    show.picture(-33);
    show.let_go_until(show.now + MS * 60);
    let held = show.held(1)[0];
    assert_eq!(u128::try_from(held).unwrap(), HELD_MAX.as_millis());
}

#[test]
fn few_wait_at_once_however_fast_they_come() {
    let start = Instant::now();
    let mut dejitter = Dejitter::default();
    let mut most = 0;
    // A thousand pictures a second; the last forty come at once, ahead of their time.
    for n in 0..1_040 {
        let came = start + MS * n.min(1_000);
        dejitter.push(&Arc::new(Batch::new(
            BatchKind::Video { keyframe: false },
            n.into(),
            0,
            n * 90,
            came,
            Box::default(),
            Box::default(),
        )));
        while dejitter.pop(came).is_some() {}
        most = most.max(dejitter.early.len());
    }
    assert_eq!(most, EARLY_MAX);
}

#[test]
fn the_re_encode_comes_later_by_a_clock_of_its_own() {
    for (rendition, begins_anew) in [(Rendition::InOrder, false), (Rendition::Reencoded, true)] {
        let mut show = Show::new();
        show.rendition = Rendition::InOrder;
        show.pictures(60, |_| 0);
        show.rendition = rendition;
        show.picture(130);
        let weight = show.dejitter.clock.weight();
        assert_eq!(weight == 1, begins_anew, "{rendition:?}: {weight}");
        show.pictures(10, |_| 130);
        assert_eq!(show.dejitter.clock.weight() == 11, begins_anew);
    }
}
