//! What this process was called, and so what it is to become.

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use agentsh_protocol::Bytes;
use agentsh_protocol::launch::Start;
use agentsh_protocol::places;

use crate::{Invocation, Refusal, sys};

/// The shells that have a stand-in. Others are declined by name, never guessed.
pub(crate) const SHELLS: [&str; 5] = ["bash", "sh", "zsh", "dash", "rbash"];

/// The name under which `agentsh exec` starts this program.
const ENTER: &str = "agentsh-enter";

/// As many links as the kernel follows (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// A start and the index of the argument that becomes the program's `argv[0]`.
pub(crate) struct Wanted {
    pub start: Start,
    /// A line editor takes turns with the program on the caller's terminal, and says so over this descriptor.
    pub turns: Option<OwnedFd>,
    /// It gets a terminal of this size, and this process does not wait for it.
    pub detached: Option<(u16, u16)>,
    pub first_argument: usize,
}

impl Wanted {
    /// The shell of this name, or the configured default, with the caller's own arguments.
    fn shell(name: Option<&str>) -> Wanted {
        Wanted {
            start: Start::Shell {
                name: name.map(str::to_owned),
            },
            turns: None,
            detached: None,
            first_argument: 0,
        }
    }
}

/// Reads it from the name of the file that was executed, else from `argv[0]`.
///
/// The file comes first because the real shell is chosen so: whoever executes `…/bash` as `sh` gets
/// bash in its POSIX mode, not dash.
pub(crate) fn what_to_start(invocation: &Invocation<'_>) -> Result<Wanted, Refusal> {
    let path = invocation.argv.first().copied().unwrap_or_default();
    let called = base_name(path.to_bytes());
    let called = called.strip_prefix(b"-").unwrap_or(called);
    if called == ENTER.as_bytes() {
        return enter(invocation);
    }
    let file = sys::executed_file().unwrap_or_default();
    if let Some(shell) = of_file(file, path, called).or_else(|| shell_named(called)) {
        return Ok(Wanted::shell(Some(shell)));
    }
    // Under its own name it is the configured default shell.
    let own = places::SHIM_PROGRAM.as_bytes();
    if base_name(file.to_bytes()) == own && (called == own || called.is_empty()) {
        return Ok(Wanted::shell(None));
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

/// The shell that the executed file's name means: that of the last link on its way to this program which has one.
/// Where that file is a script, the kernel has put the path of its interpreter into `argv[0]`, and that one's counts.
fn of_file(file: &CStr, interpreter: &CStr, called: &[u8]) -> Option<&'static str> {
    let named = named_on_the_way(file);
    match named {
        Some(shell) if shell.as_bytes() == called => named,
        _ if is_script(file) => named_on_the_way(interpreter),
        _ => named,
    }
}

fn shell_named(name: &[u8]) -> Option<&'static str> {
    SHELLS.into_iter().find(|shell| shell.as_bytes() == name)
}

/// Whether the executed file is another than this program, which then only interprets it.
fn is_script(file: &CStr) -> bool {
    let identity = |path: &CStr| rustix::fs::stat(path).map(|stat| (stat.st_dev, stat.st_ino));
    matches!((identity(file), identity(c"/proc/self/exe")), (Ok(file), Ok(own)) if file != own)
}

fn named_on_the_way(file: &CStr) -> Option<&'static str> {
    let mut path = file.to_bytes().to_vec();
    let mut named = shell_named(base_name(&path));
    for _ in 0..MOST_LINKS {
        let Ok(target) = rustix::fs::readlink(path.as_slice(), Vec::new()) else {
            break;
        };
        let folder = path.len() - base_name(&path).len();
        path.truncate(if target.as_bytes().starts_with(b"/") { 0 } else { folder });
        path.extend(target.as_bytes());
        named = shell_named(base_name(&path)).or(named);
    }
    named
}

/// `agentsh-enter SESSION COMMAND-ID [--turns=DESCRIPTOR|--detached=COLSxROWS|--program=FILE] -- ARGV…`.
fn enter(invocation: &Invocation<'_>) -> Result<Wanted, Refusal> {
    let text = |argument: &CStr| argument.to_str().ok().map(str::to_owned);
    let usage = || {
        Refusal::new(format!(
            "usage: {ENTER} SESSION COMMAND-ID [--turns=DESCRIPTOR|--detached=COLSxROWS|--program=FILE] -- PROGRAM [ARGUMENT…]"
        ))
    };
    let [_, session, command, rest @ ..] = invocation.argv.as_slice() else {
        return Err(usage());
    };
    let end = rest.iter().position(|word| *word == c"--").ok_or_else(usage)?;
    if rest.len() == end + 1 {
        return Err(usage());
    }
    let (mut turns, mut detached, mut file) = (None, None, None);
    for option in &rest[..end] {
        let option = option.to_bytes();
        match (
            option.strip_prefix(b"--turns="),
            option.strip_prefix(b"--detached="),
            option.strip_prefix(b"--program="),
        ) {
            (Some(number), ..) => turns = Some(descriptor(number).ok_or_else(usage)?),
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
        turns,
        detached,
        first_argument: 3 + end + 1,
    })
}

fn descriptor(text: &[u8]) -> Option<OwnedFd> {
    let number = std::str::from_utf8(text).ok()?.parse().ok()?;
    sys::take_inherited(number)
}

fn size(text: &[u8]) -> Option<(u16, u16)> {
    let (cols, rows) = std::str::from_utf8(text).ok()?.split_once('x')?;
    Some((cols.parse().ok()?, rows.parse().ok()?))
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_script_is_run_by_the_shell_that_its_interpreter_leads_to() -> Result<(), Box<dyn std::error::Error>> {
        let folder = std::env::temp_dir().join(format!("agentsh-start-{}", std::process::id()));
        std::fs::create_dir(&folder)?;
        std::fs::write(folder.join("zsh"), "#!mine\n")?;
        symlink("shims/dash", folder.join("other"))?;
        symlink("other", folder.join("mine"))?;
        let path = |name: &str| CString::new(folder.join(name).as_os_str().as_bytes());
        let (script, interpreter) = (path("zsh")?, path("mine")?);
        let found = of_file(&script, &interpreter, b"mine");
        std::fs::remove_dir_all(&folder)?;
        assert_eq!(found, Some("dash"));
        Ok(())
    }
}
