//! Starts the broker.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use agentsh_protocol::places::BROKER_PROGRAM;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use super::ClientError;

/// The longest time that a broker may take until it serves, as for the shim.
const READY_WITHIN: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// Who wants a broker: the configuration may leave its start to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starter {
    Person,
    Demand,
}

/// Starts the broker and waits until it, or another that was first, serves.
///
/// # Errors
/// The program is not beside this one, cannot be executed, or says why it cannot serve.
pub fn broker(starter: Starter) -> Result<(), ClientError> {
    let program = beside_us(BROKER_PROGRAM).map_err(|error| not_started(Path::new(BROKER_PROGRAM), error))?;
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| not_started(&program, errno))?;
    let arguments: &[&str] = match starter {
        Starter::Person => &["--ready-fd", "3"],
        Starter::Demand => &["--on-demand", "--ready-fd", "3"],
    };
    crate::sys::spawn_daemon(&program, arguments, write).map_err(|error| not_started(&program, error))?;
    match reason(read).map_err(|error| not_started(&program, error))?.trim() {
        "" => Ok(()),
        reason => Err(not_started(&program, reason)),
    }
}

/// A program of ours: it lies beside this one (`/proc/self/exe`), and is looked for nowhere else.
///
/// # Errors
/// Those of readlink(2).
pub fn beside_us(name: &str) -> std::io::Result<PathBuf> {
    Ok(std::fs::read_link("/proc/self/exe")?.with_file_name(name))
}

/// Waits until the broker closes its end; what it wrote before is why it cannot serve.
fn reason(ready: OwnedFd) -> std::io::Result<String> {
    loop {
        match poll(&mut [PollFd::new(&ready, PollFlags::IN)], Some(&READY_WITHIN)) {
            Ok(0) => return Err(std::io::ErrorKind::TimedOut.into()),
            Ok(_) => break,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    let mut reason = String::new();
    File::from(ready).read_to_string(&mut reason)?;
    Ok(reason)
}

fn not_started(program: &Path, reason: impl ToString) -> ClientError {
    ClientError::NotStarted {
        program: program.to_owned(),
        reason: reason.to_string(),
    }
}
