//! STUN Binding requests and their answers, as far as ICE connectivity checks need them (RFC 8489, RFC 8445 §7).
//!
//! Reading copies nothing; a message's attributes are walked once.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::net::{IpAddr, SocketAddr};

use aws_lc_rs::hmac;

/// Attributes looked at in one message. Browsers send about eight; more is not a connectivity check.
pub const ATTRIBUTES_MAX: usize = 32;

/// Names a request and its response.
pub type TransactionId = [u8; 12];

/// A Binding request, not yet authenticated.
#[derive(Debug, Clone, Copy)]
pub struct BindingRequest<'a> {
    /// To be repeated in the response.
    pub transaction: TransactionId,
    /// The part of USERNAME before the colon: the fragment that the receiver made (RFC 8445 §7.2.2).
    pub local_ufrag: &'a str,
    /// The part of USERNAME after the colon: the fragment that the sender made.
    pub remote_ufrag: &'a str,
    /// What priority a candidate learned from this check would have (PRIORITY).
    pub priority: Option<u32>,
    /// The sender has settled on this pair (USE-CANDIDATE).
    pub use_candidate: bool,
    /// The first attribute that must be understood and was not: to be answered with [`ErrorCode::UnknownAttribute`].
    pub unknown_attribute: Option<u16>,
    /// Everything before MESSAGE-INTEGRITY.
    signed: &'a [u8],
    integrity: &'a [u8; INTEGRITY_BYTES],
}

impl<'a> BindingRequest<'a> {
    /// Reads a request with USERNAME and MESSAGE-INTEGRITY. FINGERPRINT is checked when it is there.
    ///
    /// # Errors
    /// When it is no such thing; nothing is to be answered then.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Error> {
        let (transaction, _) = header(datagram).ok_or(Error::NotBinding)?;
        let mut request = Self {
            transaction,
            local_ufrag: "",
            remote_ufrag: "",
            priority: None,
            use_candidate: false,
            unknown_attribute: None,
            signed: &[],
            integrity: &[0; INTEGRITY_BYTES],
        };
        let mut username = None;
        let mut integrity = None;
        for attribute in Attributes::new(datagram) {
            let attribute = attribute?;
            match attribute.kind {
                FINGERPRINT => check_fingerprint(datagram, &attribute)?,
                // RFC 8489 §14.5: only FINGERPRINT (and the SHA-256 variant) counts after MESSAGE-INTEGRITY.
                _ if integrity.is_some() => {}
                USERNAME => username = Some(split_username(attribute.value)?),
                PRIORITY => {
                    let value = attribute.value.first_chunk().ok_or(Error::Malformed)?;
                    request.priority = Some(u32::from_be_bytes(*value));
                }
                USE_CANDIDATE => request.use_candidate = true,
                MESSAGE_INTEGRITY => {
                    let value = attribute.value.try_into().ok().ok_or(Error::Malformed)?;
                    integrity = Some((value, attribute.start));
                }
                kind if kind < OPTIONAL => {
                    request.unknown_attribute.get_or_insert(kind);
                }
                _ => {}
            }
        }
        (request.local_ufrag, request.remote_ufrag) = username.ok_or(Error::NoUsername)?;
        let (value, start) = integrity.ok_or(Error::NoIntegrity)?;
        request.integrity = value;
        request.signed = datagram.get(..start).ok_or(Error::Malformed)?;
        Ok(request)
    }

    /// Whether MESSAGE-INTEGRITY was made with this password, in constant time (RFC 8489 §14.5).
    #[must_use]
    pub fn is_authentic(&self, password: &str) -> bool {
        let Ok(expected) = integrity(self.signed, password) else {
            return false;
        };
        aws_lc_rs::constant_time::verify_slices_are_equal(&expected, self.integrity).is_ok()
    }
}

/// The two halves of a Binding request's USERNAME, receiver's fragment first, without authenticating anything.
///
/// For the demultiplexer, which finds the session by the first half when it does not know the address yet.
#[must_use]
pub fn username(datagram: &[u8]) -> Option<(&str, &str)> {
    header(datagram)?;
    Attributes::new(datagram)
        .map_while(Result::ok)
        .find(|attribute| attribute.kind == USERNAME)
        .and_then(|attribute| split_username(attribute.value).ok())
}

