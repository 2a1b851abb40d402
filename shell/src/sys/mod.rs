//! The system calls that need `unsafe`: signal dispositions, what a child does between fork and exec, wait4.

mod child;
mod daemon;
mod signals;

pub use child::{End, in_place, wait};
pub use daemon::spawn_daemon;
pub use signals::{Watch, default_sigpipe, die_by};
