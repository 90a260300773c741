use super::*;

/// RFC 5769 §2.1: a sample request, user "evtj:h6vY", password "VOkJxbRl1RmTxUk/WvJxBt".
const REQUEST: [u8; 108] = [
    0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73,
    0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
    0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09,
    0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14,
    0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
    0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
];
const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

#[test]
fn the_sample_request_of_rfc_5769_is_read_and_authentic() {
    let request = BindingRequest::parse(&REQUEST).expect("it is the RFC's own");
    assert_eq!(
        (request.local_ufrag, request.remote_ufrag),
        ("evtj", "h6vY")
    );
    assert_eq!(request.priority, Some(0x6e00_01ff));
    assert!(!request.use_candidate);
    assert_eq!(request.unknown_attribute, None);
    assert!(request.is_authentic(PASSWORD));
    assert!(!request.is_authentic("VOkJxbRl1RmTxUk/WvJxBT"));
    assert!(!request.is_authentic(""));
    assert_eq!(username(&REQUEST), Some(("evtj", "h6vY")));
}

#[test]
fn no_bit_of_a_request_can_be_changed_unnoticed() {
    // FINGERPRINT itself is behind all that is believed; a wrong one is refused, one that is none is passed over.
    for at in 0..(REQUEST.len() - 8) * 8 {
        let mut changed = REQUEST;
        changed[at / 8] ^= 1 << (at % 8);
        let accepted =
            BindingRequest::parse(&changed).is_ok_and(|request| request.is_authentic(PASSWORD));
        assert!(!accepted, "bit {at}");
    }
}

#[test]
fn no_shorter_part_of_a_request_is_one() {
    for length in 0..REQUEST.len() {
        assert!(BindingRequest::parse(&REQUEST[..length]).is_err());
        assert_eq!(username(&REQUEST[..length]), None);
    }
}

#[test]
fn responses_carry_the_mapped_address_of_rfc_5769() {
    let transaction = REQUEST[8..20].try_into().expect("12 bytes");
    let mut out = Vec::new();
    // RFC 5769 §2.2 and §2.3.
    let v4 = "192.0.2.1:32853".parse().expect("an address");
    write_success(&transaction, v4, PASSWORD, &mut out);
    assert_eq!(
        out[20..32],
        [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]
    );
    let mapped = "[::ffff:192.0.2.1]:32853".parse().expect("an address");
    let before = std::mem::take(&mut out);
    write_success(&transaction, mapped, PASSWORD, &mut out);
    assert_eq!(out, before, "a dual-stack socket's address is the IPv4 one");
    let v6 = "[2001:db8:1234:5678:11:2233:4455:6677]:32853"
        .parse()
        .expect("an address");
    write_success(&transaction, v6, PASSWORD, &mut out);
    assert_eq!(
        out[20..44],
        [
            0, 0x20, 0, 20, 0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc,
            0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9
        ]
    );
    assert_eq!(
        out.len(),
        20 + usize::from(u16::from_be_bytes([out[2], out[3]]))
    );
}

/// A request with these attributes in front of a right MESSAGE-INTEGRITY and FINGERPRINT.
fn request_with(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    begin(super::REQUEST, &[7; 12], &mut out);
    for (kind, value) in attributes {
        write_attribute_head(*kind, u16::try_from(value.len()).expect("short"), &mut out);
        out.extend_from_slice(value);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    finish(PASSWORD, &mut out);
    out
}

#[test]
fn attributes_are_bounded_and_unknown_ones_are_named() {
    let user: (u16, &[u8]) = (USERNAME, b"us:them");
    let request = request_with(&[user, (0x7777, b"?"), (USE_CANDIDATE, b"")]);
    let read = BindingRequest::parse(&request).expect("well-formed");
    assert!(read.is_authentic(PASSWORD) && read.use_candidate);
    assert_eq!(read.unknown_attribute, Some(0x7777));
    let mut out = Vec::new();
    let code = ErrorCode::UnknownAttribute(0x7777);
    write_error(&[7; 12], code, PASSWORD, &mut out);
    assert_eq!(out[..2], [1, 0x11]);
    assert_eq!(
        out[20..36],
        [0, 9, 0, 4, 0, 0, 4, 20, 0, 10, 0, 2, 0x77, 0x77, 0, 0]
    );

    let optional: (u16, &[u8]) = (0xC057, b"GOOG");
    let mut many = vec![user];
    many.resize(ATTRIBUTES_MAX - 2, optional);
    assert!(BindingRequest::parse(&request_with(&many)).is_ok());
    many.resize(ATTRIBUTES_MAX, optional);
    assert_eq!(
        BindingRequest::parse(&request_with(&many)).expect_err("too many"),
        Error::Malformed
    );
}

#[test]
fn requests_that_lack_something_are_refused() {
    let check = |attributes: &[(u16, &[u8])], expected| {
        let request = request_with(attributes);
        assert_eq!(
            BindingRequest::parse(&request).expect_err("lacks"),
            expected
        );
    };
    check(&[], Error::NoUsername);
    check(&[(USERNAME, b"no colon")], Error::Malformed);
    check(&[(USERNAME, &[0xff, b':'])], Error::Malformed);
    check(&[(USERNAME, b"a:b"), (PRIORITY, b"abc")], Error::Malformed);

    let mut bare = Vec::new();
    begin(super::REQUEST, &[7; 12], &mut bare);
    write_attribute_head(USERNAME, 4, &mut bare);
    bare.extend_from_slice(b"a:bc");
    bare[3] = 8;
    assert_eq!(
        BindingRequest::parse(&bare).expect_err("no integrity"),
        Error::NoIntegrity
    );
}

#[test]
fn what_stands_behind_the_integrity_is_not_believed() {
    let mut request = request_with(&[(USERNAME, b"a:b")]);
    // In front of FINGERPRINT, which is then made anew: USE-CANDIDATE, not signed.
    request.truncate(request.len() - 8);
    write_attribute_head(USE_CANDIDATE, 0, &mut request);
    let length = u16::try_from(request.len() - 20 + 8).expect("short");
    request[2..4].copy_from_slice(&length.to_be_bytes());
    let checksum = crc32fast::hash(&request) ^ FINGERPRINT_XOR;
    write_attribute_head(FINGERPRINT, 4, &mut request);
    request.extend_from_slice(&checksum.to_be_bytes());
    let read = BindingRequest::parse(&request).expect("well-formed");
    assert!(read.is_authentic(PASSWORD));
    assert!(!read.use_candidate);
}

/// A check as a browser sends it to whoever has these credentials.
pub(crate) fn request(to: &crate::ice::Credentials, nominate: bool) -> Vec<u8> {
    let mut out = Vec::new();
    begin(super::REQUEST, &[9; 12], &mut out);
    let name = format!("{}:them", to.ufrag);
    write_attribute_head(
        USERNAME,
        u16::try_from(name.len()).expect("short"),
        &mut out,
    );
    out.extend_from_slice(name.as_bytes());
    out.resize(out.len().next_multiple_of(4), 0);
    write_attribute_head(PRIORITY, 4, &mut out);
    out.extend_from_slice(&[0x6e, 0, 1, 0xff]);
    if nominate {
        write_attribute_head(USE_CANDIDATE, 0, &mut out);
    }
    finish(&to.pwd, &mut out);
    out
}
