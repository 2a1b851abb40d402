//! Cutting a flood of plain text to what remains visible of it.

/// Output that is not interpreted yet.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    bytes: Vec<u8>,
    /// From here on everything is plain.
    plain: usize,
}

impl Backlog {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if !bytes.iter().all(|byte| is_plain(*byte)) {
            let last = bytes.iter().rposition(|byte| !is_plain(*byte)).map_or(0, |at| at + 1);
            self.plain = self.bytes.len() + last;
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_lines_before_the_last_ones_are_cut() {
        let mut backlog = Backlog::default();
        backlog.push(b"\x1b[1mhead\r\n");
        for number in 0..100 {
            backlog.push(format!("{number}\r\n").as_bytes());
        }
        let (bytes, plain) = backlog.take();
        assert_eq!(plain, 1);
        let cut = cut(&bytes[plain..], 3).map(|at| &bytes[plain + at..]);
        assert_eq!(cut, Some(&b"97\r\n98\r\n99\r\n"[..]));
        assert_eq!(backlog.len(), 0);
    }

    #[test]
    fn lines_without_a_carriage_return_are_not_cut_and_controls_are_not_plain() {
        assert_eq!(cut(b"a\nb\nc\nd\n", 1), None);
        let mut backlog = Backlog::default();
        backlog.push(b"a\r\nb\r\n\x08");
        assert_eq!(backlog.take().1, 7);
    }
}
