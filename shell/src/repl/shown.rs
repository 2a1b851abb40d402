//! A line as whoever watches the session, or its recording, is to see it: the prompt, the line, and a mark that it begins to
//! run (OSC 633, as VS Code's shell integration writes it).

use crate::render;

pub fn line(prompt: &str, line: &str) -> Vec<u8> {
    let text: Vec<String> = line.lines().map(render::visible).collect();
    let told = escape(line);
    format!("{prompt}{}\r\n\x1b]633;E;{told}\x07\x1b]633;C\x07", text.join("\r\n")).into_bytes()
}

fn escape(line: &str) -> String {
    let mut told = String::with_capacity(line.len());
    for char in line.chars() {
        match char {
            '\\' => told.push_str("\\\\"),
            ';' => told.push_str("\\x3b"),
            char if char.is_ascii_control() => told.push_str(&format!("\\x{:02x}", u32::from(char))),
            // Others of that kind are written in two bytes.
            char if char.is_control() => {}
            char => told.push(char),
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_typed_drives_a_terminal() {
        let shown = String::from_utf8(line("$ ", "a;\\b \x1b]0;x\x07\nsecond")).unwrap_or_default();
        assert_eq!(
            shown,
            "$ a;\\b \\x1b]0;x\\x07\r\nsecond\r\n\x1b]633;E;a\\x3b\\\\b \\x1b]0\\x3bx\\x07\\x0asecond\x07\x1b]633;C\x07"
        );
    }
}
