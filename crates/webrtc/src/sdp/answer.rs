#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::Error;
use super::codec::{H264, Opus};
use super::offer::{Kind, Media, Offer};
use crate::dtls::Fingerprint;
use crate::ice::Credentials;
use crate::rtp::{Extensions, Ssrc, URI_MID, URI_PLAYOUT_DELAY, playout_delay};

/// What our answer is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Our ICE credentials for this viewer.
    pub credentials: Credentials,
    /// Of our certificate.
    pub fingerprint: Fingerprint,
    /// Where the viewer can reach us by UDP, the best first.
    pub candidates: Vec<SocketAddr>,
    /// Names the session in `o=`; random, at most 63 bits (RFC 8829 §5.2.1).
    pub session_id: u64,
    /// The canonical name that joins the streams for lip sync; also the MediaStream's id. A token.
    pub cname: String,
    /// SSRC of the video; `None`: this session will have no video, an offered one is answered `inactive`.
    pub video: Option<Ssrc>,
    /// SSRC of the video's retransmissions.
    pub video_rtx: Ssrc,
    /// SSRC of the audio; `None`: this session will have no audio.
    pub audio: Option<Ssrc>,
}

/// Pictures are shown this long after they came, in steps of 10 ms: not much sooner than a browser's sound is heard
/// (docs/decisions/0006-sound-with-its-picture.md).
const PLAYOUT_DELAY_MIN_10MS: u16 = 3;
/// The same where the host's encoder makes B-frames: the sound of a picture comes later, as the host puts sound between
/// pictures by their decode times.
const PLAYOUT_DELAY_MIN_REORDERED_10MS: u16 = 9;
/// Where a viewer's sound takes longer, the browser may hold pictures back for it, up to this. Below 500 ms that would not
/// be a bound, but another way of showing pictures, which leaves some out.
const PLAYOUT_DELAY_MAX_10MS: u16 = 60;

/// What was agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// The answer's text.
    pub sdp: String,
    /// How to send video.
    pub video: Option<Stream>,
    /// How to send audio.
    pub audio: Option<Stream>,
    /// Kind and mid of the first accepted m-section, which stands for the transport (for ICE restarts).
    pub tag: (Kind, String),
}

/// How to send one track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Its m-section's mid.
    pub mid: String,
    /// Payload type of its packets.
    pub payload_type: u8,
    /// The stream's source.
    pub ssrc: Ssrc,
    /// Payload type and source of retransmissions, where the viewer takes them (RFC 4588).
    pub rtx: Option<(u8, Ssrc)>,
    /// To be put in every header: for video, the playout delay; the mid where asked for.
    pub extensions: Extensions,
    /// The same for pictures of a host whose encoder makes B-frames: they are to be shown later.
    pub reordered_extensions: Extensions,
}

