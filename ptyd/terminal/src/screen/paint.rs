//! Text on its way to the emulated terminal.

use avt::{Observer, ScreenKind, Terminal};

use super::overdraw::{Facts, Instead, Reader};

/// Makes the screen blank without a trace of what it showed, wherever the cursor is: ED above and below.
const WIPE: &str = "\x1b[1J\x1b[J";

/// Interprets `text`, which `reader` has seen everything before of, without painting what is painted over.
pub(super) fn feed(terminal: &mut Terminal, reader: &mut Reader, text: &str) {
    let alternate = terminal.active_screen_kind() == ScreenKind::Alternate;
    let facts = Facts::new(terminal.size(), alternate, text.len());
    feed_within(terminal, reader, text, &facts, &mut ());
}

fn feed_within(terminal: &mut Terminal, reader: &mut Reader, text: &str, facts: &Facts, observer: &mut impl Observer) {
    let plan = reader.plan(text, facts);
    let mut at = plan.from;
    for (span, instead) in plan.steps {
        terminal.feed_with(&text[at..span.start], &mut *observer);
        match instead {
            Instead::Nothing => {}
            Instead::Wipe => drop(terminal.feed_with(WIPE, &mut *observer)),
            Instead::WipeFirst => drop(terminal.feed_with([WIPE, &text[span.clone()]], &mut *observer)),
            Instead::Repeat(count) => repeat(terminal, count, observer),
            Instead::Advance(count) => advance(terminal, count, observer),
        }
        at = span.end;
    }
    terminal.feed_with(&text[at..], &mut *observer);
}

/// The character before the cursor, if REP has something to repeat, and how many cells it takes.
fn repeated(terminal: &Terminal) -> Option<(char, usize)> {
    let cursor = terminal.cursor();
    let before = cursor.col.checked_sub(1)?;
    let line = terminal.screen().line(cursor.row)?;
    let cell = line.cells().get(before)?;
    Some((cell.char(), if cell.width() == 1 { 1 } else { 2 }))
}

/// REP: once the screen is full, lines follow that are all the same.
fn repeat(terminal: &mut Terminal, count: u16, observer: &mut impl Observer) {
    let Some((_, width)) = repeated(terminal) else { return };
    let (cols, rows) = terminal.size();
    let (a_line, count) = ((cols / width).max(1), usize::from(count));
    // A character of two cells may leave the last one of a line as it was: those lines have to be scrolled off.
    let enough = (width * rows + 2) * a_line;
    let count = match count > enough {
        true => enough + (count - enough) % a_line,
        false => count,
    };
    terminal.feed_with(format!("\x1b[{count}b"), observer);
}

