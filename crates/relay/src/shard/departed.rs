use std::collections::{BTreeMap, VecDeque};

use super::BroadcastId;

/// Sessions whose viewers have said goodbye by closing DTLS: a page that goes away does so and sends a DELETE, and the
/// DELETE comes second.
#[derive(Debug, Default)]
pub(super) struct Departed {
    by_name: BTreeMap<String, BroadcastId>,
    /// The oldest first. Some are in it no more.
    order: VecDeque<String>,
}

impl Departed {
    /// A viewer has gone.
    pub(super) fn note(&mut self, name: String, broadcast: BroadcastId) {
        if self.order.len() >= DEPARTED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_name.remove(&oldest);
        }
        self.order.push_back(name.clone());
        self.by_name.insert(name, broadcast);
    }

    /// What he watched.
    pub(super) fn broadcast(&self, name: &str) -> Option<BroadcastId> {
        self.by_name.get(name).copied()
    }

    /// His DELETE has come: whether it was expected.
    pub(super) fn forget(&mut self, name: &str) -> bool {
        self.by_name.remove(name).is_some()
    }
}

/// Those who go within the second or two that a DELETE takes, at the end of a big show; 0.4 MB.
const DEPARTED_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_delete_is_expected_of_each_and_the_oldest_are_forgotten() {
        let mut departed = Departed::default();
        for number in 0..DEPARTED_MAX + 10 {
            departed.note(number.to_string(), BroadcastId(7));
        }
        assert!(!departed.forget("9"));
        assert_eq!(departed.broadcast("10"), Some(BroadcastId(7)));
        assert!(departed.forget("10") && !departed.forget("10"));
        assert_eq!(departed.broadcast("10"), None);
        assert_eq!(departed.order.len(), DEPARTED_MAX);
    }
}
