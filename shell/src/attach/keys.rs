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
    pub(super) fn split<'a>(&self, mut typed: &'a [u8]) -> Vec<Typed<'a>> {
        let mut parts = Vec::new();
        while !typed.is_empty() {
            let ours = |byte: &u8| *byte == self.detach || *byte == self.take;
            let end = typed.iter().position(ours).unwrap_or(typed.len());
            if end > 0 {
                parts.push(Typed::Bytes(&typed[..end]));
            }
            match typed.get(end) {
                None => break,
                Some(byte) if *byte == self.detach => {
                    parts.push(Typed::Detach);
                    break;
                }
                Some(_) => parts.push(Typed::Take),
            }
            typed = &typed[end + 1..];
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
}
