//! What a terminal shows: screen, scrollback, cursor, modes.
//!
//! [`Screen`] follows the output of a command and can re-create its state on another terminal
//! ([`Screen::redraw`]), draw it on one of another size ([`Screen::frame`]) and answer a terminal's
//! queries ([`query`]). Output is interpreted late: a flood of plain text is cut, before it is looked
//! at, to those last lines that can still be seen, and what is painted over is not painted: both give the same state.

mod clusters;
mod flood;
mod keyboard;
mod modes;
mod overdraw;
mod paint;
mod portable;
pub mod query;
pub mod render;
mod state;
mod underline;

pub(crate) use clusters::{joins, spell};
pub use modes::Modes;
pub use state::{Screen, Size};

#[cfg(test)]
mod tests;
