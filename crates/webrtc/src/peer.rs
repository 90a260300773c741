//! One WebRTC peer: ICE-lite, DTLS and SRTCP tied together.
//!
//! Datagrams and times go in, by [`Peer::handle_datagram`] and [`Peer::handle_timeout`]; after each of them
//! [`Peer::poll_transmit`], [`Peer::poll_event`] and then [`Peer::poll_timeout`] are to be asked. Media does not pass
//! through here: with [`Event::Connected`] the caller gets the [`srtp::Sender`] and sends along [`Peer::path`].

#![warn(clippy::indexing_slicing)]

use std::collections::VecDeque;
use std::time::Instant;

use crate::dtls::{self, Fingerprint};
use crate::ice::{self, Credentials, Path};
use crate::rtcp::{self, NackPair, Report};
use crate::rtp::Ssrc;
use crate::srtp;

/// One WebRTC peer of ours.
///
/// Before the first valid check it is a few hundred bytes; with DTLS and SRTP about 14 KiB more.
#[derive(Debug)]
pub struct Peer {
    ice: ice::Lite,
    context: dtls::Context,
    fingerprint: Fingerprint,
    /// Made with the first DTLS datagram.
    dtls: Option<dtls::Server>,
    receiver: Option<Box<srtp::Receiver>>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    ended: bool,
}

/// A datagram to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Where to, and from which address of ours.
    pub path: Path,
    /// The datagram.
    pub datagram: Vec<u8>,
}

/// What happened with a peer.
#[derive(Debug)]
pub enum Event {
    /// The keys stand: media may leave in this instant, behind what [`Peer::poll_transmit`] has (our last handshake
    /// flight).
    Connected {
        /// What protects the media and reports that we send.
        sender: Box<srtp::Sender>,
    },
    /// Media is to go to [`Peer::path`] from now on. The first time before [`Event::Connected`].
    PathChanged(Path),
    /// The peer says how it receives.
    Feedback(Feedback),
    /// The peer is gone; nothing comes after this.
    Closed(Reason),
}

/// What a receiver of our streams asks or tells, by authenticated RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feedback {
    /// How one stream arrives.
    Report(Report),
    /// Packets are missing.
    Nack {
        /// In this stream.
        media: Ssrc,
        /// These.
        pair: NackPair,
    },
    /// A keyframe is needed (PLI or FIR).
    KeyframeRequest {
        /// Of this stream.
        media: Ssrc,
    },
}

