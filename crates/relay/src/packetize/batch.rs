use std::time::Instant;

use crate::rendition::Rendition;

/// What the packets of a batch carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchKind {
    /// One H.264 access unit (RFC 6184); the RTP clock is 90 kHz.
    Video {
        /// The access unit is an IDR picture with its parameter sets in front: a viewer may start here.
        keyframe: bool,
    },
    /// One Opus packet (RFC 7587); the RTP clock is 48 kHz.
    Audio,
}

/// The RTP payloads of one frame, in one allocation, shared by all viewers of the broadcast and kept for joins and
/// retransmission.
///
/// All payloads have the same size: with headers of one size in front this is the shape that one UDP GSO send takes.
/// The last one is padded to that size, which costs a few bytes, so that a packet of sound may ride as the send's short
/// end. (Exceptions are the first payloads of a keyframe, see `lead`, and pictures of several slices.)
#[derive(Debug)]
pub struct Batch {
    /// What the payloads carry.
    pub kind: BatchKind,
    /// Number of the batch among those of its kind in this broadcast, without gaps: a shard that misses one can tell.
    pub sequence: u64,
    /// Number of the video group this batch belongs to (for audio: the group that was current), counted by the hub.
    pub group: u64,
    /// RTP timestamp on the broadcast's timeline in the clock of `kind`, before any viewer's own offset.
    ///
    /// Zero of the timeline is the `epoch` given to [`crate::hub::Hub::new`], one for the whole process, for sound and
    /// picture alike. So a sender report sent at `now` says the ticks of `now - epoch` in each track's clock, plus the
    /// viewer's offset for that track (RTP.md 33); nothing need be learned from packets.
    pub rtp_time: u32,
    /// When the frame was whole in the server and could be sent: transit time is counted from here. A picture of a
    /// stream with B-frames can be sent when its time has come, or when it has been encoded again.
    pub received: Instant,
    /// All payloads, one after the other.
    data: Box<[u8]>,
    /// Where each payload ends within `data`; the RTP marker bit belongs to the last.
    ends: Box<[u32]>,
    /// Number of payloads that hold parameter sets only.
    lead: usize,
    /// Bytes of RTP padding at the end of the last payload.
    padding: u8,
    rendition: Rendition,
}

impl Batch {
    /// Puts a batch together. `ends` are ascending offsets into `data`, the last one its length.
    ///
    /// # Panics
    /// When `ends` does not describe `data`: a bug of the packetizer.
    pub fn new(
        kind: BatchKind,
        sequence: u64,
        group: u64,
        rtp_time: u32,
        received: Instant,
        data: Box<[u8]>,
        ends: Box<[u32]>,
    ) -> Self {
        assert!(
            ends.is_sorted() && ends.last().map_or(0, |end| *end as usize) == data.len(),
            "payload ends do not fit the data"
        );
        Self {
            kind,
            sequence,
            group,
            rtp_time,
            received,
            data,
            ends,
            lead: 0,
            padding: 0,
            rendition: Rendition::Source,
        }
    }

    /// The first `lead` payloads hold a keyframe's parameter sets only.
    #[must_use]
    pub fn with_lead(mut self, lead: usize) -> Self {
        self.lead = lead.min(self.ends.len());
        self
    }

    /// It is of this rendition, and not [`Rendition::Source`].
    #[must_use]
    pub fn with_rendition(mut self, rendition: Rendition) -> Self {
        self.rendition = rendition;
        self
    }

    /// Of which rendition of the video it is; sound is always [`Rendition::Source`].
    pub fn rendition(&self) -> Rendition {
        self.rendition
    }

    /// The last payload ends in `padding` bytes of RTP padding, the last of which counts them (RFC 3550 §5.1).
    #[must_use]
    pub fn with_padding(mut self, padding: u8) -> Self {
        self.padding = padding;
        self
    }

    /// How many payloads at the front hold a keyframe's parameter sets only: datagrams worth sending twice, because a
    /// decoder that misses them throws the picture away (RTP.md 53). One as a rule; 0 for all but keyframes.
    pub fn lead(&self) -> usize {
        self.lead
    }

    /// How many packets it makes.
    pub fn packets(&self) -> usize {
        self.ends.len()
    }

    /// Whether the payload of packet `index` ends in padding.
    pub fn is_padded(&self, index: usize) -> bool {
        self.padding > 0 && index.saturating_add(1) == self.packets()
    }

    /// The payload of packet `index` without its padding: what a retransmission carries.
    pub fn media(&self, index: usize) -> Option<&[u8]> {
        let payload = self.payload(index)?;
        let padding = if self.is_padded(index) {
            usize::from(self.padding)
        } else {
            0
        };
        payload.get(..payload.len().saturating_sub(padding))
    }

    /// The payload of packet `index`, padding included.
    pub fn payload(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)? as usize;
        let start = index
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        self.data.get(start..end)
    }

    /// Sum of the payloads, in bytes.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// Whether a viewer may start here.
    pub fn is_keyframe(&self) -> bool {
        matches!(self.kind, BatchKind::Video { keyframe: true })
    }
}
