use std::net::SocketAddr;

use super::*;
use crate::dtls::{Fingerprint, Hash};
use crate::ice::Credentials;
use crate::rtp::{Extensions, Ssrc, playout_delay};

/// What Chromium 156 says to `addTransceiver('video')` and `('audio')`, both recvonly; caught from `createOffer`.
const CHROMIUM: &str = include_str!("fixtures/chromium-156-recvonly.sdp");
/// The shape of Firefox's offers (attributes sorted, fingerprint for the session), from a build without H.264; written
/// by hand.
const FIREFOX: &str = include_str!("fixtures/firefox-without-h264.sdp");

fn answer() -> Answer {
    Answer {
        credentials: Credentials {
            ufrag: "ourufrag".into(),
            pwd: "ourpasswordourpassword".into(),
        },
        fingerprint: Fingerprint::of(Hash::Sha256, b"our certificate"),
        candidates: vec![
            SocketAddr::from(([192, 0, 2, 7], 8444)),
            "[2001:db8::7]:8444".parse().expect("an address"),
        ],
        session_id: 84,
        cname: "zongzi".into(),
        video: Some(Ssrc(1)),
        video_rtx: Ssrc(2),
        audio: Some(Ssrc(3)),
    }
}

fn negotiate(offer: &str) -> Result<Negotiated, Error> {
    answer().write(&Offer::parse(offer)?)
}

#[test]
fn chromiums_offer_is_read() {
    let offer = Offer::parse(CHROMIUM).expect("Chromium's own");
    assert_eq!(offer.credentials.ufrag, "YBFd");
    assert_eq!(offer.credentials.pwd, "OoCmJmyeYCwHYpJywwf+89M4");
    assert!(
        offer
            .fingerprint
            .to_string()
            .starts_with("sha-256 80:3A:9D:")
    );
    assert_eq!(offer.setup, Setup::ActPass);
    let [video, audio] = offer.media.as_slice() else {
        panic!("two m-sections");
    };
    assert_eq!((video.kind, audio.kind), (Kind::Video, Kind::Audio));
    assert_eq!((&*video.mid, &*audio.mid), ("0", "1"));
    assert_eq!(video.direction, Direction::RecvOnly);
    assert_eq!(video.codecs.len(), 8, "four profiles in two modes");
    assert_eq!(
        (video.mid_extension, video.playout_delay_extension),
        (Some(9), Some(5))
    );
    let h264 = video.h264().expect("offered");
    assert_eq!(
        (h264.payload_type, h264.rtx, h264.nack),
        (108, Some(109), true)
    );
    assert_eq!(h264.profile_level_id, Some([0x42, 0xe0, 0x1f]));
    assert_eq!(audio.opus().map(|opus| opus.payload_type), Some(111));
}

#[test]
fn the_answer_to_chromium_is_word_for_word_this() {
    let negotiated = negotiate(CHROMIUM).expect("all we need is offered");
    let fingerprint = answer().fingerprint;
    let transport = format!(
        "a=ice-ufrag:ourufrag\r\na=ice-pwd:ourpasswordourpassword\r\na=fingerprint:{fingerprint}\r\n\
         a=setup:passive\r\na=rtcp-mux\r\na=rtcp-rsize\r\n"
    );
    let expected = format!(
        "v=0\r\no=- 42 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
         a=msid-semantic: WMS zongzi\r\na=ice-lite\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 108 109\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
         a=mid:0\r\n\
         a=candidate:1 1 udp 2130706431 192.0.2.7 8444 typ host\r\n\
         a=candidate:2 1 udp 2130706175 2001:db8::7 8444 typ host\r\n\
         a=end-of-candidates\r\n\
         {transport}\
         a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
         a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\r\n\
         a=sendonly\r\na=msid:zongzi video\r\na=rtpmap:108 H264/90000\r\n\
         a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
         a=rtcp-fb:108 nack\r\na=rtcp-fb:108 nack pli\r\n\
         a=rtpmap:109 rtx/90000\r\na=fmtp:109 apt=108\r\n\
         a=ssrc-group:FID 1 2\r\na=ssrc:1 cname:zongzi\r\na=ssrc:1 msid:zongzi video\r\n\
         a=ssrc:2 cname:zongzi\r\na=ssrc:2 msid:zongzi video\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
         a=mid:1\r\n\
         {transport}\
         a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
         a=sendonly\r\na=msid:zongzi audio\r\na=rtpmap:111 opus/48000/2\r\n\
         a=fmtp:111 minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1\r\n\
         a=ssrc:3 cname:zongzi\r\na=ssrc:3 msid:zongzi audio\r\n"
    );
    assert_eq!(negotiated.sdp, expected);
    assert_eq!(
        negotiated.video,
        Some(Stream {
            mid: "0".into(),
            payload_type: 108,
            ssrc: Ssrc(1),
            rtx: Some((109, Ssrc(2))),
            extensions: Extensions::new(&[(5, &playout_delay(3, 60)), (9, b"0")]).expect("fit"),
            reordered_extensions: Extensions::new(&[(5, &playout_delay(9, 60)), (9, b"0")])
                .expect("fit"),
        })
    );
    assert_eq!(
        negotiated.audio,
        Some(Stream {
            mid: "1".into(),
            payload_type: 111,
            ssrc: Ssrc(3),
            rtx: None,
            extensions: Extensions::new(&[(9, b"1")]).expect("fits"),
            reordered_extensions: Extensions::new(&[(9, b"1")]).expect("fits"),
        })
    );
    assert_eq!(negotiated.tag, (Kind::Video, "0".into()));
}

