//! The PTY pair, and the settings of terminals.
//!
//! Built for sudo's model: the supervisor opens the pair and keeps the master for its hub; the slave
//! goes to a monitor, which becomes session leader on it and puts the command into a process group of
//! its own. Nothing here starts a process. Manuals: pty(7), termios(3), ioctl_tty(2).

mod pair;
mod settings;
mod sys;

pub use pair::{Pty, PtyError};
pub use settings::{Echo, RawMode, Settings, echo, reopen, take_unread, window};
