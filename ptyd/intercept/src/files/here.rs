//! Which folder a thread works in, kept from call to call.
//!
//! procfs tells it, at the cost of half of a continued call. It changes by `chdir(2)` and `fchdir(2)` alone, which
//! are notified: the guard gives each caller a stamp that stays while its folder does ([`Process::place`]).
//!
//! [`Process::place`]: crate::caller::Process

use std::cell::RefCell;
use std::collections::HashMap;

use foldhash::fast::RandomState;
use rustix::fs::{AtFlags, StatxFlags};
use rustix::io::Errno;
use rustix::path::DecInt;

use super::host::{Host, ObjectId};
use crate::caller::Caller;

/// Threads that one worker remembers; beyond it, it starts afresh.
const REMEMBERED: usize = 128;

thread_local! {
    static KNOWN: RefCell<HashMap<i32, (u64, ObjectId), RandomState>> = RefCell::default();
}

/// The caller's working directory, for calls that are continued alone: a thread whose number was somebody else's
/// while the guard still believed it puts another path before the judge, no more.
///
/// # Errors
/// Those of `stat(2)` on `/proc/TID/cwd`.
pub fn of(host: &Host, caller: &Caller<'_>) -> Result<ObjectId, Errno> {
    let stamp = caller.process().and_then(|process| process.place);
    let tid = caller.tid();
    let known = KNOWN.with_borrow(|known| known.get(&tid).copied());
    if let Some((then, id)) = known
        && Some(then) == stamp
    {
        return Ok(id);
    }
    let id = look(host, tid)?;
    if let Some(stamp) = stamp {
        KNOWN.with_borrow_mut(|known| {
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.insert(tid, (stamp, id));
        });
    }
    Ok(id)
}

fn look(host: &Host, tid: i32) -> Result<ObjectId, Errno> {
    let mut link = [0; 32];
    let link = link_of(tid, libc::AT_FDCWD, &mut link).ok_or(Errno::BADF)?;
    let mask = StatxFlags::INO | StatxFlags::MNT_ID;
    rustix::fs::statx(host.proc(), link, AtFlags::empty(), mask).map(|statx| ObjectId::from(&statx))
}

/// The link in procfs to the folder that a relative path of task `tid` starts at.
pub fn link_of(tid: i32, folder: i32, into: &mut [u8; 32]) -> Option<&str> {
    let mut length = 0;
    let mut push = |part: &[u8]| {
        into[length..length + part.len()].copy_from_slice(part);
        length += part.len();
    };
    push(DecInt::new(tid).as_bytes());
    match folder {
        libc::AT_FDCWD => push(b"/cwd"),
        folder if folder < 0 => return None,
        folder => {
            push(b"/fd/");
            push(DecInt::new(folder).as_bytes());
        }
    }
    std::str::from_utf8(&into[..length]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_folder_is_named_by_its_link() {
        let mut into = [0; 32];
        assert_eq!(link_of(7, libc::AT_FDCWD, &mut into), Some("7/cwd"));
        assert_eq!(link_of(i32::MAX, i32::MAX, &mut into), Some("2147483647/fd/2147483647"));
        assert_eq!(link_of(7, -1, &mut into), None);
    }
}
