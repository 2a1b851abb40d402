//! What is worth a word about a program, by its name.

/// Something that a person would want to know of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// What comes from another host is given to an interpreter.
    RunsWhatItFetches,
    /// `eval`, a name that is made up, a text from a pipe.
    RunsWhatItMakes,
    Removes,
    ChangesUser,
    Publishes,
    Installs,
    StaysBehind,
}

impl Deed {
    /// As a line of a label.
    pub fn words(self) -> &'static str {
        match self {
            Deed::RunsWhatItFetches => "gives what it fetches to an interpreter",
            Deed::RunsWhatItMakes => "runs what the text itself does not show",
            Deed::Removes => "removes whole folders",
            Deed::ChangesUser => "acts as another user",
            Deed::Publishes => "publishes",
            Deed::Installs => "installs",
            Deed::StaysBehind => "leaves something running",
        }
    }

    /// What these words do, by the name in front.
    pub fn of(words: &[String]) -> Option<Deed> {
        let (name, args) = words.split_first()?;
        let first = args
            .iter()
            .find(|word| !word.starts_with('-'))
            .map_or("", String::as_str);
        let letters = |set: &str| {
            let short = args
                .iter()
                .filter(|word| word.starts_with('-') && !word.starts_with("--"));
            short.flat_map(|word| word.chars()).any(|letter| set.contains(letter))
        };
        match (base(name), first) {
            ("rm", _) if letters("rR") || args.iter().any(|word| word == "--recursive") => Some(Deed::Removes),
            ("sudo" | "su" | "doas" | "runuser" | "pkexec", _) => Some(Deed::ChangesUser),
            ("git", "push")
            | ("npm" | "pnpm" | "yarn" | "cargo", "publish")
            | ("twine", "upload")
            | ("docker" | "podman" | "gem", "push") => Some(Deed::Publishes),
            (
                "apt" | "apt-get" | "dnf" | "yum" | "apk" | "pip" | "pip3" | "cargo" | "brew" | "gem" | "go",
                "install",
            )
            | ("npm" | "pnpm", "install" | "i" | "add")
            | ("apk" | "yarn" | "uv", "add") => Some(Deed::Installs),
            _ => None,
        }
    }
}

/// The part behind the last separator, without a login shell's dash.
pub fn base(name: &str) -> &str {
    let name = name.rsplit('/').next().unwrap_or(name);
    name.strip_prefix('-').unwrap_or(name)
}

/// Shells that take a text with `-c`.
pub fn is_shell(name: &str) -> bool {
    ["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "rbash"].contains(&base(name))
}

/// Programs that execute what they read.
pub fn is_interpreter(name: &str) -> bool {
    let base = base(name);
    let versioned = base.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    is_shell(name) || ["python", "perl", "ruby", "node", "php", "lua", "awk"].contains(&versioned)
}

/// Programs that print what another host sends.
pub fn is_fetcher(name: &str) -> bool {
    [
        "curl", "wget", "fetch", "aria2c", "http", "https", "nc", "ncat", "socat",
    ]
    .contains(&base(name))
}

/// Commands that a shell does itself, without a program.
pub fn is_builtin(name: &str) -> bool {
    const BUILTINS: [&str; 48] = [
        ".", ":", "[", "[[", "alias", "bg", "break", "builtin", "caller", "cd", "command", "compgen", "complete",
        "continue", "declare", "dirs", "disown", "echo", "eval", "exec", "exit", "export", "false", "fg", "getopts",
        "hash", "history", "jobs", "let", "local", "popd", "printf", "pushd", "pwd", "read", "readonly", "return",
        "set", "shift", "shopt", "source", "test", "trap", "true", "type", "ulimit", "umask", "wait",
    ];
    BUILTINS.contains(&name) || ["unset", "unalias", "times", "typeset", "kill", "mapfile", "readarray"].contains(&name)
}
