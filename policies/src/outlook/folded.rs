//! Outlooks of what lies on file systems on which names fold.

use super::Outlook;
use crate::folding::fold;
use crate::glob::reaches;
use crate::policy::{Folded, Selector};
use crate::words::{Decision, Decisions, FileOp};

impl Folded {
    /// Takes in what rules on folded names can answer below `folder`: `decisions` of them below a folder that is folded.
    /// Which names those are nobody can tell, so that each counts as possible everywhere.
    pub(super) fn narrow(&self, written: Outlook, folder: &[u8], decisions: impl Fn(&[u8]) -> Decisions) -> Outlook {
        if self.folding.covers_below(folder) {
            return written.and(Outlook {
                // Where none of them matches they say nothing.
                everywhere: Decisions::of(Decision::Allow).with(decisions(&fold(folder))),
                lowered: Vec::new(),
            });
        }
        let mut outlook = written;
        for mount in self.folding.below(folder) {
            for decision in decisions(&fold(mount)).iter() {
                outlook.add(b"", mount.strip_prefix(b"/").unwrap_or(mount), decision);
            }
        }
        outlook
    }

    pub(super) fn file_decisions(&self, op: FileOp, folder: &[u8]) -> Decisions {
        let asked = self.files.rules.iter().filter(|rule| rule.mask & op.bit() != 0);
        let met = asked.filter(|rule| reaches(&rule.globs, folder));
        met.fold(Decisions::NONE, |all, rule| {
            all.with(Decisions::of(rule.common.decision))
        })
    }

    pub(super) fn command_decisions(&self, folder: &[u8]) -> Decisions {
        let met = self.commands.rules.iter().filter(|rule| {
            rule.selectors.iter().any(|selector| match selector {
                Selector::Every | Selector::Name(_) => true,
                Selector::Path(globs) => reaches(globs, folder),
            })
        });
        met.fold(Decisions::NONE, |all, rule| {
            all.with(Decisions::of(rule.common.decision))
        })
    }
}