#[test]
fn a_viewer_without_h264_is_told_so() {
    let error = negotiate(FIREFOX).expect_err("only VP8, VP9, AV1");
    let Error::NoCommonCodec(what) = error else {
        panic!("a missing codec, not {error}");
    };
    assert!(what.contains("H264") && what.contains("packetization-mode=1"));

    let mode_0 = CHROMIUM.replace("packetization-mode=1", "packetization-mode=0");
    assert!(matches!(negotiate(&mode_0), Err(Error::NoCommonCodec(_))));
    let mute = CHROMIUM.replace("opus/48000/2", "opus/48000");
    assert!(matches!(negotiate(&mute), Err(Error::NoCommonCodec(what)) if what.contains("opus")));
}

/// The session part and one m-section of an offer, as a viewer sends it who wants only that.
fn only(kind: &str) -> String {
    let sections: Vec<&str> = CHROMIUM.split("m=").collect();
    let section = sections
        .iter()
        .find(|section| section.starts_with(kind))
        .expect("offered");
    format!("{}m={section}", sections[0])
}

#[test]
fn video_alone_and_audio_alone_are_answered() {
    let video = negotiate(&only("video")).expect("video will do");
    assert!(video.video.is_some() && video.audio.is_none());
    assert!(video.sdp.contains("a=group:BUNDLE 0\r\n") && !video.sdp.contains("m=audio"));
    let audio = negotiate(&only("audio")).expect("audio will do");
    assert!(audio.video.is_none() && audio.audio.is_some());
    assert!(audio.sdp.contains("a=group:BUNDLE 1\r\n"));
    assert!(
        audio.sdp.contains("typ host"),
        "the first section has the candidates"
    );
    // One section needs no group.
    let alone = only("video").replace("a=group:BUNDLE 0 1\r\n", "");
    assert!(negotiate(&alone).is_ok());
}

#[test]
fn a_stream_without_video_is_answered_inactive_within_the_bundle() {
    let sound = Answer {
        video: None,
        ..answer()
    };
    let offer = Offer::parse(CHROMIUM).expect("Chromium's own");
    let negotiated = sound.write(&offer).expect("audio will do");
    assert!(negotiated.video.is_none());
    assert!(negotiated.sdp.contains("a=group:BUNDLE 0 1\r\n"));
    let section = negotiated
        .sdp
        .split("m=")
        .nth(1)
        .expect("video comes first");
    assert!(section.starts_with("video 9 ") && section.contains("a=inactive\r\n"));
    assert!(!section.contains("a=ssrc") && !section.contains("sendonly"));
}

