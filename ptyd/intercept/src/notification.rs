//! One notified system call.

/// A system call that waits in the kernel for our answer, as the kernel reported it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification {
    /// Names the notification to the kernel; unique for the life of the listener.
    pub id: u64,
    /// The calling thread in our pid namespace; 0 if it cannot be seen from there.
    pub tid: i32,
    /// The call's number (`libc::SYS_*`) in the table of [`Notification::arch`].
    pub nr: i64,
    /// `AUDIT_ARCH_*` of the call.
    pub arch: u32,
    /// The six argument registers, unused ones included.
    pub args: [u64; 6],
}

impl From<libc::seccomp_notif> for Notification {
    fn from(raw: libc::seccomp_notif) -> Self {
        Notification {
            id: raw.id,
            tid: i32::try_from(raw.pid).unwrap_or(0),
            nr: i64::from(raw.data.nr),
            arch: raw.data.arch,
            args: raw.data.args,
        }
    }
}
