//! The words that shim, command line, broker and supervisor say to each other.
//!
//! Promises: every message is one length-prefixed JSON frame of at most [`frame::MAX_FRAME`] bytes;
//! a truncated, oversized or malformed frame is an error and never a partial message; bytes that are
//! not UTF-8 survive (see [`Bytes`]); in frames unknown fields are ignored and absent ones defaulted, so that a
//! newer peer of the same major [`VERSION`] is understood. What is asked of `api.sock` ([`api`]) is refused if it says
//! something unknown.
//!
//! It does not decide who a peer is: that is read from the kernel by the receiver ([`peer`]), never from a frame.

pub mod act;
pub mod api;
pub mod approvals;
mod bytes;
pub mod control;
pub mod frame;
pub mod launch;
pub mod peer;
pub mod places;
pub mod shown;
pub mod terminal;

pub use bytes::Bytes;

/// Major version of the launch and control protocols. Peers of different majors refuse each other.
pub const VERSION: u32 = 1;

/// A fresh UUIDv7 (RFC 9562), the form of all session, command and event ids.
#[cfg(feature = "ids")]
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Whether `text` has the form of an id made by [`new_id`].
#[cfg(feature = "ids")]
pub fn is_id(text: &str) -> bool {
    uuid::Uuid::parse_str(text).is_ok_and(|id| id.get_version_num() == 7 && id.to_string() == text)
}
