//! Finds secrets and personal data in streams of bytes: the one core of what recordings mask and of what
//! the proxy keeps from leaving.
//!
//! [`Patterns`] are compiled once; a [`Stream`] applies them to one stream and gives back its bytes in
//! order, each either plain or part of a finding. What it gives back does not depend on how the stream was
//! cut: bytes that may still become part of a finding are held back, at most [`MAX_SECRET`] of them.
//!
//! It neither stores nor reports what it found beyond that call, and masks nothing itself: what stands in
//! a finding's place is the caller's, of which [`replacement`] is not found again.

mod checks;
mod credentials;
mod patterns;
mod personal;
mod stream;

pub use patterns::{Class, PatternError, Patterns, Rule, replacement};
pub use stream::{MAX_SECRET, Piece, Stream};

#[cfg(test)]
mod tests;
