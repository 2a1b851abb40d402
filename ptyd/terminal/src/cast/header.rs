use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a recording says about itself, whichever version it is written in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Header {
    /// Size of the terminal at the start, in cells.
    pub cols: u16,
    /// See [`Header::cols`].
    pub rows: u16,
    /// `TERM` of the recorded command (version 3; version 2 has it in the environment).
    pub term_type: Option<String>,
    /// What the terminal answered to XTVERSION (version 3 only).
    pub term_version: Option<String>,
    /// Colours of the recorded terminal.
    pub theme: Option<Theme>,
    /// Start, in seconds since 1970.
    pub timestamp: Option<u64>,
    /// A hint to players: longer pauses may be cut to this many seconds. The times stay true.
    pub idle_time_limit: Option<f64>,
    /// The command line.
    pub command: Option<String>,
    /// A title.
    pub title: Option<String>,
    /// Chosen variables of the environment.
    pub env: BTreeMap<String, String>,
    /// Words to find it by (version 3 only).
    pub tags: Vec<String>,
}

/// Colours, `#rrggbb`; the palette has 8 or 16 of them joined by `:`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Theme {
    /// Foreground.
    pub fg: String,
    /// Background.
    pub bg: String,
    /// The numbered colours.
    pub palette: String,
}
