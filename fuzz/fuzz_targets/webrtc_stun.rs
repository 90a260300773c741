//! Any bytes as a STUN datagram: reading never panics, and what is authentic was made with our password.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zongzi_webrtc::stun::{self, BindingRequest};

fuzz_target!(|datagram: &[u8]| {
    let name = stun::username(datagram);
    if let Ok(request) = BindingRequest::parse(datagram) {
        assert_eq!(name, Some((request.local_ufrag, request.remote_ufrag)));
        let _unlikely = request.is_authentic("passwordpasswordpassword");
    }
});
