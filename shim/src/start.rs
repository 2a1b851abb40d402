//! What this process was called, and so what it is to become.

use std::ffi::CStr;

use agentsh_protocol::launch::Start;

use crate::{Invocation, Refusal, sys};

/// The shells that have a stand-in. Others are declined by name, never guessed.
pub(crate) const SHELLS: [&str; 5] = ["bash", "sh", "zsh", "dash", "rbash"];

/// The name under which `agentsh exec` starts this program.
const ENTER: &str = "agentsh-enter";

/// This program's own name: the configured default shell.
const OWN: &str = "agentsh-shell-shim";

/// A start and the index of the argument that becomes the program's `argv[0]`.
pub(crate) struct Wanted {
    pub start: Start,
    /// The program keeps the caller's own terminal, whatever policy says of recording.
    pub in_place: bool,
    pub first_argument: usize,
}

/// Reads it from the name of the file that was executed, else from `argv[0]`.
///
/// The file comes first because the real shell is chosen so: whoever executes `…/bash` as `sh` gets
/// bash in its POSIX mode, not dash.
pub(crate) fn what_to_start(invocation: &Invocation<'_>) -> Result<Wanted, Refusal> {
    let executed = sys::executed_file().map(base_name).unwrap_or_default();
    let called = invocation
        .argv
        .first()
        .map(|argument| base_name(argument.to_bytes()))
        .unwrap_or_default();
    let called = called.strip_prefix(b"-").unwrap_or(called);
    if called == ENTER.as_bytes() {
        return enter(invocation);
    }
    for name in [executed, called] {
        if let Some(shell) = SHELLS.iter().find(|shell| shell.as_bytes() == name) {
            return Ok(Wanted {
                start: Start::Shell {
                    name: Some((*shell).to_owned()),
                },
                in_place: false,
                first_argument: 0,
            });
        }
    }
    if executed == OWN.as_bytes() && (called == OWN.as_bytes() || called.is_empty()) {
        return Ok(Wanted {
            start: Start::Shell { name: None },
            in_place: false,
            first_argument: 0,
        });
    }
    Err(Refusal {
        status: 127,
        message: format!(
            "{}: not a shell that agentsh stands in for ({})",
            String::from_utf8_lossy(called),
            SHELLS.join(", ")
        ),
    })
}

fn enter(invocation: &Invocation<'_>) -> Result<Wanted, Refusal> {
    let text = |argument: &CStr| argument.to_str().ok().map(str::to_owned);
    match invocation.argv[1..] {
        [session, command, separator, _, ..] if separator == c"--" || separator == c"--in-place" => {
            let session = text(session).ok_or_else(|| Refusal::new("the session id is not text"))?;
            let start = Start::Exec {
                session,
                command_id: text(command).filter(|id| !id.is_empty()),
            };
            Ok(Wanted {
                start,
                in_place: separator == c"--in-place",
                first_argument: 4,
            })
        }
        _ => Err(Refusal::new(format!(
            "usage: {ENTER} SESSION COMMAND-ID --|--in-place PROGRAM [ARGUMENT…]"
        ))),
    }
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}
