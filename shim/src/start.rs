//! What this process was called, and so what it is to become.

use std::ffi::CStr;

use agentsh_protocol::Bytes;
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
    /// It gets a terminal of this size, and this process does not wait for it.
    pub detached: Option<(u16, u16)>,
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
                detached: None,
                first_argument: 0,
            });
        }
    }
    if executed == OWN.as_bytes() && (called == OWN.as_bytes() || called.is_empty()) {
        return Ok(Wanted {
            start: Start::Shell { name: None },
            in_place: false,
            detached: None,
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

/// `agentsh-enter SESSION COMMAND-ID [--in-place|--detached=COLSxROWS|--program=FILE] -- ARGV…`.
fn enter(invocation: &Invocation<'_>) -> Result<Wanted, Refusal> {
    let text = |argument: &CStr| argument.to_str().ok().map(str::to_owned);
    let usage = || {
        Refusal::new(format!(
            "usage: {ENTER} SESSION COMMAND-ID [--in-place|--detached=COLSxROWS|--program=FILE] -- PROGRAM [ARGUMENT…]"
        ))
    };
    let [_, session, command, rest @ ..] = invocation.argv.as_slice() else {
        return Err(usage());
    };
    let end = rest.iter().position(|word| *word == c"--").ok_or_else(usage)?;
    if rest.len() == end + 1 {
        return Err(usage());
    }
    let (mut in_place, mut detached, mut file) = (false, None, None);
    for option in &rest[..end] {
        let option = option.to_bytes();
        match (
            option,
            option.strip_prefix(b"--detached="),
            option.strip_prefix(b"--program="),
        ) {
            (b"--in-place", ..) => in_place = true,
            (_, Some(size), _) => detached = Some(self::size(size).ok_or_else(usage)?),
            (_, _, Some(path)) => file = Some(Bytes::from(path)),
            _ => return Err(usage()),
        }
    }
    let session = text(session).ok_or_else(|| Refusal::new("the session id is not text"))?;
    Ok(Wanted {
        start: Start::Exec {
            session,
            command_id: text(command).filter(|id| !id.is_empty()),
            program: file,
        },
        in_place,
        detached,
        first_argument: 3 + end + 1,
    })
}

fn size(text: &[u8]) -> Option<(u16, u16)> {
    let (cols, rows) = std::str::from_utf8(text).ok()?.split_once('x')?;
    Some((cols.parse().ok()?, rows.parse().ok()?))
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}
