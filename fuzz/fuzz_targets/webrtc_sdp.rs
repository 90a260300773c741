//! Any text as an offer and as a fragment: what is accepted is answered with lines that can be read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zongzi_webrtc::dtls::{Fingerprint, Hash};
use zongzi_webrtc::ice::Credentials;
use zongzi_webrtc::rtp::Ssrc;
use zongzi_webrtc::sdp::{Answer, Fragment, Offer};

fuzz_target!(|text: &str| {
    let _may_fail = Fragment::parse(text);
    let Ok(offer) = Offer::parse(text) else {
        return;
    };
    let answer = Answer {
        credentials: Credentials::from_random(&[7; Credentials::RANDOM_BYTES]),
        fingerprint: Fingerprint::of(Hash::Sha256, b"certificate"),
        candidates: vec![([127, 0, 0, 1], 8444).into()],
        session_id: 1,
        cname: "zongzi".to_owned(),
        video: Some(Ssrc(1)),
        video_rtx: Ssrc(2),
        audio: Some(Ssrc(3)),
    };
    if let Ok(negotiated) = answer.write(&offer) {
        let sections = negotiated.sdp.lines().filter(|line| line.starts_with("m="));
        assert_eq!(sections.count(), offer.media.len());
        let lines = negotiated.sdp.split_terminator("\r\n");
        assert!(
            lines
                .into_iter()
                .all(|line| line.as_bytes().get(1) == Some(&b'='))
        );
    }
});
