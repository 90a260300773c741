//! AMF0: any bytes; what is read can be written and is read back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zongzi_rtmp::amf0::{Value, decode, encode};

fuzz_target!(|data: &[u8]| {
    let Ok(values) = decode(data) else {
        return;
    };
    let mut bytes = Vec::new();
    for value in &values {
        encode(value, &mut bytes);
    }
    let again = decode(&bytes).expect("what was written is AMF0");
    // Compared as text: not-a-number is not equal to itself. Text grows where bytes were no UTF-8, and a name may then
    // be too long to be written; that is the one difference there may be.
    if data.len() < 20_000 {
        assert_eq!(text(&again), text(&values));
    }
});

fn text(values: &[Value]) -> String {
    format!("{values:?}")
}
