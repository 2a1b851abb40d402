use std::io;
use std::os::fd::{AsFd, OwnedFd};

use agentsh_protocol::terminal::Window;
use portable_pty::{PtySize, native_pty_system};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer};

use super::{Settings, sys};

/// A pair that was just opened.
#[derive(Debug)]
pub struct Pty {
    /// For the hub. Not blocking, close-on-exec.
    pub master: OwnedFd,
    /// For the monitor; close-on-exec. The hub ends when every copy of it is closed, so keep none.
    pub slave: OwnedFd,
}

/// A pair could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PtyError {
    /// No pair was to be had (`/dev/ptmx`, or the limit `kernel.pty.max`).
    #[error("cannot open a pseudo-terminal: {0}")]
    Open(String),
    /// Its descriptors could not be set up.
    #[error("cannot set up a pseudo-terminal: {0}")]
    Set(#[from] io::Error),
}

impl Pty {
    /// Opens a pair of the given size. With `settings` (of the caller's terminal) the slave starts with
    /// those: line discipline flags, special characters, speeds.
    pub fn open(window: Window, settings: Option<&Settings>) -> Result<Pty, PtyError> {
        let size = PtySize {
            rows: window.rows,
            cols: window.cols,
            pixel_width: window.width,
            pixel_height: window.height,
        };
        let pair = native_pty_system()
            .openpty(size)
            .map_err(|error| PtyError::Open(error.to_string()))?;
        let master = sys::own_master(&*pair.master)?;
        // By the master, not by its name: /dev/pts of this mount namespace may be another one.
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let slave = ioctl_tiocgptpeer(&master, flags).map_err(io::Error::from)?;
        drop(pair);
        if let Some(settings) = settings {
            settings.apply(slave.as_fd())?;
        }
        let status = rustix::fs::fcntl_getfl(&master).map_err(io::Error::from)?;
        rustix::fs::fcntl_setfl(&master, status | rustix::fs::OFlags::NONBLOCK).map_err(io::Error::from)?;
        Ok(Pty { master, slave })
    }
}
