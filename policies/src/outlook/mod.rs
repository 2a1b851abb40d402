//! What could happen below a folder, whatever the paths: the ground for placing rules.
//!
//! A Landlock rule grants a whole tree. Where nothing below a folder could be denied, it is granted as it
//! is; where only known paths below it could, the folder is *lowered* to its other children; where a glob
//! such as `**/.env` could strike anywhere, the tree is granted and the rule is held at each call.

mod execute;
mod files;
mod folded;

pub use execute::{Program, ProgramOutlook};

use crate::glob::Residual;
use crate::words::{Decision, Decisions};

/// The answers that are possible strictly below a folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outlook {
    /// What can be answered at places that no literal path bounds.
    pub everywhere: Decisions,
    /// Literal paths below the folder at (or below) which other answers are possible too, absolute and
    /// sorted. What they are is asked by an outlook of that path.
    pub lowered: Vec<Lowered>,
}

/// A place below a folder that differs from the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lowered {
    pub path: Vec<u8>,
    /// What rules that name this place can answer.
    pub decisions: Decisions,
}

impl Outlook {
    /// All answers that are possible anywhere below.
    pub fn all(&self) -> Decisions {
        self.lowered
            .iter()
            .fold(self.everywhere, |all, place| all.with(place.decisions))
    }

    /// Whether anything below could be done.
    pub fn could_pass(&self) -> bool {
        self.all().could_pass()
    }

    /// Whether everything below is a plain yes, so that the tree can be granted whole.
    pub fn is_granted_whole(&self) -> bool {
        !self.all().could_stop()
    }

    /// Whether what can be stopped lies at the lowered places alone.
    pub fn is_lowerable(&self) -> bool {
        self.everywhere.could_pass() && !self.everywhere.could_stop() && self.all().could_stop()
    }

    /// Whether something can be stopped at places that lowering cannot name.
    pub fn stops_everywhere(&self) -> bool {
        self.everywhere.could_stop()
    }

    fn add(&mut self, folder: &[u8], below: &[u8], decision: Decision) {
        let mut path = folder.to_vec();
        if path.last() != Some(&b'/') {
            path.push(b'/');
        }
        path.extend_from_slice(below);
        match self.lowered.binary_search_by(|place| place.path.as_slice().cmp(&path)) {
            Ok(at) => self.lowered[at].decisions = self.lowered[at].decisions.with(Decisions::of(decision)),
            Err(at) => self.lowered.insert(
                at,
                Lowered {
                    path,
                    decisions: Decisions::of(decision),
                },
            ),
        }
    }

    /// Takes in what is left of a rule's patterns below the folder; true if that is everything.
    fn take(&mut self, left: &[Residual], folder: &[u8], decision: Decision) -> bool {
        let mut whole = false;
        for residual in left {
            match residual {
                Residual::Everything | Residual::Somewhere => {
                    self.everywhere = self.everywhere.with(Decisions::of(decision));
                    whole |= *residual == Residual::Everything;
                }
                Residual::Exact(below) | Residual::Within(below) => self.add(folder, below, decision),
            }
        }
        whole
    }

    /// Leaves out lowered places that answer as everything does. Where names decide one tells more than what is possible
    /// everywhere, even with an answer that is.
    fn simplified(mut self) -> Outlook {
        let everywhere = self.everywhere;
        if everywhere.iter().count() < 2 {
            self.lowered
                .retain(|place| place.decisions.with(everywhere) != everywhere);
        }
        self
    }

    /// Both layers' answers: an operation passes only if both let it, and the stricter word is said.
    fn and(self, other: Outlook) -> Outlook {
        let combine = |a: Decisions, b: Decisions| {
            let mut both = Decisions::NONE;
            for x in a.iter() {
                for y in b.iter() {
                    let stricter = if y.strictness() > x.strictness() { y } else { x };
                    both = both.with(Decisions::of(stricter));
                }
            }
            both
        };
        let mut joined = Outlook {
            everywhere: combine(self.everywhere, other.everywhere),
            lowered: Vec::new(),
        };
        let mut paths: Vec<&Vec<u8>> = self
            .lowered
            .iter()
            .chain(&other.lowered)
            .map(|place| &place.path)
            .collect();
        paths.sort();
        paths.dedup();
        for path in paths {
            let at = |outlook: &Outlook| {
                let here = outlook.lowered.iter().filter(|place| covers(&place.path, path));
                here.fold(outlook.everywhere, |all, place| all.with(place.decisions))
            };
            joined.lowered.push(Lowered {
                path: path.clone(),
                decisions: combine(at(&self), at(&other)),
            });
        }
        joined
    }
}

/// Whether `path` is `place` or below it.
fn covers(place: &[u8], path: &[u8]) -> bool {
    path.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests;
