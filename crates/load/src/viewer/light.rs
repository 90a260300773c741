//! A viewer that is complete on the wire and counts what comes by the clear part of the RTP headers.
//!
//! Decrypted are: its first frames, until one is recognised as the host's (which tells that it is a keyframe, and which
//! frame every timestamp means), and sender reports. All else would cost more than the server spends on it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::dtls::{Handshake, Identity, Progress};
use super::{Context, Record};
use crate::account::frames::Whole;
use crate::clock::Stamp;
use crate::ice::{Agent, Credentials, Step};
use crate::net::socket::Datagram;
use crate::net::{Receiver, Socket};
use crate::rtp::header::Datagram as DatagramKind;
use crate::rtp::rtcp::{self, Block};
use crate::rtp::srtp::Session;
use crate::rtp::{Header, depacketize, digest, slices_of_payloads};
use crate::whep::Answer;

/// Between two receiver reports.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Packets kept while no frame is recognised: a keyframe of 400 packets and what follows it in a burst.
const STASH_MAX: usize = 1024;
/// Whole frames looked at before the content is taken as not our host's.
const TRIES_MAX: u32 = 120;
/// A viewer without keys by then has failed.
const JOIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Datagrams read of one viewer before the others have their turn.
const DATAGRAMS_MAX: usize = 4096;

/// One light viewer.
#[derive(Debug)]
pub(crate) struct Light {
    socket: Socket,
    core: Core,
}

/// All of it but the socket.
#[derive(Debug)]
struct Core {
    record: Record,
    peer: SocketAddr,
    answer: Answer,
    agent: Agent,
    handshake: Handshake,
    session: Option<Session>,
    stash: Vec<(u64, Vec<u8>)>,
    tries: u32,
    ssrc: u32,
    streams: [Stream; 2],
    report_due: Stamp,
    report_index: u32,
}

/// What a report says of a stream beyond its [`crate::account::Sequence`].
#[derive(Debug, Default)]
struct Stream {
    ssrc: Option<u32>,
    last_report: Option<(u32, Stamp)>,
}

impl Light {
    /// A viewer with an answer, who begins to check his connection to `peer`.
    pub(crate) fn new(
        record: Record,
        socket: Socket,
        peer: SocketAddr,
        answer: Answer,
        credentials: Credentials,
        identity: &Identity,
        seed: u64,
    ) -> Self {
        let now = record.answered;
        #[expect(clippy::cast_possible_truncation, reason = "any 32 bits will do")]
        let ssrc = (seed >> 16) as u32 | 1;
        let core = Core {
            agent: Agent::new(credentials, seed, now),
            handshake: Handshake::new(identity, &answer, Instant::now()),
            record,
            peer,
            answer,
            session: None,
            stash: Vec::new(),
            tries: 0,
            ssrc,
            streams: [Stream::default(), Stream::default()],
            report_due: now,
            report_index: 0,
        };
        Self { socket, core }
    }

    /// Its figures.
    pub(crate) fn record(&self) -> &Record {
        &self.core.record
    }

    /// Its figures, to change.
    pub(crate) fn record_mut(&mut self) -> &mut Record {
        &mut self.core.record
    }

    /// Whether it still waits for its first keyframe: such viewers are looked after more often.
    pub(crate) fn is_joining(&self) -> bool {
        self.core.record.first_keyframe.is_none() && self.core.tries < TRIES_MAX
    }

