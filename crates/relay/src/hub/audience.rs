use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::owner::lock;

/// Viewers whose playback tokens name them, remembered for one broadcast: 5 MB. Past it, one who was not there yet
/// counts as a new one each time he comes.
const KNOWN_MAX: usize = 262_144;

/// The viewers of one channel, counted by those who carry them (shards; later MoQ) and read by everyone.
///
/// A viewer is a session whose transport is proved and alive. Its carrier calls [`Audience::enter`] then and holds the
/// [`Visit`] as long as that is so. Who is there while there is no broadcast waits, and becomes a viewer of the next one
/// in the instant that it begins. All figures change together, under a lock that is taken when somebody comes, goes or
/// asks, and never for media. What each of them is sent stands here, too, for whoever has to know what one more costs.
#[derive(Debug, Default)]
pub struct Audience {
    book: Mutex<Book>,
    /// Bits a second for each viewer; 0: not known.
    bitrate: AtomicU64,
}

/// One viewer's presence: he is gone when it is dropped.
#[derive(Debug)]
pub struct Visit {
    audience: Arc<Audience>,
    protocol: &'static str,
    viewer: Option<ViewerId>,
}

/// Who a viewer is, by what his playback token calls him. Two sessions with one id are one unique viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewerId(u64);

/// How many viewers a channel has and had.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Turnout {
    /// Viewers of the broadcast now; 0 while there is none.
    pub viewers: u64,
    /// Those who are there while there is no broadcast.
    pub waiting: u64,
    /// [`Turnout::viewers`] by what they speak; no entry for what nobody speaks.
    pub by_protocol: BTreeMap<&'static str, u64>,
    /// Most viewers at a time in the present broadcast, or in the last one.
    pub peak: u64,
    /// All sessions that were viewers of it.
    pub total: u64,
    /// How many people those were: those whom tokens name counted once each, the others by session.
    pub unique: u64,
}

#[derive(Debug, Default)]
struct Book {
    here: BTreeMap<&'static str, u64>,
    /// How many sessions each of the known ones who are here has.
    known_here: BTreeMap<ViewerId, u64>,
    live: bool,
    peak: u64,
    total: u64,
    /// Unique viewers who are not in `known`.
    others: u64,
    /// Known ones whom the broadcast has seen; at most [`KNOWN_MAX`].
    known: HashSet<ViewerId>,
}

impl Audience {
    /// A viewer is there, by `protocol` (one of a small closed set).
    pub fn enter(self: &Arc<Self>, protocol: &'static str, viewer: Option<ViewerId>) -> Visit {
        let mut book = lock(&self.book);
        *book.here.entry(protocol).or_default() += 1;
        if let Some(viewer) = viewer {
            *book.known_here.entry(viewer).or_default() += 1;
        }
        if book.live {
            book.came(viewer);
        }
        drop(book);
        Visit {
            audience: Arc::clone(self),
            protocol,
            viewer,
        }
    }

    /// How many there are and were.
    pub fn turnout(&self) -> Turnout {
        let book = lock(&self.book);
        let here = book.here.values().sum();
        let (viewers, waiting) = if book.live { (here, 0) } else { (0, here) };
        Turnout {
            viewers,
            waiting,
            by_protocol: if book.live {
                book.here.clone()
            } else {
                BTreeMap::new()
            },
            peak: book.peak,
            total: book.total,
            unique: book.unique(),
        }
    }

    /// Bits a second that one viewer is sent: RTP with its headers and encryption, without UDP and IP. Before that is
    /// known, and while there is no broadcast, [`Audience::BITRATE_ASSUMED`].
    pub fn bitrate(&self) -> u64 {
        match self.bitrate.load(Ordering::Relaxed) {
            0 => Self::BITRATE_ASSUMED,
            bitrate => bitrate,
        }
    }

    /// What a viewer is taken to need before his broadcast has shown it: 720p30 at 2.5 Mb/s and sound, rounded up.
    pub const BITRATE_ASSUMED: u64 = 3_000_000;

    /// What each viewer is sent from now on, in bits a second; `None`: not known.
    pub(crate) fn sends(&self, bitrate: Option<u64>) {
        self.bitrate.store(bitrate.unwrap_or(0), Ordering::Relaxed);
    }

    /// A new broadcast begins: those who are there are its first viewers.
    pub(super) fn begin(&self) {
        let mut book = lock(&self.book);
        let known: HashSet<_> = book.known_here.keys().copied().collect();
        let sessions_of_known: u64 = book.known_here.values().sum();
        let here: u64 = book.here.values().sum();
        book.live = true;
        (book.peak, book.total) = (here, here);
        book.others = here.saturating_sub(sessions_of_known);
        book.known = known;
    }

