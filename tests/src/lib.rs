//! What the whole-system tests are made of: the real server, real encoders, a real browser, and media whose pictures
//! and sound say which they are.
//!
//! Nothing here uses a crate of ours: the tests see the server as strangers do, so a mistake that an encoder and a
//! decoder of ours would share still shows.
//!
//! * [`server`] starts the binary on free ports with data of its own.
//! * [`source`] makes clips with a number in every frame and a tick on every second.
//! * [`ffmpeg`] and [`obs`] publish them; [`rtmp`] writes RTMP by hand, well or badly.
//! * [`browser`] watches as a viewer does; [`reading`] is what was seen and heard, [`judge`] says what is wrong with it.
//! * [`load`] brings a crowd of viewers who need no browser, [`prometheus`] looks at the metrics as operators do.
//! * [`tap`] stands between encoder and server and notes when each picture passed.
//! * [`receiver`] takes webhooks.
//! * [`link`] stands between server and viewer and is as narrow as a test wants it.
//! * [`http`] asks as a browser or an operator would, [`offer`] is what a browser offers; [`jwt`] signs as another
//!   program would.

#![forbid(unsafe_code)]
#![expect(
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "where the system under test is not as it should be, the harness panics: that is the test's failure"
)]

pub mod browser;
pub mod ffmpeg;
pub mod http;
pub mod judge;
pub mod jwt;
pub mod link;
pub mod load;
pub mod obs;
pub mod offer;
pub mod place;
pub mod process;
pub mod prometheus;
pub mod reading;
pub mod receiver;
pub mod rtmp;
pub mod server;
pub mod source;
pub mod tap;
pub mod wait;

/// Says something beside the test's result; shown by `cargo test` when the test fails, or with `--nocapture`.
#[expect(
    clippy::print_stdout,
    reason = "a test's remarks belong on its output, which cargo captures"
)]
pub fn note(text: &str) {
    println!("{text}");
}
