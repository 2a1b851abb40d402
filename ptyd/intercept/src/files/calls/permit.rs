//! Decisions: asked before, recorded after.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::RwLockReadGuard;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::call::Call;
use crate::caller::Interruption;
use crate::files::actor;
use crate::files::judge::{Answer, Judgement, Question, Verdict};
use crate::files::operation::Operation;
use crate::files::record::{Effect, FileRecord};
use crate::files::resolve::{Entry, Pin, is_procfs};
use crate::files::trash::{Doomed, Kept, Loss};
use crate::outcome::Outcome;

/// Leave to do one thing.
#[derive(Debug)]
pub struct Permit {
    /// What.
    pub operation: Operation,
    /// To what.
    pub path: PathBuf,
    /// Why.
    pub judgement: Judgement,
    /// A person's answer.
    pub approved: Option<bool>,
}

impl Permit {
    /// The same leave, for what stands in for its object.
    pub fn same(&self) -> Permit {
        Permit {
            operation: self.operation,
            path: self.path.clone(),
            judgement: self.judgement.clone(),
            approved: self.approved,
        }
    }

    /// Whether what will be written decides, and nothing but that stands against it.
    pub fn waits_for_content(&self) -> bool {
        self.judgement.by_content && self.judgement.verdict.strictness() >= Verdict::Approve.strictness()
    }

    /// Whether it can be carried out as it stands.
    pub fn is_plain(&self) -> bool {
        let verdict = &self.judgement.verdict;
        verdict.strictness() < Verdict::Approve.strictness() && !matches!(verdict, Verdict::Redirect { .. })
    }

    /// The permit of a call that has two ends, for its record: what is stricter at either end decided.
    pub fn with(self, other: &Permit) -> Permit {
        if other.judgement.verdict.strictness() <= self.judgement.verdict.strictness() {
            return self;
        }
        Permit {
            judgement: other.judgement.clone(),
            approved: other.approved,
            ..self
        }
    }
}

/// What a record holds beside the permit.
#[derive(Debug, Default, Clone, Copy)]
pub struct Aside<'a> {
    /// The other path.
    pub second: Option<&'a Path>,
    /// What the trash did.
    pub kept: Option<Kept>,
    /// Why it was refused, where that is not the rule's doing.
    pub why: Option<&'a str>,
}

