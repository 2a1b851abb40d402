/// Takes back what the terminal's line discipline made of each line's end, where another one does the same again.
#[derive(Debug, Default)]
pub struct Cooked {
    /// The last byte was a carriage return, and is not passed on yet.
    held: bool,
}

impl Cooked {
    /// The bytes to pass on; a carriage return at the end waits for what follows it.
    pub fn undo(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 1);
        for byte in bytes {
            if std::mem::take(&mut self.held) && *byte != b'\n' {
                out.push(b'\r');
            }
            match byte {
                b'\r' => self.held = true,
                byte => out.push(*byte),
            }
        }
        out
    }

    /// What still waits, where nothing follows.
    pub fn rest(self) -> &'static [u8] {
        if self.held { b"\r" } else { b"" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_lose_what_they_get_again_and_nothing_else_does() {
        let mut cooked = Cooked::default();
        let pieces = [&b"a\r"[..], b"\nb\r", b"c\r\r\n"];
        let undone: Vec<u8> = pieces.iter().flat_map(|piece| cooked.undo(piece)).collect();
        assert_eq!(undone, b"a\nb\rc\r\n");
        cooked.undo(b"x\r");
        assert_eq!(cooked.rest(), b"\r");
    }
}
