//! Who decides.

use std::path::{Path, PathBuf};

use rustix::fs::Stat;
use rustix::io::Errno;

use super::Operation;
use crate::caller::{Caller, Interruption};

/// One thing that a call is about to do.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What.
    pub operation: Operation,
    /// To which object: its canonical path on the host, bytes that are not UTF-8 included.
    pub path: &'a Path,
    /// The calling thread.
    pub tid: i32,
    /// Its process.
    pub tgid: i32,
    /// What the file will hold, where that is known; empty: nothing comes there.
    pub content: Option<&'a [u8]>,
}

/// What policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Carry it out.
    Allow,
    /// As [`Verdict::Allow`]; and the hull holds every outcome that a race of this call could reach, so
    /// that a call which only reads may be continued.
    Continue,
    /// As [`Verdict::Allow`], and never left out of the record.
    Audit,
    /// Refuse, with the errno that the rule wants to be seen.
    Deny(Errno),
    /// Ask a person ([`FileJudge::ask`]).
    Approve,
    /// Use the file at this absolute path instead.
    Redirect {
        /// Where: a canonical path; a symbolic link on the way is refused.
        to: PathBuf,
        /// Only if there is something; otherwise the original, for reads that see what was redirected before.
        if_there: bool,
    },
    /// Allow, once the trash has kept what would be lost.
    SoftDelete,
}

impl Verdict {
    /// How strict: deny, approve, soft_delete or redirect, audit, allow.
    pub fn strictness(&self) -> u8 {
        match self {
            Verdict::Allow | Verdict::Continue => 0,
            Verdict::Audit => 1,
            Verdict::Redirect { .. } | Verdict::SoftDelete => 2,
            Verdict::Approve => 3,
            Verdict::Deny(_) => 4,
        }
    }
}

/// A verdict and the rule that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What policy says.
    pub verdict: Verdict,
    /// The judge's own number of the rule, for the record; none: a default.
    pub rule: Option<u32>,
    /// The rule holds only for certain content: asked again with it, the judge may say otherwise.
    pub by_content: bool,
    /// What would be lost is to be kept first, whatever the verdict is: always with [`Verdict::SoftDelete`].
    pub keeps: bool,
}

/// A person's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Do it.
    Yes,
    /// Do not; the call fails with this.
    No(Errno),
    /// The caller has a signal or is gone.
    Interrupted(Interruption),
}

/// Decides about file operations.
pub trait FileJudge: Send + Sync {
    /// What policy says. Pure and quick: it is asked for every call, several times for a rename, and while
    /// the worker acts as the caller.
    fn judge(&self, question: &Question<'_>) -> Judgement;

    /// Asks a person and waits for the answer; watches [`Caller::interruption`] meanwhile.
    fn ask(&self, question: &Question<'_>, judgement: &Judgement, caller: &Caller<'_>) -> Answer;

    /// Asks a person about what nobody waits for any more, and waits for the answer.
    ///
    /// # Errors
    /// The answer is no, with this errno for the record.
    fn ask_for_later(&self, question: &Question<'_>, judgement: &Judgement) -> Result<(), Errno> {
        let _ = (question, judgement);
        Err(Errno::ACCESS)
    }

    /// The refusal of a device that rules on its path let pass, where they do not say enough about it: a disk holds
    /// every file, and a terminal may be somebody else's. `stat` is that of the object.
    fn refuses_device(&self, question: &Question<'_>, stat: &Stat) -> Option<Judgement>;

    /// Whether names below `folder` may be judged otherwise than `folder` itself, so that a tree which is
    /// moved from or to there must be looked through.
    fn differs_below(&self, folder: &Path) -> bool;

    /// Whether some rule redirects, so that a file which is missing must be asked about as well.
    fn redirects(&self) -> bool {
        false
    }

    /// Whether some rule makes what it stops look absent (`ENOENT`).
    fn hides_names(&self) -> bool {
        true
    }

    /// The name of a control group that `/proc/PID/cgroup` does not show.
    fn hidden_group(&self) -> Option<String> {
        None
    }

    /// A name was moved or taken away: what is believed to be somewhere may not be there any more.
    fn names_moved(&self) {}

    /// Whether some rule cares for what the text of a link says.
    fn link_texts_matter(&self) -> bool {
        true
    }

    /// Whether some rule holds only for certain content.
    fn judges_content(&self) -> bool {
        false
    }
}
