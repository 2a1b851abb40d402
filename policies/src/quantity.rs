//! Durations (`90s`, `5m`, `1h30m`, `7d`) and sizes (`4096`, `512MB`, `1GiB`).

use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const DURATION: &str = "a duration: numbers with the units ms, s, m, h, d, such as `90s`, `1h30m` or `7d`";
const SIZE: &str = "a size: bytes, or a number with KB, MB, GB, TB, KiB, MiB, GiB or TiB, such as `512MB`";

/// A length of time. Zero means "no limit" wherever a limit is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time(pub Duration);

/// A number of bytes. Zero means "no limit" wherever a limit is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Size(pub u64);

/// Splits `12ms3s` into its numbers and units; `None` if the form is another.
fn parts(text: &str) -> Option<Vec<(u64, &str)>> {
    let mut rest = text;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        found.push((number, &rest[..letters]));
        if letters == 0 && !rest.is_empty() {
            return None;
        }
        rest = &rest[letters..];
    }
    (!found.is_empty()).then_some(found)
}

impl Time {
    /// Reads the text form; `None` for anything else, and for what exceeds 64 bits of milliseconds.
    pub fn parse(text: &str) -> Option<Time> {
        let mut total: u64 = 0;
        for (number, unit) in parts(text)? {
            let unit = match unit {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "" if number == 0 => 0,
                _ => return None,
            };
            total = total.checked_add(number.checked_mul(unit)?)?;
        }
        Some(Time(Duration::from_millis(total)))
    }
}

impl Size {
    /// Reads the text form; `None` for anything else, and for what exceeds 64 bits.
    pub fn parse(text: &str) -> Option<Size> {
        let [(number, unit)] = parts(text)?[..] else {
            return None;
        };
        let unit: u64 = match unit {
            "" | "B" => 1,
            "KB" | "kB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            _ => return None,
        };
        number.checked_mul(unit).map(Size)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_millis();
        if rest == 0 {
            return out.write_str("0s");
        }
        for (unit, length) in [
            ("d", 86_400_000),
            ("h", 3_600_000),
            ("m", 60_000),
            ("s", 1_000),
            ("ms", 1),
        ] {
            if rest >= length {
                write!(out, "{}{unit}", rest / length)?;
                rest %= length;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, bytes) in [
            ("TiB", 1u64 << 40),
            ("GiB", 1 << 30),
            ("MiB", 1 << 20),
            ("KiB", 1 << 10),
        ] {
            if self.0 >= bytes && self.0.is_multiple_of(bytes) {
                return write!(out, "{}{unit}", self.0 / bytes);
            }
        }
        write!(out, "{}", self.0)
    }
}

/// A text without a unit is no quantity: a number is written without quotes.
fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The name by which one is asked for: a deserializer that knows where it stands says so ([`crate::strict`]).
pub(crate) const QUANTITY: &str = "quantity";

struct TimeVisitor;
struct SizeVisitor;

impl<'de> Visitor<'de> for TimeVisitor {
    type Value = Time;
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Time, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(DURATION)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
        let time = Time::parse(text).filter(|_| !is_number(text));
        time.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Time, E> {
        Time::parse(&number.to_string()).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<Time, E> {
        Time::parse(&number.to_string()).ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }
}

impl<'de> Visitor<'de> for SizeVisitor {
    type Value = Size;
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Size, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(SIZE)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
        let size = Size::parse(text).filter(|_| !is_number(text));
        size.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Size, E> {
        Size::parse(&number.to_string()).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<Size, E> {
        Size::parse(&number.to_string()).ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        deserializer.deserialize_newtype_struct(QUANTITY, TimeVisitor)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        deserializer.deserialize_newtype_struct(QUANTITY, SizeVisitor)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "integer"], "pattern": "^([0-9]+(ms|s|m|h|d))+$", "maximum": 0, "minimum": 0, "description": DURATION})
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Size {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "integer"], "minimum": 0, "pattern": "^[0-9]+(B|[kK]B|MB|GB|TB|[KMGT]iB)$", "description": SIZE})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_printed_alike() {
        for text in ["90ms", "1m30s", "5m", "1h30m", "7d"] {
            assert_eq!(Time::parse(text).map(|time| time.to_string()).as_deref(), Some(text));
        }
        assert_eq!(Time::parse("90s"), Time::parse("1m30s"));
        for bad in [
            "",
            "5",
            "m",
            "5x",
            "5 m",
            "-5m",
            "1.5h",
            "99999999999999999999s",
            "99999999999999999d",
        ] {
            assert_eq!(Time::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_know_both_families_of_units() {
        assert_eq!(Size::parse("512MB"), Some(Size(512_000_000)));
        assert_eq!(Size::parse("1GiB"), Some(Size(1 << 30)));
        assert_eq!(Size::parse("4096"), Some(Size(4096)));
        for bad in ["", "MB", "1 MB", "1XB", "-1", "99999999TiB", "1GiB2"] {
            assert_eq!(Size::parse(bad), None, "{bad}");
        }
    }
}
