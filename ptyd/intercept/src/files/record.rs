//! Who remembers.

use std::path::Path;

use rustix::io::Errno;

use super::judge::Judgement;
use super::operation::Operation;
use super::trash::Kept;

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Let through to the kernel.
    Continued,
    /// Carried out, with the kernel's result.
    CarriedOut,
    /// Refused by policy or by a person.
    Refused,
}

/// One call.
#[derive(Debug, Clone, Copy)]
pub struct FileRecord<'a> {
    /// The calling thread.
    pub tid: i32,
    /// Its process.
    pub tgid: i32,
    /// What was asked.
    pub operation: Operation,
    /// Of which object: its canonical path.
    pub path: &'a Path,
    /// The other end of a rename, link, symlink (its text) or redirect.
    pub second: Option<&'a Path>,
    /// The decision.
    pub judgement: &'a Judgement,
    /// A person's yes or no, if one was asked.
    pub approved: Option<bool>,
    /// What became of it.
    pub effect: Effect,
    /// The errno that the caller saw.
    pub result: Result<(), Errno>,
    /// What the trash did with what was lost; none where nothing was to be kept.
    pub kept: Option<Kept>,
    /// Why it was refused, where that is not the rule's doing.
    pub why: Option<&'a str>,
}

/// Takes records. Called with the worker's own rights; for calls that only observe, after the caller was
/// answered.
pub trait FileRecorder: Send + Sync {
    /// Takes one.
    fn record(&self, record: &FileRecord<'_>);
}
