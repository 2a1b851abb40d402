//! Cutting a flood of plain text to what remains visible of it.

/// Output that is not interpreted yet.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    bytes: Vec<u8>,
    /// From here on everything is plain: text, and colours (SGR sequences).
    plain: usize,
    state: State,
}

/// Where in an SGR sequence the bytes stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Text,
    Escape,
    Parameters,
}

impl Backlog {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            if self.state == State::Text {
                at += bytes[at..].iter().take_while(|byte| is_plain(**byte)).count();
            }
            let Some(byte) = bytes.get(at) else { break };
            at += 1;
            self.state = match (self.state, byte) {
                (State::Text, 0x1b) => State::Escape,
                (State::Escape, b'[') => State::Parameters,
                (State::Parameters, b'0'..=b';') => State::Parameters,
                (State::Parameters, b'm') => State::Text,
                _ => {
                    self.plain = self.bytes.len() + at;
                    State::Text
                }
            };
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Puts back the end of what was taken, which is plain.
    pub(super) fn put_back(&mut self, kept: Vec<u8>) {
        self.bytes = kept;
    }

    /// Takes all, and says from where on it is plain.
    pub(super) fn take(&mut self) -> (Vec<u8>, usize) {
        (std::mem::take(&mut self.bytes), std::mem::take(&mut self.plain))
    }
}

/// Text of which each byte can do no more than advance, wrap or scroll. Bytes above ASCII are text too,
/// save 0xC2, which begins the C1 controls in UTF-8.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t' | 0x80..=0xc1 | 0xc3..)
}

/// Where the last `lines` line ends and the text after them begin. On a terminal of no more than that
/// many lines nothing of the plain text before is left once the rest is shown.
pub(super) fn cut(plain: &[u8], lines: usize) -> Option<usize> {
    let ends = memchr::memrchr_iter(b'\n', plain).filter(|at| *at > 0 && plain[at - 1] == b'\r');
    ends.map(|at| at + 1).nth(lines)
}

/// The sequences of plain text that decide the pen after it: those from the last reset on.
pub(super) fn pen(plain: &[u8]) -> Vec<u8> {
    let mut sequences = Vec::new();
    for start in memchr::memrchr_iter(0x1b, plain) {
        let Some(end) = memchr::memchr(b'm', &plain[start..]) else {
            continue;
        };
        let sequence = &plain[start..=start + end];
        sequences.push(sequence);
        if sequence.starts_with(b"\x1b[m") || sequence.starts_with(b"\x1b[0m") || sequence.starts_with(b"\x1b[0;") {
            break;
        }
    }
    sequences.into_iter().rev().flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_lines_before_the_last_ones_are_cut() {
        let mut backlog = Backlog::default();
        backlog.push(b"\x1b[1A\x1b[1mhead\r\n");
        for number in 0..100 {
            backlog.push(format!("{number}\r\n").as_bytes());
        }
        let (bytes, plain) = backlog.take();
        assert_eq!(plain, 4);
        let cut = cut(&bytes[plain..], 3).map(|at| &bytes[plain + at..]);
        assert_eq!(cut, Some(&b"97\r\n98\r\n99\r\n"[..]));
        assert_eq!(backlog.len(), 0);
    }

    #[test]
    fn the_pen_after_cut_text_is_kept() {
        assert_eq!(pen(b"\x1b[1mx\x1b[0mtext\x1b[31m a\x1b[4mb"), b"\x1b[0m\x1b[31m\x1b[4m");
        assert_eq!(pen(b"text"), b"");
    }

    #[test]
    fn lines_without_a_carriage_return_are_not_cut_and_controls_are_not_plain() {
        assert_eq!(cut(b"a\nb\nc\nd\n", 1), None);
        let mut backlog = Backlog::default();
        backlog.push(b"a\r\nb\r\n\x08");
        assert_eq!(backlog.take().1, 7);
    }
}
