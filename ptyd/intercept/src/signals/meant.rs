//! Whom a call means, by its registers.

use nix::unistd::{Pid, getpgid};
use rustix::io::Errno;

use crate::caller::Caller;
use crate::outcome::Outcome;

/// The receivers of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meant {
    /// A process or thread.
    One(i32),
    /// A process group.
    Group(i32),
    /// Everybody whom the caller may signal (`-1`).
    All,
    /// Whom this descriptor of the caller holds.
    Descriptor(i32),
}

impl Meant {
    /// The receivers and the signal.
    pub fn of(caller: &Caller<'_>) -> Result<(Meant, i32), Outcome> {
        let (first, second, third) = (caller.arg_i32(0), caller.arg_i32(1), caller.arg_i32(2));
        match caller.notification().nr {
            libc::SYS_kill => Ok((
                match first {
                    0 => Meant::Group(own_group(caller)?),
                    -1 => Meant::All,
                    i32::MIN => return Err(Outcome::Errno(Errno::SRCH)),
                    pid if pid < 0 => Meant::Group(-pid),
                    pid => Meant::One(pid),
                },
                second,
            )),
            libc::SYS_tkill | libc::SYS_rt_sigqueueinfo => Ok((one(first)?, second)),
            // The kernel refuses a thread that is not of the process named: judging the thread is enough.
            libc::SYS_tgkill | libc::SYS_rt_tgsigqueueinfo => {
                one(first)?;
                Ok((one(second)?, third))
            }
            libc::SYS_pidfd_send_signal => Ok((Meant::Descriptor(first), second)),
            _ => Err(Outcome::Errno(Errno::NOSYS)),
        }
    }
}

fn one(pid: i32) -> Result<Meant, Outcome> {
    match pid > 0 {
        true => Ok(Meant::One(pid)),
        false => Err(Outcome::Errno(Errno::INVAL)),
    }
}

fn own_group(caller: &Caller<'_>) -> Result<i32, Errno> {
    let group = getpgid(Some(Pid::from_raw(caller.tid()))).map_err(|_| Errno::SRCH)?;
    if !caller.still_valid() {
        return Err(Errno::SRCH);
    }
    Ok(group.as_raw())
}
