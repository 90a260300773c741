//! Any bytes as a decrypted RTCP datagram, and as RTP: reading ends, and no list is longer than the datagram allows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zongzi_webrtc::rtcp::{NackPair, Packet, packets};
use zongzi_webrtc::rtp;

fuzz_target!(|datagram: &[u8]| {
    assert!(packets(datagram).count() <= datagram.len() / 4);
    for packet in packets(datagram) {
        match packet {
            Packet::SenderReport { reports, .. } | Packet::ReceiverReport { reports, .. } => {
                assert!(reports.iter().count() <= 31);
            }
            Packet::Nack { pairs, .. } => {
                let lost = pairs.iter().flat_map(NackPair::sequences).count();
                assert!(lost <= datagram.len() / 4 * 17);
            }
            Packet::Bye { sources } => assert!(sources.iter().count() <= 31),
            Packet::Fir { sources } => assert!(sources.iter().count() <= datagram.len() / 8),
            _ => {}
        }
    }
    if let Some(packet) = rtp::Packet::parse(datagram) {
        assert!(packet.header_bytes.len() + packet.payload.len() <= datagram.len());
        for id in 0..16 {
            let _borrowed = packet.extension(id);
        }
    }
});
