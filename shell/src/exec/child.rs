//! The command's process: a child that executes the shim's program, which enters the session in place and becomes
//! the command.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd as _, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use agentsh_protocol::places;

use crate::client::beside_us;
use crate::error::Error;
use crate::sys::{self, Watch};
use crate::verbs::exec::{Exec, Output};

/// The name under which the shim enters a named session.
const ENTER: &str = "agentsh-enter";

/// Starts the command of `exec` as `command_id` in session `session_id`.
///
/// # Errors
/// The shim is not beside this program, or the folder of `--cwd` cannot be entered.
pub fn start(exec: &Exec, session_id: &str, command_id: &str, watch: &Watch) -> Result<Child, Error> {
    let terminal = match exec.detach {
        true => Terminal::Nobodys(size_of_own()),
        false => Terminal::AsPolicySays,
    };
    let mut command = enter(session_id, command_id, terminal, exec.program.as_deref())?;
    command.args(&exec.argv);
    command.envs(exec.env.iter().map(|(name, value)| (name, value)));
    if let Some(cwd) = &exec.cwd {
        check_folder(cwd)?;
        command.current_dir(cwd);
    }
    if exec.output == Output::Json {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    sys::in_place(&mut command, watch.mask_before());
    spawn(&mut command)
}

/// Which terminal a command gets that is started on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminal {
    /// One of its own, relayed and recorded, if the policy says so.
    AsPolicySays,
    /// One of its own, relayed whether it is recorded or not: its caller, a line editor, takes turns with it on the
    /// terminal of both, and says so over this descriptor.
    Turns(RawFd),
    /// One that is nobody's, of so many columns and rows: its caller does not wait for it.
    Nobodys((u16, u16)),
}

/// The size of this process's terminal, or what terminals have that nobody sized.
fn size_of_own() -> (u16, u16) {
    match agentsh_terminal::pty::window(io::stdout().as_fd()) {
        Ok(window) if window.cols > 0 && window.rows > 0 => (window.cols, window.rows),
        _ => (80, 24),
    }
}

/// The shim's program, about to become command `command_id` of the session; what it runs is to be added.
///
/// # Errors
/// The shim is not beside this program.
pub fn enter(session_id: &str, command_id: &str, terminal: Terminal, file: Option<&OsStr>) -> Result<Command, Error> {
    let program = beside_us(places::SHIM_PROGRAM).map_err(|source| Error::file("/proc/self/exe", source))?;
    let mut command = Command::new(program);
    command.arg0(ENTER).args([session_id, command_id].map(OsStr::new));
    match terminal {
        Terminal::AsPolicySays => {}
        Terminal::Turns(number) => drop(command.arg(format!("--turns={number}"))),
        Terminal::Nobodys((cols, rows)) => drop(command.arg(format!("--detached={cols}x{rows}"))),
    }
    if let Some(file) = file {
        let mut option = OsString::from("--program=");
        option.push(file);
        command.arg(option);
    }
    command.arg("--");
    Ok(command)
}

/// Starts it.
///
/// # Errors
/// The program cannot be executed.
pub fn spawn(command: &mut Command) -> Result<Child, Error> {
    command
        .spawn()
        .map_err(|source| Error::file(command.get_program(), source))
}

/// The library says no more than "no such file" when a child cannot enter its folder: look first, so that the
/// error names it.
fn check_folder(cwd: &Path) -> Result<(), Error> {
    match std::fs::metadata(cwd) {
        Ok(folder) if folder.is_dir() => Ok(()),
        Ok(_) => Err(Error::file(cwd, io::ErrorKind::NotADirectory.into())),
        Err(source) => Err(Error::file(cwd, source)),
    }
}
