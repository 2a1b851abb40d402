use crate::cast::Utf8Stream;
use crate::escape::{Sequence, Token, Tokens, read};

/// A command line is edited on a sheet of this size; what does not fit is not in the label either.
const SHEET: (usize, usize) = (512, 8);
/// A line under edit that has taken more output than this is not a command line.
const MAX_CAPTURE: usize = 64 << 10;

/// Finds the command lines in a shell's output, where the shell marks them: OSC 133 (FinalTerm,
/// <https://gitlab.freedesktop.org/Per_Bothner/specifications/-/blob/master/proposals/semantic-prompts.md>)
/// and OSC 633 (VS Code). `B` ends the prompt, `C` starts the run, `633;E` tells the line itself.
#[derive(Default)]
pub(super) struct CommandMarks {
    tokens: Tokens,
    position: u64,
    sheet: Option<Sheet>,
    told: Option<String>,
}

/// What was shown since the prompt's end, as a terminal would show it: with all its edits.
struct Sheet {
    terminal: avt::Terminal,
    text: Utf8Stream,
    taken: usize,
}

impl CommandMarks {
    /// Looks through the next piece and hands each command line to `each`, with the offset in the
    /// stream at which it starts to run.
    pub(super) fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(u64, String)) {
        let CommandMarks {
            tokens,
            position,
            sheet,
            told,
        } = self;
        tokens.feed(bytes, |token| {
            let (Token::Text(raw) | Token::Part(raw) | Token::Sequence(raw)) = token;
            *position += raw.len() as u64;
            if let Some(open) = sheet
                && !open.take(raw)
            {
                *sheet = None;
            }
            let Token::Sequence(raw) = token else { return };
            if memchr::memmem::find(raw, b"\x1b]").is_none() {
                return;
            }
            for sequence in read(raw) {
                let Sequence::Osc(text) = sequence else { continue };
                match mark(&text) {
                    Some(Mark::InputStart) => *sheet = Sheet::new(),
                    Some(Mark::Line(line)) => *told = Some(line),
                    Some(Mark::Run) => {
                        let shown = sheet.take().map(|sheet| sheet.line());
                        each(*position, told.take().or(shown).unwrap_or_default());
                    }
                    None => {}
                }
            }
        });
    }
}

impl Sheet {
    fn new() -> Option<Sheet> {
        let terminal = avt::Terminal::new(SHEET.0, SHEET.1).ok()?;
        Some(Sheet {
            terminal,
            text: Utf8Stream::default(),
            taken: 0,
        })
    }

    fn take(&mut self, bytes: &[u8]) -> bool {
        self.taken += bytes.len();
        let text = self.text.push(bytes, &mut Vec::new());
        self.terminal.feed(text.as_str());
        self.taken <= MAX_CAPTURE
    }

    fn line(&self) -> String {
        self.terminal.screen().text().join(" ").trim().to_owned()
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
    fn a_line_that_is_told_is_taken_over_what_was_shown() {
        let stream = b"\x1b]633;B\x07x\x1b]633;E;echo a\\x3b echo \\\\n;nonce\x1b\\\x1b]633;C\x07";
        assert_eq!(lines(stream, 5)[0].1, "echo a; echo \\n");
    }

    #[test]
    fn other_commands_of_the_same_family_are_no_marks() {
        assert!(lines(b"\x1b]133;CX\x07\x1b]1337;C\x07\x1b]633;P;a=b\x07\x1b]133;D;0\x07", 100).is_empty());
    }
}
