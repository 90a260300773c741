use std::time::Duration;

use crate::clock::Stamp;
use crate::net::socket::Datagram;
use crate::rtp::Header;
use crate::rtp::header::Datagram as Kind;

/// Sends remembered: what a stream with 80 sends a second makes in 20 s, and no more than that.
const SENDS_MAX: usize = 1600;
/// And no longer than this.
const SPAN_MAX: Duration = Duration::from_secs(6);

/// One send, as it was seen: datagrams with the same kernel stamp came of one GSO message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Send {
    /// Since the first send.
    pub(crate) after: Duration,
    /// Bytes of each datagram, with the RTP timestamp it carried and whether it had the marker.
    pub(crate) datagrams: Vec<Packet>,
}

/// One datagram of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) bytes: u16,
    /// SSRC and RTP timestamp: the frame it belongs to.
    pub(crate) frame: (u32, u32),
}

/// What a server sends to one viewer, send by send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    viewer: Option<u64>,
    first: Stamp,
    last: Stamp,
    /// In the order of their stamps.
    pub(crate) sends: Vec<Send>,
}

impl Shape {
    /// Notes a datagram that viewer `viewer` got. The first viewer who is noted stays the only one.
    pub(crate) fn note(&mut self, viewer: u64, datagram: &Datagram<'_>) {
        if *self.viewer.get_or_insert(viewer) != viewer || Kind::of(datagram.bytes) != Kind::Rtp {
            return;
        }
        let Some(header) = Header::parse(datagram.bytes) else {
            return;
        };
        let packet = Packet {
            bytes: u16::try_from(datagram.length).unwrap_or(u16::MAX),
            frame: (header.ssrc, header.timestamp),
        };
        if self.sends.is_empty() {
            self.first = datagram.at;
        }
        let after = datagram.at.since(self.first);
        if self.last == datagram.at
            && let Some(send) = self.sends.last_mut()
        {
            send.datagrams.push(packet);
        } else if self.sends.len() < SENDS_MAX && after <= SPAN_MAX {
            self.last = datagram.at;
            self.sends.push(Send {
                after,
                datagrams: vec![packet],
            });
        }
    }

    /// Of these sends.
    #[cfg(test)]
    pub(crate) fn from_sends(sends: Vec<Send>) -> Self {
        Self {
            sends,
            ..Self::default()
        }
    }

    /// The same packets, one send for each frame: the shape that costs least without giving up any time.
    pub(crate) fn by_frame(&self) -> Self {
        let mut sends: Vec<Send> = Vec::new();
        for send in &self.sends {
            for packet in &send.datagrams {
                let open = sends.iter_mut().rev().take(4).find(|send| {
                    send.datagrams
                        .first()
                        .is_some_and(|first| first.frame == packet.frame)
                });
                match open {
                    Some(open) => open.datagrams.push(*packet),
                    None => sends.push(Send {
                        after: send.after,
                        datagrams: vec![*packet],
                    }),
                }
            }
        }
        Self {
            sends,
            ..self.clone()
        }
    }

    /// How long it was watched, the last send's own share included.
    pub(crate) fn span(&self) -> Duration {
        let last = self.sends.last().map_or(Duration::ZERO, |send| send.after);
        let count = u32::try_from(self.sends.len()).unwrap_or(u32::MAX);
        match count {
            0 | 1 => last,
            _ => last + last / (count - 1),
        }
    }

    /// All its packets.
    pub(crate) fn packets(&self) -> usize {
        self.sends.iter().map(|send| send.datagrams.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rtp(ssrc: u8, time: u8, bytes: usize) -> Vec<u8> {
        let mut packet = vec![0x80, 96, 0, 0, 0, 0, 0, time, 0, 0, 0, ssrc];
        packet.resize(bytes, 0);
        packet
    }

    fn noted(packets: &[(u64, Vec<u8>)]) -> Shape {
        let mut shape = Shape::default();
        for (at, bytes) in packets {
            let datagram = Datagram {
                bytes,
                length: bytes.len(),
                at: Stamp(1000 + at),
            };
            shape.note(1, &datagram);
            shape.note(2, &datagram);
        }
        shape
    }

    fn sizes(shape: &Shape) -> Vec<Vec<u16>> {
        let of = |send: &Send| send.datagrams.iter().map(|packet| packet.bytes).collect();
        shape.sends.iter().map(of).collect()
    }

    #[test]
    fn equal_stamps_are_one_send_and_other_viewers_do_not_mix_in() {
        let shape = noted(&[
            (0, rtp(1, 1, 1200)),
            (0, rtp(1, 1, 700)),
            (20, rtp(2, 1, 200)),
            (33, rtp(1, 2, 1100)),
        ]);
        assert_eq!(sizes(&shape), [vec![1200, 700], vec![200], vec![1100]]);
        assert_eq!(shape.packets(), 4);
        assert_eq!(shape.sends[2].after, Duration::from_nanos(33));
    }

    #[test]
    fn a_frame_sent_in_parts_and_audio_that_rides_along_are_one_send_a_frame() {
        let shape = noted(&[
            (0, rtp(1, 1, 1200)),
            (1, rtp(1, 1, 900)),
            (1, rtp(2, 7, 200)),
            (33, rtp(1, 2, 1100)),
        ]);
        assert_eq!(
            sizes(&shape.by_frame()),
            [vec![1200, 900], vec![200], vec![1100]]
        );
    }

    #[test]
    fn control_packets_are_not_media_and_memory_is_bounded() {
        assert!(
            noted(&[(0, vec![0x80, 200, 0, 6, 0, 0, 0, 0])])
                .sends
                .is_empty()
        );
        let many: Vec<_> = (0..5000_u64).map(|at| (at, rtp(1, 1, 100))).collect();
        assert_eq!(noted(&many).sends.len(), SENDS_MAX);
        let long: Vec<_> = (0..20_u64)
            .map(|at| (at * 1_000_000_000, rtp(1, 1, 100)))
            .collect();
        assert_eq!(noted(&long).sends.len(), 7);
    }
}
