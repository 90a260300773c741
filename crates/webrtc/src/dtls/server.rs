use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, Output, SrtpProfile};

use super::{Certificate, Fingerprint};
use crate::srtp::{Keys, Profile};

/// What all DTLS servers of the process share: the certificate and the engine's settings. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    shared: Arc<Shared>,
}

#[derive(Clone)]
struct Shared {
    config: Arc<Config>,
    certificate: Certificate,
    #[cfg(debug_assertions)]
    tap: Option<Tap>,
}

/// Is told the keys of each session, in debug builds alone: with them a capture of one's own tests can be read.
#[cfg(debug_assertions)]
pub type Tap = Arc<dyn Fn(&Keys) + Send + Sync>;

impl Context {
    /// With this certificate of ours.
    ///
    /// # Errors
    /// [`Error::Engine`] when the engine refuses the settings.
    pub fn new(certificate: Certificate) -> Result<Self, Error> {
        let config = Config::builder()
            .require_client_certificate(true)
            // Only peers that passed an authenticated ICE check get here: the address is proved.
            .use_server_cookie(false)
            .flight_start_rto(FLIGHT_RTO)
            .flight_retries(FLIGHT_RETRIES)
            .handshake_timeout(HANDSHAKE_TIMEOUT)
            .mtu(MTU_BYTES)
            .build()
            .map_err(engine_error)?;
        Ok(Self {
            shared: Arc::new(Shared {
                config: Arc::new(config),
                certificate,
                #[cfg(debug_assertions)]
                tap: None,
            }),
        })
    }

    /// With somebody who is told all keys.
    #[cfg(debug_assertions)]
    #[must_use]
    pub fn tapped(mut self, tap: Tap) -> Self {
        Arc::make_mut(&mut self.shared).tap = Some(tap);
        self
    }

    /// Our certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.shared.certificate
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("certificate", &self.shared.certificate)
            .finish_non_exhaustive()
    }
}

/// What happened in the DTLS association.
#[derive(Debug)]
pub enum Event {
    /// The peer is who its offer said, and these are the keys of SRTP.
    Connected(Keys),
    /// The peer closed the association (`close_notify`).
    Closed,
}

/// Why the association failed. Every error ends it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer's certificate is not the one that its offer named.
    #[error("the peer's certificate does not match its offer's fingerprint")]
    FingerprintMismatch,
    /// The handshake took more than [`Server::HANDSHAKE_DATAGRAMS_MAX`] or [`Server::HANDSHAKE_BYTES_MAX`].
    #[error("the DTLS handshake took too many datagrams or bytes")]
    TooMuch,
    /// The peer offers no SRTP profile that we have.
    #[error("no SRTP protection profile in common")]
    NoSrtpProfile,
    /// The handshake did not finish in time.
    #[error("the DTLS handshake timed out")]
    Timeout,
    /// The engine ended the association; its word for why.
    #[error("DTLS: {0}")]
    Engine(String),
    /// The association has ended before.
    #[error("the DTLS association has ended")]
    Ended,
}

/// One DTLS association, as server.
///
/// Costs about 10 KiB for as long as it lives (the engine's struct, buffers and keys). It lives on after the
/// handshake, since only its keys tell a true `close_notify` from a forged one, and since the peer may repeat its last
/// flight when ours was lost.
pub struct Server {
    engine: Box<Dtls>,
    expected: Fingerprint,
    state: State,
    datagrams: usize,
    bytes: usize,
    timeout: Option<Instant>,
    transmits: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
    #[cfg(debug_assertions)]
    tap: Option<Tap>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No acceptable certificate was shown yet.
    Unverified,
    /// The peer's certificate is the one expected.
    Verified,
    /// The keys were handed out.
    Connected,
    Ended,
}

impl Server {
    /// Datagrams accepted in one handshake. A lossless one takes five; each repeat of the peer's flight up to five.
    pub const HANDSHAKE_DATAGRAMS_MAX: usize = 64;

    /// Bytes accepted in one handshake.
    pub const HANDSHAKE_BYTES_MAX: usize = 64 * 1024;

    /// Waits for a ClientHello of the peer whose offer named this fingerprint.
    #[must_use]
    pub fn new(context: &Context, expected: Fingerprint, now: Instant) -> Self {
        let Shared {
            config,
            certificate,
            ..
        } = &*context.shared;
        Self {
            engine: Box::new(Dtls::new_12(
                Arc::clone(config),
                certificate.to_engine(),
                now,
            )),
            expected,
            state: State::Unverified,
            datagrams: 0,
            bytes: 0,
            timeout: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            #[cfg(debug_assertions)]
            tap: context.shared.tap.clone(),
        }
    }

