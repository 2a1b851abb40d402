use std::ops::Range;

use avt::parser::EdScope;

use super::Facts;

/// A sequence that may touch every cell, or on which depends which cells are touched.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
    /// Nothing of what the screen showed before is left after it.
    pub(super) full: bool,
    /// The screen that is shown before it.
    pub(super) alternate: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// ED.
    Erase(EdScope),
    /// DECALN.
    Align,
    /// REP.
    Repeat {
        count: u16,
        /// What it repeats takes one cell, for sure.
        narrow: bool,
        /// It goes on in the next line at the end of one.
        wraps: bool,
    },
    /// SU, SD, IL, DL.
    Shift(u16),
    /// The other screen from here on.
    Switch,
}

impl Mark {
    /// What it costs, in cells.
    pub(super) fn cost(&self, facts: &Facts) -> usize {
        match &self.kind {
            Kind::Erase(EdScope::SavedLines) => 0,
            // What was on the primary screen is scrolled off first.
            Kind::Erase(EdScope::All) if !self.alternate => 2 * facts.cells(),
            Kind::Erase(_) | Kind::Switch => facts.cells(),
            Kind::Align => 4 * facts.cells(),
            Kind::Repeat { count, .. } => 8 * usize::from(*count).min(facts.cells() + 2 * facts.cols),
            Kind::Shift(lines) => 2 * usize::from(*lines).clamp(1, facts.rows) * facts.cols,
        }
    }
}
