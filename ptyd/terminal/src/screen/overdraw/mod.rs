//! Work on the screen that nothing is left of.
//!
//! A few bytes can paint all cells (DECALN, REP, ED), and a stream of them would keep the emulation busy for minutes per
//! megabyte. What is painted over entirely later in the same text is not painted: of what comes before, only cursor,
//! pen, modes and the other screen matter. Only where the text asks for more work than its length is worth; then lines
//! that would have been scrolled off by what is left out are missing above the screen.

mod mark;
mod plan;
mod reader;

use std::ops::Range;

pub(super) use reader::Reader;

/// What a batch of text is worth, for each of its bytes: a third of what it costs to print it, in cells.
const WORTH: usize = 4;
/// So many whole screens are painted in any case.
const SCREENS: usize = 32;

/// The terminal that a text is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) cols: usize,
    pub(super) rows: usize,
    pub(super) alternate: bool,
    /// Cells that are painted before anything is left out.
    pub(super) budget: usize,
}

impl Facts {
    pub(super) fn new((cols, rows): (usize, usize), alternate: bool, length: usize) -> Facts {
        let budget = (WORTH * length).max(SCREENS * cols * rows);
        Facts {
            cols,
            rows,
            alternate,
            budget,
        }
    }

    fn cells(&self) -> usize {
        self.cols * self.rows
    }
}

/// What is to be done with a text.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Everything before is undone.
    pub(super) from: usize,
    /// Places at which something else is done than the text says, in order.
    pub(super) steps: Vec<(Range<usize>, Instead)>,
}

/// In the place of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instead {
    Nothing,
    /// The screen is blank, and nothing is scrolled off for it.
    Wipe,
    /// The same, and then what is written.
    WipeFirst,
    /// REP, of no more than makes a difference.
    Repeat(u16),
    /// REP, of which only the cursor's place matters.
    Advance(u16),
}
