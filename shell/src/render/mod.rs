//! How things look: to people in colours and columns, to programs as JSON.

pub mod consent;
mod difference;
mod error;
pub mod event;
mod style;
mod table;
mod text;

pub use difference::difference;
pub use error::error;
pub use style::{Color, Style};
pub use table::Table;
pub use text::{argv, bytes, kind, output_line, pairs, time, visible};

use std::io::Write;

use serde::Serialize;

use crate::context::Context;
use crate::error::Error;

/// Writes data to stdout.
pub fn print(text: &str) -> Result<(), Error> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|source| Error::io("writing to stdout", source))
}

/// Writes a line of talk to stderr; that it cannot be written changes nothing.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Writes `value` to stdout as JSON: one line, or indented for a terminal.
pub fn json(context: &Context, value: &impl Serialize) -> Result<(), Error> {
    let text = match context.stdout_is_terminal {
        true => serde_json::to_string_pretty(value),
        false => serde_json::to_string(value),
    };
    print(&(text.map_err(|error| Error::io("writing JSON", error.into()))? + "\n"))
}
