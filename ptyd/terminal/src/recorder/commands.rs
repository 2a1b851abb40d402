use crate::escape::{Sequence, Token, Tokens, read};
use crate::screen::{Screen, Size, spell};

/// A command line is edited on a sheet of this size; what does not fit is not in the label either.
const SHEET: Size = Size { cols: 512, rows: 8 };
/// A line under edit that has taken more output than this is not a command line.
const MAX_CAPTURE: usize = 64 << 10;
/// Back to the main screen, all modes off (DECSTR), wrapping, and nothing shown.
const BLANK: &[u8] = b"\x18\x1b[?1049l\x1b[!p\x1b[?7h\x1b[1;1H\x1b[J";

/// Finds the command lines in a shell's output, where the shell marks them: OSC 133 (FinalTerm,
/// <https://gitlab.freedesktop.org/Per_Bothner/specifications/-/blob/master/proposals/semantic-prompts.md>)
/// and OSC 633 (VS Code). `B` ends the prompt, `C` starts the run, `633;E` tells the line itself.
#[derive(Default)]
pub(super) struct CommandMarks {
    tokens: Tokens,
    position: u64,
    /// What was printed since the prompt's end.
    line: Option<Vec<u8>>,
    told: Option<String>,
    sheet: Sheet,
}

/// Shows a line as a terminal would: with all its edits.
#[derive(Default)]
struct Sheet(Option<Screen>);

impl CommandMarks {
    /// Looks through the next piece and hands each command line to `each`, with the offset in the
    /// stream at which it starts to run.
    pub(super) fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(u64, String)) {
        let CommandMarks {
            tokens,
            position,
            line,
            told,
            sheet,
        } = self;
        tokens.feed(bytes, |token| {
            let (Token::Text(raw) | Token::Part(raw) | Token::Sequence(raw)) = token;
            *position += raw.len() as u64;
            if let Some(open) = line {
                open.extend_from_slice(raw);
            }
            if line.as_ref().is_some_and(|open| open.len() > MAX_CAPTURE) {
                *line = None;
            }
            let Token::Sequence(raw) = token else { return };
            if memchr::memmem::find(raw, b"\x1b]").is_none() {
                return;
            }
            for sequence in read(raw) {
                let Sequence::Osc(text) = sequence else { continue };
                match mark(&text) {
                    Some(Mark::InputStart) => *line = Some(Vec::new()),
                    Some(Mark::Line(text)) => *told = Some(text),
                    Some(Mark::Run) => {
                        // The mark itself is no part of it.
                        let printed = line.take().map(|mut printed| {
                            printed.truncate(printed.len().saturating_sub(raw.len()));
                            printed
                        });
                        let shown = || printed.map(|printed| sheet.show(&printed));
                        each(*position, told.take().or_else(shown).unwrap_or_default());
                    }
                    None => {}
                }
            }
        });
    }
}

impl Sheet {
    fn show(&mut self, printed: &[u8]) -> String {
        // Most lines of a script's are typed as they stand.
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~');
        if printed.len() < usize::from(SHEET.cols) && printed.iter().all(is_plain) {
            return String::from_utf8_lossy(printed).trim().to_owned();
        }
        if self.0.is_none() {
            self.0 = Screen::new(SHEET, 0).ok();
        }
        let Some(screen) = &mut self.0 else {
            return String::new();
        };
        // Out of whatever the last line left, and blank.
        screen.push(BLANK);
        screen.push(printed);
        let mut text = String::new();
        for row in screen.rows() {
            let shown = row.text();
            match row.is_wrapped() {
                true => text.push_str(&spell(&shown)),
                false => text.extend([spell(&shown).trim_end(), " "]),
            }
        }
        text.trim().to_owned()
    }
}

enum Mark {
    InputStart,
    Line(String),
    Run,
}

