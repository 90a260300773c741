//! ICE-lite (RFC 8445 §2.5): the peer checks, we answer, and note from where.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::stun::{self, BindingRequest, ErrorCode};

/// How long a peer may be silent before it counts as gone (DESIGN: a viewer is who was heard within 15 s; RFC 7675 §5.1
/// has 30 s for consent, and browsers check every 2.5 s or oftener).
pub const CONSENT: Duration = Duration::from_secs(15);

/// A user name fragment and password (RFC 8445 §5.3).
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Names the session to the demultiplexer.
    pub ufrag: String,
    /// Authenticates connectivity checks.
    pub pwd: String,
}

impl Credentials {
    /// Random bytes that [`Credentials::from_random`] needs: 12 for the fragment, 18 for the password, so 96 and 144
    /// bits (RFC 8445 §5.3 asks for 24 and 128).
    pub const RANDOM_BYTES: usize = 30;

    /// Makes credentials from bytes of a cryptographic random generator.
    #[must_use]
    pub fn from_random(random: &[u8; Self::RANDOM_BYTES]) -> Self {
        // The 64 `ice-char`s of RFC 8839 §5.4.
        const CHARS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = random.chunks_exact(3).flat_map(|three| {
            let bits = three
                .iter()
                .fold(0u32, |bits, byte| (bits << 8) | u32::from(*byte));
            [18, 12, 6, 0].map(|shift| char::from(CHARS[(bits >> shift & 63) as usize]))
        });
        Self {
            ufrag: text.by_ref().take(16).collect(),
            pwd: text.collect(),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("ufrag", &self.ufrag)
            .finish_non_exhaustive()
    }
}

/// A way between us and the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// The peer's address, as datagrams come from it.
    pub remote: SocketAddr,
    /// Our address that the peer sends to, where the socket tells; replies leave from it.
    pub local: Option<IpAddr>,
}

/// Our half of ICE with one peer: answers checks, knows the way back and when the peer was last heard.
#[derive(Debug)]
pub struct Lite {
    credentials: Credentials,
    /// Those before an ICE restart, valid until the first check with the new ones (RFC 8445 §9: media goes on).
    previous: Option<Credentials>,
    path: Option<Path>,
    /// Remote addresses that passed a check, newest last.
    checked: Vec<SocketAddr>,
    last_heard: Instant,
}

/// A check that was authentic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The response, to be sent back the way the check came.
    pub response: Vec<u8>,
    /// The way to the peer is another one from now on: `Lite::path`.
    pub path_changed: bool,
}

impl Lite {
    /// Remote addresses remembered as checked. A peer has a few candidates at most; the oldest is forgotten.
    pub const CHECKED_MAX: usize = 8;

    /// Waits for checks with these credentials of ours.
    #[must_use]
    pub const fn new(credentials: Credentials, now: Instant) -> Self {
        Self {
            credentials,
            previous: None,
            path: None,
            checked: Vec::new(),
            last_heard: now,
        }
    }

    /// Answers a connectivity check that came over `path`.
    ///
    /// The first authentic check sets the way back, every later one with USE-CANDIDATE moves it: the peer is the
    /// controlling side and the newest nomination is its will (RFC 8445 §7.3.1.5; so a phone may change networks).
    ///
    /// # Errors
    /// When it is no authentic check: nothing is to be answered. RFC 8489 §9.1.3 would answer 400 or 401; silence gives
    /// a prober nothing and no address to reflect to.
    pub fn handle_check(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &[u8],
    ) -> Result<Checked, stun::Error> {
        let request = BindingRequest::parse(datagram)?;
        let pwd = if request.local_ufrag == self.credentials.ufrag {
            if !request.is_authentic(&self.credentials.pwd) {
                return Err(stun::Error::Unauthentic);
            }
            self.previous = None;
            &self.credentials.pwd
        } else {
            let previous = self
                .previous
                .as_ref()
                .filter(|previous| previous.ufrag == request.local_ufrag)
                .ok_or(stun::Error::UnknownUsername)?;
            if !request.is_authentic(&previous.pwd) {
                return Err(stun::Error::Unauthentic);
            }
            &previous.pwd
        };
        let mut response = Vec::with_capacity(RESPONSE_BYTES);
        if let Some(kind) = request.unknown_attribute {
            let code = ErrorCode::UnknownAttribute(kind);
            stun::write_error(&request.transaction, code, pwd, &mut response);
            return Ok(Checked {
                response,
                path_changed: false,
            });
        }
        stun::write_success(&request.transaction, path.remote, pwd, &mut response);
        self.last_heard = now;
        self.remember(path.remote);
        let path_changed =
            self.path != Some(path) && (self.path.is_none() || request.use_candidate);
        if path_changed {
            self.path = Some(path);
        }
        Ok(Checked {
            response,
            path_changed,
        })
    }

    /// Begins an ICE restart: new credentials of ours. The old ones stay valid until the first check with the new.
    pub fn restart(&mut self, credentials: Credentials) {
        self.previous = Some(std::mem::replace(&mut self.credentials, credentials));
    }

    /// Notes that the peer was heard by other means: an authenticated RTCP packet.
    pub fn note_alive(&mut self, now: Instant) {
        self.last_heard = now;
    }

    /// The way to the peer, once a check was valid.
    #[must_use]
    pub const fn path(&self) -> Option<Path> {
        self.path
    }

    /// Whether a check from this address was valid.
    #[must_use]
    pub fn is_checked(&self, remote: SocketAddr) -> bool {
        self.checked.contains(&remote)
    }

    /// Our credentials, the newest.
    #[must_use]
    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The fragments that the demultiplexer should know this session by: ours, and that before a restart.
    pub fn ufrags(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.credentials)
            .chain(self.previous.as_ref())
            .map(|credentials| credentials.ufrag.as_str())
    }

    /// When the peer was last heard (at first: when this was made).
    #[must_use]
    pub const fn last_heard(&self) -> Instant {
        self.last_heard
    }

    /// When the peer counts as gone unless it is heard before.
    #[must_use]
    pub fn expires(&self) -> Instant {
        self.last_heard + CONSENT
    }

    /// Whether the peer was silent for [`CONSENT`].
    #[must_use]
    pub fn expired(&self, now: Instant) -> bool {
        now >= self.expires()
    }

    fn remember(&mut self, remote: SocketAddr) {
        if self.is_checked(remote) {
            return;
        }
        if self.checked.len() >= Self::CHECKED_MAX {
            self.checked.remove(0);
        }
        self.checked.push(remote);
    }
}

/// The largest response: header, XOR-MAPPED-ADDRESS for IPv6, MESSAGE-INTEGRITY, FINGERPRINT.
const RESPONSE_BYTES: usize = 20 + 24 + 24 + 8;

#[cfg(test)]
mod tests;
