#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::codec::{Codec, Formats, H264, Opus};
use super::lines::{Line, lines};
use super::{Error, Fragment};
use crate::dtls::Fingerprint;
use crate::ice::Credentials;
use crate::rtp::{URI_MID, URI_PLAYOUT_DELAY};

/// A viewer's offer, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The viewer's ICE credentials. (Only an ICE restart is told by them: who answers as ICE-lite checks nothing.)
    pub credentials: Credentials,
    /// Of the viewer's certificate.
    pub fingerprint: Fingerprint,
    /// Who may open DTLS.
    pub setup: Setup,
    /// The m-sections in order.
    pub media: Vec<Media>,
}

/// One m-section of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// What it is for.
    pub kind: Kind,
    /// Its mid; unique in the offer.
    pub mid: String,
    /// Which way media may flow, seen from the viewer.
    pub direction: Direction,
    /// The codecs that we can send, in the viewer's order of preference.
    pub codecs: Vec<Codec>,
    /// Id of the mid header extension.
    pub mid_extension: Option<u8>,
    /// Id of the playout-delay header extension.
    pub playout_delay_extension: Option<u8>,
    /// It is part of the (first) BUNDLE group, so that it can share the one transport.
    pub bundled: bool,
    /// The m-line after the port, to be repeated when it is rejected: protocol and formats.
    pub(super) rejected: String,
    /// Its media type as written.
    pub(super) name: String,
    /// The viewer has rejected it itself (port 0 without `bundle-only`), or it is no SRTP with feedback over DTLS.
    pub(super) unusable: bool,
    rtcp_mux: bool,
}

/// What an m-section is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `m=video`
    Video,
    /// `m=audio`
    Audio,
    /// Data channels and everything else.
    Other,
}

/// Which way media may flow, seen from who wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// Only from the writer.
    SendOnly,
    /// Only to the writer.
    RecvOnly,
    /// Not at all.
    Inactive,
}

/// Who opens the DTLS association (RFC 8842 §5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// The writer does or waits, as the answer likes.
    ActPass,
    /// The writer does.
    Active,
    /// The writer waits.
    Passive,
}

impl Offer {
    /// Bytes of the largest offer read. Chromium's with two m-sections has about 6 KiB.
    pub const BYTES_MAX: usize = 64 * 1024;

    /// Lines of the longest offer read.
    pub const LINES_MAX: usize = 2_000;

    /// m-sections of the largest offer read. A viewer needs two.
    pub const MEDIA_MAX: usize = 16;

    /// Reads an offer.
    ///
    /// # Errors
    /// When it is no SDP, too large, or not one of a WebRTC peer that can wait for our DTLS.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut session = Section::default();
        let mut bundle: Option<&str> = None;
        let mut media: Vec<(Media, Section)> = Vec::new();
        let mut formats: Vec<Formats<'_>> = Vec::new();
        for (index, line) in lines(text)?.enumerate() {
            let line = line?;
            if index == 0 && (line.kind, line.value) != (b'v', "0") {
                return Err(line.malformed("\"v=0\" first"));
            }
            if line.kind == b'm' {
                if media.len() >= Self::MEDIA_MAX {
                    return Err(Error::TooLarge("more than 16 m-sections"));
                }
                let (section, order) = Media::begin(&line)?;
                media.push((section, Section::default()));
                formats.push(order);
                continue;
            }
            let Some((name, value)) = line.attribute() else {
                continue;
            };
            let Some((section, transport)) = media.last_mut() else {
                if name == "group" && bundle.is_none() {
                    bundle = value.strip_prefix("BUNDLE");
                }
                session.take(&line, name, value)?;
                continue;
            };
            transport.take(&line, name, value)?;
            section.take(&line, name, value)?;
            if let Some(formats) = formats.last_mut() {
                formats.take(name, value);
            }
        }
        for ((section, _), formats) in media.iter_mut().zip(&formats) {
            section.codecs = formats.codecs();
            section.bundled = bundle
                .is_some_and(|group| group.split_ascii_whitespace().any(|mid| mid == section.mid));
        }
        Self::finish(session, media)
    }

    fn finish(session: Section, mut media: Vec<(Media, Section)>) -> Result<Self, Error> {
        if media.is_empty() {
            return Err(Error::Missing("m-sections: offer video, audio or both"));
        }
        if let [(only, _)] = media.as_mut_slice() {
            // One section shares the transport with itself, BUNDLE or not.
            only.bundled = true;
            if only.mid.is_empty() {
                "0".clone_into(&mut only.mid);
            }
        }
        for (at, (section, _)) in media.iter().enumerate() {
            let before = media.iter().take(at);
            if section.mid.is_empty() {
                return Err(Error::Missing("a=mid in an m-section"));
            }
            if before
                .into_iter()
                .any(|(other, _)| other.mid == section.mid)
            {
                return Err(Error::Unsupported("two m-sections have the same mid"));
            }
        }
        // The transport is that of the first section in the group (RFC 8843 §7.1.2), or said once for all.
        let tagged = media
            .iter()
            .find(|(section, _)| section.bundled)
            .or_else(|| media.first())
            .map(|(_, transport)| transport);
        let (ufrag, pwd) = tagged
            .and_then(Section::credentials)
            .or_else(|| session.credentials())
            .ok_or(Error::Missing("a=ice-ufrag and a=ice-pwd"))?;
        let fingerprint = tagged
            .and_then(|tagged| tagged.fingerprint.clone())
            .or_else(|| session.fingerprint.clone())
            .ok_or(Error::Missing(
                "a=fingerprint with sha-256, sha-384 or sha-512",
            ))?;
        let setup = tagged
            .and_then(|tagged| tagged.setup)
            .or(session.setup)
            .ok_or(Error::Missing("a=setup"))?;
        if setup == Setup::Passive {
            return Err(Error::Unsupported(
                "a=setup:passive: this server waits for DTLS itself; offer actpass or active",
            ));
        }
        Ok(Self {
            credentials: Credentials { ufrag, pwd },
            fingerprint,
            setup,
            media: media.into_iter().map(|(section, _)| section).collect(),
        })
    }
}

