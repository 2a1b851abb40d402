//! Lines that end the shell.

/// The status of a line that does nothing else, as it was written.
pub fn status(line: &str) -> Option<&str> {
    let mut words = line.split_ascii_whitespace();
    words.next().filter(|word| matches!(*word, "exit" | "logout"))?;
    let status = words.next().unwrap_or_default();
    let plain = status.bytes().all(|byte| byte.is_ascii_digit());
    (plain && words.next().is_none()).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_that_does_nothing_else_is_one() {
        assert_eq!(status(" exit"), Some(""));
        assert_eq!(status("exit  7 "), Some("7"));
        assert_eq!(status("logout"), Some(""));
        for other in ["exit 1; ls", "exit $x", "exits", "echo exit", "exit 1 2", "exit -1", ""] {
            assert_eq!(status(other), None, "{other}");
        }
    }
}
