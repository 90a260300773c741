use std::collections::VecDeque;

use crate::clock::Stamp;

/// Frames kept open at once: a packet that comes later than this many frames after its own is given up.
const OPEN_MAX: usize = 6;
/// Frame ends remembered, to tell whether a frame's first packet is really its first.
const ENDS_MAX: usize = 16;

/// A video frame all of whose packets arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whole {
    /// Its RTP timestamp.
    pub(crate) rtp_time: u32,
    /// Extended sequence number of its first packet.
    pub(crate) first: u64,
    /// Extended sequence number of its last packet.
    pub(crate) last: u64,
    /// When the last of its packets arrived.
    pub(crate) at: Stamp,
}

/// Puts packets together to frames by the clear part of the RTP header: timestamp, sequence number, marker.
///
/// A frame is whole when it has a packet with the marker, none missing before it, and the packet right before its
/// first is known to be the last of another frame. Without the latter a frame whose first packet was lost would pass.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    open: VecDeque<Open>,
    ends: VecDeque<u64>,
    started: bool,
    /// Frames given up.
    broken: u64,
}

#[derive(Debug)]
struct Open {
    rtp_time: u32,
    first: u64,
    last: u64,
    packets: u64,
    end: Option<u64>,
    at: Stamp,
}

impl Assembler {
    /// Takes a packet that was not seen before; gives a frame that is now complete (at most one; were there
    /// two, the other comes with the next packet).
    ///
    /// The very first packet of a stream counts as the first of its frame.
    pub(crate) fn packet(
        &mut self,
        number: u64,
        rtp_time: u32,
        marker: bool,
        at: Stamp,
    ) -> Option<Whole> {
        if !self.started {
            self.started = true;
            self.note_end(number.wrapping_sub(1));
        }
        if marker {
            self.note_end(number);
        }
        match self.open.iter_mut().find(|open| open.rtp_time == rtp_time) {
            Some(open) => {
                open.first = open.first.min(number);
                open.last = open.last.max(number);
                open.packets += 1;
                open.at = open.at.max(at);
                if marker {
                    open.end = Some(number);
                }
            }
            None => {
                if self.open.len() >= OPEN_MAX {
                    self.open.pop_front();
                    self.broken += 1;
                }
                self.open.push_back(Open {
                    rtp_time,
                    first: number,
                    last: number,
                    packets: 1,
                    end: marker.then_some(number),
                    at,
                });
            }
        }
        let ends = &self.ends;
        let done = self.open.iter().position(|open| {
            open.end == Some(open.last)
                && open.packets == open.last - open.first + 1
                && ends.contains(&open.first.wrapping_sub(1))
        })?;
        self.open.remove(done).map(|open| Whole {
            rtp_time: open.rtp_time,
            first: open.first,
            last: open.last,
            at: open.at,
        })
    }

    fn note_end(&mut self, number: u64) {
        if self.ends.len() >= ENDS_MAX {
            self.ends.pop_front();
        }
        self.ends.push_back(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frame `n` has packets `3n`, `3n + 1`, `3n + 2`, the last with the marker.
    fn run(numbers: &[u64]) -> (Vec<u32>, u64) {
        let mut assembler = Assembler::default();
        let whole = numbers
            .iter()
            .filter_map(|number| {
                let frame = u32::try_from(number / 3).expect("small");
                assembler.packet(*number, frame, number % 3 == 2, Stamp(*number))
            })
            .map(|whole| whole.rtp_time)
            .collect();
        (whole, assembler.broken)
    }

    #[test]
    fn frames_in_order_are_whole_at_their_last_packet() {
        assert_eq!(run(&[0, 1, 2, 3, 4, 5]).0, [0, 1]);
        let mut assembler = Assembler::default();
        assembler.packet(0, 0, false, Stamp(5));
        assembler.packet(1, 0, false, Stamp(6));
        let whole = assembler.packet(2, 0, true, Stamp(9)).expect("whole");
        assert_eq!((whole.first, whole.last, whole.at), (0, 2, Stamp(9)));
    }

    #[test]
    fn a_frame_without_its_first_packet_is_not_whole() {
        assert_eq!(run(&[0, 1, 2, 4, 5, 6, 7, 8]).0, [0, 2]);
    }

    #[test]
    fn a_frame_without_its_middle_or_last_packet_is_not_whole() {
        assert_eq!(run(&[0, 1, 2, 3, 5, 6, 7, 8]).0, [0, 2]);
        // Packet 5, the end of frame 1, is missing: who says that 6 begins frame 2? Both are given up.
        assert_eq!(run(&[0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]).0, [0, 3]);
    }

    #[test]
    fn packets_in_the_wrong_order_still_make_frames() {
        assert_eq!(run(&[0, 2, 1, 5, 4, 3]).0, [0, 1]);
        assert_eq!(run(&[0, 1, 3, 2, 4, 5]).0, [0, 1]);
        // Frame 1 is known to be whole once the end of frame 0 is there; it is told with the packet after.
        assert_eq!(run(&[0, 1, 3, 4, 5, 2, 6, 7, 8]).0, [0, 1, 2]);
    }

    #[test]
    fn what_never_comes_is_given_up_and_the_table_stays_small() {
        let numbers: Vec<_> = (0..300).filter(|number| number % 3 != 1).collect();
        let (whole, broken) = run(&numbers);
        assert!(whole.is_empty());
        assert_eq!(broken, 100 - OPEN_MAX as u64);
    }
}
