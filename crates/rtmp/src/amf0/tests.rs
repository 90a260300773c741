use proptest::prelude::*;

use super::*;

fn round_trip(value: &Value) -> Vec<Value> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes);
    decode(&bytes).unwrap()
}

/// From the AMF 0 specification's tables, by hand.
#[test]
fn bytes_of_the_specification_are_read() {
    let bytes = [
        b"\x02\0\x07connect".as_slice(),
        b"\0\x3f\xf0\0\0\0\0\0\0",
        b"\x03\0\x03app\x02\0\x04live\0\x04fpad\x01\0\0\0\x09",
        b"\x05\x06",
        b"\x08\0\0\0\x63\0\x01a\x05\0\0\x09",
        b"\x0a\0\0\0\x02\x05\x01\x01",
        b"\x0b\x40\0\0\0\0\0\0\0\0\0",
        b"\x0c\0\0\0\x02hi",
        b"\x10\0\x01C\0\x01x\x05\0\0\x09",
    ]
    .concat();
    assert_eq!(
        decode(&bytes).unwrap(),
        [
            Value::from("connect"),
            Value::Number(1.0),
            Value::Object(vec![
                ("app".into(), "live".into()),
                ("fpad".into(), Value::Boolean(false)),
            ]),
            Value::Null,
            Value::Undefined,
            Value::EcmaArray(vec![("a".into(), Value::Null)]),
            Value::StrictArray(vec![Value::Null, Value::Boolean(true)]),
            Value::Date(2.0),
            Value::from("hi"),
            Value::Object(vec![("x".into(), Value::Null)]),
        ]
    );
}

#[test]
fn every_cut_of_a_value_is_an_error_not_a_panic() {
    let mut bytes = Vec::new();
    encode(
        &Value::Object(vec![(
            "list".into(),
            Value::StrictArray(vec![Value::Number(1.0), "text".into(), Value::Date(0.0)]),
        )]),
        &mut bytes,
    );
    for length in 1..bytes.len() {
        assert_eq!(decode(&bytes[..length]), Err(Error::Truncated), "{length}");
    }
}

#[test]
fn references_and_amf3_are_not_spoken() {
    assert_eq!(decode(&[0x07, 0, 0]), Err(Error::Type(0x07)));
    assert_eq!(decode(&[0x11, 0x01]), Err(Error::Type(0x11)));
    assert_eq!(decode(&[0x0e]), Err(Error::Type(0x0e)));
}

#[test]
fn thirty_two_levels_are_read_and_a_hundred_thousand_are_an_error() {
    let nested = |levels: usize| -> Vec<u8> { b"\x03\0\x01a".repeat(levels) };
    let mut deep = nested(32);
    deep.push(NULL);
    deep.extend(b"\0\0\x09".repeat(32));
    assert!(decode(&deep).is_ok());
    assert_eq!(decode(&nested(100_000)), Err(Error::Depth));
    assert_eq!(
        decode(&b"\x0a\0\0\0\x01".repeat(100_000)),
        Err(Error::Depth)
    );
}

#[test]
fn a_huge_count_allocates_nothing_and_many_values_are_an_error() {
    assert_eq!(decode(b"\x0a\xff\xff\xff\xff"), Err(Error::Truncated));
    assert_eq!(decode(b"\x0c\xff\xff\xff\xffabc"), Err(Error::Truncated));
    assert_eq!(decode(&[NULL; 1_025]), Err(Error::Values));
    assert_eq!(decode(&[NULL; 1_024]).unwrap().len(), 1_024);
}

#[test]
fn text_too_long_for_a_short_string_becomes_a_long_one() {
    let text = Value::String("x".repeat(70_000));
    assert_eq!(round_trip(&text), std::slice::from_ref(&text));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (-1e15..1e15).prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        ".{0,20}".prop_map(Value::String),
        Just(Value::Null),
        Just(Value::Undefined),
        (0.0..1e13).prop_map(Value::Date),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let properties = prop::collection::vec(("[a-z]{1,8}", inner.clone()), 0..5);
        prop_oneof![
            properties.clone().prop_map(Value::Object),
            properties.prop_map(Value::EcmaArray),
            prop::collection::vec(inner, 0..5).prop_map(Value::StrictArray),
        ]
    })
}

/// Something that holds one value, named `a` where it has a name: its bytes before and after, and what is read.
type Holder = (&'static [u8], &'static [u8], fn(Value) -> Value);

const HOLDERS: [Holder; 4] = [
    (b"\x03\0\x01a", b"\0\0\x09", |value| {
        Value::Object(vec![("a".into(), value)])
    }),
    (b"\x10\0\x01C\0\x01a", b"\0\0\x09", |value| {
        Value::Object(vec![("a".into(), value)])
    }),
    (b"\x08\0\0\0\x01\0\x01a", b"\0\0\x09", |value| {
        Value::EcmaArray(vec![("a".into(), value)])
    }),
    (b"\x0a\0\0\0\x01", b"", |value| {
        Value::StrictArray(vec![value])
    }),
];

/// `leaf` in `holders`, the first outermost; each of them holds nothing else.
fn nested(holders: &[usize], leaf: &[u8]) -> Vec<u8> {
    let fronts = holders.iter().map(|holder| HOLDERS[*holder].0);
    let ends = holders.iter().rev().map(|holder| HOLDERS[*holder].1);
    fronts
        .chain([leaf])
        .chain(ends)
        .collect::<Vec<_>>()
        .concat()
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in any_value()) {
        prop_assert_eq!(round_trip(&value), vec![value]);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _outcome = decode(&bytes);
    }

    #[test]
    fn thirty_two_levels_of_any_kind_are_read_and_the_next_is_an_error(
        holders in prop::collection::vec(0..HOLDERS.len(), 28..37)
    ) {
        let expected = holders.iter().rev().fold(Value::Null, |value, holder| HOLDERS[*holder].2(value));
        let expected = if holders.len() > 32 { Err(Error::Depth) } else { Ok(vec![expected]) };
        prop_assert_eq!(decode(&nested(&holders, &[NULL])), expected);
    }

    #[test]
    fn values_are_counted_however_they_are_nested(
        holders in prop::collection::vec(0..HOLDERS.len(), 0..30),
        inside in 980..1_030_u32,
        beside in 0..10_usize,
    ) {
        let nulls = vec![NULL; inside.try_into().unwrap()];
        let array = [&[STRICT_ARRAY], &inside.to_be_bytes()[..], &nulls].concat();
        let bytes = [nested(&holders, &array), vec![NULL; beside]].concat();
        let values: usize = [holders.len(), 1, nulls.len(), beside].iter().sum();
        let expected = if values > 1_024 { Err(Error::Values) } else { Ok(beside.saturating_add(1)) };
        prop_assert_eq!(decode(&bytes).map(|values| values.len()), expected);
    }
}
