//! Starts the broker.

use std::path::PathBuf;

use agentsh_protocol::places::BROKER_PROGRAM;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::ClientError;

/// The longest time that a broker may take until it listens.
const READY_WITHIN: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// Starts the broker and waits until it (or another that was first) listens, or has ended.
///
/// # Errors
/// The program is not beside this one, or cannot be executed.
pub fn broker() -> Result<(), ClientError> {
    let program = beside_us(BROKER_PROGRAM).map_err(|error| not_started(BROKER_PROGRAM.into(), error))?;
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|errno| not_started(program.clone(), errno.into()))?;
    crate::sys::spawn_daemon(&program, &["--ready-fd", "3"], write)
        .map_err(|error| not_started(program.clone(), error))?;
    // A byte, or the end of the pipe: either way there is nothing more to wait for.
    let mut ready = [PollFd::new(&read, PollFlags::IN)];
    match poll(&mut ready, Some(&READY_WITHIN)) {
        Ok(0) => Err(not_started(program, std::io::ErrorKind::TimedOut.into())),
        Ok(_) => Ok(()),
        Err(errno) => Err(not_started(program, errno.into())),
    }
}

/// A program of ours: it lies beside this one (`/proc/self/exe`), and is looked for nowhere else.
pub fn beside_us(name: &str) -> std::io::Result<PathBuf> {
    Ok(std::fs::read_link("/proc/self/exe")?.with_file_name(name))
}

fn not_started(program: PathBuf, error: std::io::Error) -> ClientError {
    ClientError::NotStarted {
        program,
        reason: error.to_string(),
    }
}
