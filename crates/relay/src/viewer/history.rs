use std::collections::VecDeque;

/// Which batch each sequence number of a viewer's video carried, for the newest batches sent: a NACK finds its packet
/// here. 6 KiB when full.
#[derive(Debug, Default)]
pub(crate) struct History {
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
}

impl History {
    /// A batch goes out, its first packet with the index `first`.
    pub(crate) fn note(&mut self, first: u64, batch: u64, rtp_time: u32) {
        if self.sent.len() == BATCHES_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent {
            first,
            batch,
            rtp_time,
        });
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
        let mut history = History::default();
        let find = |history: &History, index| {
            let (sent, packet) = history.find(index)?;
            Some((sent.batch, sent.rtp_time, packet))
        };
        assert_eq!(find(&history, 5), None);
        for batch in 0..300 {
            history.note(65_000 + batch * 9, batch, 7);
        }
        assert_eq!(find(&history, 65_000 + 44 * 9), Some((44, 7, 0)));
        assert_eq!(find(&history, 65_000 + 44 * 9 - 1), None);
        assert_eq!(find(&history, 65_000 + 100 * 9 + 8), Some((100, 7, 8)));
        assert_eq!(find(&history, 65_000 + 299 * 9 + 3), Some((299, 7, 3)));
    }
}
