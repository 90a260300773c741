//! A viewer that decrypts everything and compares every frame with what the host sent: on str0m, which shares no code
//! with the server's WebRTC.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, KeyframeRequestKind, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, Ssrc};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc};

use super::link::Link;
use super::{Context, Record};
use crate::account::frames::Whole;
use crate::clock::Stamp;
use crate::net::socket::Datagram;
use crate::net::{Receiver, Socket};
use crate::rtp::{Header, depacketize, digest, slices_of_payloads};
use crate::whep::Answer;

/// Packets of frames that are not whole yet, or will never be.
const PACKETS_MAX: usize = 2048;
/// A viewer without a connection by then has failed.
const JOIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Datagrams read of one viewer before the others have their turn.
const DATAGRAMS_MAX: usize = 4096;
/// Between two requests for a keyframe while there was none yet, and until the first when frames stay away: what
/// Chromium does.
const FIRST_KEYFRAME_EVERY: Duration = Duration::from_millis(200);
const FRAMES_MISSED: Duration = Duration::from_secs(3);

/// An offer that waits for its answer.
#[derive(Debug)]
pub(crate) struct Offer {
    rtc: Box<Rtc>,
    pending: SdpPendingOffer,
    /// What to POST.
    pub(crate) sdp: String,
}

impl Offer {
    /// Of a viewer of one picture and one sound.
    pub(crate) fn new() -> Result<Self> {
        let config = Rtc::builder()
            .clear_codecs()
            .enable_h264(true)
            .enable_opus(true, false)
            .set_rtp_mode(true)
            .set_stats_interval(None);
        let mut rtc = Box::new(config.build(Instant::now()));
        let mut changes = rtc.sdp_api();
        changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        let (offer, pending) = changes.apply().context("no offer")?;
        Ok(Self {
            sdp: offer.to_sdp_string(),
            rtc,
            pending,
        })
    }
}

/// One sampled viewer.
#[derive(Debug)]
pub(crate) struct Full {
    socket: Socket,
    link: Option<Link>,
    core: Core,
}

#[derive(Debug)]
struct Core {
    rtc: Box<Rtc>,
    record: Record,
    answer: Answer,
    local: SocketAddr,
    peer: SocketAddr,
    due: Instant,
    video: Option<Ssrc>,
    packets: BTreeMap<u64, Arc<[u8]>>,
    last_whole: Option<Stamp>,
    asked: Stamp,
}

/// What came with a datagram, for its events.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    at: Stamp,
    bytes: usize,
}

impl Full {
    /// A viewer with an answer, who begins to check his connection to `peer`.
    ///
    /// # Errors
    /// When str0m does not take the answer.
    pub(crate) fn new(
        record: Record,
        socket: Socket,
        peer: SocketAddr,
        offer: Offer,
        sdp: &str,
        answer: Answer,
        link: Option<Link>,
    ) -> Result<Self> {
        let Offer {
            mut rtc, pending, ..
        } = offer;
        let local = socket.local()?;
        rtc.add_local_candidate(Candidate::host(local, "udp").context("no candidate")?);
        let parsed = SdpAnswer::from_sdp_string(sdp).context("str0m can't read the answer")?;
        rtc.sdp_api()
            .accept_answer(pending, parsed)
            .context("str0m does not accept the answer")?;
        let core = Core {
            rtc,
            asked: record.answered,
            record,
            answer,
            local,
            peer,
            due: Instant::now(),
            video: None,
            packets: BTreeMap::new(),
            last_whole: None,
        };
        Ok(Self { socket, link, core })
    }

    /// Its figures.
    pub(crate) fn record(&self) -> &Record {
        &self.core.record
    }

    /// Its figures, to change.
    pub(crate) fn record_mut(&mut self) -> &mut Record {
        &mut self.core.record
    }

    /// Whether it still waits for its first keyframe.
    pub(crate) fn is_joining(&self) -> bool {
        self.core.record.first_keyframe.is_none()
    }

    /// Reads what came and does what is due.
    ///
    /// # Errors
    /// What ended it.
    pub(crate) fn turn(
        &mut self,
        receiver: &mut Receiver,
        context: &mut Context<'_>,
        watch: &mut dyn FnMut(&Datagram<'_>),
    ) -> Result<()> {
        let Self { socket, link, core } = self;
        let mut failed = None;
        let mut taken = 0;
        loop {
            let more = socket.receive(receiver, false, |datagram| {
                taken += 1;
                watch(&datagram);
                if let Some(link) = link.as_mut() {
                    link.enter(datagram.at, datagram.bytes);
                } else if let Err(error) =
                    core.datagram(datagram.bytes, datagram.at, context, socket)
                {
                    failed.get_or_insert(error);
                }
            });
            if !more || taken >= DATAGRAMS_MAX {
                break;
            }
        }
        while let Some((at, bytes)) = link.as_mut().and_then(|link| link.leave(context.now)) {
            core.datagram(&bytes, at, context, socket)?;
        }
        match failed {
            Some(error) => Err(error),
            None => core.due(context, socket),
        }
    }

    /// Ends the association as a browser does that closes its connection.
    pub(crate) fn say_goodbye(&mut self) {
        let Self { socket, core, .. } = self;
        if core.rtc.close().is_ok() {
            while let Ok(Output::Transmit(out)) = core.rtc.poll_output() {
                socket.send(&out.contents);
            }
        }
    }
}

impl Core {
    fn datagram(
        &mut self,
        bytes: &[u8],
        at: Stamp,
        context: &mut Context<'_>,
        socket: &Socket,
    ) -> Result<()> {
        let Ok(contents) = bytes.try_into() else {
            self.record.refused += 1;
            return Ok(());
        };
        let receive = Receive {
            proto: Protocol::Udp,
            source: self.peer,
            destination: self.local,
            contents,
        };
        self.rtc
            .handle_input(Input::Receive(Instant::now(), receive))?;
        let arrival = Arrival {
            at,
            bytes: bytes.len(),
        };
        self.drain(arrival, context, socket)
    }

