//! A connection to the broker on which every wait has an end. One that is stopped (`SIGSTOP`) is noticed by its process's
//! state, in about a second; one that is stuck, by the time that passes.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use agentsh_protocol::peer;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// The longest time that the broker may take for one answer; a session's end kills a whole tree first.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// How often it is looked whether the broker is stopped, and how often in a row it has to be.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 250_000_000,
};
const LOOKS: u32 = 4;

/// Why nothing came.
#[derive(Debug, thiserror::Error)]
pub enum Silence {
    #[error("the broker (process {0}) is stopped")]
    Stopped(i32),
    #[error("the broker does not answer: nothing came within {} seconds", ANSWER_WITHIN.as_secs())]
    Stuck,
}

impl Silence {
    /// What an error of a [`Connection`] stands for.
    pub fn of(error: &io::Error) -> Option<&Silence> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<Silence> for io::Error {
    fn from(silence: Silence) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, silence)
    }
}

/// The stream, and who is at its other end.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    peer: Option<i32>,
    waits: bool,
}

impl Connection {
    /// Connects. A broker that takes no connections lets its queue run full, and then this would wait for ever.
    ///
    /// # Errors
    /// Those of connect(2).
    pub fn open(path: &Path) -> io::Result<Connection> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        set_socket_timeout(&socket, Timeout::Send, Some(ANSWER_WITHIN))?;
        match connect(&socket, &SocketAddrUnix::new(path)?) {
            Err(Errno::AGAIN) => return Err(Silence::Stuck.into()),
            other => other?,
        }
        let stream = UnixStream::from(socket);
        let peer = peer::credentials(&stream).ok();
        Ok(Connection {
            peer: peer.and_then(|peer| peer.pid),
            stream,
            waits: false,
        })
    }

    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// The answer has begun, and what follows comes when it happens: from now on a read waits for ever.
    pub fn wait_for_ever(&mut self) {
        self.waits = true;
    }

    /// Waits until there is something to be read, or the other end is gone.
    fn await_input(&self) -> io::Result<()> {
        let end = Instant::now() + ANSWER_WITHIN;
        let mut stopped = 0;
        loop {
            match poll(&mut [PollFd::new(&self.stream, PollFlags::IN)], Some(&LOOK)) {
                Ok(0) => {}
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            stopped = match self.peer.filter(|pid| is_stopped(*pid)) {
                Some(pid) if stopped + 1 == LOOKS => return Err(Silence::Stopped(pid).into()),
                Some(_) => stopped + 1,
                None => 0,
            };
            if Instant::now() >= end {
                return Err(Silence::Stuck.into());
            }
        }
    }
}

/// Whether a process is stopped by a signal or a tracer (proc_pid_stat(5)). Where processes are hidden none is.
fn is_stopped(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
    state.is_some_and(|state| state.starts_with(['T', 't']))
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.waits {
            self.await_input()?;
        }
        self.stream.read(buffer)
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.stream.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !self.waits => Err(Silence::Stuck.into()),
            other => other,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_process_is_known_by_its_state() -> io::Result<()> {
        let mut child = std::process::Command::new("sleep").arg("60").spawn()?;
        let pid = rustix::process::Pid::from_child(&child);
        let end = Instant::now() + Duration::from_secs(20);
        let comes_to = |signal, wanted| -> io::Result<bool> {
            rustix::process::kill_process(pid, signal)?;
            while is_stopped(pid.as_raw_nonzero().get()) != wanted && Instant::now() < end {
                std::thread::yield_now();
            }
            Ok(Instant::now() < end)
        };
        let seen = [
            comes_to(rustix::process::Signal::STOP, true)?,
            comes_to(rustix::process::Signal::CONT, false)?,
        ];
        child.kill()?;
        child.wait()?;
        assert_eq!(seen, [true, true]);
        Ok(())
    }
}
