//! Signals that the kernel sends about a descriptor: `O_ASYNC`, `FIOASYNC`, `F_SETSIG` and leases, `fcntl(2)`.
//!
//! Whom they reach was said with `F_SETOWN`, perhaps by somebody outside from whom the descriptor was inherited, and
//! holds for everybody who has the same open file. So it is looked who that is before they are switched on or become
//! another signal, and the call is made on our own duplicate: under the caller's number another thread could put
//! another file. A terminal that nobody owns yet would be given to its foreground group, whoever that is: it gets
//! the caller itself.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;

use super::reach::Reach;
use super::target;
use crate::caller::Caller;
use crate::handler::Handler;
use crate::outcome::Outcome;
use crate::sys::arrangement::{self, Owner};

/// `ioctl(2)` of one command: what arranges signals is answered here, all else by another.
pub struct Requests {
    reach: Arc<Reach>,
    others: Arc<dyn Handler>,
}

impl Requests {
    /// The request that is answered here, in register 1.
    pub const ASYNC: u32 = arrangement::ASYNC;

    /// Hands on to `others` what arranges nothing.
    pub fn new(reach: Arc<Reach>, others: Arc<dyn Handler>) -> Self {
        Requests { reach, others }
    }
}

impl Handler for Requests {
    fn handle(&self, caller: &Caller<'_>) -> Outcome {
        match caller.arg_u32(1) {
            Requests::ASYNC => self.reach.switch(caller).unwrap_or_else(Outcome::Errno),
            _ => self.others.handle(caller),
        }
    }
}

impl Reach {
    /// The request of `fcntl(2)`, in register 1, that is judged by who owns the descriptor.
    pub const ARRANGING: i32 = arrangement::SET_SIGNAL;

    /// So is this one while the bit is not set in register 2: who gives a lease back (`F_UNLCK`) arranges nothing, and
    /// mostly does it when the signal about the lease has come, which is no time to wait.
    pub const LEASE: (i32, u64) = (libc::F_SETLEASE, libc::F_UNLCK as u64);

    /// `F_SETFL` is judged with this flag in register 2.
    pub const FLAGS: (i32, u64) = (libc::F_SETFL, libc::O_ASYNC as u64);

    /// Answers `fcntl(2)` but for `F_SETOWN`.
    pub(super) fn arrange(&self, caller: &Caller<'_>) -> Result<Outcome, Errno> {
        let number = caller.arg_i32(0);
        match caller.arg_i32(1) {
            arrangement::SET_SIGNAL => {
                let fd = self.owned(caller)?;
                arrangement::set_signal(fd, caller.arg_i32(2))?;
            }
            libc::F_SETFL => {
                let flags = caller.arg_i32(2);
                let fd = self.owned(caller)?;
                // Whether somebody may be spared the time of access depends on who asks, and that would be us.
                let before = rustix::fs::fcntl_getfl(&fd)?.bits().cast_signed();
                if flags & !before & libc::O_NOATIME != 0 {
                    return Err(Errno::PERM);
                }
                arrangement::set_flags(&fd, number, flags)?;
            }
            // A lease is its holder's, whom the kernel has to see. That somebody outside owns a file with a name is
            // not known of any program; an exchange of the number gains no more than the signal that it has anyway.
            libc::F_SETLEASE => {
                self.owned(caller)?;
                return Ok(Outcome::Continue);
            }
            _ => return Err(Errno::INVAL),
        }
        Ok(Outcome::Value(0))
    }

    fn switch(&self, caller: &Caller<'_>) -> Result<Outcome, Errno> {
        let value = caller.read_bytes(caller.arg(2), size_of::<i32>())?;
        let on = value.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
        let fd = self.owned(caller)?;
        arrangement::set_async(&fd, caller.arg_i32(0), on)?;
        Ok(Outcome::Value(0))
    }

    /// The caller's descriptor, if whoever is signalled about it may be.
    fn owned(&self, caller: &Caller<'_>) -> Result<OwnedFd, Errno> {
        let sender = self.process_of(caller)?;
        let fd = caller.fetch_fd(caller.arg_i32(0))?;
        match arrangement::owner(&fd)? {
            Owner::Nobody if rustix::termios::isatty(&fd) => arrangement::set_owner(&fd, sender)?,
            Owner::Nobody => {}
            Owner::One(pid) => self.all(caller, sender, &[pid], true)?,
            Owner::Group(group) => self.all(caller, sender, &target::group(group), true)?,
        }
        match caller.still_valid() {
            true => Ok(fd),
            false => Err(Errno::SRCH),
        }
    }
}
