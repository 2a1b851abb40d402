//! The command line of a wrapper: where its options end and its payload begins.

/// What stands behind the options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// A program and its arguments.
    Program,
    /// The name of a program that it has inside, and arguments.
    Applet,
    /// Words that are joined and given to a shell.
    Words,
    /// Nothing that it executes.
    Nothing,
}

/// How a wrapper reads its arguments, `getopt(3)` with a leading `+`: options end at the first other word.
#[derive(Debug, Clone, Copy)]
pub struct Grammar {
    pub name: &'static str,
    /// Letters that take a value, attached or in the next word.
    pub values: &'static str,
    /// Letters that take a value only if it is attached.
    pub attached: &'static str,
    /// Letters whose value is always the next word, whatever is attached.
    pub next: &'static str,
    /// Letters with which there is no payload.
    pub ends: &'static str,
    /// Long options that take a value, behind an equals sign or in the next word.
    pub long: &'static [&'static str],
    /// Long options without a value whose names begin others.
    pub plain: &'static [&'static str],
    /// Whether it has options at all.
    pub options: bool,
    /// Whether options may stand behind other words, as `getopt(3)` without a `+` has it.
    pub permutes: bool,
    /// Words between the options and the payload.
    pub operands: usize,
    /// Whether `NAME=value` may stand before the payload.
    pub assignments: bool,
    /// The options, a letter and long ones, whose value is a text for a shell; they may stand behind the operands as well.
    pub text: Option<(&'static str, &'static [&'static str])>,
    pub then: Then,
}

/// A wrapper that a policy names and nobody knows: options without values, then a program.
pub const UNKNOWN: Grammar = Grammar {
    name: "",
    values: "",
    attached: "",
    next: "",
    ends: "",
    long: &[],
    plain: &[],
    options: true,
    permutes: false,
    operands: 0,
    assignments: false,
    text: None,
    then: Then::Program,
};

/// What a wrapper would execute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A program, looked for along `PATH` if its name has no separator.
    Program {
        argv: Vec<Vec<u8>>,
        /// `NAME=value` that it gets on top.
        variables: Vec<Vec<u8>>,
    },
    /// A program inside of the wrapper itself.
    Applet { argv: Vec<Vec<u8>> },
    /// A text that a shell reads.
    Text(Vec<u8>),
}

/// How often `env -S` may split a word in what it split: nobody means more, and each costs as much as the whole line.
const SPLITS: usize = 8;

/// An option as it stands in a word.
enum Step<'a> {
    /// So many further words belong to it.
    Skip(usize),
    /// A text for a shell, and so many further words.
    Text(&'a [u8], usize),
    /// With it there is no payload.
    End,
}

impl Grammar {
    /// What the wrapper is told to execute by its arguments, without `argv[0]`; `None`: nothing, or it is not clear.
    pub fn payload(&self, args: &[&[u8]]) -> Option<Payload> {
        self.payload_within(args, SPLITS)
    }

    /// The same, where so many more words may be split.
    fn payload_within(&self, args: &[&[u8]], splits: usize) -> Option<Payload> {
        let mut rest = args;
        let (mut others, mut text) = (Vec::new(), None);
        while self.options
            && let Some((word, behind)) = rest.split_first()
        {
            rest = behind;
            if *word == b"--" {
                break;
            }
            if *word == b"-" && self.name == "env" {
                continue;
            }
            if word.len() < 2 || word[0] != b'-' {
                others.push(*word);
                if self.permutes {
                    continue;
                }
                break;
            }
            if let Some((text, rest)) = self.split_string(word, behind) {
                // Its words are read as if they stood in the line.
                let Some(words) = words(text) else {
                    return Some(Payload::Text(text.to_vec()));
                };
                let line: Vec<&[u8]> = words.chain(rest.iter().copied()).collect();
                return self.payload_within(&line, splits.checked_sub(1)?);
            }
            match self.option(word, behind) {
                Step::Skip(count) => rest = behind.get(count..)?,
                Step::Text(one, count) => (text, rest) = (Some(one), behind.get(count..)?),
                Step::End => return None,
            }
        }
        others.extend(rest);
        match text {
            Some(text) => Some(Payload::Text(text.to_vec())),
            None => self.behind_options(&others),
        }
    }

    fn behind_options(&self, words: &[&[u8]]) -> Option<Payload> {
        let mut rest = words.get(self.operands..)?;
        let mut variables = Vec::new();
        // With `--` in front, what is behind the user is for the shell, which has the same option.
        let shells = match self.then {
            Then::Nothing => rest.len(),
            _ => usize::from(!self.permutes),
        };
        let text = (0..shells.min(rest.len())).find_map(|at| match self.option(rest[at], &rest[at + 1..]) {
            Step::Text(text, _) => Some(text),
            _ => None,
        });
        if let Some(text) = text {
            return Some(Payload::Text(text.to_vec()));
        }
        while self.assignments
            && let Some((word, behind)) = rest.split_first()
            && is_assignment(word)
        {
            variables.push(word.to_vec());
            rest = behind;
        }
        if let (false, Some((word, behind))) = (variables.is_empty(), rest.split_first())
            && *word == b"--"
            && self.name == "sudo"
        {
            rest = behind;
        }
        self.rest(rest, variables)
    }

