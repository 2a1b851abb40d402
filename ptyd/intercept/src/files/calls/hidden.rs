//! What a rule makes look absent is absent for calls too that policy asks nothing else about.

use std::path::PathBuf;

use rustix::io::Errno;

use super::call::Call;
use super::permit::Permit;
use crate::files::judge::Verdict;
use crate::files::operation::Operation;
use crate::files::resolve::{Entry, How};
use crate::outcome::Outcome;

/// `chdir(2)`: continued, for it acts on the caller itself.
pub fn chdir(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let place = call.place_here(0)?;
    call.act(false)?;
    // Why it cannot be found or entered the kernel says.
    if let Ok(pin) = call.pinned(&place, 0, How::FOLLOW)
        && let Some(path) = call.path_of(&pin)?.path()
    {
        call.not_hidden(Operation::Stat, path.to_owned())?;
    }
    Ok(Outcome::Continue)
}

impl Call<'_, '_> {
    /// Refuses `operation` where a rule makes what is at `path` look absent.
    pub fn not_hidden(&self, operation: Operation, path: PathBuf) -> Result<(), Outcome> {
        let judgement = self.judge(Operation::Stat, &path);
        if judgement.verdict != Verdict::Deny(Errno::NOENT) {
            return Ok(());
        }
        let permit = Permit {
            operation,
            path,
            judgement,
            approved: None,
        };
        Err(self.refuse(&permit, Errno::NOENT))
    }

    /// The answer to whoever would make a name that is there already.
    pub fn taken(&self, operation: Operation, entry: &Entry) -> Outcome {
        let taken = Outcome::Errno(Errno::EXIST);
        if !entry.is_name() || !self.engine.parts.judge.hides_names() {
            return taken;
        }
        let path = self.path_of_entry(entry).map_err(Outcome::Errno);
        path.and_then(|path| self.not_hidden(operation, path))
            .err()
            .unwrap_or(taken)
    }
}
