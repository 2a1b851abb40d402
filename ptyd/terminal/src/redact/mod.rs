//! Redaction: secrets are masked before a byte reaches the disk.
//!
//! [`Patterns`] are compiled once; a [`Redactor`] applies them to one stream. What it puts out does not
//! depend on how the stream was cut: bytes that may still become part of a secret are held back, at
//! most [`MAX_SECRET`] of them. Masked bytes become `*` one for one (line ends stay), so that columns,
//! offsets and times stay true; the length of a secret is therefore visible.
//!
//! Patterns see the bytes as the terminal printed them: a secret with escape sequences inside it is not
//! recognised.

mod defaults;
mod patterns;
mod stream;

pub use patterns::{PatternError, Patterns};
pub use stream::{MAX_SECRET, Redactor};
