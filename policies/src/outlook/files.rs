//! Outlooks of file operations.

use super::Outlook;
use crate::glob::residuals;
use crate::policy::{Layer, Policy};
use crate::words::{Decision, Decisions, Errno, FileOp};

impl Policy {
    /// What can be answered for an operation strictly below a folder (absolute, resolved). For the folder
    /// itself, and for single files, ask [`Policy::file`].
    pub fn outlook(&self, op: FileOp, folder: &[u8]) -> Outlook {
        self.outlooks(&[op], folder).pop().unwrap_or_default()
    }

    /// The same for several operations, each at its place: what patterns can match there is found out once.
    pub fn outlooks(&self, ops: &[FileOp], folder: &[u8]) -> Vec<Outlook> {
        let mut layers = self.layers.iter().map(|layer| layer.file_outlooks(ops, folder));
        let first = layers.next().unwrap_or_else(|| vec![Outlook::default(); ops.len()]);
        let all = layers.fold(first, |sum, other| {
            sum.into_iter().zip(other).map(|(a, b)| a.and(b)).collect()
        });
        all.into_iter().map(Outlook::simplified).collect()
    }

    /// What can be answered for an operation anywhere on the host.
    pub fn file_decisions(&self, op: FileOp) -> Decisions {
        self.outlook(op, b"/")
            .all()
            .with(Decisions::of(self.file(op, b"/").decision))
    }

    /// Whether a denial of this operation may have to look like a file that is not there: then every call
    /// that names the object has to be notified, the stat family too.
    pub fn hides_names(&self) -> bool {
        let rules = self.layers.iter().flat_map(|layer| &layer.files.rules);
        rules.into_iter().any(|rule| {
            rule.errno == Errno::NoEnt && matches!(rule.common.decision, Decision::Deny | Decision::Approve)
        })
    }
}

impl Layer {
    fn file_outlooks(&self, ops: &[FileOp], folder: &[u8]) -> Vec<Outlook> {
        let written = self.written_outlooks(ops, folder);
        let Some(folded) = &self.folded else { return written };
        let both = written.into_iter().zip(ops);
        both.map(|(outlook, op)| folded.narrow(outlook, folder, |below| folded.file_decisions(*op, below)))
            .collect()
    }

    fn written_outlooks(&self, ops: &[FileOp], folder: &[u8]) -> Vec<Outlook> {
        let mut outlooks = vec![Outlook::default(); ops.len()];
        // Those of which no later rule says anything.
        let mut covered = vec![false; ops.len()];
        for rule in &self.files.rules {
            let asked = |at: &usize| rule.mask & ops[*at].bit() != 0;
            if !(0..ops.len()).any(|at| asked(&at) && !covered[at]) {
                continue;
            }
            let tokens = rule.globs.iter().flat_map(|glob| glob.alternatives());
            let left: Vec<_> = tokens.flat_map(|tokens| residuals(tokens, folder, b'/')).collect();
            let tokens = rule.linked.iter().flat_map(|glob| glob.alternatives());
            let led: Vec<_> = tokens.flat_map(|tokens| residuals(tokens, folder, b'/')).collect();
            for at in 0..ops.len() {
                if covered[at] || !asked(&at) {
                    continue;
                }
                // It only adds to what the next rules say.
                outlooks[at].take(&led, folder, rule.common.decision);
                // Other content is for the next rules.
                covered[at] = outlooks[at].take(&left, folder, rule.common.decision) && rule.content.is_none();
            }
        }
        for at in (0..ops.len()).filter(|at| !covered[*at]) {
            let default = self.file_default(ops[at]);
            let default = default.map_or(Decision::Allow, |verdict| verdict.decision);
            outlooks[at].everywhere = outlooks[at].everywhere.with(Decisions::of(default));
        }
        outlooks
    }
}
