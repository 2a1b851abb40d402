//! Who is told what processes do.

use rustix::io::Errno;

use super::FileId;
use crate::exec::{ExecRequest, Subject};

/// A process that was seen for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fork {
    /// The process.
    pub tgid: i32,
    /// Its parent when it was first seen, 0 if that is outside our pid namespace.
    pub ppid: i32,
    /// When it was started, in clock ticks since boot.
    pub started: u64,
    /// What it executes.
    pub image: Option<FileId>,
}

/// What became of an exec that was let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecSettled {
    /// What was judged runs.
    Ran,
    /// The kernel refused it; the process goes on as it was.
    Failed,
    /// Something else runs, which the judge allows as well.
    Replaced(Vec<Subject>),
    /// Something else ran, which the judge does not allow: the process was killed at its first notified
    /// call. What ran, as far as it could be seen.
    Killed(Vec<Subject>),
}

/// Is told what processes do. Called on serving threads; must not block.
pub trait Observer: Send + Sync {
    /// A process was seen for the first time.
    fn forked(&self, fork: Fork);

    /// A process ends by `exit_group(2)` with `status` (0 to 255).
    fn exited(&self, tgid: i32, status: u8);

    /// An exec was refused without asking the judge: the file has no name.
    fn exec_refused(&self, request: &ExecRequest<'_>, errno: Errno);

    /// What became of an exec that the judge allowed.
    fn exec_settled(&self, tgid: i32, settled: &ExecSettled);
}