fn mark(osc: &[u8]) -> Option<Mark> {
    let rest = osc.strip_prefix(b"133;").or_else(|| osc.strip_prefix(b"633;"))?;
    let (letter, rest) = rest.split_first()?;
    match (letter, rest.first()) {
        (b'B', None | Some(b';')) => Some(Mark::InputStart),
        (b'C', None | Some(b';')) => Some(Mark::Run),
        (b'E', Some(b';')) if osc.starts_with(b"633") => {
            let line = rest[1..].split(|byte| *byte == b';').next().unwrap_or_default();
            Some(Mark::Line(unescape(line)))
        }
        _ => None,
    }
}

/// `\\` and `\xHH`, as OSC 633 writes semicolons, controls and backslashes.
fn unescape(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = match after {
            [b'\\', tail @ ..] if *first == b'\\' => {
                bytes.push(b'\\');
                tail
            }
            [b'x', high, low, tail @ ..] if *first == b'\\' => {
                let hex = std::str::from_utf8(&[*high, *low])
                    .ok()
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok());
                bytes.push(hex.unwrap_or(b'?'));
                tail
            }
            tail => {
                bytes.push(*first);
                tail
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(stream: &[u8], size: usize) -> Vec<(u64, String)> {
        let (mut marks, mut lines) = (CommandMarks::default(), Vec::new());
        for piece in stream.chunks(size) {
            marks.feed(piece, |offset, line| lines.push((offset, line)));
        }
        lines
    }

    #[test]
    fn a_line_is_read_as_it_stood_after_all_edits() {
        // Typed: "lx", backspace, "s -é", in any chunks.
        let stream = "\x1b]133;A\x07$ \x1b]133;B\x07lx\x08 \x08s -é\r\n\x1b]133;C\x07out".as_bytes();
        for size in [1, 3, 100] {
            assert_eq!(lines(stream, size), [(stream.len() as u64 - 3, "ls -é".to_owned())]);
        }
    }

    #[test]
    fn a_line_that_paints_the_sheet_again_and_again_is_read_as_it_stands() {
        let mut stream = b"\x1b]133;B\x07".to_vec();
        (0..4000).for_each(|_| stream.extend_from_slice(b"x\x1b[65535b"));
        stream.extend_from_slice(b"\x1b[H\x1b[2Jls\r\n  -l\x1b]133;C\x07");
        assert_eq!(lines(&stream, 4096), [(stream.len() as u64, "ls   -l".to_owned())]);
    }

    #[test]
    fn nothing_of_a_line_is_left_on_the_sheet_of_the_next() {
        let mut stream = Vec::new();
        for odd in [
            "\x1b[?1049hx\x1b[3;3Hy",
            "\x1b[2;3r\x1b[?6h\x1b[4hz",
            "\x1b[?7l\x1b(0qq",
            "界\x1b[",
            "\x1b]0;t",
        ] {
            for line in [odd, "ls\x08 \x08s -l"] {
                stream.extend_from_slice(format!("\x1b]133;B\x07{line}\x07\x1b]133;C\x07").as_bytes());
            }
        }
        let read: Vec<String> = lines(&stream, 7).into_iter().map(|(_, line)| line).collect();
        let plain = read.iter().filter(|line| *line == "ls -l").count();
        assert_eq!((read.len(), plain), (10, 5), "{read:?}");
    }

    #[test]
    fn a_line_that_is_told_is_taken_over_what_was_shown() {
        let stream = b"\x1b]633;B\x07x\x1b]633;E;echo a\\x3b echo \\\\n;nonce\x1b\\\x1b]633;C\x07";
        assert_eq!(lines(stream, 5)[0].1, "echo a; echo \\n");
    }

    #[test]
    fn other_commands_of_the_same_family_are_no_marks() {
        assert!(lines(b"\x1b]133;CX\x07\x1b]1337;C\x07\x1b]633;P;a=b\x07\x1b]133;D;0\x07", 100).is_empty());
    }
}
