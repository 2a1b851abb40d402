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
pub use text::{argv, bytes, count, escaped, kind, output_line, pairs, time, visible};

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
    match context.stdout_is_terminal {
        true => {
            let text = serde_json::to_string_pretty(value).map_err(not_json)?;
            print(&(escaped(&text) + "\n"))
        }
        false => print(&(json_line(value)? + "\n")),
    }
}

/// `value` as JSON in one line, without its end.
pub fn json_line(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value)
        .map(|text| escaped(&text))
        .map_err(not_json)
}

fn not_json(error: serde_json::Error) -> Error {
    Error::io("writing JSON", error.into())
}
