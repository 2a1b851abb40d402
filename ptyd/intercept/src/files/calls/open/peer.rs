//! `TIOCGPTPEER`, `ioctl_tty(2)`: the terminal of a master, opened without any path.

use std::ffi::CString;
use std::os::fd::AsFd;

use rustix::fs::{OFlags, ResolveFlags};

use super::{Flags, Request, VALID, existing};
use crate::files::calls::call::Call;
use crate::files::resolve::{Pin, Place, Root};
use crate::files::sys;
use crate::outcome::Outcome;

/// Flags that say something about a path alone.
const OF_PATHS: i32 = libc::O_CREAT | libc::O_EXCL | libc::O_TRUNC | libc::O_TMPFILE | libc::O_NOFOLLOW;

/// The multiplexer.
const MASTER: (u32, u32) = (5, 2);

/// Judged and handed over as an open of the terminal by its path.
pub fn open_peer(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let flags = Flags(call.caller.arg_u32(2) & VALID & !(OF_PATHS as u32));
    let master = call.client.fetch_fd(call.caller.arg_i32(0))?;
    let number = rustix::fs::fstat(&master)?.st_rdev;
    let is_master = (libc::major(number), libc::minor(number)) == MASTER;
    // A descriptor by which nothing can be read or written; and what is no master the kernel knows.
    if flags.has(libc::O_PATH) || !is_master {
        return Ok(Outcome::Continue);
    }
    let pin = Pin::plain(sys::peer(master.as_fd(), OFlags::PATH | OFlags::CLOEXEC)?)?;
    let request = Request {
        place: Place {
            path: CString::default(),
            start: None,
            at: None,
            root: Root::Host,
        },
        flags,
        mode: 0,
        resolve: ResolveFlags::empty(),
    };
    call.act(false)?;
    existing::open(call, &request, pin)
}
