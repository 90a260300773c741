use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Which batch each sequence number of a viewer's video carried, for the newest batches sent: a NACK finds its packet
/// here, and a report the moment at which its packet went. 6 KiB when full.
#[derive(Debug)]
pub(crate) struct History {
    begun: Instant,
    /// Ascending.
    sent: VecDeque<Sent>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    /// Packet index (roll-over counter and sequence number) of the batch's first packet.
    first: u64,
    /// The batch's sequence number.
    pub(crate) batch: u64,
    /// The RTP time it went with, before the viewer's offset.
    pub(crate) rtp_time: u32,
    /// When its newest part went, in milliseconds since the history began.
    millis: u32,
}

impl History {
    pub(crate) fn new(begun: Instant) -> Self {
        Self {
            begun,
            sent: VecDeque::new(),
        }
    }

    /// Packets of a batch go out, from its `part`-th on, which has this index.
    pub(crate) fn note(
        &mut self,
        now: Instant,
        index: u64,
        part: usize,
        batch: u64,
        rtp_time: u32,
    ) {
        let millis = now.saturating_duration_since(self.begun).as_millis();
        let millis = u32::try_from(millis).unwrap_or(u32::MAX);
        if part > 0
            && let Some(last) = self.sent.back_mut().filter(|last| last.batch == batch)
        {
            last.millis = millis;
            return;
        }
        let first = index.saturating_sub(u64::try_from(part).unwrap_or(0));
        if self.sent.len() == BATCHES_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent {
            first,
            batch,
            rtp_time,
            millis,
        });
    }

    /// Nothing of what was sent is found any more.
    pub(crate) fn forget(&mut self) {
        self.sent.clear();
    }

    /// When the packet of that index went, or the newest part of its batch.
    pub(crate) fn sent_at(&self, index: u64) -> Option<Instant> {
        let (sent, _) = self.find(index)?;
        Some(self.begun + Duration::from_millis(u64::from(sent.millis)))
    }

    /// What went with the index, and which of its packets it was.
    pub(crate) fn find(&self, index: u64) -> Option<(Sent, usize)> {
        let after = self.sent.partition_point(|sent| sent.first <= index);
        let sent = self.sent.get(after.checked_sub(1)?)?;
        let packet = usize::try_from(index - sent.first).ok()?;
        Some((*sent, packet))
    }
}

/// Batches remembered: 4 s at 60 frames a second; older packets come too late to be shown.
const BATCHES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_found_in_its_batch_until_256_more_went() {
        let now = Instant::now();
        let mut history = History::new(now);
        let find = |history: &History, index| {
            let (sent, packet) = history.find(index)?;
            Some((sent.batch, sent.rtp_time, packet))
        };
        assert_eq!(find(&history, 5), None);
        for batch in 0..300 {
            history.note(now, 65_000 + batch * 9, 0, batch, 7);
        }
        assert_eq!(find(&history, 65_000 + 44 * 9), Some((44, 7, 0)));
        assert_eq!(find(&history, 65_000 + 44 * 9 - 1), None);
        assert_eq!(find(&history, 65_000 + 100 * 9 + 8), Some((100, 7, 8)));
        assert_eq!(find(&history, 65_000 + 299 * 9 + 3), Some((299, 7, 3)));
    }

    #[test]
    fn a_batch_that_goes_in_parts_is_one_and_went_when_its_last_part_did() {
        let now = Instant::now();
        let after = |millis| now + Duration::from_millis(millis);
        let mut history = History::new(now);
        history.note(after(5), 100, 0, 7, 1);
        history.note(after(9), 120, 20, 7, 1);
        history.note(after(40), 130, 0, 8, 2);
        let (sent, packet) = history.find(125).unwrap();
        assert_eq!((sent.batch, packet), (7, 25));
        assert_eq!(history.sent_at(100), Some(after(9)));
        assert_eq!(history.sent_at(130), Some(after(40)));
        history.forget();
        assert_eq!(history.sent_at(130), None);
    }
}
