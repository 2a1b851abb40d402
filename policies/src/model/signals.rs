//! Rules on signals.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::place::At;
use crate::quantity::Time;
use crate::words::{Decision, TargetType};

/// A rule on signals that processes send.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalRule {
    pub name: At<String>,
    #[serde(default)]
    pub description: Option<String>,
    pub decision: At<Decision>,
    #[serde(default)]
    pub message: Option<String>,
    #[serde(default)]
    pub timeout: Option<Time>,
    /// Names, numbers and groups.
    pub signals: Vec<SignalWord>,
    #[serde(default)]
    pub target: Option<At<SignalTarget>>,
    /// The signal that is sent instead.
    #[serde(default)]
    pub redirect_to: Option<At<SignalWord>>,
    /// Where the redirect cannot be done.
    #[serde(default)]
    pub fallback: Option<At<Decision>>,
}

/// Whom the signal is for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalTarget {
    #[serde(rename = "type")]
    pub kind: TargetType,
    /// For `process`: glob on the base name or the path of its program.
    #[serde(default)]
    pub pattern: Option<String>,
    /// For `pid_range`.
    #[serde(default)]
    pub min: Option<u32>,
    /// For `pid_range`.
    #[serde(default)]
    pub max: Option<u32>,
}

/// A signal or a group of them, as the set of their numbers (bit n is signal n, 1 to 64).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalWord {
    pub set: u128,
}

/// Names and numbers of signal(7), those that are the same on x86-64, arm64 and riscv.
const SIGNALS: [(&str, u32); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

const WORDS: [&str; 36] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS", "@all", "@fatal", "@job", "@reload", "@ignore",
];

fn set_of(names: &[&str]) -> u128 {
    SIGNALS
        .iter()
        .filter(|(name, _)| names.contains(name))
        .map(|(_, number)| 1u128 << number)
        .sum()
}

impl SignalWord {
    /// Reads a name (with or without `SIG`), a number or a group.
    pub fn parse(word: &str) -> Option<SignalWord> {
        if let Ok(number) = word.parse::<u32>() {
            return (1..=64).contains(&number).then(|| SignalWord { set: 1 << number });
        }
        let set = match word {
            "@all" => (1 << 32) - 2,
            "@fatal" => set_of(&["KILL", "TERM", "QUIT", "ABRT"]),
            "@job" => set_of(&["STOP", "CONT", "TSTP", "TTIN", "TTOU"]),
            "@reload" => set_of(&["HUP", "USR1", "USR2"]),
            "@ignore" => set_of(&["CHLD", "WINCH", "URG"]),
            name => {
                let bare = name.strip_prefix("SIG").unwrap_or(name);
                match bare.strip_prefix("RTMIN") {
                    Some("") => 1 << 34,
                    Some(offset) => {
                        let offset: u32 = offset.strip_prefix('+')?.parse().ok()?;
                        (offset <= 30).then(|| 1u128 << (34 + offset))?
                    }
                    None if bare == "RTMAX" => 1 << 64,
                    None => set_of(&[match bare {
                        "POLL" => "IO",
                        "IOT" => "ABRT",
                        other => other,
                    }]),
                }
            }
        };
        (set != 0).then_some(SignalWord { set })
    }

    /// The number, if it is one signal.
    pub fn single(self) -> Option<i32> {
        (self.set.count_ones() == 1).then(|| self.set.trailing_zeros().cast_signed())
    }

    /// The name of a number, `SIGTERM` like; real-time signals by their number.
    pub fn name(number: i32) -> String {
        match SIGNALS.iter().find(|(_, known)| known.cast_signed() == number) {
            Some((name, _)) => format!("SIG{name}"),
            None => number.to_string(),
        }
    }
}

struct SignalVisitor;

impl Visitor<'_> for SignalVisitor {
    type Value = SignalWord;
    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a signal: a name such as SIGTERM, a number from 1 to 64, @all, @fatal, @job, @reload or @ignore")
    }
    fn visit_str<E: Error>(self, word: &str) -> Result<SignalWord, E> {
        SignalWord::parse(word).ok_or_else(|| match word.parse::<i64>() {
            Ok(_) => E::invalid_value(Unexpected::Str(word), &self),
            Err(_) => {
                let bare = word.get(..3).filter(|start| start.eq_ignore_ascii_case("SIG"));
                E::unknown_variant(&word[bare.map_or(0, str::len)..], &WORDS)
            }
        })
    }
}

impl<'de> Deserialize<'de> for SignalWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SignalWord, D::Error> {
        deserializer.deserialize_str(SignalVisitor)
    }
}

impl JsonSchema for SignalWord {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Signal".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "integer"], "minimum": 1, "maximum": 64,
            "description": "a name with or without SIG, a number, or a group: @all (1-31), @fatal (KILL TERM QUIT ABRT), @job (STOP CONT TSTP TTIN TTOU), @reload (HUP USR1 USR2), @ignore (CHLD WINCH URG)"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_known_by_name_number_and_group() {
        for word in ["SIGTERM", "TERM", "15"] {
            assert_eq!(SignalWord::parse(word).and_then(SignalWord::single), Some(15));
        }
        assert_eq!(
            SignalWord::parse("@fatal").map(|word| word.set),
            Some(1 << 9 | 1 << 15 | 1 << 3 | 1 << 6)
        );
        assert_eq!(SignalWord::parse("@all").map(|word| word.set.count_ones()), Some(31));
        assert_eq!(SignalWord::parse("SIGRTMIN+2").and_then(SignalWord::single), Some(36));
        assert_eq!(SignalWord::parse("SIGRTMAX").and_then(SignalWord::single), Some(64));
        for bad in ["", "0", "65", "SIG", "SIGNOPE", "@none", "RTMIN-1", "RTMIN+31", "-9"] {
            assert_eq!(SignalWord::parse(bad), None, "{bad}");
        }
    }
}
