/// The offer of a page that wants to watch, as Chromium 156 makes it for two `recvonly` transceivers: its codecs,
/// header extensions and order. No candidates: a server with a public address needs none.
pub(crate) fn chromium(ufrag: &str, password: &str, fingerprint: &str, seed: u64) -> String {
    let session = seed >> 1;
    let transport = format!(
        "a=rtcp:9 IN IP4 0.0.0.0\r\n\
         a=ice-ufrag:{ufrag}\r\n\
         a=ice-pwd:{password}\r\n\
         a=ice-options:trickle\r\n\
         a=fingerprint:sha-256 {fingerprint}\r\n\
         a=setup:actpass\r\n"
    );
    let mut sdp = format!(
        "v=0\r\n\
         o=- {session} 2 IN IP4 127.0.0.1\r\n\
         s=-\r\n\
         t=0 0\r\n\
         a=group:BUNDLE 0 1\r\n\
         a=extmap-allow-mixed\r\n\
         a=msid-semantic: WMS\r\n"
    );
    let formats: Vec<_> = VIDEO.iter().map(|(format, ..)| *format).collect();
    sdp.push_str(&format!(
        "m=video 9 UDP/TLS/RTP/SAVPF {}\r\nc=IN IP4 0.0.0.0\r\n{transport}a=mid:0\r\n",
        formats.join(" ")
    ));
    for (id, uri) in VIDEO_EXTENSIONS {
        sdp.push_str(&format!("a=extmap:{id} {uri}\r\n"));
    }
    sdp.push_str("a=recvonly\r\na=rtcp-mux\r\na=rtcp-rsize\r\n");
    for (format, map, parameters) in VIDEO {
        sdp.push_str(&format!("a=rtpmap:{format} {map}/90000\r\n"));
        if ["H264", "VP8", "VP9", "AV1"].contains(map) {
            for feedback in ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"] {
                sdp.push_str(&format!("a=rtcp-fb:{format} {feedback}\r\n"));
            }
        }
        if !parameters.is_empty() {
            sdp.push_str(&format!("a=fmtp:{format} {parameters}\r\n"));
        }
    }
    sdp.push_str(&format!(
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\n{transport}a=mid:1\r\n"
    ));
    sdp.push_str(AUDIO);
    sdp
}

const VIDEO: &[(&str, &str, &str)] = &[
    ("96", "VP8", ""),
    ("97", "rtx", "apt=96"),
    ("98", "VP9", "profile-id=0"),
    ("99", "rtx", "apt=98"),
    ("100", "VP9", "profile-id=2"),
    ("101", "rtx", "apt=100"),
    (
        "103",
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f",
    ),
    ("104", "rtx", "apt=103"),
    (
        "107",
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f",
    ),
    ("108", "rtx", "apt=107"),
    (
        "109",
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    ),
    ("114", "rtx", "apt=109"),
    (
        "115",
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f",
    ),
    ("116", "rtx", "apt=115"),
    (
        "117",
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f",
    ),
    ("118", "rtx", "apt=117"),
    ("45", "AV1", "level-idx=5;profile=0;tier=0"),
    ("46", "rtx", "apt=45"),
    ("119", "red", ""),
    ("120", "rtx", "apt=119"),
    ("121", "ulpfec", ""),
];

const VIDEO_EXTENSIONS: &[(u8, &str)] = &[
    (1, "urn:ietf:params:rtp-hdrext:toffset"),
    (
        2,
        "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    ),
    (3, "urn:3gpp:video-orientation"),
    (
        4,
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    ),
    (
        5,
        "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
    ),
    (
        6,
        "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type",
    ),
    (
        7,
        "http://www.webrtc.org/experiments/rtp-hdrext/video-timing",
    ),
    (
        8,
        "http://www.webrtc.org/experiments/rtp-hdrext/color-space",
    ),
    (9, "urn:ietf:params:rtp-hdrext:sdes:mid"),
    (10, "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"),
    (11, "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"),
];

const AUDIO: &str = "\
a=extmap:14 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n\
a=extmap:4 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
a=recvonly\r\n\
a=rtcp-mux\r\n\
a=rtcp-rsize\r\n\
a=rtpmap:111 opus/48000/2\r\n\
a=rtcp-fb:111 transport-cc\r\n\
a=fmtp:111 minptime=10;useinbandfec=1\r\n\
a=rtpmap:63 red/48000/2\r\n\
a=fmtp:63 111/111\r\n\
a=rtpmap:9 G722/8000\r\n\
a=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:8 PCMA/8000\r\n\
a=rtpmap:13 CN/8000\r\n\
a=rtpmap:110 telephone-event/48000\r\n\
a=rtpmap:126 telephone-event/8000\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_webrtc_engine_reads_the_offer() {
        let fingerprint = ["AB"; 32].join(":");
        let sdp = chromium("abcd", "0123456789012345678901", &fingerprint, 1 << 40);
        let offer = str0m::change::SdpOffer::from_sdp_string(&sdp).expect("a valid offer");
        let text = offer.to_sdp_string();
        assert!(text.contains("profile-level-id=42e01f"), "{text}");
        assert!(text.contains("a=setup:actpass"), "{text}");
    }
}
