use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};

/// Lines of an answer read at most; the longest seen from any server had about 80.
const LINES_MAX: usize = 2000;

/// What a viewer must know of an SDP answer (RFC 8829 §5.8, for one BUNDLE transport).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) ufrag: String,
    pub(crate) password: String,
    /// SHA-256 of the server's certificate.
    pub(crate) fingerprint: Vec<u8>,
    /// Whether we open the DTLS handshake: the server answered `passive`.
    pub(crate) we_are_client: bool,
    /// UDP host candidates, the preferred first.
    pub(crate) candidates: Vec<SocketAddr>,
    /// Payload type of H.264.
    pub(crate) video: Option<u8>,
    /// Payload type of its retransmissions.
    pub(crate) video_rtx: Option<u8>,
    /// Payload type of Opus.
    pub(crate) audio: Option<u8>,
}

impl Answer {
    /// Reads an answer.
    pub(crate) fn parse(sdp: &str) -> Result<Self> {
        let mut ufrag = None;
        let mut password = None;
        let mut fingerprint = None;
        let mut setup = None;
        let mut candidates = Vec::new();
        let mut maps: BTreeMap<u8, String> = BTreeMap::new();
        let mut repairs: BTreeMap<u8, u8> = BTreeMap::new();
        // Codecs of rejected sections (port 0) don't count.
        let mut accepted = true;
        for line in sdp.lines().take(LINES_MAX) {
            let line = line.trim_end();
            if let Some(media) = line.strip_prefix("m=") {
                accepted = media.split(' ').nth(1) != Some("0");
                continue;
            }
            let Some(attribute) = line.strip_prefix("a=") else {
                continue;
            };
            let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
            match name {
                "ice-ufrag" => {
                    ufrag.get_or_insert_with(|| value.to_owned());
                }
                "ice-pwd" => {
                    password.get_or_insert_with(|| value.to_owned());
                }
                "fingerprint" => {
                    if let Some(hash) = sha_256(value) {
                        fingerprint.get_or_insert(hash);
                    }
                }
                "setup" => {
                    setup.get_or_insert_with(|| value.to_owned());
                }
                "candidate" => candidates.extend(candidate(value)),
                "rtpmap" if accepted => {
                    if let Some((format, map)) = pair(value) {
                        let codec = map.split('/').next().unwrap_or_default();
                        maps.insert(format, codec.to_ascii_lowercase());
                    }
                }
                "fmtp" if accepted => {
                    if let Some((format, parameters)) = pair(value)
                        && let Some(repaired) = parameters.strip_prefix("apt=")
                        && let Ok(repaired) = repaired.trim().parse()
                    {
                        repairs.insert(repaired, format);
                    }
                }
                _ => {}
            }
        }
        candidates.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
        candidates.dedup();
        let of = |codec: &str| {
            maps.iter()
                .find(|(_, name)| *name == codec)
                .map(|(format, _)| *format)
        };
        let video = of("h264");
        let we_are_client = match setup.as_deref() {
            Some("passive" | "actpass") => true,
            Some("active") => false,
            other => bail!("the answer's a=setup is {other:?}"),
        };
        Ok(Self {
            ufrag: ufrag.context("the answer has no a=ice-ufrag")?,
            password: password.context("the answer has no a=ice-pwd")?,
            fingerprint: fingerprint.context("the answer has no SHA-256 fingerprint")?,
            we_are_client,
            candidates: candidates.into_iter().map(|(_, address)| address).collect(),
            video,
            video_rtx: video.and_then(|video| repairs.get(&video).copied()),
            audio: of("opus"),
        })
    }
}

fn pair(value: &str) -> Option<(u8, &str)> {
    let (format, rest) = value.split_once(' ')?;
    Some((format.parse().ok()?, rest))
}

/// `sha-256 AB:CD:…` (RFC 8122 §5).
fn sha_256(value: &str) -> Option<Vec<u8>> {
    let (kind, hex) = value.split_once(' ')?;
    let bytes: Vec<u8> = hex
        .trim()
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).ok())
        .collect::<Option<_>>()?;
    (kind.eq_ignore_ascii_case("sha-256") && bytes.len() == 32).then_some(bytes)
}

/// `foundation component transport priority address port typ host …` (RFC 8839 §5.1).
fn candidate(value: &str) -> Option<(u32, SocketAddr)> {
    let mut words = value.split_ascii_whitespace().skip(1);
    let (component, transport) = (words.next()?, words.next()?);
    let priority = words.next()?.parse().ok()?;
    let address = words.next()?.parse().ok()?;
    let port = words.next()?.parse().ok()?;
    (component == "1" && transport.eq_ignore_ascii_case("udp"))
        .then(|| (priority, SocketAddr::new(address, port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdp() -> String {
        let fingerprint = ["AB"; 32].join(":");
        format!(
            "v=0\r\na=ice-lite\r\na=group:BUNDLE 0 1\r\n\
             m=video 9 UDP/TLS/RTP/SAVPF 109 114\r\na=mid:0\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n\
             a=fingerprint:sha-256 {fingerprint}\r\na=setup:passive\r\n\
             a=rtpmap:109 H264/90000\r\na=rtpmap:114 rtx/90000\r\na=fmtp:114 apt=109\r\n\
             a=candidate:1 1 UDP 100 10.0.0.1 8444 typ host\r\n\
             a=candidate:2 1 udp 200 127.0.0.1 8444 typ host\r\n\
             a=candidate:3 1 tcp 300 127.0.0.1 8444 typ host tcptype passive\r\n\
             m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=rtpmap:111 opus/48000/2\r\n"
        )
    }

    #[test]
    fn an_answer_says_where_and_what() {
        let answer = Answer::parse(&sdp()).expect("complete");
        assert_eq!(
            (answer.ufrag.as_str(), answer.password.as_str()),
            ("u", "p")
        );
        assert_eq!(
            (answer.video, answer.video_rtx, answer.audio),
            (Some(109), Some(114), Some(111))
        );
        assert!(answer.we_are_client);
        assert_eq!(
            answer.candidates,
            [
                "127.0.0.1:8444".parse().expect("address"),
                "10.0.0.1:8444".parse().expect("address")
            ]
        );
    }

    #[test]
    fn a_rejected_section_has_no_codecs() {
        let answer =
            Answer::parse(&sdp().replace("m=audio 9", "m=audio 0")).expect("still an answer");
        assert_eq!(answer.audio, None);
        assert_eq!(answer.video, Some(109));
    }

    #[test]
    fn what_is_missing_is_named() {
        for name in ["ice-ufrag", "ice-pwd", "fingerprint", "setup"] {
            let text = sdp().replace(&format!("a={name}:"), "a=x:");
            let error = Answer::parse(&text).expect_err("incomplete").to_string();
            assert!(
                error.to_lowercase().contains(name) || error.contains("fingerprint"),
                "{error}"
            );
        }
    }
}
