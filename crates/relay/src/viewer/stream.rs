use std::ops::Range;

use zongzi_webrtc::rtcp::{NtpTime, Report, SenderInfo};
use zongzi_webrtc::rtp::{Extensions, HEADER_BYTES_MAX, Header, RtpTime, SeqNo, Ssrc};
use zongzi_webrtc::srtp;

use crate::packetize::{Batch, BatchKind};
use crate::viewer::Outbox;

/// What was agreed on one stream that we send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamSettings {
    /// Its name.
    pub(crate) ssrc: Ssrc,
    /// How its payload is called.
    pub(crate) payload_type: u8,
    /// What stands in every header.
    pub(crate) extensions: Extensions,
    /// What stands there in place of it for pictures of a host whose encoder makes B-frames.
    pub(crate) reordered_extensions: Extensions,
}

/// Random numbers where a stream begins (RFC 3550 §5.1).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seeds {
    /// First sequence number; its highest bit is not used, so that an early loss can't be taken for a roll-over
    /// (RFC 3711 §3.3.1).
    pub(crate) sequence: u16,
    /// What is added to every timestamp.
    pub(crate) timestamp: u32,
}

/// One RTP stream to one viewer.
#[derive(Debug)]
pub(crate) struct Stream {
    settings: StreamSettings,
    /// Packet index of the next packet: roll-over counter and sequence number.
    index: u64,
    offset: u32,
    packets: u32,
    bytes: u32,
    /// Up to where the viewer has reported.
    reported: u64,
    /// The most packets he has called lost so far.
    lost: u32,
}

impl Stream {
    pub(crate) fn new(settings: StreamSettings, seeds: Seeds) -> Self {
        let index = u64::from(seeds.sequence & 0x7fff);
        Self {
            settings,
            index,
            offset: seeds.timestamp,
            packets: 0,
            bytes: 0,
            reported: index,
            lost: 0,
        }
    }

    pub(crate) fn ssrc(&self) -> Ssrc {
        self.settings.ssrc
    }

    /// Packet index of the next packet.
    pub(crate) fn index(&self) -> u64 {
        self.index
    }

    /// Takes a viewer's report: packets sent since the one before, and how many more of all he has lost since. He can't
    /// have lost more than he was sent, whatever he says.
    pub(crate) fn reported(&mut self, report: &Report) -> (usize, usize) {
        let sent = self.index.wrapping_sub(self.reported);
        self.reported = self.index;
        // Late ones are found again: the figure falls, and has to rise past where it was to count.
        let lost = u32::try_from(report.lost).unwrap_or(0);
        let more = u64::from(lost.saturating_sub(self.lost)).min(sent);
        self.lost = self.lost.max(lost);
        let whole = |count| usize::try_from(count).unwrap_or(usize::MAX);
        (whole(sent), whole(more))
    }

    /// Sends all packets of a batch, those with parameter sets twice if `twice` (RTP.md 53). Returns packets and bytes
    /// put out. `rtp_time` is the batch's own, or what the viewer gets instead.
    pub(crate) fn send(
        &mut self,
        srtp: &srtp::Sender,
        batch: &Batch,
        rtp_time: u32,
        twice: bool,
        out: &mut impl Outbox,
    ) -> (usize, usize) {
        self.send_part(srtp, batch, 0..batch.packets(), rtp_time, twice, out)
    }

    /// Sends some packets of a batch, as [`Stream::send`] does. The parts of a batch follow each other without gaps.
    pub(crate) fn send_part(
        &mut self,
        srtp: &srtp::Sender,
        batch: &Batch,
        packets: Range<usize>,
        rtp_time: u32,
        twice: bool,
        out: &mut impl Outbox,
    ) -> (usize, usize) {
        let mut sent = (0, 0);
        for packet in packets {
            let copies = if twice && packet < batch.lead() { 2 } else { 1 };
            for _ in 0..copies {
                // A copy has the same index and the same bytes: it is the same datagram.
                let bytes = self.put(srtp, batch, rtp_time, packet, self.index, out);
                sent.0 += usize::from(bytes > 0);
                sent.1 += bytes;
            }
            let bytes = batch.media(packet).map_or(0, <[u8]>::len);
            self.index = self.index.wrapping_add(1);
            self.packets = self.packets.wrapping_add(1);
            self.bytes = self.bytes.wrapping_add(u32::try_from(bytes).unwrap_or(0));
        }
        sent
    }

