use std::ops::Range;

use avt::parser::EdScope;

use super::mark::{Kind, Mark};
use super::{Facts, Instead};

/// What to do in the place of the marks that need not be carried out as they are.
pub(super) fn steps(marks: &[Mark], facts: &Facts) -> Vec<(Range<usize>, Instead)> {
    let first = first_painted(marks, facts);
    let mut steps = Vec::new();
    let mut at = 0;
    while at < first {
        // The marks up to the next switch of screens, or to the one from which on everything is painted.
        let end = marks[at..first]
            .iter()
            .position(|mark| mark.kind == Kind::Switch)
            .map_or(first, |found| at + found);
        let over = match end == first {
            true => Some(first),
            // Nobody sees the alternate screen again once it is left.
            false if marks[end].alternate => Some(end),
            false => marks[at..end]
                .iter()
                .rposition(|mark| mark.full)
                .map(|found| at + found),
        };
        let Some(over) = over else {
            steps.extend(marks[at..end].iter().filter_map(kept));
            at = end + 1;
            continue;
        };
        // What is repeated takes a cell or two; which, is not known where erased cells are not erased.
        let unknown = |mark: &Mark| matches!(mark.kind, Kind::Repeat { narrow: false, .. });
        let begin = marks[at..over]
            .iter()
            .rposition(unknown)
            .map_or(at, |found| at + found + 1);
        steps.extend(marks[at..begin].iter().filter_map(kept));
        steps.extend(marks[begin..over].iter().map(painted_over));
        if over < end {
            steps.extend(base(&marks[over]));
            steps.extend(marks[over + 1..end].iter().filter_map(kept));
        }
        at = end + usize::from(end < first);
    }
    if first > 0 {
        steps.extend(base(&marks[first]));
    }
    steps.extend(marks.iter().skip(first + usize::from(first > 0)).filter_map(kept));
    steps
}

/// The mark from which on everything is painted: the first that paints over all before it and is followed by no more
/// work than the text is worth. 0 if that holds for the whole text.
fn first_painted(marks: &[Mark], facts: &Facts) -> usize {
    let mut work = 0;
    let mut first = None;
    for (at, mark) in marks.iter().enumerate().rev() {
        work += mark.cost(facts);
        if work > facts.budget && first.is_some() {
            return first.unwrap_or(0);
        }
        if mark.full {
            first = Some(at);
        }
    }
    match work > facts.budget {
        true => first.unwrap_or(0),
        false => 0,
    }
}

/// A mark whose effect on the cells does not matter.
fn painted_over(mark: &Mark) -> (Range<usize>, Instead) {
    let instead = match mark.kind {
        Kind::Repeat { count, wraps: true, .. } => Instead::Advance(count),
        Kind::Repeat { count, .. } => Instead::Repeat(count),
        _ => Instead::Nothing,
    };
    (mark.span.clone(), instead)
}

/// The first mark that is painted after others that were not: nothing of those is scrolled off.
fn base(mark: &Mark) -> Option<(Range<usize>, Instead)> {
    let instead = match mark.kind {
        Kind::Erase(EdScope::All) | Kind::Shift(_) => Instead::Wipe,
        Kind::Align => Instead::WipeFirst,
        _ => return kept(mark),
    };
    Some((mark.span.clone(), instead))
}

fn kept(mark: &Mark) -> Option<(Range<usize>, Instead)> {
    match mark.kind {
        Kind::Repeat { count, .. } => Some((mark.span.clone(), Instead::Repeat(count))),
        _ => None,
    }
}