/// The cursor goes where REP would leave it, over characters of one cell.
fn advance(terminal: &mut Terminal, count: u16, observer: &mut impl Observer) {
    let (cols, rows) = terminal.size();
    let cursor = terminal.cursor();
    let past = (cursor.col + usize::from(count)).checked_sub(2 * cols);
    let (Some((char, 1)), Some(_)) = (repeated(terminal), past) else {
        return repeat(terminal, count, observer);
    };
    // What does not fit on this line; at its end the cursor waits for the next character.
    let rest = cursor.col + usize::from(count) - cols;
    let (lines, col) = ((rest - 1) / cols + 1, (rest - 1) % cols + 1);
    terminal.feed_with(format!("\x1b[{}B\x1b[{col}G{char}", lines.min(rows)), observer);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Failure = Box<dyn std::error::Error>;

    type Cells = Vec<Vec<avt::Cell>>;

    /// What both screens show, and where the cursor is; and all settings, if it is known which lines go on in the next.
    fn show(terminal: &Terminal, lines_known: bool) -> (Cells, Cells, avt::Cursor, String) {
        let cells = |lines: &[&avt::Line]| lines.iter().map(|line| line.cells().to_vec()).collect();
        let rows = terminal.size().1;
        let primary: Vec<&avt::Line> = terminal.primary_screen().all_lines().collect();
        let shown: Vec<&avt::Line> = terminal.screen().visible_lines().collect();
        let dump = if lines_known { terminal.dump() } else { String::new() };
        (
            cells(&shown),
            cells(&primary[primary.len() - rows..]),
            terminal.cursor(),
            dump,
        )
    }

    /// The same with and without leaving anything out.
    fn check(text: &str, every: usize, budget: usize) -> Result<(), Failure> {
        let (mut plain, mut thrifty) = (Terminal::new(11, 6)?, Terminal::new(11, 6)?);
        let mut reader = Reader::default();
        let chars: Vec<char> = text.chars().collect();
        for piece in chars.chunks(every) {
            let piece: String = piece.iter().collect();
            plain.feed(piece.as_str());
            let alternate = thrifty.active_screen_kind() == ScreenKind::Alternate;
            let facts = Facts {
                budget,
                ..Facts::new((11, 6), alternate, piece.len())
            };
            feed_within(&mut thrifty, &mut reader, &piece, &facts, &mut ());
            // DECALN leaves the ends of lines as they were: so it is not if what was before it was never painted.
            let lines_known = !text.contains("#8");
            if show(&plain, lines_known) != show(&thrifty, lines_known) {
                return Err(format!("{piece:?} of {text:?}:\n{:?}\n{:?}", plain.dump(), thrifty.dump()).into());
            }
        }
        Ok(())
    }

    /// Counts the rows that were painted.
    #[derive(Default)]
    struct Rows(usize);

    impl Observer for Rows {
        type Output = ();

        fn dirty(&mut self, rows: std::ops::Range<usize>) {
            self.0 += rows.len();
        }

        fn end(&mut self, _: &mut avt::Observation<'_>) {}
    }

    #[test]
    fn a_flood_of_painted_screens_is_no_more_work_than_as_much_text() -> Result<(), Failure> {
        for unit in [
            "\x1b#8",
            "x\x1b#8",
            "\x1b[2J",
            "x\x1b[2J",
            "\u{9b}2J",
            "\x1b#8\x1b[2J",
            "\x1b[H\x1b[J",
            "\x1b[J",
            "x\x1b[65535b",
            "\x1b[Hx\x1b[9999b",
            "\x1b[3;3Hx\x1b[m\x1b[9999b",
            "\x1b[99S",
            "\x1b[99T",
            "\x1b[H\x1b[99L",
            "\x1bc",
            "\x1b[?1049hx\x1b#8x\x1b#8x\x1b[2Jx\x1b#8x\x1b[2Jx\x1b#8x\x1b[2J\x1b[?1049l",
        ] {
            let text = unit.repeat(400_000 / unit.len());
            let (mut terminal, mut reader) = (Terminal::with_scrollback(80, 24, Some(100))?, Reader::default());
            let facts = Facts::new((80, 24), false, text.len());
            let mut rows = Rows::default();
            feed_within(&mut terminal, &mut reader, &text, &facts, &mut rows);
            // A character of a text paints the row that it is on.
            assert!(
                2 * rows.0 <= 5 * text.len(),
                "{unit:?}: {} rows for {} bytes",
                rows.0,
                text.len()
            );
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn what_is_painted_over_is_not_missed(
            parts in proptest::collection::vec(prop_oneof![
                proptest::sample::select(vec![
                    "\x1b[2J", "\x1b[J", "\x1b[1J", "\x1b[3J", "\x1b#8", "\x1b[H\x1b[J", "\x1b[2K", "\x1b[2;4r", "\x1b[r", "\x1b[4h",
                    "\x1b[4l", "\x1b[?7l", "\x1b[?7h", "\x1b[41m", "\x1b[m", "\x1b[3;7H", "\x1b[H", "\x1b[?6h", "\x1b[?6l",
                    "\x1b[?1049h", "\x1b[?1049l", "\x1b[?47h", "\x1b[?47l", "\x1b(0", "\x1b7", "\x1b8", "\x08", "\n", "\r", "\r\n",
                    "\x1b[9S", "\x1b[9T", "\x1b[S", "\x1b[9L", "\x1b[9M", "\x1b[H\x1b[9L", "\x1bM", "\x1b[3@", "\x1b[2P", "\x1bc",
                    "\u{9b}2J", "\x1b[\n2J", "\x1b[?10\n49h", "\x1b]2;t\x1b[2J", "\x1b[!p", "\x1b[2", "J", "\x1b", "#8", "界",
                ]).prop_map(str::to_owned),
                "[a-z]{1,14}",
                (1u16..300).prop_map(|count| format!("\x1b[{count}b")),
                (1u16..300).prop_map(|count| format!("x\x1b[{count}b")),
            ], 0..24),
            every in 1usize..80,
            budget in prop_oneof![Just(0usize), Just(100), Just(400)],
        ) {
            check(&parts.concat(), every, budget).map_err(|error| TestCaseError::fail(error.to_string()))?;
        }
    }
}