    fn rest(&self, rest: &[&[u8]], variables: Vec<Vec<u8>>) -> Option<Payload> {
        let end = match self.name {
            "parallel" => rest
                .iter()
                .position(|word| word.starts_with(b":::"))
                .unwrap_or(rest.len()),
            _ => rest.len(),
        };
        let argv: Vec<Vec<u8>> = rest[..end].iter().map(|word| word.to_vec()).collect();
        if argv.is_empty() {
            return None;
        }
        match self.then {
            Then::Program => Some(Payload::Program { argv, variables }),
            Then::Applet => Some(Payload::Applet { argv }),
            Then::Words => Payload::of_words(&argv.join(&b' ')),
            Then::Nothing => None,
        }
    }

    /// `env -S`: one word that holds many, and those behind it.
    fn split_string<'a, 'b>(&self, word: &'a [u8], behind: &'b [&'a [u8]]) -> Option<(&'a [u8], &'b [&'a [u8]])> {
        if self.name != "env" {
            return None;
        }
        let next = || behind.split_first().map(|(text, rest)| (*text, rest));
        if let Some(long) = word.strip_prefix(b"--") {
            let equals = long.iter().position(|byte| *byte == b'=');
            let name = &long[..equals.unwrap_or(long.len())];
            if name.is_empty() || !b"split-string".starts_with(name) {
                return None;
            }
            return equals.map_or_else(next, |at| Some((&long[at + 1..], behind)));
        }
        // It may stand behind letters without a value.
        let letters = word.strip_prefix(b"-")?;
        let at = letters.iter().position(|letter| !b"i0v".contains(letter))?;
        match letters[at..].split_first()? {
            (b'S', []) => next(),
            (b'S', text) => Some((text, behind)),
            _ => None,
        }
    }

    fn option<'a>(&self, word: &'a [u8], behind: &[&'a [u8]]) -> Step<'a> {
        if let Some(long) = word.strip_prefix(b"--") {
            return self.long_option(long, behind);
        }
        let Some(letters) = word.strip_prefix(b"-") else {
            return Step::Skip(0);
        };
        for (at, letter) in letters.iter().enumerate() {
            let is_of = |set: &str| set.as_bytes().contains(letter);
            let attached = &letters[at + 1..];
            if is_of(self.ends) {
                return Step::End;
            }
            if self.text.is_some_and(|(short, _)| is_of(short)) {
                return match (attached.is_empty(), behind.first()) {
                    (false, _) => Step::Text(attached, 0),
                    (true, Some(next)) => Step::Text(next, 1),
                    (true, None) => Step::End,
                };
            }
            if is_of(self.attached) {
                return Step::Skip(0);
            }
            if is_of(self.next) {
                return Step::Skip(1);
            }
            if is_of(self.values) {
                return Step::Skip(usize::from(attached.is_empty()));
            }
        }
        Step::Skip(0)
    }

    fn long_option<'a>(&self, long: &'a [u8], behind: &[&'a [u8]]) -> Step<'a> {
        let equals = long.iter().position(|byte| *byte == b'=');
        let name = &long[..equals.unwrap_or(long.len())];
        // As getopt_long(3), a beginning of a name will do.
        let means = |known: &&str| known.as_bytes().starts_with(name);
        let is_text = |known: &[&str]| !name.is_empty() && known.iter().any(means);
        if self.text.is_some_and(|(_, known)| is_text(known)) {
            return match (equals, behind.first()) {
                (Some(at), _) => Step::Text(&long[at + 1..], 0),
                (None, Some(next)) => Step::Text(next, 1),
                (None, None) => Step::End,
            };
        }
        let takes = self.long.iter().any(means) && !self.plain.iter().any(|plain| plain.as_bytes() == name);
        Step::Skip(usize::from(takes && equals.is_none()))
    }
}

impl Payload {
    /// A text that is nothing but words is a program and its arguments.
    fn of_words(text: &[u8]) -> Option<Payload> {
        let Some(words) = words(text) else {
            return Some(Payload::Text(text.to_vec()));
        };
        let mut words = words.map(<[u8]>::to_vec).peekable();
        let mut variables = Vec::new();
        while let Some(word) = words.next_if(|word| is_assignment(word)) {
            variables.push(word);
        }
        let argv: Vec<Vec<u8>> = words.collect();
        (!argv.is_empty()).then_some(Payload::Program { argv, variables })
    }
}

/// The words of a text that is nothing but words.
fn words(text: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" \t_./=:,@%+-".contains(byte);
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let words = || text.split(blank).filter(|word| !word.is_empty());
    text.iter().all(plain).then(words)
}

fn is_assignment(word: &[u8]) -> bool {
    word.iter().position(|byte| *byte == b'=').is_some_and(|at| at > 0)
}
