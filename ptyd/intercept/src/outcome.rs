//! What becomes of a notified call.

use std::os::fd::OwnedFd;

use rustix::io::Errno;

/// The answer to a notification.
#[derive(Debug)]
#[must_use]
pub enum Outcome {
    /// The kernel performs the call with the caller's registers and whatever its memory holds *then*.
    /// Only where every outcome that a race could reach is allowed anyway, or is verified afterwards.
    Continue,
    /// The same of an exec that the kernel will hardly refuse.
    Execute,
    /// The call fails.
    Errno(Errno),
    /// The call was carried out; its result (0 or more).
    Value(i64),
    /// The call was carried out; the descriptor is put into the caller under its lowest free number,
    /// which is the call's result.
    Descriptor {
        /// What the caller gets; ours is closed.
        fd: OwnedFd,
        /// Whether it has `FD_CLOEXEC` there.
        cloexec: bool,
    },
    /// A signal is deliverable to the caller: the kernel starts the call again after its handler, or
    /// turns it into `EINTR`, as the handler was installed. Only after [`crate::Caller::interruption`]
    /// said [`crate::Interruption::Restart`].
    Restart,
    /// The call starts again at once, whatever signals come; for a caller whose registers are changed meanwhile.
    Again,
    /// Answered already by the handler ([`crate::Caller::answer`], [`crate::AddDescriptor`]), or
    /// there is nobody left to answer.
    Answered,
}

impl From<Errno> for Outcome {
    fn from(errno: Errno) -> Self {
        Outcome::Errno(errno)
    }
}
