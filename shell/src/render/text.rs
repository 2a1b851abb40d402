//! Text that others wrote, made fit for a terminal.

use agentsh_keep::Kind;
use agentsh_protocol::Bytes;
use agentsh_protocol::shown::is_deceptive;
pub use agentsh_protocol::shown::visible;

/// JSON that says the same with all of that as `\u` escapes (RFC 8259, 7): it can stand in strings alone there, but for the
/// ends of lines between values.
pub fn escaped(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\n' => shown.push(c),
            c if c.is_control() || is_deceptive(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    shown.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => shown.push(c),
        }
    }
    shown
}

/// A line of what a command has printed, with its end if it has one: tabs stay, the rest is made [`visible`].
pub fn output_line(bytes: &[u8]) -> String {
    let (text, end) = match bytes.strip_suffix(b"\n") {
        Some(text) => (text.strip_suffix(b"\r").unwrap_or(text), "\n"),
        None => (bytes, ""),
    };
    let cells: Vec<String> = String::from_utf8_lossy(text).split('\t').map(visible).collect();
    cells.join("\t") + end
}

/// An argument vector as one could type it: quoted for a shell where that is needed, and visible.
pub fn argv(argv: &[Bytes]) -> String {
    argv.iter()
        .map(|argument| quote(&argument.lossy()))
        .collect::<Vec<_>>()
        .join(" ")
}

fn quote(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", visible(&argument.replace('\'', "'\\''")))
}

/// An RFC 3339 time to the second: `2026-11-24 16:26:03Z`.
pub fn time(rfc3339: &str) -> String {
    let seconds = rfc3339.get(..19).unwrap_or(rfc3339);
    visible(&seconds.replacen('T', " ", 1)) + "Z"
}

/// A number of bytes, in the largest binary unit that it fills.
pub fn bytes(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1_u64 << 10)];
    match units.into_iter().find(|(_, size)| bytes >= *size) {
        Some((unit, size)) => format!("{}.{} {unit}", bytes / size, bytes % size * 10 / size),
        None => format!("{bytes} bytes"),
    }
}

/// So many things of a kind: `1 session`, `2 sessions`, `2 processes`.
pub fn count(number: impl TryInto<u64>, thing: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    match (number, thing.ends_with('s')) {
        (1, _) => format!("1 {thing}"),
        (_, true) => format!("{number} {thing}es"),
        (_, false) => format!("{number} {thing}s"),
    }
}

/// What an object is, in a word.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Dir => "folder",
        Kind::Symlink => "link",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
        Kind::CharDevice | Kind::BlockDevice => "device",
    }
}

/// Lines of name and value, the values in one column. Values without text are left out; those of several lines
/// are indented.
pub fn pairs(pairs: &[(&str, String)]) -> String {
    let shown = pairs.iter().filter(|(_, value)| !value.is_empty());
    let width = shown.clone().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in shown {
        for (number, line) in value.lines().enumerate() {
            let name = if number == 0 { name } else { "" };
            text += &format!("{name:width$}  {line}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_drives_or_deceives_a_terminal_is_written_out() {
        assert_eq!(
            visible("a\x1b[31m\u{202e}b\u{200b}\u{9b}é\n"),
            "a\\x1b[31m\\u{202e}b\\u{200b}\\x9bé\\n"
        );
    }

    #[test]
    fn one_thing_is_not_several() {
        let said = [count(0, "session"), count(1, "process"), count(2, "process")];
        assert_eq!(said, ["0 sessions", "1 process", "2 processes"]);
    }

    #[test]
    fn a_line_of_output_keeps_its_tabs_and_its_end() {
        assert_eq!(output_line(b"a\tb\x1b[2J\rc\r\n"), "a\tb\\x1b[2J\\rc\n");
        assert_eq!(output_line(b"\xffhalf"), "\u{fffd}half");
    }

    #[test]
    fn an_argv_is_quoted_as_for_a_shell() {
        let arguments = ["bash", "-c", "echo 'x' $HOME", ""].map(Bytes::from);
        assert_eq!(argv(&arguments), r"bash -c 'echo '\''x'\'' $HOME' ''");
    }

    #[test]
    fn values_stand_in_one_column() {
        let text = pairs(&[("id", "1".into()), ("none", String::new()), ("layers", "a\nb".into())]);
        assert_eq!(text, "id      1\nlayers  a\n        b\n");
    }

    #[test]
    fn json_says_the_same_without_what_drives_or_deceives_a_terminal() -> Result<(), serde_json::Error> {
        let said = "\u{9b}31m\x7f\u{202e}\u{e0041}\n\u{e9}";
        let json = serde_json::to_string_pretty(&[said])?;
        let shown = escaped(&json);
        assert_eq!(shown, "[\n  \"\\u009b31m\\u007f\\u202e\\udb40\\udc41\\n\u{e9}\"\n]");
        assert_eq!(serde_json::from_str::<[String; 1]>(&shown)?, [said]);
        Ok(())
    }

    proptest! {
        #[test]
        fn json_of_any_text_is_harmless_and_the_same(text: String) {
            let shown = escaped(&serde_json::to_string(&text)?);
            prop_assert!(!shown.chars().any(|c| c.is_control() || is_deceptive(c)));
            prop_assert_eq!(serde_json::from_str::<String>(&shown)?, text);
        }

        #[test]
        fn no_control_character_is_ever_shown(text: String) {
            prop_assert!(!visible(&text).chars().any(|c| c.is_control() || is_deceptive(c)));
        }
    }
}
