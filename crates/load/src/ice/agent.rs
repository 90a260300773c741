use std::net::SocketAddr;
use std::time::Duration;

use super::stun::{self, Message, Transaction};
use crate::clock::Stamp;

/// First wait for an answer to a check; doubles with each that stays away (RFC 8445 §14.3 asks for at least 50 ms
/// where few pairs are checked; so do browsers).
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// No longer between two checks than this.
const WAIT_MAX: Duration = Duration::from_millis(1600);
/// Consent is asked for every 4 to 6 s (RFC 7675 §5.1: 5 s, randomised by a fifth).
const CONSENT_FROM: Duration = Duration::from_secs(4);
const CONSENT_SPREAD_MS: u64 = 2000;
/// Without an answer for this long consent is gone (RFC 7675 §5.1).
const CONSENT_LOST: Duration = Duration::from_secs(30);

/// Both sides' user fragments and passwords.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) our_ufrag: String,
    pub(crate) our_password: String,
    pub(crate) their_ufrag: String,
    pub(crate) their_password: String,
}

/// What came of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing to do.
    Nothing,
    /// The pair works, for the first time.
    Connected,
    /// Send this back.
    Reply(Vec<u8>),
}

/// The controlling side of one candidate pair.
#[derive(Debug)]
pub(crate) struct Agent {
    credentials: Credentials,
    tie_breaker: u64,
    counter: u64,
    seed: u64,
    due: Stamp,
    wait: Duration,
    pending: Option<Transaction>,
    connected: bool,
    last_answer: Stamp,
    /// Checks that the other side refused.
    pub(crate) refusals: u64,
}

impl Agent {
    /// `seed` makes transactions, tie-breaker and the spread of consent checks.
    pub(crate) fn new(credentials: Credentials, seed: u64, now: Stamp) -> Self {
        Self {
            credentials,
            tie_breaker: mix(seed),
            counter: 0,
            seed,
            due: now,
            wait: FIRST_WAIT,
            pending: None,
            connected: false,
            last_answer: now,
            refusals: 0,
        }
    }

    /// The check to send, if one is due.
    pub(crate) fn poll(&mut self, now: Stamp) -> Option<Vec<u8>> {
        if now < self.due {
            return None;
        }
        if self.connected && self.pending.is_none() {
            self.wait = FIRST_WAIT;
        }
        self.due = now.plus(self.wait);
        self.wait = (self.wait * 2).min(WAIT_MAX);
        self.counter += 1;
        let mut transaction = [0; 12];
        let random = mix(self.seed ^ self.counter.rotate_left(32)).to_be_bytes();
        let more = mix(self.seed.wrapping_add(self.counter)).to_be_bytes();
        for (byte, random) in transaction.iter_mut().zip(random.iter().chain(&more)) {
            *byte = *random;
        }
        self.pending = Some(transaction);
        let username = format!(
            "{}:{}",
            self.credentials.their_ufrag, self.credentials.our_ufrag
        );
        Some(stun::check(
            transaction,
            &username,
            &self.credentials.their_password,
            self.tie_breaker,
        ))
    }

    /// Takes a STUN datagram.
    pub(crate) fn received(&mut self, datagram: &[u8], from: SocketAddr, now: Stamp) -> Step {
        let credentials = &self.credentials;
        match stun::read(
            datagram,
            &credentials.our_password,
            &credentials.their_password,
        ) {
            Some(Message::Request(transaction)) => {
                Step::Reply(stun::success(transaction, from, &credentials.our_password))
            }
            Some(Message::Success(transaction)) if self.pending == Some(transaction) => {
                self.pending = None;
                self.last_answer = now;
                let spread = mix(self.seed ^ !self.counter) % CONSENT_SPREAD_MS;
                self.due = now.plus(CONSENT_FROM + Duration::from_millis(spread));
                if self.connected {
                    Step::Nothing
                } else {
                    self.connected = true;
                    Step::Connected
                }
            }
            Some(Message::Refusal(_)) => {
                self.refusals += 1;
                Step::Nothing
            }
            _ => Step::Nothing,
        }
    }

    /// Whether the other side has not answered for so long that it must be taken as gone.
    pub(crate) fn is_lost(&self, now: Stamp) -> bool {
        now.since(self.last_answer) > CONSENT_LOST
    }
}

/// SplitMix64: spreads a seed's bits evenly.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut value = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn agent() -> Agent {
        let credentials = Credentials {
            our_ufrag: "us".to_owned(),
            our_password: "our password".to_owned(),
            their_ufrag: "them".to_owned(),
            their_password: "their password".to_owned(),
        };
        Agent::new(credentials, 1, Stamp(0))
    }

    fn answer(check: &[u8]) -> Vec<u8> {
        let transaction = check[8..20].try_into().expect("twelve bytes");
        stun::success(transaction, from(), "their password")
    }

    fn from() -> SocketAddr {
        "127.0.0.1:9".parse().expect("an address")
    }

    #[test]
    fn unanswered_checks_are_repeated_ever_more_slowly_and_then_consent_is_lost() {
        let mut agent = agent();
        let mut sent = Vec::new();
        for ms in 0..4000 {
            if agent.poll(Stamp(ms * MS)).is_some() {
                sent.push(ms);
            }
        }
        assert_eq!(sent, [0, 50, 150, 350, 750, 1550, 3150]);
        assert!(!agent.is_lost(Stamp(30_000 * MS)));
        assert!(agent.is_lost(Stamp(30_001 * MS)));
    }

    #[test]
    fn an_answered_check_connects_once_and_consent_is_asked_for_every_four_to_six_seconds() {
        let mut agent = agent();
        let mut connected = 0;
        let mut sent = Vec::new();
        for ms in 0..60_000 {
            if let Some(check) = agent.poll(Stamp(ms * MS)) {
                sent.push(ms);
                if agent.received(&answer(&check), from(), Stamp(ms * MS)) == Step::Connected {
                    connected += 1;
                }
            }
        }
        assert_eq!(connected, 1);
        let apart: Vec<_> = sent.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(
            apart.iter().all(|ms| (4000..=6000).contains(ms)),
            "{apart:?}"
        );
        assert!(apart.windows(2).any(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn an_old_or_forged_answer_does_not_connect() {
        let mut agent = agent();
        let first = agent.poll(Stamp(0)).expect("due");
        agent.poll(Stamp(60 * MS)).expect("due");
        assert_eq!(
            agent.received(&answer(&first), from(), Stamp(61 * MS)),
            Step::Nothing
        );
        let forged = stun::success([0; 12], from(), "their password");
        assert_eq!(
            agent.received(&forged, from(), Stamp(61 * MS)),
            Step::Nothing
        );
    }
}
