//! Whether a text is a whole command, or another line has to follow. Advice for the editor only: the shell judges.

/// Whether the text ends inside of quotes, after a backslash or an operator, or before a keyword that it has opened.
pub fn is_unfinished(text: &str) -> bool {
    let mut depth = 0_i32;
    let mut word = String::new();
    // A keyword counts only where a command may begin.
    let mut begins = true;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                None | Some('\n') if chars.peek().is_none() => return true,
                _ => word.push('\\'),
            },
            '\'' => {
                if !chars.any(|char| char == '\'') {
                    return true;
                }
                word.push(char);
            }
            '"' => {
                if !double_quoted(&mut chars) {
                    return true;
                }
                word.push(char);
            }
            '#' if word.is_empty() => while chars.next_if(|char| *char != '\n').is_some() {},
            ' ' | '\t' => end(&mut word, &mut begins, &mut depth),
            ';' | '\n' | '&' | '|' | '(' | ')' => {
                end(&mut word, &mut begins, &mut depth);
                depth += i32::from(char == '(') - i32::from(char == ')');
                begins = true;
            }
            _ => word.push(char),
        }
    }
    end(&mut word, &mut begins, &mut depth);
    let text = text.trim_end();
    depth > 0 || text.ends_with('|') || text.ends_with("&&")
}

/// Passes over the rest of a double-quoted text; whether it has an end.
fn double_quoted(chars: &mut impl Iterator<Item = char>) -> bool {
    while let Some(char) = chars.next() {
        match char {
            '"' => return true,
            '\\' => drop(chars.next()),
            _ => {}
        }
    }
    false
}

fn end(word: &mut String, begins: &mut bool, depth: &mut i32) {
    let word = std::mem::take(word);
    if word.is_empty() {
        return;
    }
    if !*begins {
        // `case x in` and `for x in` open a pattern or list, no command.
        return;
    }
    match word.as_str() {
        "if" | "case" | "{" | "do" => *depth += 1,
        "fi" | "esac" | "}" | "done" => *depth -= 1,
        _ => {}
    }
    *begins = matches!(
        word.as_str(),
        "if" | "then" | "else" | "elif" | "do" | "{" | "while" | "until" | "!" | "time"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_needs_more_is_told_from_one_that_does_not() {
        for more in [
            "echo 'a",
            "echo \"a",
            "ls \\",
            "ls |",
            "a &&",
            "if true; then",
            "for f in *; do echo $f",
            "(cd /",
            "f() {",
            "while true; do",
            "echo \"$(ls",
        ] {
            assert!(is_unfinished(more), "{more}");
        }
        for whole in [
            "ls",
            "echo 'a b' \"c\"",
            "if true; then ls; fi",
            "for f in *; do echo $f; done",
            "(cd /; ls)",
            "echo if",
            "f() { ls; }",
            "sleep 1 &",
            "echo a # 'b",
            "echo it\\'s",
            "while false; do :; done",
            "ls ||  true",
        ] {
            assert!(!is_unfinished(whole), "{whole}");
        }
    }
}
