//! A program under our interception, for the suites of this crate.
#![allow(dead_code, reason = "each suite uses a part")]

pub mod judge;
pub mod sys;

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use agentsh_intercept::{Caller, Handler, Outcome, prepare};

pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A handler made of a function.
pub struct With<F>(pub F);

impl<F: Fn(&Caller<'_>) -> Outcome + Send + Sync> Handler for With<F> {
    fn handle(&self, caller: &Caller<'_>) -> Outcome {
        (self.0)(caller)
    }
}

pub fn with<F: Fn(&Caller<'_>) -> Outcome + Send + Sync + 'static>(handle: F) -> Arc<dyn Handler> {
    Arc::new(With(handle))
}

/// A running program under interception.
pub struct Caged {
    pub child: std::process::Child,
    pub ended: Receiver<()>,
}

impl Caged {
    /// Its output, and that the listener hung up.
    pub fn output(self) -> Result<Output> {
        let output = self.child.wait_with_output()?;
        self.ended.recv_timeout(Duration::from_secs(20))?;
        Ok(output)
    }
}

/// Starts `command` with `calls` notified to the handler that `handler` makes for its pid.
pub fn cage(
    mut command: Command,
    calls: &[i64],
    handler: impl FnOnce(i32) -> Arc<dyn Handler> + Send + 'static,
) -> Result<Caged> {
    let (mut told, announce) = io::pipe()?;
    let (go, mut went) = io::pipe()?;
    sys::enter(&mut command, sys::filter(calls), announce.as_raw_fd(), go.as_raw_fd());
    let (end, ended) = channel();
    // The exec of the child is notified already, and spawning waits for it.
    let server = std::thread::spawn(move || -> io::Result<()> {
        let mut words = [0; 8];
        told.read_exact(&mut words)?;
        let [pid, number] =
            [0, 4].map(|at| i32::from_ne_bytes([words[at], words[at + 1], words[at + 2], words[at + 3]]));
        let listener = sys::take(pid, number)?;
        let serving = prepare(listener, handler(pid), move || {
            let _ = end.send(());
        })?;
        std::thread::spawn(move || serving.run());
        went.write_all(b"g")
    });
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    drop(announce);
    server.join().map_err(|_| "the server panicked")??;
    Ok(Caged { child, ended })
}

/// Compiles C text once a run; `flags` as for `cc`.
pub fn compiled(name: &str, text: &str, flags: &[&str]) -> Result<PathBuf> {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock();
    if FOLDER.get().is_none() {
        let _ = FOLDER.set(tempfile::tempdir()?);
    }
    let folder = FOLDER.get().ok_or("no folder")?.path();
    let (source, program) = (folder.join(format!("{name}.c")), folder.join(name));
    if !program.exists() {
        std::fs::write(&source, text)?;
        let status = Command::new("cc")
            .args(flags)
            .arg("-o")
            .arg(&program)
            .arg(&source)
            .arg("-pthread")
            .status()?;
        if !status.success() {
            return Err(format!("cc failed for {name}").into());
        }
    }
    Ok(program)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn program(path: impl AsRef<Path>, args: &[&str]) -> Command {
    let mut command = Command::new(path.as_ref());
    command.args(args);
    command
}
