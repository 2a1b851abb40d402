//! Who is at the other end, as the kernel knows it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use agentsh_protocol::control::Peer;
use agentsh_protocol::peer;
use agentsh_sandbox::verify::{self, Mismatch};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::sys;

/// Why a peer gets no answer to its request.
#[derive(Debug, thiserror::Error)]
pub(super) enum PeerError {
    #[error("this broker serves uid {ours}, not uid {theirs}")]
    OtherUser { ours: u32, theirs: u32 },
    #[error("the caller is in another process id namespace")]
    OtherPidNamespace,
    #[error("the caller is gone: {0}")]
    Gone(io::Error),
}

/// A peer with a handle on it that no later process of the same pid can take over.
pub(super) struct Known {
    pub peer: Peer,
    pub pidfd: OwnedFd,
}

impl Known {
    /// Why it counts as foreign, if it does.
    pub(super) fn is_at_home(&self) -> Result<(), Mismatch> {
        verify::is_at_home(self.peer.pid)
    }
}

/// Identifies the process that connected.
pub(super) fn identify(socket: impl AsFd) -> Result<Known, PeerError> {
    let credentials = peer::credentials(&socket).map_err(PeerError::Gone)?;
    let (ours, theirs) = (rustix::process::geteuid().as_raw(), credentials.uid);
    if ours != theirs {
        return Err(PeerError::OtherUser { ours, theirs });
    }
    let pid = credentials.pid.ok_or(PeerError::OtherPidNamespace)?;
    let pidfd = match sys::peer_pidfd(&socket) {
        Ok(pidfd) => pidfd,
        // Before Linux 6.5 the pid is all there is.
        Err(error) if error.raw_os_error() == Some(Errno::NOPROTOOPT.raw_os_error()) => {
            let number = Pid::from_raw(pid).ok_or(PeerError::OtherPidNamespace)?;
            pidfd_open(number, PidfdFlags::empty()).map_err(|errno| PeerError::Gone(errno.into()))?
        }
        Err(error) => return Err(PeerError::Gone(error)),
    };
    let peer = Peer { pid, uid: theirs };
    Ok(Known { peer, pidfd })
}
