//! Outlooks of file operations.

use super::Outlook;
use crate::policy::{Layer, Policy};
use crate::words::{Decision, Decisions, Errno, FileOp};

impl Policy {
    /// What can be answered for an operation strictly below a folder (absolute, resolved). For the folder
    /// itself, and for single files, ask [`Policy::file`].
    pub fn outlook(&self, op: FileOp, folder: &[u8]) -> Outlook {
        let mut layers = self.layers.iter().map(|layer| layer.file_outlook(op, folder));
        let first = layers.next().unwrap_or_default();
        layers.fold(first, Outlook::and).simplified()
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
    fn file_outlook(&self, op: FileOp, folder: &[u8]) -> Outlook {
        let mut outlook = Outlook::default();
        for rule in self.files.rules.iter().filter(|rule| rule.mask & op.bit() != 0) {
            let mut covered = false;
            for tokens in rule.globs.iter().flat_map(|glob| glob.alternatives()) {
                covered |= outlook.take(tokens, folder, rule.common.decision, false);
            }
            // Other content is for the next rules.
            if covered && rule.content.is_none() {
                return outlook;
            }
        }
        let default = self
            .file_default(op)
            .map_or(Decision::Allow, |verdict| verdict.decision);
        outlook.everywhere = outlook.everywhere.with(Decisions::of(default));
        outlook
    }
}
