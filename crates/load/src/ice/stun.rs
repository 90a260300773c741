#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::net::{IpAddr, SocketAddr};

use aws_lc_rs::hmac;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLING: u16 = 0x802a;
/// RFC 8489 §14.7.
const FINGERPRINT_XOR: u32 = 0x5354_554e;

/// A STUN transaction (RFC 8489 §5).
pub(crate) type Transaction = [u8; 12];

/// What a STUN message that we care for says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Message {
    /// A check from the other side: full ICE agents send them.
    Request(Transaction),
    /// The answer to a check of ours.
    Success(Transaction),
    /// A refusal of a check of ours.
    Refusal(Transaction),
}

/// A connectivity check that nominates (RFC 8445 §7.2.2).
pub(crate) fn check(
    transaction: Transaction,
    username: &str,
    password: &str,
    tie_breaker: u64,
) -> Vec<u8> {
    let mut message = start(BINDING_REQUEST, transaction);
    attribute(&mut message, USERNAME, username.as_bytes());
    // A peer-reflexive candidate's priority, as libwebrtc gives it on its first network (RFC 8445 §5.1.2).
    attribute(&mut message, PRIORITY, &0x6e7f_1eff_u32.to_be_bytes());
    attribute(&mut message, ICE_CONTROLLING, &tie_breaker.to_be_bytes());
    attribute(&mut message, USE_CANDIDATE, &[]);
    finish(message, password)
}

/// The answer to a check that came from `from`.
pub(crate) fn success(transaction: Transaction, from: SocketAddr, password: &str) -> Vec<u8> {
    let mut message = start(BINDING_SUCCESS, transaction);
    let mut value = vec![0, if from.is_ipv4() { 1 } else { 2 }];
    let mask: Vec<u8> = COOKIE.iter().chain(&transaction).copied().collect();
    let port = from.port().to_be_bytes();
    value.extend(port.iter().zip(&mask).map(|(byte, mask)| byte ^ mask));
    let address = match from.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    value.extend(address.iter().zip(&mask).map(|(byte, mask)| byte ^ mask));
    attribute(&mut message, XOR_MAPPED_ADDRESS, &value);
    finish(message, password)
}

/// Reads a message and checks its MESSAGE-INTEGRITY with `password`, which is ours for requests and theirs for
/// answers: the caller knows both, so both are given. `None` for what is no STUN, unsigned or signed by another.
pub(crate) fn read(datagram: &[u8], ours: &str, theirs: &str) -> Option<Message> {
    let kind = u16::from_be_bytes(*datagram.first_chunk()?);
    let transaction: Transaction = datagram.get(8..20)?.try_into().ok()?;
    if datagram.get(4..8)? != COOKIE {
        return None;
    }
    let (message, password) = match kind {
        BINDING_REQUEST => (Message::Request(transaction), ours),
        BINDING_SUCCESS => (Message::Success(transaction), theirs),
        // Errors may come unsigned (RFC 8489 §9.1.4), and nothing is done with them but counting.
        BINDING_ERROR => return Some(Message::Refusal(transaction)),
        _ => return None,
    };
    is_signed(datagram, password).then_some(message)
}

fn is_signed(datagram: &[u8], password: &str) -> bool {
    let mut at = 20_usize;
    while let Some(head) = datagram.get(at..).and_then(<[u8]>::first_chunk::<4>) {
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value_at = at.saturating_add(4);
        if kind == MESSAGE_INTEGRITY {
            let (Some(signed), Some(tag)) = (
                datagram.get(..at),
                datagram.get(value_at..value_at.saturating_add(20)),
            ) else {
                return false;
            };
            let mut signed = signed.to_vec();
            // As if the message ended with this attribute: 24 more bytes than `at`, 20 of them the header's.
            set_length(&mut signed, at.saturating_add(4));
            return hmac::verify(&key(password), &signed, tag).is_ok();
        }
        at = value_at
            .saturating_add(length)
            .checked_next_multiple_of(4)
            .unwrap_or(usize::MAX);
    }
    false
}

fn key(password: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes())
}

fn start(kind: u16, transaction: Transaction) -> Vec<u8> {
    let mut message = Vec::with_capacity(128);
    message.extend(kind.to_be_bytes());
    message.extend([0, 0]);
    message.extend(COOKIE);
    message.extend(transaction);
    message
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend(u16::try_from(value.len()).unwrap_or(0).to_be_bytes());
    message.extend(value);
    while !message.len().is_multiple_of(4) {
        message.push(0);
    }
}

/// Signs the message: each of the two attributes counts itself into the length (RFC 8489 §14.5, §14.7).
fn finish(mut message: Vec<u8>, password: &str) -> Vec<u8> {
    // 24 bytes of MESSAGE-INTEGRITY to come, 20 bytes of header not counted.
    let length = message.len().saturating_add(4);
    set_length(&mut message, length);
    let tag = hmac::sign(&key(password), &message);
    attribute(&mut message, MESSAGE_INTEGRITY, tag.as_ref());
    // 8 bytes of FINGERPRINT to come.
    let length = message.len().saturating_sub(12);
    set_length(&mut message, length);
    let sum = crc32fast::hash(&message) ^ FINGERPRINT_XOR;
    attribute(&mut message, FINGERPRINT, &sum.to_be_bytes());
    message
}

/// Writes the length field: what follows the 20 bytes of header (RFC 8489 §5).
fn set_length(message: &mut [u8], length: usize) {
    let length = u16::try_from(length).unwrap_or(0).to_be_bytes();
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769 §2.2: sample IPv4 response.
    const RESPONSE: &[u8] = b"\x01\x01\x00\x3c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20\
        \x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43\
        \x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\xf0\x6b\xe7\xd7\
        \x80\x28\x00\x04\xc0\x7d\x4c\x96";
    const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";
    const TRANSACTION: Transaction = *b"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae";

    #[test]
    fn the_sample_of_rfc_5769_is_read() {
        assert_eq!(
            read(RESPONSE, "", PASSWORD),
            Some(Message::Success(TRANSACTION))
        );
        assert_eq!(read(RESPONSE, PASSWORD, "other"), None);
        let mut spoilt = RESPONSE.to_vec();
        spoilt[25] ^= 1;
        assert_eq!(read(&spoilt, "", PASSWORD), None);
    }

    #[test]
    fn what_we_write_we_can_read_and_its_fingerprint_is_right() {
        let message = check(TRANSACTION, "them:us", PASSWORD, 7);
        assert_eq!(
            read(&message, PASSWORD, ""),
            Some(Message::Request(TRANSACTION))
        );
        let (body, fingerprint) = message.split_at(message.len() - 8);
        let sum = (crc32fast::hash(body) ^ FINGERPRINT_XOR).to_be_bytes();
        assert_eq!(fingerprint[4..], sum);
        assert_eq!(
            usize::from(u16::from_be_bytes([message[2], message[3]])),
            message.len() - 20
        );
    }

    #[test]
    fn our_answer_maps_the_address_as_in_rfc_5769() {
        let from = "192.0.2.1:32853".parse().expect("an address");
        let message = success(TRANSACTION, from, PASSWORD);
        assert_eq!(message[20..32], RESPONSE[36..48]);
        assert_eq!(
            read(&message, "", PASSWORD),
            Some(Message::Success(TRANSACTION))
        );
    }

    #[test]
    fn garbage_is_no_message() {
        assert_eq!(read(&[], "", ""), None);
        assert_eq!(read(&RESPONSE[..30], "", PASSWORD), None);
        assert_eq!(read(&[0; 20], "", ""), None);
    }
}