/// Whether the datagram begins like a Binding request. Cheap.
#[must_use]
pub fn is_binding_request(datagram: &[u8]) -> bool {
    header(datagram).is_some()
}

/// Why a datagram is no valid Binding request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not a STUN Binding request, or its length is wrong.
    #[error("not a STUN binding request")]
    NotBinding,
    /// An attribute's length or contents are wrong, or there are more than [`ATTRIBUTES_MAX`].
    #[error("malformed STUN attribute")]
    Malformed,
    /// FINGERPRINT does not fit the message.
    #[error("STUN fingerprint is wrong")]
    Fingerprint,
    /// There is no USERNAME.
    #[error("STUN request without user name")]
    NoUsername,
    /// There is no MESSAGE-INTEGRITY.
    #[error("STUN request without message integrity")]
    NoIntegrity,
    /// The user name is not ours.
    #[error("STUN user name is unknown")]
    UnknownUsername,
    /// MESSAGE-INTEGRITY was not made with our password.
    #[error("STUN message integrity is wrong")]
    Unauthentic,
}

/// What an error response says (RFC 8489 §14.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// 420: an attribute that must be understood was not; its type.
    UnknownAttribute(u16),
}

/// Replaces the contents of `out` with the success response to a request that came from `source`.
pub fn write_success(
    transaction: &TransactionId,
    source: SocketAddr,
    password: &str,
    out: &mut Vec<u8>,
) {
    begin(SUCCESS, transaction, out);
    let port = xor(source.port().to_be_bytes(), &COOKIE);
    match source.ip().to_canonical() {
        IpAddr::V4(ip) => {
            write_attribute_head(XOR_MAPPED_ADDRESS, 8, out);
            out.extend_from_slice(&[0, 1]);
            out.extend_from_slice(&port);
            out.extend_from_slice(&xor(ip.octets(), &COOKIE));
        }
        IpAddr::V6(ip) => {
            write_attribute_head(XOR_MAPPED_ADDRESS, 20, out);
            out.extend_from_slice(&[0, 2]);
            out.extend_from_slice(&port);
            let mut key = [0; 16];
            for (to, from) in key.iter_mut().zip(COOKIE.iter().chain(transaction)) {
                *to = *from;
            }
            out.extend_from_slice(&xor(ip.octets(), &key));
        }
    }
    finish(password, out);
}

/// Replaces the contents of `out` with an error response to an authenticated request.
pub fn write_error(
    transaction: &TransactionId,
    code: ErrorCode,
    password: &str,
    out: &mut Vec<u8>,
) {
    begin(FAILURE, transaction, out);
    match code {
        ErrorCode::UnknownAttribute(kind) => {
            write_attribute_head(ERROR_CODE, 4, out);
            out.extend_from_slice(&[0, 0, 4, 20]);
            write_attribute_head(UNKNOWN_ATTRIBUTES, 2, out);
            out.extend_from_slice(&kind.to_be_bytes());
            out.extend_from_slice(&[0, 0]);
        }
    }
    finish(password, out);
}

/// Checks type, cookie and length; gives the transaction and the attributes' bytes.
fn header(datagram: &[u8]) -> Option<(TransactionId, &[u8])> {
    let (head, attributes) = datagram.split_first_chunk::<HEADER_BYTES>()?;
    let [t0, t1, l0, l1, c0, c1, c2, c3, transaction @ ..] = *head;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    (u16::from_be_bytes([t0, t1]) == REQUEST
        && [c0, c1, c2, c3] == COOKIE
        && length == attributes.len()
        && length.is_multiple_of(4))
    .then_some((transaction, attributes))
}

struct Attribute<'a> {
    kind: u16,
    value: &'a [u8],
    /// Where it starts in the datagram.
    start: usize,
}

struct Attributes<'a> {
    rest: &'a [u8],
    start: usize,
    left: usize,
}

impl<'a> Attributes<'a> {
    fn new(datagram: &'a [u8]) -> Self {
        Self {
            rest: datagram.get(HEADER_BYTES..).unwrap_or(&[]),
            start: HEADER_BYTES,
            left: ATTRIBUTES_MAX,
        }
    }

