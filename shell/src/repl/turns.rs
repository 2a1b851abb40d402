//! Whose the terminal is: the line editor's, or that of the shell, whose own terminal a relay shows there (see the shim's
//! `terminal/turns.rs`).

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};

/// What is said to the relay of a line is cut to this; its answers are no longer.
const LONGEST: usize = 64 << 10;

/// The editor's end.
pub struct Turns(OwnedFd);

impl Turns {
    /// It, and the relay's end.
    pub fn new() -> io::Result<(Turns, OwnedFd)> {
        let (near, far) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Turns(near), far))
    }

    /// Gives the terminal to the shell, on which the editor has shown these bytes; `false` if the shell has ended.
    pub fn give(&self, shown: &[u8], ended: &OwnedFd) -> io::Result<bool> {
        let shown = &shown[..shown.len().min(LONGEST)];
        Ok(self.ask(&[b"c", shown].concat(), ended)?.is_some())
    }

    /// Takes it back, once everything that was printed is on it: what was typed there and read by nobody. `None` if the
    /// shell has ended.
    pub fn take(&self, ended: &OwnedFd) -> io::Result<Option<Vec<u8>>> {
        self.ask(b"e", ended)
    }

    fn ask(&self, what: &[u8], ended: &OwnedFd) -> io::Result<Option<Vec<u8>>> {
        match send(&self.0, what, SendFlags::NOSIGNAL) {
            Ok(_) => {}
            Err(Errno::PIPE | Errno::CONNRESET) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
        loop {
            let mut fds = [
                PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(ended.as_fd(), PollFlags::IN),
            ];
            match poll(&mut fds, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            if fds[0].revents().is_empty() {
                return Ok(None);
            }
            let mut packet = vec![0; LONGEST + 1];
            let count = match recv(&self.0, &mut packet[..], RecvFlags::empty()) {
                Ok((_, count)) => count,
                // A relay that ended with something unread.
                Err(Errno::CONNRESET) => 0,
                Err(errno) => return Err(errno.into()),
            };
            return Ok(match packet[..count].split_first() {
                Some((kind, rest)) if Some(kind) == what.first() => Some(rest.to_vec()),
                // A relay that was killed.
                _ => None,
            });
        }
    }
}
