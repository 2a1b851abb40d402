use clap::ValueEnum;

/// When output has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`.
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// Whether a stream gets colours.
    pub fn wanted(self, terminal: bool) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                terminal
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                    && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
            }
        }
    }
}

/// Colours for one stream, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    on: bool,
}

impl Style {
    pub fn new(on: bool) -> Style {
        Style { on }
    }

    pub fn is_on(self) -> bool {
        self.on
    }

    pub fn bold(self, text: &str) -> String {
        self.sgr("1", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.sgr("2", text)
    }

    pub fn red(self, text: &str) -> String {
        self.sgr("31", text)
    }

    pub fn green(self, text: &str) -> String {
        self.sgr("32", text)
    }

    pub fn yellow(self, text: &str) -> String {
        self.sgr("33", text)
    }

    /// A decision's word in its colour.
    pub fn decision(self, word: &str) -> String {
        match word {
            "deny" => self.red(word),
            "approve" | "redirect" | "soft_delete" | "absorb" => self.yellow(word),
            "allow" | "audit" => self.green(word),
            _ => word.to_owned(),
        }
    }

    /// Select graphic rendition (ECMA-48 8.3.117).
    fn sgr(self, code: &str, text: &str) -> String {
        match self.on {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_a_text_is_left_alone() {
        assert_eq!(Style::new(false).red("x"), "x");
        assert_eq!(Style::new(true).decision("deny"), "\x1b[31mdeny\x1b[0m");
        assert!(!Color::Never.wanted(true) && Color::Always.wanted(false) && !Color::Auto.wanted(false));
    }
}
