//! What the benches share: the stream that all figures are about, DESIGN §4's: 720p30 at 2.5 Mb/s, so pictures of
//! about 10 KB that make 9 packets each.

#![forbid(unsafe_code)]
#![expect(
    clippy::missing_panics_doc,
    reason = "what could panic is made of constants in this file"
)]

use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use zongzi_media::h264::{Config, NalUnit};
use zongzi_media::{Frame, MediaTime, TrackId};
use zongzi_relay::packetize::Batch;
use zongzi_relay::packetize::h264::Packetizer;
use zongzi_webrtc::srtp::{Keys, Profile, Sender, Side};

/// Bytes of a picture that makes 9 packets.
pub const PICTURE_BYTES: usize = 10_400;

/// The record of OBS 29 at 1280x720, x264 veryfast, default settings (captured with an RTMP tap).
const AVC_RECORD: &[u8] = &[
    0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x1c, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50,
    0x05, 0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02, 0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x1e,
    0x47, 0x8c, 0x18, 0xcb, 0x01, 0x00, 0x04, 0x68, 0xef, 0xbc, 0xb0,
];

/// A P picture of one slice of `bytes` bytes, as RTMP brings it.
pub fn picture(bytes: usize) -> Frame {
    let mut payload = BytesMut::with_capacity(bytes + 4);
    payload.put_u32(u32::try_from(bytes).expect("a picture is small"));
    payload.put_u8(0x41);
    payload.put_bytes(0x9a, bytes - 1);
    let time = MediaTime::from_millis(33);
    Frame {
        track: TrackId::VIDEO,
        dts: time,
        pts: time,
        keyframe: false,
        payload: payload.freeze(),
    }
}

/// The NAL units of a frame.
pub fn units(frame: &Frame) -> Vec<NalUnit> {
    zongzi_media::h264::NalUnits::new(frame.payload.clone(), 4).collect()
}

/// A packetizer for the stream.
pub fn packetizer() -> Packetizer {
    Packetizer::new(
        &Config::parse(&Bytes::from_static(AVC_RECORD)).expect("the record is a real one"),
    )
}

/// A picture of the stream, packetized.
pub fn batch() -> Batch {
    let frame = picture(PICTURE_BYTES);
    packetizer()
        .packetize(&frame, &units(&frame), 1, 1, Instant::now())
        .expect("it is a picture")
}

/// What a viewer's packets are protected with. Each viewer has keys of his own.
pub fn srtp(profile: Profile, viewer: u8) -> Sender {
    let material = vec![viewer; profile.keying_material_bytes()];
    Keys::new(profile, &material)
        .and_then(|keys| keys.sender(Side::Server))
        .expect("the material has the profile's length")
}
