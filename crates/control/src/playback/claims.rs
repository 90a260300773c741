use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use zongzi_media::ChannelName;

/// What a playback token says.
///
/// | claim | |
/// |---|---|
/// | `channel` | the one channel that it opens |
/// | `exp` | from when on it opens nothing (RFC 7519 §4.1.4) |
/// | `nbf` | until when it opens nothing; optional |
/// | `sub` | who watches, for counting; optional |
/// | `ends_session` | whether what it opened ends with it; optional |
/// | `aud` | must be, or hold, `zongzi` where it is there |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The channel.
    pub channel: String,
    /// Since 1970.
    pub exp: NumericDate,
    /// Since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<NumericDate>,
    /// The viewer's id.
    #[serde(default, rename = "sub", skip_serializing_if = "Option::is_none")]
    pub viewer: Option<ViewerId>,
    /// Whether sessions end with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ends_session: bool,
}

/// What can't be said by a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimsError {
    /// The viewer's id is too long or empty.
    #[error("a viewer's id has 1 to {max} bytes", max = ViewerId::BYTES_MAX)]
    Viewer,
    /// The time is too short or too long.
    #[error("a token is valid for 1 s to {} days", Claims::VALID_MAX.as_secs() / 86_400)]
    Valid,
}

/// Who watches, as whoever gives out tokens calls him: any text of 1 to 128 bytes. Not printed by `Debug`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ViewerId(String);

/// Seconds since 1970, perhaps with a fraction (RFC 7519 §2, "NumericDate").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumericDate(Duration);

impl Claims {
    /// The longest time that a token made here is valid.
    pub const VALID_MAX: Duration = Duration::from_secs(366 * 86_400);

    /// For `channel`, from `begins` (or from now) on until `valid` later.
    ///
    /// # Errors
    /// When it would be valid for no time, or for too long.
    pub fn new(
        channel: &ChannelName,
        now: SystemTime,
        begins: Option<Duration>,
        valid: Duration,
    ) -> Result<Self, ClaimsError> {
        let begins_after = begins.unwrap_or_default();
        let longest = Self::VALID_MAX;
        if valid < Duration::from_secs(1) || valid > longest || begins_after > longest {
            return Err(ClaimsError::Valid);
        }
        let start = NumericDate::from(now).after(begins_after);
        Ok(Self {
            channel: channel.to_string(),
            exp: start.after(valid),
            nbf: begins.map(|_| start),
            viewer: None,
            ends_session: false,
        })
    }
}

impl NumericDate {
    /// As a moment; `None` beyond what the system's clock can say.
    pub fn time(self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(self.0)
    }

    /// The time from `now` to it, or zero.
    pub(super) fn left_at(self, now: SystemTime) -> Duration {
        self.0.saturating_sub(Self::from(now).0)
    }

    pub(super) fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}

impl From<SystemTime> for NumericDate {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        Self(since.unwrap_or_default())
    }
}

impl Serialize for NumericDate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.as_secs())
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seconds;

        impl Visitor<'_> for Seconds {
            type Value = NumericDate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds since 1970")
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<NumericDate, E> {
                Ok(NumericDate(Duration::from_secs(seconds)))
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<NumericDate, E> {
                Duration::try_from_secs_f64(seconds)
                    .map(NumericDate)
                    .map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Seconds)
    }
}

impl ViewerId {
    /// The most bytes.
    pub const BYTES_MAX: usize = 128;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ViewerId {
    type Error = ClaimsError;

    fn try_from(text: String) -> Result<Self, ClaimsError> {
        if (1..=Self::BYTES_MAX).contains(&text.len()) {
            Ok(Self(text))
        } else {
            Err(ClaimsError::Viewer)
        }
    }
}

impl FromStr for ViewerId {
    type Err = ClaimsError;

    fn from_str(text: &str) -> Result<Self, ClaimsError> {
        text.to_owned().try_into()
    }
}

impl fmt::Debug for ViewerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ViewerId(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_whole_or_broken_seconds_and_nothing_else() {
        for (text, millis) in [
            ("0", Some(0)),
            ("1700000000", Some(1_700_000_000_000)),
            ("1700000000.25", Some(1_700_000_000_250)),
            ("1.7e9", Some(1_700_000_000_000)),
            ("-1", None),
            ("-0.5", None),
            ("1e300", None),
            ("\"1700000000\"", None),
            ("null", None),
            ("true", None),
        ] {
            let read = serde_json::from_str::<NumericDate>(text).ok();
            assert_eq!(read.map(|date| date.0.as_millis()), millis, "{text}");
        }
        let last: NumericDate = serde_json::from_str("18446744073709551615").unwrap();
        assert_eq!(last.time(), None);
        let left = last.after(Duration::MAX).left_at(SystemTime::now());
        assert!(left > Duration::from_secs(u64::MAX / 2));
    }

    #[test]
    fn a_viewer_has_a_short_name_that_is_not_printed() {
        let id: ViewerId = "顾客 7".parse().unwrap();
        assert_eq!(format!("{id:?}"), "ViewerId(…)");
        assert_eq!("".parse::<ViewerId>(), Err(ClaimsError::Viewer));
        assert_eq!(
            "x".repeat(129).parse::<ViewerId>(),
            Err(ClaimsError::Viewer)
        );
        assert!(serde_json::from_str::<ViewerId>("\"\"").is_err());
    }

    #[test]
    fn a_token_is_valid_for_some_time_but_not_for_ever() {
        let channel = "demo".parse().unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let made = |valid| Claims::new(&channel, now, None, Duration::from_secs(valid));
        assert_eq!(
            made(10).unwrap().exp,
            NumericDate(Duration::from_secs(1_010))
        );
        for bad in [0, 367 * 86_400, u64::MAX] {
            assert_eq!(made(bad), Err(ClaimsError::Valid), "{bad}");
        }
        let later = Claims::new(
            &channel,
            now,
            Some(Duration::from_secs(5)),
            Duration::from_secs(10),
        );
        let written = serde_json::to_value(later.unwrap()).unwrap();
        let expected = serde_json::json!({"channel": "demo", "exp": 1_015, "nbf": 1_005});
        assert_eq!(written, expected);
    }
}
