/// Spans written as people write them: `500ms`, `30s`, `5m`.
pub(super) mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(in crate::settings) fn serialize<S: Serializer>(
        span: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*span))
    }

    pub(in crate::settings) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map_err(|error| {
            de::Error::custom(format!(
                "{error}; write a time span with its unit, like \"30s\" or \"500ms\""
            ))
        })
    }
}

/// Where a listener listens: an address and a port.
pub(super) mod address {
    use std::fmt;
    use std::net::SocketAddr;

    use serde::{Deserializer, de};

    pub(in crate::settings) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SocketAddr, D::Error> {
        deserializer.deserialize_str(Address)
    }

    /// The same where there may be none.
    pub(in crate::settings) fn optional<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SocketAddr>, D::Error> {
        deserialize(deserializer).map(Some)
    }

    struct Address;

    impl de::Visitor<'_> for Address {
        type Value = SocketAddr;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(r#"an address and a port in quotes, like "[::]:1935" (all addresses) or "127.0.0.1:1935""#)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<SocketAddr, E> {
            text.parse()
                .map_err(|_error| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }
}

/// Whole numbers that must not be too small.
pub(super) mod at_least {
    use std::fmt;

    use serde::{Deserializer, de};

    pub(in crate::settings) fn deserialize<'de, D, const LEAST: usize>(
        deserializer: D,
    ) -> Result<usize, D::Error>
    where
        D: Deserializer<'de>,
    {
        deserializer.deserialize_u64(AtLeast::<LEAST>)
    }

    struct AtLeast<const LEAST: usize>;

    impl<const LEAST: usize> de::Visitor<'_> for AtLeast<LEAST> {
        type Value = usize;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a whole number, at least {LEAST}")
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<usize, E> {
            usize::try_from(number)
                .ok()
                .filter(|number| *number >= LEAST)
                .ok_or_else(|| E::invalid_value(de::Unexpected::Signed(number), &self))
        }
    }
}

/// Lists, each value a text.
pub(super) mod list {
    use std::fmt;
    use std::marker::PhantomData;

    use serde::{Deserialize, Deserializer, de};

    pub(in crate::settings) fn deserialize<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: Deserialize<'de>,
    {
        deserializer.deserialize_seq(Values(PhantomData))
    }

    struct Values<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Values<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(r#"a list; write each value in quotes and brackets around them, like ["one", "other"]"#)
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut values: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(value) = values.next_element()? {
                list.push(value);
            }
            Ok(list)
        }
    }
}
