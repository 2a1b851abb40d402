use super::encoded::{self, Key};

/// The keys that are not the command's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// Leaves.
    pub detach: u8,
    /// Takes the terminal, and gives it back.
    pub take: u8,
}

/// What a typed byte means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typed<'a> {
    /// For the command.
    Bytes(&'a [u8]),
    Take,
    Detach,
}

impl Keys {
    /// Splits what was typed at our keys; what comes after the one that leaves is nobody's.
    pub(super) fn split<'a>(&self, typed: &'a [u8]) -> Vec<Typed<'a>> {
        let mut parts = Vec::new();
        let (mut start, mut at) = (0, 0);
        while at < typed.len() {
            let key = encoded::control_key(&typed[at..]).unwrap_or_else(|| Key::plain(typed[at]));
            let end = at + key.length;
            if key.byte == self.detach || key.byte == self.take {
                if start < at {
                    parts.push(Typed::Bytes(&typed[start..at]));
                }
                start = end;
                if key.pressed && key.byte == self.detach {
                    parts.push(Typed::Detach);
                    return parts;
                }
                if key.pressed {
                    parts.push(Typed::Take);
                }
            }
            at = end;
        }
        if start < at {
            parts.push(Typed::Bytes(&typed[start..at]));
        }
        parts
    }
}

/// `ctrl-a` … `ctrl-z`, `ctrl-]`, `ctrl-\`, `ctrl-^`, `ctrl-_` as the byte that a terminal sends.
pub fn key(text: &str) -> Result<u8, String> {
    let wrong = || "expected a key such as ctrl-] or ctrl-a".to_owned();
    let rest = text
        .strip_prefix("ctrl-")
        .or_else(|| text.strip_prefix('^'))
        .ok_or_else(wrong)?;
    match rest.to_ascii_uppercase().as_bytes() {
        [byte @ (b'A'..=b'Z' | b'\\' | b']' | b'^' | b'_')] => Ok(byte - b'@'),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_people_write_them() {
        assert_eq!((key("ctrl-]"), key("^A"), key("ctrl-z")), (Ok(29), Ok(1), Ok(26)));
        assert!(key("x").is_err() && key("ctrl-").is_err() && key("ctrl-1").is_err());
    }

    #[test]
    fn our_keys_are_taken_out_of_what_is_typed() {
        let keys = Keys { detach: 29, take: 30 };
        assert_eq!(
            keys.split(b"ab\x1ec\x1dd"),
            [Typed::Bytes(b"ab"), Typed::Take, Typed::Bytes(b"c"), Typed::Detach]
        );
    }

    #[test]
    fn so_they_are_where_a_program_has_keys_told_by_another_protocol() {
        let keys = Keys { detach: 29, take: 30 };
        // ctrl-^, its repetition and its end; an arrow, ctrl-x; ctrl-].
        assert_eq!(
            keys.split(b"a\x1b[54:94;6u\x1b[54;6:2u\x1b[54;6:3u\x1b[A\x1b[120;5ub\x1b[93;5uc"),
            [
                Typed::Bytes(b"a"),
                Typed::Take,
                Typed::Bytes(b"\x1b[A\x1b[120;5ub"),
                Typed::Detach
            ]
        );
        // xterm's way.
        assert_eq!(
            keys.split(b"\x1b[27;5;120~\x1b[27;6;94~\x1b[27;5;93~"),
            [Typed::Bytes(b"\x1b[27;5;120~"), Typed::Take, Typed::Detach]
        );
    }
}
