//! FLV tag bodies and files: any bytes as a sequence of tags of one stream.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use zongzi_rtmp::flv::Demuxer;
use zongzi_rtmp::flv::file::tags;

fuzz_target!(|data: &[u8]| {
    let data = Bytes::copy_from_slice(data);
    let mut demuxer = Demuxer::default();
    // Each tag: one byte of length and kind, then the body.
    let mut rest = data.clone();
    let mut time = 0;
    while let Some(&first) = rest.first() {
        let end = rest.len().min(1 + usize::from(first >> 1));
        let body = rest.slice(1..end);
        let size = body.len();
        rest = rest.slice(end..);
        time += 1;
        let demuxed = if first & 1 == 0 {
            demuxer.video(time, body)
        } else {
            demuxer.audio(time, body)
        };
        if let Some(frame) = demuxed.frame {
            assert!(!frame.payload.is_empty() && frame.payload.len() < size);
        }
    }
    let whole: usize = tags(data.clone()).map(|tag| tag.body.len() + 11).sum();
    assert!(whole <= data.len());
});
