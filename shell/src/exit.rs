//! How this process ends.

use std::process::ExitCode;

/// Failed.
pub const FAILED: u8 = 1;
/// Called in a wrong way.
pub const USAGE: u8 = 2;
/// The answer "denied" of `policy test` and `policy explain`.
pub const DENIED: u8 = 3;
/// `exec`: the time was up.
pub const TIMEOUT: u8 = 124;
/// `exec`: our failure, the command did not run.
pub const OURS: u8 = 125;
/// `exec`: refused by policy.
pub const REFUSED: u8 = 126;

/// `exec`: there is no such program.
pub const NOT_FOUND: u8 = 127;

/// The end of a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Status(u8),
    /// Die by this signal, as the command did.
    Signal(i32),
}

impl Exit {
    /// All is well.
    pub const DONE: Exit = Exit::Status(0);

    /// Status 0 for yes, [`FAILED`] for no.
    pub fn ok_if(yes: bool) -> Exit {
        Exit::Status(if yes { 0 } else { FAILED })
    }

    /// Ends the process if it is to die by a signal; a signal that does not kill becomes 128 + its number,
    /// as shells say it.
    pub fn finish(self) -> ExitCode {
        match self {
            Exit::Status(status) => ExitCode::from(status),
            Exit::Signal(signal) => {
                crate::sys::die_by(signal);
                ExitCode::from(u8::try_from(128 + signal).unwrap_or(FAILED))
            }
        }
    }
}
