//! The stand-in that is started as `bash`, `sh`, `zsh`, `dash`.
//!
//! Promises: it asks the broker, enters the session's sandbox in place and becomes the real program,
//! with the pid, parent, descriptors, limits, signal dispositions, arguments and environment that its
//! caller gave; it reads nothing from stdin, prints nothing, and parses none of the shell's options.
//! When it cannot enter, it says so in one line on stderr and ends with 126 (127: no such shell).
//!
//! Where policy has the terminal recorded, the program gets a new one in the place of its caller's, and a
//! process of ours stays in between (`terminal`).
//!
//! It does not decide anything, and trusts no variable. Started as `agentsh-enter SESSION COMMAND --
//! PROGRAM ARG…` (by `agentsh exec`) it goes the same way for any program.

mod broker;
mod bypass;
mod launch;
mod start;
mod sys;
mod terminal;

use std::ffi::{CStr, CString};

pub use sys::run_main;

/// The arguments and environment with which this process was started.
pub(crate) struct Invocation<'a> {
    pub argv: Vec<&'a CStr>,
    pub env: Vec<CString>,
    /// Where the environment was found.
    pub given: sys::Given,
}

/// One line for stderr and the exit status.
pub(crate) struct Refusal {
    pub status: i32,
    pub message: String,
}

impl Refusal {
    /// The caller's program must not run: 126.
    pub(crate) fn new(message: impl std::fmt::Display) -> Refusal {
        Refusal {
            status: 126,
            message: message.to_string(),
        }
    }
}

/// Becomes the program, or says why not.
fn run(invocation: &Invocation<'_>) -> Refusal {
    let start = match start::what_to_start(invocation) {
        Ok(start) => start,
        Err(refusal) => return refusal,
    };
    if let Some(refusal) = bypass::if_disabled(&start, invocation) {
        return refusal;
    }
    match launch::launch(start, invocation) {
        Ok(never) => match never {},
        Err(refusal) => refusal,
    }
}
