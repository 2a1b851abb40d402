//! Limits of other processes, `prlimit(2)`.

use rustix::io::Errno;

/// Sets the soft limit of the stack of process `pid`; what it was.
///
/// # Errors
/// `EPERM` if it may not be set, or is above the hard limit; `ESRCH`.
pub fn set_stack(pid: i32, soft: u64) -> Result<u64, Errno> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: no new limit is given; the kernel writes the old one, to which the pointer is valid and exclusive.
    let read = unsafe { libc::prlimit(pid, libc::RLIMIT_STACK, std::ptr::null(), &raw mut limit) };
    if read != 0 {
        return Err(super::last_errno());
    }
    if soft > limit.rlim_max {
        return Err(Errno::PERM);
    }
    let before = std::mem::replace(&mut limit.rlim_cur, soft);
    // SAFETY: the kernel only reads the new limit; the old one is not asked for.
    match unsafe { libc::prlimit(pid, libc::RLIMIT_STACK, &raw const limit, std::ptr::null_mut()) } {
        0 => Ok(before),
        _ => Err(super::last_errno()),
    }
}