    /// Puts out one packet of a batch under the index it has, or had. Returns its bytes, 0 if there is no such packet.
    pub(crate) fn put(
        &self,
        srtp: &srtp::Sender,
        batch: &Batch,
        rtp_time: u32,
        packet: usize,
        index: u64,
        out: &mut impl Outbox,
    ) -> usize {
        let Some(payload) = batch.payload(packet) else {
            return 0;
        };
        let mut header = [0; HEADER_BYTES_MAX];
        let length = self
            .header(batch, rtp_time, packet, index)
            .write(self.extensions(batch), &mut header);
        let header = header.get(..length).unwrap_or_default();
        let total = srtp.protected_bytes(header.len(), payload.len());
        let put = out.datagram(total, |place| {
            srtp.protect(header, payload, index, place).is_ok()
        });
        if put { total } else { 0 }
    }

    /// Puts out a packet of `original` again, as a retransmission on this stream (RFC 4588 §4). Returns its bytes.
    pub(crate) fn put_again(
        &mut self,
        srtp: &srtp::Sender,
        original: &Self,
        batch: &Batch,
        rtp_time: u32,
        packet: usize,
        original_index: u64,
        out: &mut impl Outbox,
    ) -> usize {
        let Some(payload) = batch.media(packet) else {
            return 0;
        };
        let header = Header {
            padding: false,
            payload_type: self.settings.payload_type,
            sequence: sequence(self.index),
            ssrc: self.settings.ssrc,
            ..original.header(batch, rtp_time, packet, original_index)
        };
        let mut bytes = [0; HEADER_BYTES_MAX];
        let length = header.write(self.extensions(batch), &mut bytes);
        let header = bytes.get(..length).unwrap_or_default();
        let total = srtp.protected_bytes(header.len(), payload.len() + 2);
        let (index, original) = (self.index, sequence(original_index));
        let put = out.datagram(total, |place| {
            srtp.protect_retransmission(header, original, payload, index, place)
                .is_ok()
        });
        self.index = self.index.wrapping_add(1);
        if put { total } else { 0 }
    }

    fn extensions(&self, batch: &Batch) -> &Extensions {
        if batch.rendition().is_of_b_frames() {
            &self.settings.reordered_extensions
        } else {
            &self.settings.extensions
        }
    }

    /// The sender report for this moment (RFC 3550 §6.4.1). `rtp_time` is the broadcast's.
    pub(crate) fn report(&self, ntp: NtpTime, rtp_time: u32) -> SenderInfo {
        SenderInfo {
            ssrc: self.settings.ssrc,
            ntp,
            rtp_time: RtpTime(rtp_time).plus(self.offset),
            packets: self.packets,
            bytes: self.bytes,
        }
    }

    fn header(&self, batch: &Batch, rtp_time: u32, packet: usize, index: u64) -> Header {
        Header {
            padding: batch.is_padded(packet),
            // Audio: only behind a silence (RFC 7587 §4.1), which our streams don't have.
            marker: matches!(batch.kind, BatchKind::Video { .. }) && packet + 1 == batch.packets(),
            payload_type: self.settings.payload_type,
            sequence: sequence(index),
            timestamp: RtpTime(rtp_time).plus(self.offset),
            ssrc: self.settings.ssrc,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the lower 16 bits are the sequence number"
)]
fn sequence(index: u64) -> SeqNo {
    SeqNo(index as u16)
}
