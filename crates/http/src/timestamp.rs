use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An instant of the wall clock, to the millisecond, as JSON carries it: RFC 3339 in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    unix_ms: u64,
}

impl Timestamp {
    /// The last instant that four digits of year can write: 9999-12-31T23:59:59.999Z.
    pub const MAX: Self = Self {
        unix_ms: 253_402_300_799_999,
    };

    /// From milliseconds since 1970-01-01T00:00:00Z; later than [`Timestamp::MAX`] counts as that.
    pub fn from_unix_ms(unix_ms: u64) -> Self {
        Self {
            unix_ms: unix_ms.min(Self::MAX.unix_ms),
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn unix_ms(self) -> u64 {
        self.unix_ms
    }
}

impl From<SystemTime> for Timestamp {
    /// A clock set before 1970 counts as 1970.
    fn from(time: SystemTime) -> Self {
        let since = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Self::from_unix_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The text is not a [`Timestamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidTimestamp;

impl fmt::Display for InvalidTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an instant is written like 2026-11-23T15:41:07Z (RFC 3339)")
    }
}

impl std::error::Error for InvalidTimestamp {}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    /// Reads RFC 3339 §5.6 with any offset; before 1970 is no instant. What is finer than milliseconds is left out, and a
    /// leap second is the second after it.
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        parse(text.as_bytes()).ok_or(InvalidTimestamp)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MS_PER_DAY: u64 = 86_400_000;
        let (year, month, day) = civil(self.unix_ms / MS_PER_DAY);
        let ms = self.unix_ms % MS_PER_DAY;
        let (hour, minute) = (ms / 3_600_000, ms / 60_000 % 60);
        let (second, ms) = (ms / 1_000 % 60, ms % 1_000);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z"
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// Counted in eras of 400 years that begin on 1 March, so that the leap day is an era's or a year's last day.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn parse(text: &[u8]) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *date else {
        return None;
    };
    let (time, rest) = rest.split_at_checked(9)?;
    let [b'T' | b't' | b' ', h1, h2, b':', i1, i2, b':', s1, s2] = *time else {
        return None;
    };
    let (year, month, day) = (
        number(&[y1, y2, y3, y4])?,
        number(&[m1, m2])?,
        number(&[d1, d2])?,
    );
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[i1, i2])?, number(&[s1, s2])?);
    let (ms, rest) = match rest {
        [b'.', fraction @ ..] => {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            let (fraction, rest) = fraction.split_at_checked(digits)?;
            let mut three = *b"000";
            for (place, digit) in three.iter_mut().zip(fraction) {
                *place = *digit;
            }
            (digits > 0).then_some((number(&three)?, rest))?
        }
        rest => (0, rest),
    };
    let west_ms = match *rest {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
            let span = (hours < 24 && minutes < 60).then_some((hours * 60 + minutes) * 60_000)?;
            if sign == b'+' { -span } else { span }
        }
        _ => return None,
    };
    let days = days(year, month, day)?;
    let in_day = hour < 24 && minute < 60 && second <= 60;
    let of_day = in_day.then_some(((hour * 60 + minute) * 60 + second) * 1_000 + ms)?;
    let unix_ms = u64::try_from(days * 86_400_000 + of_day + west_ms).ok()?;
    Some(Timestamp::from_unix_ms(unix_ms))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        let value = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
        Some(number * 10 + value)
    })
}

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar, if there is such a day: the reverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let month_from_march = (month + 9) % 12;
    let year_from_march = year - i64::from(month <= 2);
    let (era, year_of_era) = (
        year_from_march.div_euclid(400),
        year_from_march.rem_euclid(400),
    );
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    let back = civil(u64::try_from(days).ok()?);
    let same =
        [back.0, back.1, back.2].map(|part| i64::try_from(part).unwrap_or(0)) == [year, month, day];
    same.then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_as_they_were_written_and_with_offsets() {
        for unix_ms in [
            0,
            951_782_399_999,
            951_782_400_000,
            1_709_164_800_001,
            4_107_542_400_000,
            Timestamp::MAX.unix_ms,
        ] {
            let at = Timestamp::from_unix_ms(unix_ms);
            assert_eq!(at.to_string().parse(), Ok(at));
        }
        // The right side is what `date --date=TEXT +%s%3N` prints.
        for (text, unix_ms) in [
            ("2026-11-23T15:41:07Z", 1_795_448_467_000),
            ("2026-11-23t23:41:07.1239+08:00", 1_795_448_467_123),
            ("2026-11-23 10:11:07.5-05:30", 1_795_448_467_500),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ] {
            assert_eq!(text.parse(), Ok(Timestamp::from_unix_ms(unix_ms)), "{text}");
        }
        for bad in [
            "",
            "2026-11-23",
            "2026-11-23T15:41Z",
            "2026-11-23T15:41:07",
            "2026-11-23T15:41:07.Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-10T00:00:00Z",
            "2026-11-31T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T00:60:00Z",
            "2026-11-23T00:00:00+24:00",
            "1969-12-31T23:59:59Z",
            "２026-11-23T00:00:00Z",
            "2026-11-23T00:00:00Zx",
        ] {
            assert_eq!(bad.parse::<Timestamp>(), Err(InvalidTimestamp), "{bad}");
        }
    }

    #[test]
    fn instants_are_written_as_rfc_3339() {
        // The right side is what `date --utc --date=@N` prints.
        for (unix_ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_164_800_001, "2024-02-29T00:00:00.001Z"),
            (1_735_689_599_000, "2024-12-31T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::from_unix_ms(unix_ms).to_string(), text);
        }
    }
}
