//! A server session after a handshake: any bytes, cut in any way, give the same as all at once, and no more memory
//! than the limits allow.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zongzi_rtmp::server::{Event, Session};
use zongzi_rtmp::{Error, Limits};

fuzz_target!(|data: &[u8]| {
    let Some((&how, bytes)) = data.split_first() else {
        return;
    };
    let step = usize::from(how >> 1).max(1);
    let whole = run(bytes, bytes.len().max(1), how & 1 == 0);
    let cut = run(bytes, step, how & 1 == 0);
    // The byte budget before publishing is looked at after each read, so an error may come a little later or earlier.
    if whole.1.is_ok() && cut.1.is_ok() {
        assert_eq!(format!("{:?}", whole.0), format!("{:?}", cut.0));
    }
});

/// Feeds `bytes` in slices of `step`. The host's publish is granted, or refused.
fn run(bytes: &[u8], step: usize, grant: bool) -> (Vec<Event>, Result<(), Error>) {
    let mut session = Session::new(Limits::default(), [0; 32]);
    let mut handshake = vec![0; 3_073];
    handshake[0] = 3;
    let mut events = Vec::new();
    let mut output = 0;
    for slice in std::iter::once(handshake.as_slice()).chain(bytes.chunks(step)) {
        let mut rest = slice;
        while !rest.is_empty() {
            match session.input(rest) {
                Ok(used) => rest = &rest[used..],
                Err(error) => return (events, Err(error)),
            }
            let mut asked = false;
            while let Some(event) = session.poll_event() {
                asked |= matches!(event, Event::Publish(_));
                events.push(event);
            }
            if asked && grant {
                session.accept_publish();
            } else if asked {
                session.refuse_publish("refused");
            }
            while let Some(bytes) = session.poll_output() {
                output += bytes.len();
            }
        }
    }
    // The handshake, and a few hundred bytes for a command at most: no message has an answer that much longer.
    assert!(
        output <= 3_073 + 64 * (bytes.len() + 16),
        "{output} bytes in answer"
    );
    (events, Ok(()))
}
