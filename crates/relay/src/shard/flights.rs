use std::time::{Duration, Instant};

/// How far away a viewer is, by his DTLS handshake: the first that is known of it, before any report.
///
/// The shortest time from a flight of ours to the next of his. Both sides send a flight again that is not answered soon
/// (Chromium after 50 ms), so his counts as the next only with a handshake message that has not come before (RFC 6347
/// §4.2.2), and ours from its first sending. A flight that was lost makes the time too long; there are two.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flights {
    /// The number of the handshake message that he is to send next.
    next: u16,
    /// When the flight of ours left that he has not followed yet.
    sent: Option<Instant>,
    round_trip: Option<Duration>,
}

impl Flights {
    /// A flight of ours left, perhaps again.
    pub(super) fn sent(&mut self, now: Instant) {
        self.sent.get_or_insert(now);
    }

    /// A datagram of the viewer's came, at this time or later.
    pub(super) fn came(&mut self, at: Instant, datagram: &[u8]) {
        let Some(number) = message(datagram).filter(|number| *number >= self.next) else {
            return;
        };
        self.next = number.saturating_add(1);
        if let Some(sent) = self.sent.take() {
            let took = at.saturating_duration_since(sent);
            self.round_trip = Some(self.round_trip.map_or(took, |before| before.min(took)));
        }
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }
}

/// The number of the handshake message with which a datagram begins; `None` for what is encrypted or something else (RFC
/// 6347 §4.1, §4.2.2).
fn message(datagram: &[u8]) -> Option<u16> {
    let [HANDSHAKE, _, _, 0, 0, rest @ ..] = datagram else {
        return None;
    };
    let number = rest.get(12..14)?;
    Some(u16::from_be_bytes(number.try_into().ok()?))
}

/// The content type of handshake records (RFC 5246 §6.2.1).
const HANDSHAKE: u8 = 22;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A record with a handshake message of that number.
    fn datagram(number: u16) -> Vec<u8> {
        let mut record = vec![
            HANDSHAKE, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 40, 1, 0, 0, 28,
        ];
        record.extend(number.to_be_bytes());
        record.extend([0; 34]);
        record
    }

    #[test]
    fn the_time_from_a_flight_to_the_next_of_his_counts_whoever_sends_again_meanwhile() {
        let start = Instant::now();
        let mut flights = Flights::default();
        flights.came(start, &datagram(0));
        assert_eq!(flights.round_trip(), None, "nothing of ours was on its way");
        flights.sent(start);
        flights.came(start + 50 * MS, &datagram(0));
        flights.sent(start + 50 * MS);
        flights.came(start + 210 * MS, &datagram(1));
        assert_eq!(flights.round_trip(), Some(210 * MS));
        flights.sent(start + 220 * MS);
        flights.came(start + 270 * MS, &datagram(1));
        flights.came(start + 400 * MS, &datagram(2));
        assert_eq!(flights.round_trip(), Some(180 * MS));
        // The rest of his flight tells nothing, nor does one that was lost on the way.
        flights.came(start + 401 * MS, &datagram(3));
        flights.sent(start + 410 * MS);
        flights.came(start + 900 * MS, &datagram(5));
        assert_eq!(flights.round_trip(), Some(180 * MS));
    }

    #[test]
    fn what_may_have_come_before_it_was_sent_took_no_time() {
        let start = Instant::now();
        let mut flights = Flights::default();
        flights.sent(start + 5 * MS);
        flights.came(start, &datagram(0));
        assert_eq!(flights.round_trip(), Some(Duration::ZERO));
    }

    #[test]
    fn only_plain_handshake_records_have_a_number() {
        assert_eq!(message(&datagram(0x0102)), Some(0x0102));
        for len in 0..19 {
            assert_eq!(message(&datagram(7)[..len]), None, "{len} bytes");
        }
        let mut encrypted = datagram(1);
        encrypted[4] = 1;
        assert_eq!(message(&encrypted), None);
        let mut alert = datagram(1);
        alert[0] = 21;
        assert_eq!(message(&alert), None);
    }
}
