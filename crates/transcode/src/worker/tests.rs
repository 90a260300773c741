//! A child is fed from memory; its replies are read as the server would.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use zongzi_media::{Frame, MediaTime};

use super::*;
use crate::fixture::{self, OBS};
use crate::reencode::codec::{Codecs, OpenH264};
use crate::reencode::{Hint, Level, Output, Reencoder};

const HINT: Hint = Hint {
    bits_per_second: 1_000_000,
    pictures_per_second: 30.0,
};

fn talk(requests: &[Request]) -> Vec<Reply> {
    let mut input = Vec::new();
    requests
        .iter()
        .for_each(|request| request.write(&mut input));
    replies(&input)
}

fn replies(input: &[u8]) -> Vec<Reply> {
    let mut output = Vec::new();
    let codecs: Arc<dyn Codecs> = Arc::new(OpenH264);
    serve(&codecs, input, &mut output).unwrap();
    let mut framing = Framing::default();
    framing.push(&output);
    let mut replies = Vec::new();
    while let Some((kind, body)) = framing.pop().unwrap() {
        replies.push(Reply::read(kind, body).unwrap());
    }
    assert!(framing.is_empty());
    replies
}

fn picture(frame: &Frame, encode: bool, late: Duration) -> Request {
    Request::Picture {
        encode,
        keyframe: frame.keyframe,
        late,
        dts: frame.dts,
        pts: frame.pts,
        payload: frame.payload.clone(),
    }
}

#[test]
fn a_child_answers_what_the_reencoder_would() {
    let (config, frames) = fixture::video(OBS);
    let mut requests = vec![Request::Configure {
        record: config.raw.clone(),
        hint: HINT,
    }];
    requests.extend(
        frames
            .iter()
            .map(|frame| picture(frame, true, Duration::ZERO)),
    );
    requests.push(Request::Finish);
    let replies = talk(&requests);

    let mut reencoder = Reencoder::new(&config, HINT).unwrap();
    let mut out = Vec::new();
    for frame in &frames {
        reencoder.push(frame, Duration::ZERO, &mut out).unwrap();
    }
    reencoder.finish(&mut out);
    let expected = out.into_iter().map(|output| match output {
        Output::Config(config) => Reply::Config(config.raw),
        Output::Frame(frame) => Reply::Picture {
            keyframe: frame.keyframe,
            time: frame.pts,
            payload: frame.payload,
        },
    });
    let made = replies
        .iter()
        .filter(|reply| !matches!(reply, Reply::Done { .. }));
    assert!(made.eq(&expected.collect::<Vec<_>>()));
    let done = replies
        .iter()
        .filter(|reply| matches!(reply, Reply::Done { .. }))
        .count();
    assert_eq!(done, requests.len(), "every request is answered once");
    let last = Reply::Done {
        level: Level::Full,
        counts: reencoder.counts(),
    };
    assert!(replies.last() == Some(&last));
}

#[test]
fn warming_up_is_answered_without_pictures() {
    let (config, frames) = fixture::video(OBS);
    let mut requests = vec![Request::Configure {
        record: config.raw,
        hint: HINT,
    }];
    requests.extend(
        frames[..10]
            .iter()
            .map(|frame| picture(frame, false, Duration::ZERO)),
    );
    requests.push(Request::Keyframe);
    let replies = talk(&requests);
    assert_eq!(replies.len(), 12);
    assert!(
        replies
            .iter()
            .all(|reply| matches!(reply, Reply::Done { .. }))
    );
}

#[test]
fn a_child_says_why_it_gives_up_and_ends() {
    let failure = |requests: &[Request]| match talk(requests).pop() {
        Some(Reply::Failed { failure, text }) => (failure, text),
        other => panic!("{other:?}"),
    };
    let (config, frames) = fixture::video(OBS);
    let configure = |record: Bytes| Request::Configure { record, hint: HINT };
    assert_eq!(
        failure(&[Request::Finish]),
        (Failure::Broken, "no configuration".to_owned())
    );
    assert_eq!(
        failure(&[configure(Bytes::from_static(&[2; 9]))]).0,
        Failure::Refused
    );
    let mut requests = vec![configure(config.raw)];
    requests.extend(
        frames
            .iter()
            .map(|frame| picture(frame, true, Duration::from_secs(1))),
    );
    let (failure, text) = failure(&requests);
    assert_eq!(failure, Failure::TooSlow, "{text}");
}

#[test]
fn what_is_no_message_ends_the_child() {
    for (input, failure) in [
        (&[9, 0, 0, 0, 0][..], "a message of kind 9"),
        (&[2, 0, 0, 0, 1, 1], "a malformed message of kind 2"),
        (&[2, 0xff, 0, 0, 0], "a message of 4278190080 bytes"),
    ] {
        let expected = Reply::Failed {
            failure: Failure::Broken,
            text: failure.to_owned(),
        };
        assert_eq!(replies(input), [expected]);
    }
    assert_eq!(
        replies(&[1, 0, 0]),
        [],
        "the parent died in the middle of a message"
    );
}

proptest! {
    #[test]
    fn messages_survive_every_cut(
        times in prop::collection::vec((any::<i64>(), any::<bool>(), 0..u32::MAX), 1..8),
        payload in prop::collection::vec(any::<u8>(), 0..64),
        step in 1_usize..40,
    ) {
        let requests: Vec<Request> = times
            .iter()
            .map(|(time, flag, late)| Request::Picture {
                encode: *flag,
                keyframe: !flag,
                late: Duration::from_micros((*late).into()),
                dts: MediaTime::from_micros(*time),
                pts: MediaTime::from_micros(time.wrapping_neg()),
                payload: payload.clone().into(),
            })
            .chain([Request::Shown(MediaTime::from_micros(-7)), Request::Keyframe, Request::Finish])
            .collect();
        let mut bytes = Vec::new();
        requests.iter().for_each(|request| request.write(&mut bytes));
        let mut framing = Framing::default();
        let mut read = Vec::new();
        for piece in bytes.chunks(step) {
            framing.push(piece);
            while let Some((kind, body)) = framing.pop().unwrap() {
                read.push(Request::read(kind, body).unwrap());
            }
        }
        prop_assert_eq!(read, requests);
    }
}