impl<'e> Call<'e, '_> {
    /// What policy says to `operation` on `path`.
    pub fn judge(&self, operation: Operation, path: &Path) -> Judgement {
        self.engine.parts.judge.judge(&self.question(operation, path))
    }

    /// [`Call::judge`] where it may be known what comes there.
    pub fn judge_content(&self, operation: Operation, path: &Path, content: Option<&[u8]>) -> Judgement {
        let question = self.question(operation, path);
        self.engine.parts.judge.judge(&Question { content, ..question })
    }

    fn question<'q>(&self, operation: Operation, path: &'q Path) -> Question<'q> {
        Question {
            operation,
            path,
            tid: self.client.tid,
            tgid: self.client.tgid,
            content: None,
        }
    }

    /// Leave for `operation` on the object that `path_of` names. With it comes the guard under which
    /// that name stays; it is dropped before anything that may block.
    pub fn permit(
        &self,
        operation: Operation,
        path_of: impl Fn() -> Result<PathBuf, Errno>,
    ) -> Result<(Permit, RwLockReadGuard<'e, ()>), Outcome> {
        self.permit_all(&[operation], path_of)
    }

    /// [`Call::permit`] for several operations at once: the strictest verdict counts.
    pub fn permit_all(
        &self,
        operations: &[Operation],
        path_of: impl Fn() -> Result<PathBuf, Errno>,
    ) -> Result<(Permit, RwLockReadGuard<'e, ()>), Outcome> {
        let guard = self.engine.names_stay();
        let permit = self.weighed(operations, path_of()?, None)?;
        self.permit_held(permit, guard, path_of)
    }

    /// [`Call::permit`] for what was weighed under this guard.
    pub fn permit_held(
        &self,
        permit: Permit,
        guard: RwLockReadGuard<'e, ()>,
        path_of: impl Fn() -> Result<PathBuf, Errno>,
    ) -> Result<(Permit, RwLockReadGuard<'e, ()>), Outcome> {
        let permit = self.not_denied(permit)?;
        if permit.judgement.verdict != Verdict::Approve {
            return Ok((permit, guard));
        }
        drop(guard);
        let permit = self.approved(permit)?;
        let guard = self.engine.names_stay();
        // What was approved is this object at this path; a tree that was moved meanwhile is another.
        if path_of()? != permit.path {
            return Err(Outcome::Errno(Errno::ACCESS));
        }
        Ok((permit, guard))
    }

    /// The strictest judgement of `operations`; a denial is recorded and is the error. A rename or link
    /// stays one, whatever else it is.
    pub fn strictest(&self, operations: &[Operation], path: PathBuf) -> Result<Permit, Outcome> {
        self.strictest_with(operations, path, None)
    }

    /// [`Call::strictest`] where it may be known what comes there.
    pub fn strictest_with(
        &self,
        operations: &[Operation],
        path: PathBuf,
        content: Option<&[u8]>,
    ) -> Result<Permit, Outcome> {
        self.not_denied(self.weighed(operations, path, content)?)
    }

    /// [`Call::strictest_with`], where a denial is not the last word.
    pub fn weighed(&self, operations: &[Operation], path: PathBuf, content: Option<&[u8]>) -> Result<Permit, Outcome> {
        let mut strictest: Option<(Operation, Judgement)> = None;
        for operation in operations {
            let judgement = self.judge_content(*operation, &path, content);
            let stricter = |(_, before): &(Operation, Judgement)| {
                before.verdict.strictness() >= judgement.verdict.strictness() && before.verdict != Verdict::Continue
            };
            if !strictest.as_ref().is_some_and(stricter) {
                strictest = Some((*operation, judgement));
            }
        }
        let (strict, judgement) = strictest.ok_or(Errno::ACCESS)?;
        let operation = match operations.first() {
            Some(act @ (Operation::Rename | Operation::Link)) => *act,
            _ => strict,
        };
        Ok(Permit {
            operation,
            path,
            judgement,
            approved: None,
        })
    }

    /// What `permit` lets happen is an operation of another name too, of which rules may speak by that. Of it only an answer
    /// counts that stands against the act: what is lost is asked of the trash by itself.
    pub fn also(&self, permit: Permit, operation: Operation) -> Permit {
        let judgement = self.judge(operation, &permit.path);
        let verdict = &judgement.verdict;
        let stands_against = matches!(verdict, Verdict::Deny(_) | Verdict::Approve | Verdict::Redirect { .. });
        match stands_against && verdict.strictness() > permit.judgement.verdict.strictness() {
            // A rename or link stays one, whatever else it is.
            true if matches!(permit.operation, Operation::Rename | Operation::Link) => Permit { judgement, ..permit },
            true => Permit {
                operation,
                judgement,
                ..permit
            },
            false => permit,
        }
    }

    /// A denial is recorded and is the error.
    pub fn not_denied(&self, permit: Permit) -> Result<Permit, Outcome> {
        match permit.judgement.verdict {
            Verdict::Deny(_) if is_made_in_procfs(&permit) => Err(self.refuse(&permit, Errno::NOENT)),
            Verdict::Deny(errno) => Err(self.refuse(&permit, errno)),
            _ => Ok(permit),
        }
    }

    /// Refuses a device where the rules on its path do not say enough about it.
    pub fn device(&self, permit: Permit, pin: &Pin) -> Result<Permit, Outcome> {
        if !matches!(pin.kind(), libc::S_IFCHR | libc::S_IFBLK) {
            return Ok(permit);
        }
        let question = self.question(permit.operation, &permit.path);
        match self.engine.parts.judge.refuses_device(&question, &pin.stat) {
            None => Ok(permit),
            Some(judgement) => Err(self.refuse(&Permit { judgement, ..permit }, Errno::ACCESS)),
        }
    }

    /// Asks the person.
    pub fn approved(&self, mut permit: Permit) -> Result<Permit, Outcome> {
        let question = self.question(permit.operation, &permit.path);
        let ask = || Ok(self.engine.parts.judge.ask(&question, &permit.judgement, self.caller));
        match actor::as_reader(ask)? {
            Answer::Yes => {
                permit.approved = Some(true);
                Ok(permit)
            }
            Answer::No(errno) => {
                permit.approved = Some(false);
                Err(self.refuse(&permit, errno))
            }
            Answer::Interrupted(Interruption::Restart) => Err(Outcome::Restart),
            Answer::Interrupted(Interruption::Gone) => Err(Outcome::Answered),
            Answer::Interrupted(_) => Err(Outcome::Errno(Errno::INTR)),
        }
    }

    /// A verdict that this call cannot do what it says for is a refusal, never a yes.
    pub fn not_redirected(&self, permit: &Permit) -> Result<(), Outcome> {
        match permit.judgement.verdict {
            Verdict::Redirect { .. } => Err(self.refuse(permit, Errno::ACCESS)),
            _ => Ok(()),
        }
    }

    /// Records a refusal and is the answer.
    pub fn refuse(&self, permit: &Permit, errno: Errno) -> Outcome {
        self.record(permit, Effect::Refused, Err(errno), Aside::default());
        Outcome::Errno(errno)
    }

    /// [`Call::refuse`] where the rule let it through, and it cannot be done as the rules are held.
    pub fn refuse_because(&self, permit: &Permit, errno: Errno, why: &str) -> Outcome {
        let why = Some(why);
        self.record(
            permit,
            Effect::Refused,
            Err(errno),
            Aside {
                why,
                ..Aside::default()
            },
        );
        Outcome::Errno(errno)
    }

    /// Records what became of the call.
    pub fn record(&self, permit: &Permit, effect: Effect, result: Result<(), Errno>, aside: Aside<'_>) {
        let record = FileRecord {
            tid: self.client.tid,
            tgid: self.client.tgid,
            operation: permit.operation,
            path: &permit.path,
            second: aside.second,
            judgement: &permit.judgement,
            approved: permit.approved,
            effect,
            result,
            kept: aside.kept,
            why: aside.why,
        };
        let write = || {
            self.engine.parts.recorder.record(&record);
            Ok(())
        };
        if let Err(errno) = actor::as_reader(write) {
            tracing::error!(%errno, "a file record was lost: the worker could not take its own identity");
        }
    }

    /// Records the result of a change and is the answer.
    pub fn finish(&mut self, permit: &Permit, result: Result<(), Errno>, aside: Aside<'_>) -> Result<Outcome, Outcome> {
        self.rest();
        if result.is_ok() && permit.operation.moves_names() {
            self.engine.folders.changed();
            self.engine.parts.judge.names_moved();
        }
        self.record(permit, Effect::CarriedOut, result, aside);
        super::call::done(result)
    }

    /// Answers, then records: for calls that only observe.
    pub fn observed(&mut self, permit: &Permit, outcome: Outcome) -> Result<Outcome, Outcome> {
        self.rest();
        let effect = match outcome {
            Outcome::Continue => Effect::Continued,
            _ => Effect::CarriedOut,
        };
        let result = match &outcome {
            Outcome::Errno(errno) => Err(*errno),
            _ => Ok(()),
        };
        if self.caller.answer(outcome) {
            self.record(permit, effect, result, Aside::default());
        }
        Ok(Outcome::Answered)
    }

    /// The judgement by which the trash must keep what a loss at `path` would destroy.
    pub fn is_kept(&self, operations: &[Operation], path: &Path) -> Option<Judgement> {
        operations
            .iter()
            .map(|operation| self.judge(*operation, path))
            .find(|judgement| judgement.keeps)
    }

    /// Lets the trash keep `object`, because of this judgement, before it is lost.
    pub fn keep(
        &self,
        by: &Judgement,
        entry: Option<&Entry>,
        object: Option<&Pin>,
        path: &Path,
        loss: Loss,
    ) -> Result<Kept, Errno> {
        // A slash behind the name is the caller's way to say that it means a folder.
        let name = entry.map(|entry| CString::new(entry.bare())).transpose();
        let name = name.map_err(|_| Errno::INVAL)?;
        let doomed = Doomed {
            entry: entry
                .zip(name.as_deref())
                .map(|(entry, name)| (entry.parent.as_fd(), name)),
            object: object.map(|pin| pin.fd.as_fd()),
            path,
            loss,
            tgid: self.client.tgid,
            rule: by.rule,
        };
        actor::as_reader(|| self.engine.parts.trash.keep(&doomed))
    }

    /// Tells the trash what came of it, and the record what was kept.
    pub fn settle(&self, kept: Option<Kept>, lost: bool) -> Option<Kept> {
        let kept = kept?;
        let told = actor::as_reader(|| {
            self.engine.parts.trash.settle(kept, lost);
            Ok(())
        });
        if let Err(errno) = told {
            tracing::error!(%errno, "the trash was not told what became of a loss");
        }
        lost.then_some(kept)
    }
}

/// Whether a name would be made in a procfs, where nobody can make one and every name that is not there is said to
/// be missing (`echo > /dev/fd/9` without such a descriptor).
fn is_made_in_procfs(permit: &Permit) -> bool {
    let makes = matches!(
        permit.operation,
        Operation::Create | Operation::Mkdir | Operation::Mknod | Operation::Symlink
    );
    let folder = permit.path.parent().filter(|_| makes);
    folder.is_some_and(|folder| open_folder(folder).and_then(is_procfs).is_ok_and(|it| it))
}

fn open_folder(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}
