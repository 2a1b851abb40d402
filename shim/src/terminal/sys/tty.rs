//! The settings of terminals, ioctl_tty(2).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};

use agentsh_protocol::terminal::{Modes, Window};

use super::checked;

/// The settings of a terminal, `TCGETS2` of ioctl_tty(2).
#[derive(Clone, Copy)]
pub(in super::super) struct Tty(libc::termios2);

/// The flags that differ on a relayed terminal.
///
/// Lines are not kept together there (`ICANON`): with `EXTPROC` the kernel would take them for one line that never ends,
/// and drop what a paste has beyond its buffer instead of holding the writer back.
pub(in super::super) const OURS: Modes = Modes {
    input: libc::ISTRIP | libc::IUCLC | libc::IXON,
    output: libc::OPOST,
    local: libc::EXTPROC | libc::ICANON,
};

/// Ends input on a terminal that is set for what was typed ahead.
pub(in super::super) const END: u8 = 4;

/// Comes before a byte that means itself there.
pub(in super::super) const LITERAL: u8 = 0x16;

const SIZE: usize = size_of::<libc::termios2>();

impl Tty {
    pub(in super::super) fn of(tty: &OwnedFd) -> io::Result<Tty> {
        let mut settings = MaybeUninit::<libc::termios2>::zeroed();
        // SAFETY: the kernel fills the structure if it says 0.
        unsafe {
            checked(libc::ioctl(tty.as_raw_fd(), libc::TCGETS2, settings.as_mut_ptr()))?;
            Ok(Tty(settings.assume_init()))
        }
    }

    /// Sets a terminal so, also from the background: SIGTTOU is held back here.
    pub(in super::super) fn apply(&self, tty: &OwnedFd) -> bool {
        // SAFETY: the kernel reads the structure.
        unsafe { libc::ioctl(tty.as_raw_fd(), libc::TCSETS2, &raw const self.0) == 0 }
    }

    /// The same for a terminal that is relayed: what is typed passes as it is, without echo or signals (that is
    /// `EXTPROC`, and leaves the flags to be seen as the command sets them), and output passes as it is.
    pub(in super::super) fn relayed(&self) -> Tty {
        let mut relayed = self.0;
        relayed.c_iflag &= !OURS.input;
        relayed.c_oflag &= !OURS.output;
        relayed.c_lflag = relayed.c_lflag & !OURS.local | libc::EXTPROC;
        relayed.c_cc[libc::VMIN] = 1;
        relayed.c_cc[libc::VTIME] = 0;
        Tty(relayed)
    }

    /// The flags that the command's terminal has too.
    pub(in super::super) fn modes(&self) -> Modes {
        Modes {
            input: self.0.c_iflag,
            output: self.0.c_oflag,
            local: self.0.c_lflag,
        }
    }

    /// The same with other flags.
    pub(in super::super) fn with(&self, modes: Modes) -> Tty {
        let mut changed = self.0;
        changed.c_iflag = modes.input;
        changed.c_oflag = modes.output;
        changed.c_lflag = modes.local;
        Tty(changed)
    }

    /// The key that ends input.
    pub(in super::super) fn end_key(&self) -> u8 {
        self.0.c_cc[libc::VEOF]
    }

    /// Whether lines are kept together, and edited, before they are read.
    pub(in super::super) fn keeps_lines(&self) -> bool {
        self.0.c_lflag & libc::ICANON != 0
    }

    /// Whether what is typed is shown.
    pub(in super::super) fn echoes(&self) -> bool {
        self.0.c_lflag & libc::ECHO != 0
    }

    /// The same, but what was processed once is not again: it comes as it is; where lines are kept together each ends with
    /// its line feed, input ends with [`END`], and [`LITERAL`] takes the meaning from these three.
    pub(in super::super) fn for_typed_ahead(&self) -> Tty {
        let mut plain = self.0;
        if self.keeps_lines() {
            plain.c_iflag &= libc::IUTF8;
            plain.c_lflag = libc::ICANON | libc::IEXTEN;
            plain.c_cc = [0; 19];
            plain.c_cc[libc::VEOF] = END;
            plain.c_cc[libc::VLNEXT] = LITERAL;
        } else {
            plain.c_lflag |= libc::EXTPROC;
        }
        Tty(plain)
    }

    pub(in super::super) fn to_bytes(self) -> [u8; SIZE] {
        // SAFETY: the structure is numbers without padding (its size is the sum of its fields').
        unsafe { std::mem::transmute(self.0) }
    }

    pub(in super::super) fn from_bytes(bytes: &[u8]) -> Option<Tty> {
        let bytes: [u8; SIZE] = bytes.try_into().ok()?;
        // SAFETY: every pattern of bits is a value of a structure of numbers.
        Some(Tty(unsafe { std::mem::transmute::<[u8; SIZE], libc::termios2>(bytes) }))
    }
}

/// Gives a terminal another window.
pub(in super::super) fn set_window(tty: &OwnedFd, window: Window) {
    let size = libc::winsize {
        ws_row: window.rows,
        ws_col: window.cols,
        ws_xpixel: window.width,
        ws_ypixel: window.height,
    };
    // SAFETY: the kernel reads the structure. A terminal that is gone has no window.
    unsafe { libc::ioctl(tty.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
}

/// A terminal's window.
pub(in super::super) fn window(tty: &OwnedFd) -> Option<Window> {
    let mut size = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: the kernel fills the structure if it says 0.
    let size = unsafe {
        checked(libc::ioctl(tty.as_raw_fd(), libc::TIOCGWINSZ, size.as_mut_ptr())).ok()?;
        size.assume_init()
    };
    Some(Window {
        cols: size.ws_col,
        rows: size.ws_row,
        width: size.ws_xpixel,
        height: size.ws_ypixel,
    })
}