impl Media {
    fn begin<'a>(line: &Line<'a>) -> Result<(Self, Formats<'a>), Error> {
        let mut words = line.value.split(' ');
        let expected = line.malformed("m=<media> <port> <protocol> <formats>");
        let (Some(name), Some(port), Some(protocol)) = (words.next(), words.next(), words.next())
        else {
            return Err(expected);
        };
        let port: u16 = port.parse().map_err(|_not_a_port| expected)?;
        let formats = words.clone();
        let mut rejected = protocol.to_owned();
        for format in words {
            rejected.push(' ');
            rejected.push_str(format);
        }
        let secure = matches!(protocol, "UDP/TLS/RTP/SAVPF" | "TCP/TLS/RTP/SAVPF");
        Ok((
            Self {
                kind: match name {
                    "video" => Kind::Video,
                    "audio" => Kind::Audio,
                    _ => Kind::Other,
                },
                mid: String::new(),
                direction: Direction::SendRecv,
                codecs: Vec::new(),
                mid_extension: None,
                playout_delay_extension: None,
                bundled: false,
                rejected,
                name: name.to_owned(),
                // Port 0 is taken back by `bundle-only` (RFC 8843 §6).
                unusable: port == 0 || !secure,
                rtcp_mux: false,
            },
            Formats::new(formats),
        ))
    }

    fn take(&mut self, line: &Line<'_>, name: &str, value: &str) -> Result<(), Error> {
        match name {
            "mid" => {
                if value.is_empty() || value.len() > MID_BYTES_MAX || !value.bytes().all(is_token) {
                    return Err(line.malformed("a mid of 1 to 16 token characters"));
                }
                value.clone_into(&mut self.mid);
            }
            "sendrecv" => self.direction = Direction::SendRecv,
            "sendonly" => self.direction = Direction::SendOnly,
            "recvonly" => self.direction = Direction::RecvOnly,
            "inactive" => self.direction = Direction::Inactive,
            "rtcp-mux" => self.rtcp_mux = true,
            "bundle-only" => {
                self.unusable = !self.rejected.starts_with("UDP/TLS/RTP/SAVPF");
            }
            "extmap" => self.take_extension(value),
            _ => {}
        }
        Ok(())
    }

    fn take_extension(&mut self, value: &str) {
        let Some((id, uri)) = value.split_once(' ') else {
            return;
        };
        // `<id>/<direction>` is allowed; one-byte headers have the ids 1 to 14 (RFC 8285 §5).
        let id = id
            .split_once('/')
            .map_or(id, |(id, _)| id)
            .parse()
            .ok()
            .filter(|id| (1..=14).contains(id));
        match uri.split(' ').next() {
            Some(URI_MID) => self.mid_extension = id,
            Some(URI_PLAYOUT_DELAY) => self.playout_delay_extension = id,
            _ => {}
        }
    }

    /// Whether we may send on it.
    #[must_use]
    pub fn is_receivable(&self) -> bool {
        !self.unusable
            && self.kind != Kind::Other
            && matches!(self.direction, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The best offered H.264: packetization mode 1, constrained baseline rather than another profile (all profiles
    /// play, RTP.md rule 54), in the viewer's order.
    #[must_use]
    pub fn h264(&self) -> Option<&H264> {
        let mut usable = self.codecs.iter().filter_map(|codec| match codec {
            Codec::H264(h264) if h264.packetization_mode == 1 => Some(h264),
            _ => None,
        });
        let first = usable.clone().next();
        usable.find(|h264| h264.is_constrained_baseline()).or(first)
    }

    /// The offered Opus.
    #[must_use]
    pub fn opus(&self) -> Option<&Opus> {
        self.codecs.iter().find_map(|codec| match codec {
            Codec::Opus(opus) => Some(opus),
            Codec::H264(_) => None,
        })
    }

    pub(super) const fn has_rtcp_mux(&self) -> bool {
        self.rtcp_mux
    }
}

/// The transport attributes of the session or one m-section.
#[derive(Debug, Default)]
struct Section {
    ufrag: Option<String>,
    pwd: Option<String>,
    fingerprint: Option<Fingerprint>,
    setup: Option<Setup>,
}

impl Section {
    fn take(&mut self, line: &Line<'_>, name: &str, value: &str) -> Result<(), Error> {
        match name {
            "ice-ufrag" => self.ufrag = Some(Fragment::ufrag(line, value)?),
            "ice-pwd" => self.pwd = Some(Fragment::pwd(line, value)?),
            // Several are allowed, of different hashes (RFC 8122 §5): the first we know will do.
            "fingerprint" if self.fingerprint.is_none() => self.fingerprint = value.parse().ok(),
            "setup" => {
                self.setup = match value {
                    "actpass" => Some(Setup::ActPass),
                    "active" => Some(Setup::Active),
                    "passive" => Some(Setup::Passive),
                    _ => return Err(line.malformed("setup actpass, active or passive")),
                };
            }
            _ => {}
        }
        Ok(())
    }

    fn credentials(&self) -> Option<(String, String)> {
        self.ufrag.clone().zip(self.pwd.clone())
    }
}

/// RFC 8866 §9, `token-char`.
pub(super) const fn is_token(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'~')
}

/// What fits a one-byte header extension (RFC 8285 §4.2).
const MID_BYTES_MAX: usize = 16;