    fn take(&mut self) -> Option<Attribute<'a>> {
        let ([k0, k1, l0, l1], rest) = self.rest.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let (padded, after) = rest.split_at_checked(length.checked_next_multiple_of(4)?)?;
        let attribute = Attribute {
            kind: u16::from_be_bytes([*k0, *k1]),
            value: padded.get(..length)?,
            start: self.start,
        };
        self.start = self.start.checked_add(4)?.checked_add(padded.len())?;
        self.left = self.left.checked_sub(1)?;
        self.rest = after;
        Some(attribute)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let attribute = self.take().ok_or(Error::Malformed);
        if attribute.is_err() {
            self.rest = &[];
        }
        Some(attribute)
    }
}

fn split_username(value: &[u8]) -> Result<(&str, &str), Error> {
    std::str::from_utf8(value)
        .ok()
        .and_then(|name| name.split_once(':'))
        .ok_or(Error::Malformed)
}

/// RFC 8489 §14.7: CRC-32 of everything before, XORed; the attribute is the last one.
fn check_fingerprint(datagram: &[u8], attribute: &Attribute<'_>) -> Result<(), Error> {
    let before = datagram
        .get(..attribute.start)
        .filter(|before| before.len().checked_add(8) == Some(datagram.len()))
        .ok_or(Error::Fingerprint)?;
    let expected = crc32fast::hash(before) ^ FINGERPRINT_XOR;
    if attribute.value == expected.to_be_bytes() {
        Ok(())
    } else {
        Err(Error::Fingerprint)
    }
}

/// RFC 8489 §14.5: HMAC-SHA1 over the message up to MESSAGE-INTEGRITY, with a header length that ends behind it.
fn integrity(signed: &[u8], password: &str) -> Result<[u8; INTEGRITY_BYTES], Error> {
    let (kind, rest) = signed.split_first_chunk::<2>().ok_or(Error::Malformed)?;
    let (_, rest) = rest.split_first_chunk::<2>().ok_or(Error::Malformed)?;
    let length = rest
        .len()
        .checked_sub(HEADER_BYTES - 4)
        .and_then(|length| length.checked_add(4 + INTEGRITY_BYTES))
        .and_then(|length| u16::try_from(length).ok())
        .ok_or(Error::Malformed)?;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(kind);
    context.update(&length.to_be_bytes());
    context.update(rest);
    let tag = context.sign();
    tag.as_ref().try_into().ok().ok_or(Error::Malformed)
}

fn begin(kind: u16, transaction: &TransactionId, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&COOKIE);
    out.extend_from_slice(transaction);
}

/// Adds MESSAGE-INTEGRITY and FINGERPRINT and sets the length.
fn finish(password: &str, out: &mut Vec<u8>) {
    if let Ok(tag) = integrity(out, password) {
        write_attribute_head(MESSAGE_INTEGRITY, 20, out);
        out.extend_from_slice(&tag);
    }
    // The length counts FINGERPRINT already when its checksum is made.
    let length = out.len().saturating_sub(HEADER_BYTES).saturating_add(8);
    if let Some([_, _, l0, l1]) = out.first_chunk_mut::<4>() {
        [*l0, *l1] = u16::try_from(length).unwrap_or(0).to_be_bytes();
    }
    let checksum = crc32fast::hash(out) ^ FINGERPRINT_XOR;
    write_attribute_head(FINGERPRINT, 4, out);
    out.extend_from_slice(&checksum.to_be_bytes());
}

fn write_attribute_head(kind: u16, length: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
}

fn xor<const N: usize>(mut bytes: [u8; N], key: &[u8]) -> [u8; N] {
    for (byte, key) in bytes.iter_mut().zip(key) {
        *byte ^= key;
    }
    bytes
}

const HEADER_BYTES: usize = 20;
const INTEGRITY_BYTES: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const FINGERPRINT_XOR: u32 = 0x5354_554E;
const REQUEST: u16 = 0x0001;
const SUCCESS: u16 = 0x0101;
const FAILURE: u16 = 0x0111;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
/// Types from here on need not be understood.
const OPTIONAL: u16 = 0x8000;
const FINGERPRINT: u16 = 0x8028;

#[cfg(test)]
pub(crate) mod tests;