    /// The broadcast is over: its figures stay as they are until the next one begins.
    pub(super) fn end(&self) {
        let mut book = lock(&self.book);
        book.live = false;
        book.others = book.unique();
        book.known = HashSet::new();
    }

    fn leave(&self, visit: &Visit) {
        let mut book = lock(&self.book);
        take_one(&mut book.here, &visit.protocol);
        if let Some(viewer) = &visit.viewer {
            take_one(&mut book.known_here, viewer);
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.audience.leave(self);
    }
}

impl ViewerId {
    /// The viewer whom a token calls `name`.
    pub fn of(name: &str) -> Self {
        // 64 bits of names that the operator gave out: among 262,144 of them two meet once in 500 million broadcasts.
        let mut hasher = DefaultHasher::new();
        hasher.write(name.as_bytes());
        Self(hasher.finish())
    }
}

impl Book {
    fn came(&mut self, viewer: Option<ViewerId>) {
        self.peak = self.peak.max(self.here.values().sum());
        self.total += 1;
        match viewer {
            Some(viewer) if self.known.contains(&viewer) => {}
            Some(viewer) if self.known.len() < KNOWN_MAX => {
                self.known.insert(viewer);
            }
            _ => self.others += 1,
        }
    }

    fn unique(&self) -> u64 {
        self.others
            .saturating_add(u64::try_from(self.known.len()).unwrap_or(u64::MAX))
    }
}

/// Takes one away; the entry goes with the last.
fn take_one<K: Ord>(counts: &mut BTreeMap<K, u64>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTC: &str = "webrtc";

    fn figures(audience: &Audience) -> [u64; 5] {
        let turnout = audience.turnout();
        let by_protocol: u64 = turnout.by_protocol.values().sum();
        assert_eq!(by_protocol, turnout.viewers);
        let Turnout {
            viewers,
            waiting,
            peak,
            total,
            unique,
            ..
        } = turnout;
        [viewers, waiting, peak, total, unique]
    }

    #[test]
    fn those_who_wait_are_the_first_viewers_of_the_broadcast_and_wait_again_after_it() {
        let audience = Arc::<Audience>::default();
        let first = audience.enter(RTC, None);
        drop(audience.enter(RTC, None));
        assert_eq!(figures(&audience), [0, 1, 0, 0, 0]);
        audience.begin();
        assert_eq!(figures(&audience), [1, 0, 1, 1, 1]);
        let second = audience.enter(RTC, None);
        drop(second);
        assert_eq!(figures(&audience), [1, 0, 2, 2, 2]);
        audience.end();
        let late = audience.enter(RTC, None);
        assert_eq!(figures(&audience), [0, 2, 2, 2, 2]);
        audience.begin();
        assert_eq!(figures(&audience), [2, 0, 2, 2, 2]);
        drop((first, late));
        assert_eq!(figures(&audience), [0, 0, 2, 2, 2]);
    }

    #[test]
    fn one_whom_a_token_names_is_one_viewer_however_often_he_comes() {
        let audience = Arc::<Audience>::default();
        let (mei, lan) = (ViewerId::of("mei"), ViewerId::of("lan"));
        let waiting = audience.enter(RTC, Some(mei));
        let twice = audience.enter(RTC, Some(mei));
        audience.begin();
        assert_eq!(figures(&audience), [2, 0, 2, 2, 1]);
        drop(twice);
        let back = audience.enter(RTC, Some(mei));
        let other = audience.enter(RTC, Some(lan));
        let nameless = audience.enter(RTC, None);
        assert_eq!(figures(&audience), [4, 0, 4, 5, 3]);
        audience.end();
        assert_eq!(figures(&audience), [0, 4, 4, 5, 3]);
        drop((back, other, nameless));
        audience.begin();
        assert_eq!(figures(&audience), [1, 0, 1, 1, 1]);
        drop(waiting);
    }

    #[test]
    fn viewers_are_told_apart_by_what_they_speak() {
        let audience = Arc::<Audience>::default();
        audience.begin();
        let _one = audience.enter(RTC, None);
        let other = audience.enter("moq", None);
        let both = BTreeMap::from([(RTC, 1), ("moq", 1)]);
        assert_eq!(audience.turnout().by_protocol, both);
        drop(other);
        assert_eq!(audience.turnout().by_protocol, BTreeMap::from([(RTC, 1)]));
    }

    #[test]
    fn more_known_viewers_than_can_be_remembered_are_counted_by_session() {
        let audience = Arc::<Audience>::default();
        audience.begin();
        let most = u64::try_from(KNOWN_MAX).unwrap();
        for viewer in 0..most + 2 {
            drop(audience.enter(RTC, Some(ViewerId(viewer))));
        }
        drop(audience.enter(RTC, Some(ViewerId(0))));
        drop(audience.enter(RTC, Some(ViewerId(most))));
        assert_eq!(figures(&audience), [0, 0, 1, most + 4, most + 3]);
    }
}
