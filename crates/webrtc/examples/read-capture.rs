//! Reads the media of a capture: `read-capture CAPTURE.pcap KEYS`.
//!
//! `KEYS` is what a debug build of zongzi writes where `SSLKEYLOGFILE` says, one line for each session; `CAPTURE.pcap` is of
//! `tcpdump --interface lo -w CAPTURE.pcap udp`. Prints a line for each packet that one of the keys opens.

#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};

use zongzi_webrtc::rtp;
use zongzi_webrtc::srtp::{Keys, Receiver, Side};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(capture), Some(keys)) = (args.next(), args.next()) else {
        return Err("usage: read-capture CAPTURE.pcap KEYS".into());
    };
    let capture = std::fs::read(capture)?;
    let mut receivers = Vec::new();
    // A browser may have written its own lines to the same file.
    let lines = std::fs::read_to_string(keys)?;
    for keys in lines.lines().filter_map(Keys::from_line) {
        receivers.push(keys.receiver(Side::Server)?);
        receivers.push(keys.receiver(Side::Client)?);
    }
    if receivers.is_empty() {
        return Err("no key of zongzi's in the second file; is it a debug build's?".into());
    }
    let mut of: BTreeMap<(SocketAddr, SocketAddr), usize> = BTreeMap::new();
    let (mut read, mut unread) = (0, 0);
    for packet in packets(&capture).ok_or("no pcap file (tcpdump -w writes one)")? {
        if !matches!(packet.datagram, [128..=191, ..]) {
            continue; // STUN, DTLS
        }
        let way = (packet.from, packet.to);
        let known = of.get(&way).copied();
        let opened = receivers
            .iter_mut()
            .enumerate()
            .filter(|(index, _)| known.is_none_or(|known| known == *index))
            .find_map(|(index, receiver)| Some((index, open_burst(receiver, packet.datagram)?)));
        let Some((index, lines)) = opened else {
            unread += 1;
            continue;
        };
        of.insert(way, index);
        for words in lines {
            read += 1;
            println!(
                "{:.6} {} > {} {words}",
                packet.seconds, packet.from, packet.to
            );
        }
    }
    println!("{read} packets read, {unread} not");
    Ok(())
}

/// What is in a datagram, or in each of a burst that the capture holds as one (UDP GSO over loopback): all are as long as the
/// first, which only its key tells, and the last perhaps shorter.
fn open_burst(receiver: &mut Receiver, datagram: &[u8]) -> Option<Vec<String>> {
    if let Some(words) = open(receiver, datagram) {
        return Some(vec![words]);
    }
    let longest = datagram.len().checked_sub(1)?.min(DATAGRAM_MAX);
    let (len, first) = (DATAGRAM_MIN..=longest)
        .rev()
        .find_map(|len| Some((len, open(receiver, datagram.get(..len)?)?)))?;
    let rest = datagram.get(len..)?.chunks(len);
    let rest = rest.map(|packet| {
        open(receiver, packet)
            .unwrap_or_else(|| "not read: a copy of one before, or damaged".to_owned())
    });
    Some(std::iter::once(first).chain(rest).collect())
}

const DATAGRAM_MAX: usize = 1_500;
/// A header and a tag.
const DATAGRAM_MIN: usize = 28;

/// What is in a protected packet, if this is its key.
fn open(receiver: &mut Receiver, datagram: &[u8]) -> Option<String> {
    let mut plain = [0; 2_048];
    // RFC 5761 §4: RTCP has types of 192 to 223 here.
    if matches!(datagram, [_, 192..=223, ..]) {
        let len = receiver.unprotect_rtcp(datagram, &mut plain).ok()?;
        return Some(format!("RTCP {len} bytes: {:02x?}", plain.get(..len)?));
    }
    let (len, index) = receiver.unprotect(datagram, &mut plain).ok()?;
    let packet = rtp::Packet::parse(plain.get(..len)?)?;
    let header = &packet.header;
    Some(format!(
        "RTP {:08x} type {} index {index} time {}{} {} bytes: {:02x?}",
        header.ssrc.0,
        header.payload_type,
        header.timestamp.0,
        if header.marker { " marker" } else { "" },
        packet.payload.len(),
        packet.payload.get(..packet.payload.len().min(8))?,
    ))
}

struct Packet<'a> {
    seconds: f64,
    from: SocketAddr,
    to: SocketAddr,
    datagram: &'a [u8],
}

/// The UDP datagrams of a pcap file (draft-ietf-opsawg-pcap) of Ethernet, of raw IP, or of `tcpdump --interface any`.
fn packets(file: &[u8]) -> Option<Vec<Packet<'_>>> {
    let little = match file.get(..4)? {
        [0xd4, 0xc3, 0xb2, 0xa1] => true,
        [0xa1, 0xb2, 0xc3, 0xd4] => false,
        _ => return None,
    };
    let word = |at: usize| {
        let bytes: [u8; 4] = file.get(at..at + 4)?.try_into().ok()?;
        Some(if little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    };
    let link = match word(20)? {
        1 => 14,
        101 => 0,
        113 => 16,
        276 => 20,
        _ => return None,
    };
    let mut at = 24;
    let mut packets = Vec::new();
    while let (Some(seconds), Some(micros), Some(len)) = (word(at), word(at + 4), word(at + 8)) {
        let len = usize::try_from(len).ok()?;
        let Some(frame) = file.get(at + 16..at + 16 + len) else {
            break;
        };
        at += 16 + len;
        if let Some((from, to, datagram)) = frame.get(link..).and_then(udp) {
            let seconds = f64::from(seconds) + f64::from(micros) / 1e6;
            packets.push(Packet {
                seconds,
                from,
                to,
                datagram,
            });
        }
    }
    Some(packets)
}

fn udp(packet: &[u8]) -> Option<(SocketAddr, SocketAddr, &[u8])> {
    const UDP: u8 = 17;
    let (from, to, rest): (IpAddr, IpAddr, _) = match packet.first()? >> 4 {
        4 if *packet.get(9)? == UDP => {
            let address = |at: usize| <[u8; 4]>::try_from(packet.get(at..at + 4)?).ok();
            let header = usize::from(packet.first()? & 15) * 4;
            (
                address(12)?.into(),
                address(16)?.into(),
                packet.get(header..)?,
            )
        }
        6 if *packet.get(6)? == UDP => {
            let address = |at: usize| <[u8; 16]>::try_from(packet.get(at..at + 16)?).ok();
            (address(8)?.into(), address(24)?.into(), packet.get(40..)?)
        }
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes(rest.get(at..at + 2)?.try_into().ok()?));
    Some((
        SocketAddr::new(from, port(0)?),
        SocketAddr::new(to, port(2)?),
        rest.get(8..)?,
    ))
}