/// Why a peer is gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The peer closed the DTLS association.
    #[error("closed by the peer")]
    Remote,
    /// Neither check nor report for [`ice::CONSENT`].
    #[error("the peer fell silent")]
    Silent,
    /// DTLS failed.
    #[error("{0}")]
    Dtls(#[from] dtls::Error),
    /// The SRTP keys could not be used.
    #[error("SRTP: {0}")]
    Srtp(#[from] srtp::Error),
}

impl Peer {
    /// Events of one datagram that are kept; more feedback than this in one datagram is dropped. A NACK for a whole
    /// lost group of 1,000 packets is 63 pairs.
    pub const EVENTS_MAX: usize = 256;

    /// Waits for the peer whose offer had this fingerprint, with the credentials of our answer.
    #[must_use]
    pub const fn new(
        context: dtls::Context,
        credentials: Credentials,
        fingerprint: Fingerprint,
        now: Instant,
    ) -> Self {
        Self {
            ice: ice::Lite::new(credentials, now),
            context,
            fingerprint,
            dtls: None,
            receiver: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            ended: false,
        }
    }

    /// Takes a datagram that came over `path`.
    pub fn handle_datagram(&mut self, now: Instant, path: Path, datagram: &[u8]) {
        if self.ended {
            return;
        }
        match Kind::of(datagram) {
            Some(Kind::Stun) => self.handle_check(now, path, datagram),
            Some(Kind::Dtls) => self.handle_dtls(now, path, datagram),
            Some(Kind::Rtcp) => self.handle_rtcp(now, datagram),
            // Media of the peer: a viewer sends none.
            Some(Kind::Rtp) | None => {}
        }
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.ended {
            return;
        }
        if self.ice.expired(now) {
            self.end(Reason::Silent);
            return;
        }
        if let Some(dtls) = &mut self.dtls
            && dtls.poll_timeout().is_some_and(|at| at <= now)
        {
            let outcome = dtls.handle_timeout(now);
            self.after_dtls(outcome);
        }
    }

    /// Begins an ICE restart with new credentials of ours; the session goes on meanwhile.
    pub fn restart_ice(&mut self, credentials: Credentials) {
        self.ice.restart(credentials);
    }

    /// Says goodbye: a `close_notify` to be polled. Nothing is answered any more.
    pub fn close(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        if let Some(mut dtls) = self.dtls.take() {
            dtls.close();
            self.collect(&mut dtls);
        }
    }

    /// The next datagram to be sent.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        poll(&mut self.transmits)
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        poll(&mut self.events)
    }

    /// When [`Peer::handle_timeout`] is to be called, if nothing else happens before. `None` when the peer is gone.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.ended {
            return None;
        }
        let dtls = self.dtls.as_ref().and_then(dtls::Server::poll_timeout);
        let consent = self.ice.expires();
        Some(dtls.map_or(consent, |dtls| dtls.min(consent)))
    }

    /// Where media goes, once a check was valid.
    #[must_use]
    pub const fn path(&self) -> Option<Path> {
        self.ice.path()
    }

    /// The ICE half: credentials, when last heard.
    #[must_use]
    pub const fn ice(&self) -> &ice::Lite {
        &self.ice
    }

    /// Whether the transport is proved: the keys stand and the peer is not gone.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.receiver.is_some() && !self.ended
    }

    fn handle_check(&mut self, now: Instant, path: Path, datagram: &[u8]) {
        let Ok(checked) = self.ice.handle_check(now, path, datagram) else {
            return;
        };
        self.transmit(path, checked.response);
        if checked.path_changed {
            self.push(Event::PathChanged(path));
        }
    }

    fn handle_dtls(&mut self, now: Instant, path: Path, datagram: &[u8]) {
        // Only where an authenticated check came from: nobody else can cost us a handshake.
        if !self.ice.is_checked(path.remote) {
            return;
        }
        let dtls = self
            .dtls
            .get_or_insert_with(|| dtls::Server::new(&self.context, self.fingerprint.clone(), now));
        let outcome = dtls.handle_datagram(now, datagram);
        self.after_dtls(outcome);
    }

    fn after_dtls(&mut self, outcome: Result<(), dtls::Error>) {
        let Some(mut dtls) = self.dtls.take() else {
            return;
        };
        self.collect(&mut dtls);
        match outcome {
            Ok(()) if self.ended => {}
            Ok(()) => self.dtls = Some(dtls),
            Err(error) => self.end(Reason::Dtls(error)),
        }
    }

    /// Passes on what DTLS has to send and to say.
    fn collect(&mut self, dtls: &mut dtls::Server) {
        if let Some(path) = self.ice.path() {
            while let Some(datagram) = dtls.poll_transmit() {
                self.transmit(path, datagram);
            }
        }
        while let Some(event) = dtls.poll_event() {
            match event {
                dtls::Event::Connected(keys) => {
                    let made = keys
                        .sender(srtp::Side::Server)
                        .and_then(|sender| Ok((sender, keys.receiver(srtp::Side::Client)?)));
                    match made {
                        Ok((sender, receiver)) => {
                            self.receiver = Some(Box::new(receiver));
                            self.push(Event::Connected {
                                sender: Box::new(sender),
                            });
                        }
                        Err(error) => self.end(Reason::Srtp(error)),
                    }
                }
                dtls::Event::Closed => self.end(Reason::Remote),
            }
        }
    }

    fn handle_rtcp(&mut self, now: Instant, datagram: &[u8]) {
        let mut plain = [0u8; RTCP_BYTES_MAX];
        let Some(packet) = self
            .receiver
            .as_mut()
            .and_then(|receiver| receiver.unprotect_rtcp(datagram, &mut plain).ok())
            .and_then(|length| plain.get(..length))
        else {
            return;
        };
        self.ice.note_alive(now);
        for packet in rtcp::packets(packet) {
            match packet {
                rtcp::Packet::SenderReport { reports, .. }
                | rtcp::Packet::ReceiverReport { reports, .. } => {
                    reports
                        .iter()
                        .for_each(|report| self.feed(Feedback::Report(report)));
                }
                rtcp::Packet::Nack { media, pairs } => {
                    let nack = |pair| Feedback::Nack { media, pair };
                    pairs.iter().for_each(|pair| self.feed(nack(pair)));
                }
                rtcp::Packet::Pli { media } => self.feed(Feedback::KeyframeRequest { media }),
                rtcp::Packet::Fir { sources } => sources
                    .iter()
                    .for_each(|(media, _)| self.feed(Feedback::KeyframeRequest { media })),
                _ => {}
            }
        }
    }

    fn feed(&mut self, feedback: Feedback) {
        self.push(Event::Feedback(feedback));
    }

    fn push(&mut self, event: Event) {
        if self.events.len() < Self::EVENTS_MAX {
            self.events.push_back(event);
        }
    }

    fn transmit(&mut self, path: Path, datagram: Vec<u8>) {
        if self.transmits.len() < TRANSMITS_MAX {
            self.transmits.push_back(Transmit { path, datagram });
        }
    }

    fn end(&mut self, reason: Reason) {
        if !self.ended {
            self.ended = true;
            self.dtls = None;
            // Not by `push`: this one is never dropped.
            self.events.push_back(Event::Closed(reason));
        }
    }
}

/// Takes the next, and gives the memory back with the last.
fn poll<T>(queue: &mut VecDeque<T>) -> Option<T> {
    let next = queue.pop_front();
    if next.is_none() && queue.capacity() > 0 {
        *queue = VecDeque::new();
    }
    next
}

/// What a datagram is, by its first bytes (RFC 7983 §7, RFC 5761 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A connectivity check.
    Stun,
    /// A DTLS record.
    Dtls,
    /// Media.
    Rtp,
    /// Control.
    Rtcp,
}

impl Kind {
    /// `None` for what is none of these.
    #[must_use]
    pub fn of(datagram: &[u8]) -> Option<Self> {
        match datagram {
            [0..=3, ..] => Some(Self::Stun),
            [20..=63, ..] => Some(Self::Dtls),
            [128..=191, 192..=223, ..] => Some(Self::Rtcp),
            [128..=191, _, ..] => Some(Self::Rtp),
            _ => None,
        }
    }
}

/// The largest RTCP datagram looked at: what fits an Ethernet frame.
const RTCP_BYTES_MAX: usize = 1_500;
/// Datagrams that wait to be polled: a few DTLS flights.
const TRANSMITS_MAX: usize = 64;
