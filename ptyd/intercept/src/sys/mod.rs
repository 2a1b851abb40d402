//! The few kernel interfaces that no library wraps: the ioctls of a notification descriptor
//! (`seccomp_unotify(2)`), another process's memory (`process_vm_readv(2)`), signals to one thread, registers of a
//! waiting call (`ptrace(2)`).

pub mod arrangement;
pub mod interrupt;
pub mod limit;
pub mod listener;
pub mod memory;
pub mod signal;
pub mod socket;
pub mod steer;
pub mod stub;
pub mod traced;

use rustix::io::Errno;
use rustix::process::Pid;

/// Why the last call of this thread failed.
fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// Whether two tasks share one descriptor table (`kcmp(2)`); false where that cannot be known.
pub fn same_descriptors(one: Pid, other: Pid) -> bool {
    same(one, other, KCMP_FILES)
}

const KCMP_FILES: i32 = 2;

fn same(one: Pid, other: Pid, kind: i32) -> bool {
    // SAFETY: kcmp takes its arguments by value for these kinds.
    let order = unsafe {
        libc::syscall(
            libc::SYS_kcmp,
            one.as_raw_nonzero().get(),
            other.as_raw_nonzero().get(),
            kind,
            0u64,
            0u64,
        )
    };
    order == 0
}