    /// Reads what came and does what is due. Each datagram is shown to `watch` first.
    ///
    /// # Errors
    /// What ended it.
    pub(crate) fn turn(
        &mut self,
        receiver: &mut Receiver,
        context: &mut Context<'_>,
        watch: &mut dyn FnMut(&Datagram<'_>),
    ) -> Result<()> {
        let Self { socket, core } = self;
        let mut failed = None;
        let mut taken = 0;
        loop {
            let heads = core.session.is_some() && !core.is_seeking();
            let more = socket.receive(receiver, heads, |datagram| {
                taken += 1;
                watch(&datagram);
                if let Err(error) = core.datagram(&datagram, context, socket) {
                    failed.get_or_insert(error);
                }
            });
            if !more || taken >= DATAGRAMS_MAX {
                break;
            }
        }
        match failed {
            Some(error) => Err(error),
            None => core.due(context.now, socket),
        }
    }

    /// Ends the association as a browser does that closes its connection.
    pub(crate) fn say_goodbye(&mut self) {
        let Self { socket, core } = self;
        core.handshake.close(|datagram| socket.send(datagram));
    }
}

impl Core {
    /// Whether frames are still decrypted to find out which they are. A viewer whose first keyframe came before his keys
    /// waits for the next.
    fn is_seeking(&self) -> bool {
        let known = self.record.matcher.is_aligned() && self.record.first_keyframe.is_some();
        !known && self.tries < TRIES_MAX
    }

    fn datagram(
        &mut self,
        datagram: &Datagram<'_>,
        context: &mut Context<'_>,
        socket: &Socket,
    ) -> Result<()> {
        match DatagramKind::of(datagram.bytes) {
            DatagramKind::Rtp => self.rtp(datagram, context),
            DatagramKind::Rtcp => self.rtcp(datagram),
            DatagramKind::Stun => match self.agent.received(datagram.bytes, self.peer, context.now)
            {
                Step::Reply(reply) => socket.send(&reply),
                Step::Connected => {
                    self.record.connected = Some(datagram.at);
                    let now = Instant::now();
                    let progress = self.handshake.poll(now, |bytes| socket.send(bytes))?;
                    self.progress(progress)?;
                }
                Step::Nothing => {}
            },
            DatagramKind::Dtls => {
                let now = Instant::now();
                let progress = self
                    .handshake
                    .received(datagram.bytes, now, |bytes| socket.send(bytes))?;
                self.progress(progress)?;
            }
            DatagramKind::Other => self.record.refused += 1,
        }
        Ok(())
    }

    fn progress(&mut self, progress: Progress) -> Result<()> {
        if let Some((session, profile)) = progress.keys {
            self.session = Some(session);
            self.record.keyed = Some(Stamp::now());
            self.record.profile = Some(profile);
            self.report_due = Stamp::now().plus(REPORT_EVERY);
        }
        if progress.closed {
            bail!("the server ended the session");
        }
        Ok(())
    }

    fn rtp(&mut self, datagram: &Datagram<'_>, context: &mut Context<'_>) {
        let Some(header) = Header::parse(datagram.bytes) else {
            self.record.refused += 1;
            return;
        };
        if self.session.is_none() {
            self.record.before_keys += 1;
        }
        let is_video = Some(header.payload_type) == self.answer.video;
        if is_video || Some(header.payload_type) == self.answer.audio {
            self.streams[usize::from(!is_video)].ssrc = Some(header.ssrc);
        }
        let taken = self.record.rtp(
            &header,
            &self.answer,
            datagram.length,
            datagram.at,
            context.stats,
        );
        let Some((number, whole)) = taken else {
            return;
        };
        let seeking = self.is_seeking();
        if seeking && self.stash.len() < STASH_MAX && datagram.bytes.len() == datagram.length {
            self.stash.push((number, datagram.bytes.to_vec()));
        }
        let Some(whole) = whole else { return };
        if seeking {
            self.recognise(&whole, context);
        }
        self.record.whole(&whole, context);
    }