    fn due(&mut self, context: &mut Context<'_>, socket: &Socket) -> Result<()> {
        let now = Instant::now();
        if now >= self.due {
            self.rtc.handle_input(Input::Timeout(now))?;
            let arrival = Arrival {
                at: context.now,
                bytes: 0,
            };
            self.drain(arrival, context, socket)?;
        }
        if !self.rtc.is_alive() {
            bail!("the session ended");
        }
        if self.record.keyed.is_none() && context.now.since(self.record.posted) > JOIN_TIMEOUT {
            bail!("no connection after {JOIN_TIMEOUT:?}");
        }
        self.ask_for_keyframe(context.now);
        Ok(())
    }

    fn drain(
        &mut self,
        arrival: Arrival,
        context: &mut Context<'_>,
        socket: &Socket,
    ) -> Result<()> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(due) => {
                    self.due = due;
                    return Ok(());
                }
                // The socket is connected to the one peer that may be reached.
                Output::Transmit(out) if out.destination == self.peer => {
                    socket.send(&out.contents);
                }
                Output::Transmit(_) => {}
                Output::Event(event) => self.event(event, arrival, context)?,
            }
        }
    }

    fn event(&mut self, event: Event, arrival: Arrival, context: &mut Context<'_>) -> Result<()> {
        match event {
            Event::Connected => self.record.keyed = Some(Stamp::now()),
            Event::IceConnectionStateChange(
                IceConnectionState::Connected | IceConnectionState::Completed,
            ) => {
                self.record.connected.get_or_insert(arrival.at);
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                bail!("the server stopped answering STUN");
            }
            Event::Closed => bail!("the server ended the session"),
            Event::RtpPacket(packet) => self.packet(&packet, arrival, context),
            _ => {}
        }
        Ok(())
    }

    fn packet(&mut self, packet: &RtpPacket, arrival: Arrival, context: &mut Context<'_>) {
        let header = Header {
            marker: packet.header.marker,
            payload_type: *packet.header.payload_type,
            sequence: packet.header.sequence_number,
            timestamp: packet.header.timestamp,
            ssrc: *packet.header.ssrc,
            length: 0,
            padding: packet.header.has_padding,
        };
        let taken = self.record.rtp(
            &header,
            &self.answer,
            arrival.bytes,
            arrival.at,
            context.stats,
        );
        let Some((number, whole)) = taken else { return };
        self.video = Some(packet.header.ssrc);
        self.packets.insert(number, Arc::clone(&packet.payload));
        while self.packets.len() > PACKETS_MAX {
            self.packets.pop_first();
        }
        if let Some(whole) = whole {
            self.last_whole = Some(context.now);
            self.compare(&whole, context);
        }
    }

    /// Puts a whole frame together and compares it with the host's.
    fn compare(&mut self, whole: &Whole, context: &mut Context<'_>) {
        let payloads: Vec<_> = (whole.first..=whole.last)
            .filter_map(|number| self.packets.remove(&number))
            .collect();
        let units = slices_of_payloads(payloads.iter().map(AsRef::as_ref));
        let Some(units) = units else {
            self.record.corrupt += 1;
            self.record.whole(whole, context);
            return;
        };
        if depacketize::is_keyframe(&units) {
            self.record.first_keyframe.get_or_insert(whole.at);
        }
        let digest = digest(units.iter().map(Vec::as_slice));
        let matcher = &mut self.record.matcher;
        if !matcher.knows(context.sent(), whole.rtp_time, digest) {
            matcher.align(context.sent(), whole.rtp_time, digest);
        }
        match self.record.whole(whole, context) {
            Some(sent) if sent.digest == digest => self.record.verified += 1,
            Some(_) => self.record.corrupt += 1,
            None => {}
        }
    }

    fn ask_for_keyframe(&mut self, now: Stamp) {
        let patience = match self.record.first_keyframe {
            None => FIRST_KEYFRAME_EVERY,
            Some(_) => FRAMES_MISSED,
        };
        let since = self.last_whole.unwrap_or(self.asked).max(self.asked);
        if now.since(since) < patience {
            return;
        }
        if let Some(ssrc) = self.video
            && let Some(stream) = self.rtc.direct_api().stream_rx(&ssrc)
        {
            stream.request_keyframe(KeyframeRequestKind::Pli);
            self.asked = now;
        }
    }
}
