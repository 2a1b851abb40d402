use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{LoadError, Source};
use crate::words::words;

/// The most lines that are kept: each costs some kilobytes of its supervisor's memory.
const MOST_LINES: u32 = 100_000;

words! {
    /// Whose window a command's terminal follows when several people are on it; who only looks never counts.
    #[derive(Default)]
    SizeRule { #[default] Fixed = "fixed", Latest = "latest", Smallest = "smallest", Largest = "largest" }
}

/// The terminals of commands.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Terminal {
    pub size: SizeRule,
    /// Lines above the screen that whoever attaches gets to see.
    pub scrollback: u32,
}

impl Default for Terminal {
    fn default() -> Terminal {
        Terminal {
            size: SizeRule::Fixed,
            scrollback: 1000,
        }
    }
}

/// What the types cannot say.
pub(super) fn check(source: &Source, terminal: &Terminal) -> Result<(), LoadError> {
    if terminal.scrollback <= MOST_LINES {
        return Ok(());
    }
    let word = terminal.scrollback.to_string();
    let start = source.text.find(&word).unwrap_or(0);
    Err(source
        .error(start..start + word.len(), format!("{word} lines are too many"))
        .expecting(format!("at most {MOST_LINES}")))
}
