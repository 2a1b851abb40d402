//! Kinds and colours of underlines, which the emulated terminal has not.

use std::borrow::Cow;

/// A longer control sequence is not waited for.
const LONGEST: usize = 64;

/// Rewrites the SGR sequences that draw or colour an underline in a way of its own (`4:3`, `21`, `58`, `59`: kitty's and
/// xterm's) to such as draw a plain one. The emulator would drop the first, and take the numbers of a colour for attributes.
#[derive(Debug, Default)]
pub(super) struct Underlines {
    begun: String,
}

impl Underlines {
    /// The next text, as far as its sequences are whole.
    pub(super) fn plain<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        if !self.begun.is_empty() {
            text = Cow::Owned(std::mem::take(&mut self.begun) + &text);
        }
        let (whole, begun) = text.split_at(end_of_whole(&text));
        begun.clone_into(&mut self.begun);
        match (plain(whole), text.len() - self.begun.len()) {
            (Some(plain), _) => Cow::Owned(plain),
            (None, end) => match text {
                Cow::Borrowed(text) => Cow::Borrowed(&text[..end]),
                Cow::Owned(mut text) => {
                    text.truncate(end);
                    Cow::Owned(text)
                }
            },
        }
    }

    /// The beginning of a sequence that is not told yet.
    pub(super) fn begun(&self) -> &str {
        &self.begun
    }
}

/// Where a sequence begins that may become one of ours, or the text ends.
fn end_of_whole(text: &str) -> usize {
    let near = text.len().saturating_sub(LONGEST);
    let Some(start) = memchr::memrchr(0x1b, &text.as_bytes()[near..]) else {
        return text.len();
    };
    match &text.as_bytes()[near + start + 1..] {
        [] => near + start,
        [b'[', parameters @ ..] if parameters.iter().all(|byte| matches!(byte, b'0'..=b';')) => near + start,
        _ => text.len(),
    }
}

fn plain(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut done = 0;
    for start in memchr::memmem::find_iter(text.as_bytes(), "\x1b[") {
        let parameters = start + 2;
        let length = text.as_bytes()[parameters..]
            .iter()
            .take_while(|byte| matches!(byte, b'0'..=b';'))
            .count();
        let end = parameters + length;
        if text.as_bytes().get(end) != Some(&b'm') || !may_speak(&text[parameters..end]) {
            continue;
        }
        out.push_str(&text[done..start]);
        let kept = kept(&text[parameters..end]);
        if !kept.is_empty() {
            out.extend(["\x1b[", &kept.join(";"), "m"]);
        }
        done = end + 1;
    }
    (done > 0).then(|| out + &text[done..])
}

/// Whether the parameters may say something of underlines that is not plain.
fn may_speak(parameters: &str) -> bool {
    ["4:", "21", "58", "59"].iter().any(|part| parameters.contains(part))
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
            ("a\x1b[4:3mb\x1b[4:0mc", "a\x1b[4mb\x1b[24mc"),
            ("\x1b[1;21;31m", "\x1b[1;4;31m"),
            ("\x1b[4;58;2;0;4;7m\x1b[59mx", "\x1b[4mx"),
            ("\x1b[58:2::1:2:3;4:3;58;5;9m", "\x1b[4m"),
            ("\x1b[38;5;58;48;2;21;58;59m", "\x1b[38;5;58;48;2;21;58;59m"),
            ("\x1b[38;5m", "\x1b[38;5m"),
            ("\x1b[58m\x1b[58;5m", ""),
            (
                "58 \x1b[21;4H 4: \x1b[?21m \x1b[;58;5;1;m é",
                "58 \x1b[21;4H 4: \x1b[?21m \x1b[;m é",
            ),
        ] {
            assert_eq!(Underlines::default().plain(given), told, "{given:?}");
            // However it comes.
            let mut underlines = Underlines::default();
            let chars: Vec<String> = given.chars().map(String::from).collect();
            let pieces: Vec<_> = chars.iter().map(|char| underlines.plain(char)).collect();
            assert_eq!(pieces.concat(), told, "{given:?}");
        }
        let mut underlines = Underlines::default();
        assert_eq!(underlines.plain("x\x1b[4:"), "x");
        assert_eq!(underlines.begun(), "\x1b[4:");
        assert_eq!(underlines.plain(&"1".repeat(2 * LONGEST)).len(), 2 * LONGEST + 4);
    }
}
