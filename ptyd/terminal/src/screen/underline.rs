//! Kinds and colours of underlines, which the emulated terminal has not.

/// An SGR sequence that draws or colours an underline in a way of its own (`4:3`, `21`, `58`, `59`: kitty's and xterm's), as one
/// that draws a plain one; empty if nothing is left of it. The emulator would drop the first, and take the numbers of a
/// colour for attributes. `None`: any other sequence.
pub(super) fn plain(sequence: &str) -> Option<String> {
    let parameters = sequence.strip_prefix("\x1b[")?.strip_suffix('m')?;
    let is_one = parameters.bytes().all(|byte| matches!(byte, b'0'..=b';'));
    if !is_one || !["4:", "21", "58", "59"].iter().any(|part| parameters.contains(part)) {
        return None;
    }
    let kept = kept(parameters);
    Some(match kept.is_empty() {
        true => String::new(),
        false => format!("\x1b[{}m", kept.join(";")),
    })
}

fn kept(parameters: &str) -> Vec<&str> {
    let mut kept = Vec::new();
    let mut all = parameters.split(';');
    while let Some(parameter) = all.next() {
        match parameter {
            "4:0" => kept.push("24"),
            "21" => kept.push("4"),
            "38" | "48" | "58" => {
                // The colour's parts are no attributes: an index, or three shares.
                let mut colour = vec![parameter];
                let kind = all.next();
                colour.extend(kind);
                let parts = match kind {
                    Some("5") => 1,
                    Some("2") => 3,
                    _ => 0,
                };
                colour.extend(all.by_ref().take(parts));
                if parameter != "58" {
                    kept.append(&mut colour);
                }
            }
            "59" => {}
            _ if parameter.starts_with("4:") => kept.push("4"),
            _ if parameter.starts_with("58:") => {}
            _ => kept.push(parameter),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_underline_of_any_kind_is_a_plain_one_and_its_colour_is_nothing() {
        for (given, told) in [
            ("4:3", "\x1b[4m"),
            ("4:0", "\x1b[24m"),
            ("1;21;31", "\x1b[1;4;31m"),
            ("4;58;2;0;4;7", "\x1b[4m"),
            ("58:2::1:2:3;4:3;58;5;9", "\x1b[4m"),
            ("38;5;58;48;2;21;58;59", "\x1b[38;5;58;48;2;21;58;59m"),
            (";58;5;1;", "\x1b[;m"),
            ("58", ""),
            ("58;5", ""),
        ] {
            assert_eq!(plain(&format!("\x1b[{given}m")).as_deref(), Some(told), "{given:?}");
        }
        for other in ["\x1b[38;5m", "\x1b[21;4H", "\x1b[?21m", "\x1b[m", "\x1b[21\n;m"] {
            assert_eq!(plain(other), None, "{other:?}");
        }
    }
}