    /// Decrypts a whole frame and finds it among those that the host sent.
    fn recognise(&mut self, whole: &Whole, context: &mut Context<'_>) {
        self.tries += 1;
        let (mut packets, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.stash)
            .into_iter()
            .partition(|(number, _)| *number <= whole.last);
        self.stash = later;
        packets.retain(|(number, _)| *number >= whole.first);
        packets.sort_by_key(|(number, _)| *number);
        // Its first packets came before frames were looked into again.
        if u64::try_from(packets.len()).unwrap_or(0) != (whole.last - whole.first).saturating_add(1)
        {
            return;
        }
        let Some(session) = &self.session else { return };
        let mut payloads = Vec::with_capacity(packets.len());
        for (number, packet) in &packets {
            // Extended numbers begin one roll-over up (see `Sequence::extend`).
            let roll_over = u32::try_from((number >> 16).saturating_sub(1)).unwrap_or(0);
            let opened = Header::parse(packet)
                .map(|header| session.theirs.open_rtp(&header, roll_over, packet));
            let Some(Ok(payload)) = opened else {
                self.record.refused += 1;
                return;
            };
            payloads.push(payload);
        }
        let Some(units) = slices_of_payloads(payloads.iter().map(Vec::as_slice)) else {
            self.record.corrupt += 1;
            return;
        };
        if depacketize::is_keyframe(&units) {
            self.record.first_keyframe.get_or_insert(whole.at);
        }
        let digest = digest(units.iter().map(Vec::as_slice));
        if self
            .record
            .matcher
            .align(context.sent(), whole.rtp_time, digest)
            .is_some()
        {
            self.record.verified += 1;
            self.tries = 0;
            if !self.is_seeking() {
                self.stash = Vec::new();
            }
        }
    }

    fn rtcp(&mut self, datagram: &Datagram<'_>) {
        let Some(session) = &self.session else {
            return;
        };
        let Ok(compound) = session.theirs.open_rtcp(datagram.bytes) else {
            self.record.refused += 1;
            return;
        };
        for report in rtcp::sender_reports(&compound) {
            self.record.sender_reports += 1;
            for stream in &mut self.streams {
                if stream.ssrc == Some(report.ssrc) {
                    stream.last_report = Some((report.ntp_middle, datagram.at));
                }
            }
        }
    }

    /// Checks, handshake flights and reports whose time has come.
    fn due(&mut self, now: Stamp, socket: &Socket) -> Result<()> {
        if let Some(check) = self.agent.poll(now) {
            socket.send(&check);
        }
        if self.agent.is_lost(now) {
            bail!("the server stopped answering STUN");
        }
        if self.session.is_none() {
            if now.since(self.record.posted) > JOIN_TIMEOUT {
                bail!("no connection after {JOIN_TIMEOUT:?}");
            }
            if self.record.connected.is_some() {
                let progress = self
                    .handshake
                    .poll(Instant::now(), |bytes| socket.send(bytes))?;
                self.progress(progress)?;
            }
        } else if now >= self.report_due {
            self.report_due = now.plus(REPORT_EVERY);
            self.report(now, socket);
        }
        Ok(())
    }

    fn report(&mut self, now: Stamp, socket: &Socket) {
        let sequences = [&mut self.record.video, &mut self.record.audio];
        let blocks: Vec<_> = self
            .streams
            .iter()
            .zip(sequences)
            .filter_map(|(stream, sequence)| {
                let (last_report, delay) = stream.last_report.map_or((0, 0), |(middle, at)| {
                    let units = now.since(at).as_micros() * 65_536 / 1_000_000;
                    (middle, u32::try_from(units).unwrap_or(u32::MAX))
                });
                Some(Block {
                    ssrc: stream.ssrc?,
                    fraction_lost: sequence.fraction_lost(),
                    lost: u32::try_from(sequence.lost()).unwrap_or(u32::MAX),
                    highest: sequence.highest(),
                    jitter: sequence.jitter_ticks(),
                    last_report,
                    delay,
                })
            })
            .collect();
        let mut packet = rtcp::receiver_report(self.ssrc, &blocks);
        let Some(session) = &self.session else { return };
        self.report_index += 1;
        if session
            .ours
            .seal_rtcp(self.report_index, &mut packet)
            .is_ok()
        {
            socket.send(&packet);
        }
    }
}