/// How one m-section is answered.
enum Section<'a> {
    Video(&'a H264, Stream),
    Audio(&'a Opus, Stream),
    /// In the BUNDLE, but nothing flows: port 0 on a first section made Chromium fail (RTP.md rule 73).
    Inactive,
    /// Port 0 (RFC 8829 §5.3.1).
    Rejected,
}

impl Answer {
    /// Chooses codecs and writes the answer.
    ///
    /// The first usable video and audio sections are accepted, others rejected.
    ///
    /// # Errors
    /// [`Error::NoCommonCodec`] when a section that waits for media has no codec of ours,
    /// [`Error::Unsupported`] when nothing can be received at all or the sections don't share a transport.
    pub fn write(&self, offer: &Offer) -> Result<Negotiated, Error> {
        let mut sections = Vec::with_capacity(offer.media.len());
        let (mut video, mut audio) = (None, None);
        for media in &offer.media {
            let section = match media.kind {
                Kind::Video if video.is_none() => self.answer_video(media)?,
                Kind::Audio if audio.is_none() => self.answer_audio(media)?,
                _ => Section::Rejected,
            };
            match &section {
                Section::Video(_, stream) => video = Some(stream.clone()),
                Section::Audio(_, stream) => audio = Some(stream.clone()),
                Section::Inactive | Section::Rejected => {}
            }
            sections.push((media, section));
        }
        if !offer.media.iter().any(Media::is_receivable) {
            return Err(Error::Unsupported(
                "the offer receives nothing: add a recvonly video or audio transceiver",
            ));
        }
        let tag = sections
            .iter()
            .find(|(_, section)| !matches!(section, Section::Rejected))
            .map(|(media, _)| (media.kind, media.mid.clone()))
            .ok_or(Error::Unsupported(
                "no m-section can be used: WebRTC media is UDP/TLS/RTP/SAVPF",
            ))?;
        Ok(Negotiated {
            sdp: self.format(&sections, &tag.1),
            video,
            audio,
            tag,
        })
    }

    fn answer_video<'a>(&self, media: &'a Media) -> Result<Section<'a>, Error> {
        let Some(ssrc) = self.usable(media, self.video)? else {
            return Ok(idle(media));
        };
        let h264 = media.h264().ok_or(Error::NoCommonCodec(
            "video is sent as H264 with packetization-mode=1; the offer has none (Firefox needs its OpenH264 plug-in)",
        ))?;
        let stream = Stream {
            mid: media.mid.clone(),
            payload_type: h264.payload_type,
            ssrc,
            rtx: h264.rtx.map(|rtx| (rtx, self.video_rtx)),
            extensions: extensions(media, Some(PLAYOUT_DELAY_MIN_10MS))?,
            reordered_extensions: extensions(media, Some(PLAYOUT_DELAY_MIN_REORDERED_10MS))?,
        };
        Ok(Section::Video(h264, stream))
    }

    fn answer_audio<'a>(&self, media: &'a Media) -> Result<Section<'a>, Error> {
        let Some(ssrc) = self.usable(media, self.audio)? else {
            return Ok(idle(media));
        };
        let opus = media.opus().ok_or(Error::NoCommonCodec(
            "audio is sent as opus/48000/2; the offer has none",
        ))?;
        let stream = Stream {
            mid: media.mid.clone(),
            payload_type: opus.payload_type,
            ssrc,
            rtx: None,
            extensions: extensions(media, None)?,
            reordered_extensions: extensions(media, None)?,
        };
        Ok(Section::Audio(opus, stream))
    }

    /// The source to send with, if the section can and shall carry something.
    fn usable(&self, media: &Media, ssrc: Option<Ssrc>) -> Result<Option<Ssrc>, Error> {
        if !media.is_receivable() || ssrc.is_none() {
            return Ok(None);
        }
        if !media.bundled {
            return Err(Error::Unsupported(
                "the m-sections must share one transport: offer them in one a=group:BUNDLE",
            ));
        }
        if !media.has_rtcp_mux() {
            return Err(Error::Missing("a=rtcp-mux"));
        }
        Ok(ssrc)
    }

    fn format(&self, sections: &[(&Media, Section<'_>)], tag: &str) -> String {
        let mut text = String::with_capacity(2_048);
        // Writing to a string can't fail.
        let _infallible = self.format_to(sections, tag, &mut text);
        text
    }

    fn format_to(
        &self,
        sections: &[(&Media, Section<'_>)],
        tag: &str,
        out: &mut String,
    ) -> std::fmt::Result {
        let id = self.session_id >> 1;
        write!(
            out,
            "v=0\r\no=- {id} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
        )?;
        out.push_str("a=group:BUNDLE");
        for (media, section) in sections {
            if !matches!(section, Section::Rejected) {
                write!(out, " {}", media.mid)?;
            }
        }
        write!(
            out,
            "\r\na=msid-semantic: WMS {}\r\na=ice-lite\r\n",
            self.cname
        )?;
        for (media, section) in sections {
            self.format_section(media, section, media.mid == tag, out)?;
        }
        Ok(())
    }

    fn format_section(
        &self,
        media: &Media,
        section: &Section<'_>,
        tagged: bool,
        out: &mut String,
    ) -> std::fmt::Result {
        let Media { name, mid, .. } = media;
        match section {
            Section::Rejected => {
                return write!(
                    out,
                    "m={name} 0 {}\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:{mid}\r\n",
                    media.rejected
                );
            }
            Section::Inactive => {
                write!(out, "m={name} 9 {}\r\n", media.rejected)?;
            }
            Section::Video(_, stream) | Section::Audio(_, stream) => {
                write!(out, "m={name} 9 UDP/TLS/RTP/SAVPF {}", stream.payload_type)?;
                if let Some((rtx, _)) = stream.rtx {
                    write!(out, " {rtx}")?;
                }
                out.push_str("\r\n");
            }
        }
        write!(
            out,
            "c=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=mid:{mid}\r\n"
        )?;
        if tagged {
            write_candidates(&self.candidates, out);
        }
        let Credentials { ufrag, pwd } = &self.credentials;
        write!(
            out,
            "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\na=fingerprint:{}\r\na=setup:passive\r\n\
             a=rtcp-mux\r\na=rtcp-rsize\r\n",
            self.fingerprint
        )?;
        match section {
            Section::Video(h264, stream) => {
                format_extensions(media, true, out)?;
                self.format_video(h264, stream, out)
            }
            Section::Audio(opus, stream) => {
                format_extensions(media, false, out)?;
                self.format_audio(opus, stream, out)
            }
            Section::Inactive | Section::Rejected => {
                for codec in media
                    .h264()
                    .map(|h264| (h264.payload_type, "H264/90000", &h264.fmtp))
                    .into_iter()
                    .chain(
                        media
                            .opus()
                            .map(|opus| (opus.payload_type, "opus/48000/2", &opus.fmtp)),
                    )
                {
                    let (format, name, fmtp) = codec;
                    write!(out, "a=rtpmap:{format} {name}\r\n")?;
                    if !fmtp.is_empty() {
                        write!(out, "a=fmtp:{format} {fmtp}\r\n")?;
                    }
                }
                out.push_str("a=inactive\r\n");
                Ok(())
            }
        }
    }

    fn format_video(&self, h264: &H264, stream: &Stream, out: &mut String) -> std::fmt::Result {
        let format = h264.payload_type;
        let ssrc = stream.ssrc.0;
        let cname = &self.cname;
        write!(
            out,
            "a=sendonly\r\na=msid:{cname} video\r\na=rtpmap:{format} H264/90000\r\n"
        )?;
        if !h264.fmtp.is_empty() {
            write!(out, "a=fmtp:{format} {}\r\n", h264.fmtp)?;
        }
        write!(
            out,
            "a=rtcp-fb:{format} nack\r\na=rtcp-fb:{format} nack pli\r\n"
        )?;
        if let Some((rtx, rtx_ssrc)) = stream.rtx {
            let rtx_ssrc = rtx_ssrc.0;
            // The media's source stands before that of its retransmissions: reversed, Chromium decodes nothing
            // (RTP.md rule 69).
            write!(
                out,
                "a=rtpmap:{rtx} rtx/90000\r\na=fmtp:{rtx} apt={format}\r\n\
                 a=ssrc-group:FID {ssrc} {rtx_ssrc}\r\na=ssrc:{ssrc} cname:{cname}\r\n\
                 a=ssrc:{ssrc} msid:{cname} video\r\na=ssrc:{rtx_ssrc} cname:{cname}\r\n\
                 a=ssrc:{rtx_ssrc} msid:{cname} video\r\n"
            )
        } else {
            write!(
                out,
                "a=ssrc:{ssrc} cname:{cname}\r\na=ssrc:{ssrc} msid:{cname} video\r\n"
            )
        }
    }

    fn format_audio(&self, opus: &Opus, stream: &Stream, out: &mut String) -> std::fmt::Result {
        let format = opus.payload_type;
        let ssrc = stream.ssrc.0;
        let cname = &self.cname;
        // RFC 7587 §7.1: what we send is stereo; without it Chromium plays the left channel on both sides.
        write!(
            out,
            "a=sendonly\r\na=msid:{cname} audio\r\na=rtpmap:{format} opus/48000/2\r\n\
             a=fmtp:{format} minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1\r\n\
             a=ssrc:{ssrc} cname:{cname}\r\na=ssrc:{ssrc} msid:{cname} audio\r\n"
        )
    }
}

/// How a section without media of ours is answered.
fn idle(media: &Media) -> Section<'_> {
    let bundled = media.bundled && !media.unusable && !media.codecs.is_empty();
    if bundled {
        Section::Inactive
    } else {
        Section::Rejected
    }
}

/// The block for every packet. Video has a playout delay where offered (RTP.md rule 20), at least so many times 10 ms.
fn extensions(media: &Media, least: Option<u16>) -> Result<Extensions, Error> {
    let delay = least.map(|least| playout_delay(least, PLAYOUT_DELAY_MAX_10MS));
    let mut elements: Vec<(u8, &[u8])> = Vec::with_capacity(2);
    if let (Some(id), Some(delay)) = (media.playout_delay_extension, &delay) {
        elements.push((id, delay));
    }
    if let Some(id) = media.mid_extension {
        elements.push((id, media.mid.as_bytes()));
    }
    Extensions::new(&elements)
        .map_err(|_too_long| Error::Unsupported("the mid is too long for a header extension"))
}

fn format_extensions(media: &Media, video: bool, out: &mut String) -> std::fmt::Result {
    if let Some(id) = media.mid_extension {
        write!(out, "a=extmap:{id} {URI_MID}\r\n")?;
    }
    if let Some(id) = media.playout_delay_extension.filter(|_| video) {
        write!(out, "a=extmap:{id} {URI_PLAYOUT_DELAY}\r\n")?;
    }
    Ok(())
}

/// Host candidates by UDP (RFC 8839 §5.1), the best first, and that there are no more.
pub(super) fn write_candidates(candidates: &[SocketAddr], out: &mut String) {
    // RFC 8445 §5.1.2.1: type preference 126 for host, local preference, 256 minus component.
    const HOST: u32 = 126 << 24;
    const COMPONENT: u32 = 255;
    for (at, candidate) in candidates.iter().enumerate() {
        let local = u32::from(u16::MAX).saturating_sub(u32::try_from(at).unwrap_or(u32::MAX));
        let priority = HOST | (local << 8) | COMPONENT;
        let ip: IpAddr = candidate.ip().to_canonical();
        let port = candidate.port();
        let foundation = at.saturating_add(1);
        // Writing to a string can't fail.
        let _infallible = write!(
            out,
            "a=candidate:{foundation} 1 udp {priority} {ip} {port} typ host\r\n"
        );
    }
    out.push_str("a=end-of-candidates\r\n");
}
