//! The recorder: writes what a terminal did as an asciicast, while it happens.
//!
//! [`Recorder`] is the synchronous core; [`spawn`] runs it in a thread of its own behind a bounded
//! queue. Output and input are redacted before they are written. Bytes that are not UTF-8, for which a
//! cast has only U+FFFD, are kept in a side log next to it (`NAME.raw` beside `NAME.cast`).
//! What stops a recording (a full limit, a failed write) is reported; the command goes on.

mod commands;
mod config;
mod core;
mod side;
mod thread;

pub use self::config::{Config, OnFull, Report, Stop, Summary};
pub use self::core::Recorder;
pub use self::side::{SideError, SideReader};
pub use self::thread::{RecorderHandle, spawn};

#[cfg(test)]
mod tests;
