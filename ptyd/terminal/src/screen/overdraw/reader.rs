use avt::Parser;
use avt::parser::{DecMode, EdScope, Function, State};
use unicode_width::UnicodeWidthChar as _;

use super::mark::{Kind, Mark};
use super::{Facts, Instead, Plan, plan};

/// Reads along with the terminal, by the same parser.
pub(in crate::screen) struct Reader {
    parser: Parser,
    /// Lines may be scrolled in a part of the screen.
    margins: bool,
    /// Lines may not be wrapped.
    unwrapped: bool,
    /// Places may be counted from the margins.
    origin: bool,
    /// Something was printed that takes more than one cell.
    wide: bool,
}

/// What was read of one text.
#[derive(Default)]
struct Seen {
    from: usize,
    marks: Vec<Mark>,
    drops: Vec<std::ops::Range<usize>>,
    alternate: bool,
    /// The last that was left of ED and DECALN, and what has changed since then.
    last: Option<Kind>,
    cells: bool,
    pen: bool,
    cursor: bool,
    /// The cursor was sent to the first cell right before.
    home: bool,
    /// A character was printed right before.
    printed: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Reader {
            parser: Parser::new(),
            margins: false,
            unwrapped: false,
            origin: false,
            wide: false,
        }
    }
}

impl Reader {
    /// Reads the next text and says how to go about it.
    pub(in crate::screen) fn plan(&mut self, text: &str, facts: &Facts) -> Plan {
        let mut seen = Seen {
            alternate: facts.alternate,
            ..Seen::default()
        };
        // A sequence that began before is not ours to change.
        let mut start = (self.parser.state == State::Ground).then_some(0);
        for (at, char) in text.char_indices() {
            if self.parser.state == State::Ground {
                start = Some(at);
            }
            let Some(function) = self.parser.feed(char) else {
                continue;
            };
            if let Function::Print(char) = function {
                self.wide |= char > '\u{7e}' && char.width() == Some(2);
                seen.cells = true;
                seen.home = false;
                seen.printed = true;
                continue;
            }
            // Only a whole sequence can be left out: a control in the middle of one is carried out at its place.
            let whole = start.take().filter(|_| self.parser.state == State::Ground);
            let span = whole.map(|start| start..at + char.len_utf8());
            self.note(&function, span, facts, &mut seen);
        }
        let mut steps = plan::steps(&seen.marks, facts);
        steps.extend(seen.drops.into_iter().map(|span| (span, Instead::Nothing)));
        steps.sort_unstable_by_key(|(span, _)| span.start);
        Plan { from: seen.from, steps }
    }

    fn note(&mut self, function: &Function, span: Option<std::ops::Range<usize>>, facts: &Facts, seen: &mut Seen) {
        let home = std::mem::take(&mut seen.home);
        let printed = std::mem::take(&mut seen.printed);
        let (kind, full) = match function {
            Function::Ed(scope) => {
                let full = *scope == EdScope::All || *scope == EdScope::Below && home && !self.origin;
                (Kind::Erase(scope.clone()), full)
            }
            Function::Decaln => (Kind::Align, true),
            Function::Rep(count) => {
                let (count, narrow, wraps) = ((*count).max(1), !self.wide, !self.unwrapped);
                let all = usize::from(count) >= facts.cells() + facts.cols;
                seen.printed = printed;
                // At the beginning of a line there is nothing to repeat.
                let full = all && printed && narrow && wraps && !self.margins;
                (Kind::Repeat { count, narrow, wraps }, full)
            }
            Function::Su(lines) | Function::Sd(lines) => {
                (Kind::Shift(*lines), !self.margins && usize::from(*lines) >= facts.rows)
            }
            Function::Il(lines) | Function::Dl(lines) => {
                let all = home && !self.origin && !self.margins;
                (Kind::Shift(*lines), all && usize::from(*lines) >= facts.rows)
            }
            Function::Ris => return self.reset(span, seen),
            Function::Decset(modes) | Function::Decrst(modes) => {
                let to_alternate = matches!(function, Function::Decset(_));
                self.unwrapped |= !to_alternate && modes.as_slice().contains(&DecMode::AutoWrap);
                self.origin |= to_alternate && modes.as_slice().contains(&DecMode::Origin);
                let switches =
                    |mode: &DecMode| matches!(mode, DecMode::AltScreenBuffer | DecMode::SaveCursorAltScreenBuffer);
                if seen.alternate == to_alternate || !modes.as_slice().iter().any(switches) {
                    return seen.change(true, true, true);
                }
                (Kind::Switch, false)
            }
            Function::Decstbm(top, bottom) => {
                self.margins = (*top, *bottom) != (0, 0);
                return seen.change(false, false, true);
            }
            Function::Cup(row, col) => {
                seen.change(false, false, true);
                seen.home = *row <= 1 && *col <= 1;
                return;
            }
            Function::Sgr(_) => {
                seen.printed = printed;
                return seen.change(false, true, false);
            }
            Function::Osc(_) | Function::Xtwinops(_) => return,
            Function::Bs
            | Function::Cbt(_)
            | Function::Cha(_)
            | Function::Cht(_)
            | Function::Cnl(_)
            | Function::Cpl(_)
            | Function::Cr
            | Function::Cub(_)
            | Function::Cud(_)
            | Function::Cuf(_)
            | Function::Cuu(_)
            | Function::Ht
            | Function::Vpa(_)
            | Function::Vpr(_) => return seen.change(false, false, true),
            _ => return seen.change(true, true, true),
        };
        match span {
            Some(span) => seen.mark(span, kind, full),
            // It began in another text, or has a control in its middle, and is carried out as it is.
            None if kind == Kind::Switch => seen.mark(0..0, kind, false),
            None => seen.change(true, true, true),
        }
    }

    /// RIS: a terminal as new.
    fn reset(&mut self, span: Option<std::ops::Range<usize>>, seen: &mut Seen) {
        let from = match span {
            Some(span) => span.start,
            None => seen.from,
        };
        let parser = std::mem::take(&mut self.parser);
        *self = Reader {
            parser,
            ..Reader::default()
        };
        *seen = Seen {
            from,
            cells: true,
            ..Seen::default()
        };
    }
}

impl Seen {
    fn change(&mut self, cells: bool, pen: bool, cursor: bool) {
        self.cells |= cells;
        self.pen |= pen;
        self.cursor |= cursor;
    }

    fn mark(&mut self, span: std::ops::Range<usize>, kind: Kind, full: bool) {
        if self.repeats(&kind) {
            return self.drops.push(span);
        }
        let alternate = self.alternate;
        self.alternate ^= kind == Kind::Switch;
        if matches!(kind, Kind::Erase(_) | Kind::Align) {
            self.last = Some(kind.clone());
            (self.cells, self.pen, self.cursor) = (false, false, false);
        } else {
            self.change(true, true, true);
        }
        self.marks.push(Mark {
            span,
            kind,
            full,
            alternate,
        });
    }

    /// Whether the screen is as this would make it already.
    fn repeats(&self, kind: &Kind) -> bool {
        if self.cells {
            return false;
        }
        match (&self.last, kind) {
            (Some(Kind::Align), Kind::Align) => true,
            (Some(Kind::Erase(EdScope::All)), Kind::Erase(_)) => !self.pen,
            (Some(Kind::Erase(last)), Kind::Erase(scope)) => last == scope && !self.pen && !self.cursor,
            _ => false,
        }
    }
}