#[test]
fn what_is_not_for_us_is_rejected_in_its_place() {
    let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
                a=mid:2\r\na=sctp-port:5000\r\n";
    let second = only("video")
        .split("m=")
        .nth(1)
        .map(|section| format!("m={}", section.replace("a=mid:0", "a=mid:3")))
        .expect("a section");
    let offer = format!("{CHROMIUM}{data}{second}");
    let offer = offer.replace("BUNDLE 0 1", "BUNDLE 0 1 2 3");
    let negotiated = negotiate(&offer).expect("the first two will do");
    assert!(negotiated.sdp.contains("a=group:BUNDLE 0 1\r\n"));
    assert!(negotiated.sdp.contains(
        "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n\
         a=mid:2\r\n"
    ));
    assert!(negotiated.sdp.contains("m=video 0 UDP/TLS/RTP/SAVPF 96 97"));
    let order: Vec<&str> = negotiated
        .sdp
        .split("m=")
        .skip(1)
        .filter_map(|section| section.split(' ').next())
        .collect();
    assert_eq!(order, ["video", "audio", "application", "video"]);
}

#[test]
fn offers_that_cannot_work_are_refused_with_a_word() {
    let check = |offer: &str, word: &str| {
        let error = negotiate(offer).expect_err(word).to_string();
        assert!(error.contains(word), "{word:?} in {error:?}");
    };
    check("", "m-sections");
    check("hello", "line 1");
    check("v=1\r\n", "v=0");
    check(&CHROMIUM.replace("a=ice-ufrag:YBFd\r\n", ""), "ice-ufrag");
    check(&CHROMIUM.replace("ufrag:YBFd", "ufrag:Y"), "ice-ufrag");
    check(&CHROMIUM.replace("sha-256", "sha-1"), "fingerprint");
    check(&CHROMIUM.replace("actpass", "passive"), "setup:passive");
    check(&CHROMIUM.replace("a=setup:actpass\r\n", ""), "a=setup");
    check(&CHROMIUM.replace("a=mid:1", "a=mid:0"), "same mid");
    check(&CHROMIUM.replace("a=mid:1\r\n", ""), "a=mid");
    check(&CHROMIUM.replace("a=mid:1\r\n", "a=mid:0 1\r\n"), "token");
    check(&CHROMIUM.replace("a=group:BUNDLE 0 1\r\n", ""), "BUNDLE");
    check(&CHROMIUM.replace("a=rtcp-mux\r\n", ""), "rtcp-mux");
    check(
        &CHROMIUM.replace("recvonly", "sendonly"),
        "receives nothing",
    );
    check(
        &CHROMIUM.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
        "receives nothing",
    );
    check(&CHROMIUM.replace("m=video 9", "m=video x"), "m=<media>");
}

#[test]
fn offers_are_bounded() {
    let check = |offer: &str| {
        assert!(matches!(Offer::parse(offer), Err(Error::TooLarge(_))));
    };
    check(&"a=x\r\n".repeat(Offer::BYTES_MAX / 5 + 1));
    let lines = format!("v=0\r\n{}", "a=x\r\n".repeat(Offer::LINES_MAX));
    check(&lines);
    let sections: String = (0..=Offer::MEDIA_MAX)
        .map(|mid| format!("m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:{mid}\r\n"))
        .collect();
    check(&format!("v=0\r\n{sections}"));
}

#[test]
fn a_fragment_tells_a_restart_from_candidates() {
    let trickle = "a=ice-ufrag:YBFd\r\na=ice-pwd:OoCmJmyeYCwHYpJywwf+89M4\r\n\
                   m=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n\
                   a=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\na=end-of-candidates\r\n";
    let fragment = Fragment::parse(trickle).expect("well-formed");
    assert_eq!((fragment.candidates, fragment.end_of_candidates), (1, true));
    let offer = Offer::parse(CHROMIUM).expect("Chromium's own");
    assert_eq!(fragment.credentials, Some(offer.credentials));

    let candidates = [SocketAddr::from(([192, 0, 2, 7], 8444))];
    let ours = answer().credentials;
    let text = Fragment::write_restart(&ours, &candidates, Kind::Audio, "1");
    let read = Fragment::parse(&text).expect("our own");
    assert_eq!((read.credentials, read.candidates), (Some(ours), 1));
    assert!(
        text.contains("a=ice-lite\r\n")
            && text.contains("m=audio 9 ")
            && text.contains("a=mid:1\r\n")
    );

    assert!(Fragment::parse("a=ice-ufrag:x\r\n").is_err());
    assert!(Fragment::parse("nonsense").is_err());
    assert_eq!(
        Fragment::parse("").expect("empty is fine").credentials,
        None
    );
}