    /// Takes a datagram from the peer. Afterwards [`Server::poll_transmit`] and [`Server::poll_event`] until empty.
    ///
    /// # Errors
    /// Every error is the end of the association.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) -> Result<(), Error> {
        if self.state == State::Ended {
            return Err(Error::Ended);
        }
        if self.state != State::Connected {
            self.datagrams = self.datagrams.saturating_add(1);
            self.bytes = self.bytes.saturating_add(datagram.len());
            if self.datagrams > Self::HANDSHAKE_DATAGRAMS_MAX
                || self.bytes > Self::HANDSHAKE_BYTES_MAX
            {
                return self.fail(Error::TooMuch);
            }
        }
        // The engine learns the time by its timeouts alone. But where our flight is out and this may be the answer to it,
        // which has waited here beyond the flight's time, the time comes second: the engine would send the flight again
        // and put its Finished behind it in one datagram, which some clients take for the old flight and nothing more.
        if self.state != State::Connected && self.datagrams > 1 {
            self.step(|engine| engine.handle_packet(datagram))?;
            return self.handle_timeout(now);
        }
        self.step(|engine| {
            engine.handle_timeout(now)?;
            engine.handle_packet(datagram)
        })
    }

    /// Lets time pass: retransmits what is due.
    ///
    /// # Errors
    /// [`Error::Timeout`] when the handshake took too long. Every error is the end of the association.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self.state == State::Ended {
            return Err(Error::Ended);
        }
        self.step(|engine| engine.handle_timeout(now))
    }

    /// Says goodbye: a `close_notify` to be polled, if the handshake is over.
    pub fn close(&mut self) {
        if self.state != State::Ended {
            // An association that can't even close has ended all the same.
            let _ended_anyway = self.step(Dtls::close);
            self.state = State::Ended;
            self.timeout = None;
        }
    }

    /// The next datagram for the peer.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Server::handle_timeout`] is to be called, if nothing else happens before.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.timeout
    }

    fn step(
        &mut self,
        act: impl FnOnce(&mut Dtls) -> Result<(), dimpl::Error>,
    ) -> Result<(), Error> {
        if let Err(error) = act(&mut self.engine) {
            return self.fail(engine_error(error));
        }
        match self.drain() {
            Ok(()) => Ok(()),
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: Error) -> Result<(), Error> {
        self.state = State::Ended;
        self.timeout = None;
        Err(error)
    }

    /// Takes all that the engine has to say.
    fn drain(&mut self) -> Result<(), Error> {
        // The engine writes records of at most its MTU; a peer's certificate may be longer.
        let mut small = [0u8; BUFFER_BYTES];
        for _ in 0..OUTPUTS_MAX {
            match self.engine.poll_output(&mut small) {
                Output::Packet(packet) => self.transmits.push_back(packet.to_vec()),
                Output::PeerCert(der) => {
                    if !self.expected.matches(der) {
                        return Err(Error::FingerprintMismatch);
                    }
                    self.state = State::Verified;
                }
                Output::Connected if self.state != State::Verified => {
                    return Err(Error::FingerprintMismatch);
                }
                Output::KeyingMaterial(material, profile) => {
                    if self.state != State::Verified {
                        return Err(Error::FingerprintMismatch);
                    }
                    let keys = Keys::new(srtp_profile(profile)?, &material)
                        .map_err(|error| Error::Engine(error.to_string()))?;
                    #[cfg(debug_assertions)]
                    if let Some(tap) = &self.tap {
                        tap(&keys);
                    }
                    self.state = State::Connected;
                    self.events.push_back(Event::Connected(keys));
                }
                Output::CloseNotify => self.events.push_back(Event::Closed),
                // A certificate or application data beyond what a browser sends.
                Output::BufferTooSmall { .. } => return Err(Error::TooMuch),
                Output::Timeout(at) => {
                    // A finished handshake needs no timer; without keys it was for nothing.
                    self.timeout = (self.state != State::Connected).then_some(at);
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(Error::TooMuch)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("state", &self.state)
            .field("datagrams", &self.datagrams)
            .finish_non_exhaustive()
    }
}

fn srtp_profile(profile: SrtpProfile) -> Result<Profile, Error> {
    match profile {
        SrtpProfile::AEAD_AES_128_GCM => Ok(Profile::AeadAes128Gcm),
        SrtpProfile::AEAD_AES_256_GCM => Ok(Profile::AeadAes256Gcm),
        SrtpProfile::AES128_CM_SHA1_80 => Ok(Profile::AesCm128HmacSha1_80),
        _ => Err(Error::NoSrtpProfile),
    }
}

fn engine_error(error: dimpl::Error) -> Error {
    match error {
        dimpl::Error::Timeout(_) => Error::Timeout,
        other => Error::Engine(other.to_string()),
    }
}

/// First wait before our flight is sent again; the engine doubles it. The engine answers a repeat of the peer's flight
/// no sooner than this either; a round trip above it costs a repeat, no more.
const FLIGHT_RTO: Duration = Duration::from_millis(200);
/// 0.2, 0.4, 0.8, 1.6, 3.2 s: the fifth repeat is the last before the handshake's own end.
const FLIGHT_RETRIES: usize = 5;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest datagram we send: fits every path that carries WebRTC media of 1,200 bytes.
const MTU_BYTES: usize = 1_150;
/// Room for one output of the engine: a datagram, or a peer's certificate (browsers': under 400 bytes).
const BUFFER_BYTES: usize = 4 * 1024;
/// Outputs taken from the engine at a time: more than its queues hold.
const OUTPUTS_MAX: usize = 256;

#[cfg(test)]
mod tests;
