//! Exports of a recording: text, a page that plays by itself, a picture, another version of the format.
//!
//! All but the cast are made of emulated cells; none carries the recording's escape sequences.

mod cells;
mod html;
mod svg;
mod text;

use std::io::{self, Write};

use crate::cast::{Format, Writer};
use crate::recording::Recording;

pub use html::html;
pub use svg::{Look, screen_svg, svg};
pub use text::text;

/// Writes the recording as asciicast of this version.
pub fn cast(recording: &Recording, format: Format, out: &mut impl Write) -> io::Result<()> {
    let mut writer = Writer::new(out, format, &recording.header)?;
    recording.events.iter().try_for_each(|event| writer.event(event))
}

#[cfg(test)]
mod tests;
