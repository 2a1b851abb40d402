//! Words of a text as far as they say what the shell will make of them.

use tree_sitter::Node;

/// A word.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// Without its quotes; what is put in its place only later stands as it is written.
    pub text: String,
    /// Whether the shell puts nothing else in its place.
    pub exact: bool,
}

impl Said {
    /// A word of an argument vector.
    pub fn plainly(text: &str) -> Said {
        Said {
            text: text.to_owned(),
            exact: true,
        }
    }

    /// A word of the text `source`.
    pub fn of(node: Node<'_>, source: &str) -> Said {
        let written = source.get(node.byte_range()).unwrap_or_default();
        let inner = |quotes: usize| written.get(quotes..written.len().saturating_sub(1)).unwrap_or_default();
        let all = |kinds: &[&str]| {
            node.named_children(&mut node.walk())
                .all(|child| kinds.contains(&child.kind()))
        };
        match node.kind() {
            "word" | "number" if !written.contains(['*', '?', '[', '{']) => {
                Said::plainly(&unescaped(written, |_| true))
            }
            "raw_string" => Said::plainly(inner(1)),
            "ansi_c_string" if !written.contains('\\') => Said::plainly(inner(2)),
            "string" if all(&["string_content"]) => {
                Said::plainly(&unescaped(inner(1), |next| "\\\"$`\n".contains(next)))
            }
            "command_name" | "concatenation" => {
                let mut said = Said::plainly("");
                for child in node.children(&mut node.walk()) {
                    let part = Said::of(child, source);
                    said.exact &= part.exact;
                    said.text += &part.text;
                }
                said
            }
            _ => Said {
                text: written.to_owned(),
                exact: false,
            },
        }
    }
}

/// Without backslashes before characters that they escape.
fn unescaped(written: &str, escapes: impl Fn(char) -> bool) -> String {
    let mut text = String::with_capacity(written.len());
    let mut rest = written.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('\\', Some(next)) if escapes(*next) => {
                // A backslash before the end of a line joins it with the next.
                text.extend(rest.next().filter(|next| *next != '\n'));
            }
            _ => text.push(c),
        }
    }
    text
}
