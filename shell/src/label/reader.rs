//! Reads texts: all commands in them, and those in the texts that they give to further shells.

use std::collections::BTreeSet;

use agentsh_policy::{Payload, Wrappers};
use tree_sitter::Node;

use super::Label;
use super::kinds::{self, Deed};
use super::parsed::parse;
use super::said::Said;

/// So many commands are read.
const MAX_COMMANDS: usize = 200;

/// A command of more words is not read.
const MAX_WORDS: usize = 4096;

/// A text in a text in a text.
const MAX_TEXTS: usize = 8;

/// So deep is a text looked into.
const MAX_DEPTH: usize = 200;

/// The label of a command line, if there is a text in it.
pub fn read(argv: &[String]) -> Option<Label> {
    let mut reader = Reader {
        wrappers: Wrappers::known(),
        label: Label::default(),
        functions: BTreeSet::new(),
        texts: 0,
        depth: 0,
        found: false,
        failed: false,
    };
    reader.words(argv.iter().map(|word| Said::plainly(word)).collect());
    (reader.found && !reader.failed).then_some(reader.label)
}

struct Reader {
    wrappers: Wrappers,
    label: Label,
    functions: BTreeSet<String>,
    /// How many texts the present one is inside of.
    texts: usize,
    /// How deep it is read.
    depth: usize,
    /// A text was read.
    found: bool,
    failed: bool,
}

impl Reader {
    fn text(&mut self, text: &str) {
        let Some(tree) = parse(text).filter(|_| self.texts < MAX_TEXTS) else {
            self.failed = true;
            return;
        };
        self.found = true;
        self.texts += 1;
        self.visit(tree.root_node(), text);
        self.texts -= 1;
    }

    fn does(&mut self, deed: Deed) {
        self.label.deeds.insert(deed);
    }

    fn visit(&mut self, node: Node<'_>, source: &str) {
        if self.depth >= MAX_DEPTH || self.failed {
            self.failed = true;
            return;
        }
        self.depth += 1;
        match node.kind() {
            "command" => self.command(node, source),
            "pipeline" => self.pipeline(node, source),
            "file_redirect" => self.redirect(node, source),
            "function_definition" => {
                let name = node.child_by_field_name("name");
                let name = name.and_then(|name| source.get(name.byte_range()));
                self.functions.extend(name.map(str::to_owned));
                self.children(node, source);
            }
            "&" => self.does(Deed::StaysBehind),
            _ => self.children(node, source),
        }
        self.depth -= 1;
    }

    fn children(&mut self, node: Node<'_>, source: &str) {
        for child in node.children(&mut node.walk()) {
            self.visit(child, source);
        }
    }

    fn command(&mut self, node: Node<'_>, source: &str) {
        let mut words = Vec::new();
        let mut cursor = node.walk();
        for (at, child) in node.children(&mut cursor).enumerate() {
            let field = u32::try_from(at).ok().and_then(|at| node.field_name_for_child(at));
            if matches!(field, Some("name" | "argument")) {
                words.push(Said::of(child, source));
            }
            // What it makes a shell run, wherever it stands.
            self.visit(child, source);
        }
        self.words(words);
    }

    fn pipeline(&mut self, node: Node<'_>, source: &str) {
        let mut fetches = false;
        for (at, stage) in node.named_children(&mut node.walk()).enumerate() {
            let before = self.label.commands.len();
            self.visit(stage, source);
            let new = self.label.commands.get(before..).unwrap_or_default();
            let any = |is: fn(&str) -> bool| new.iter().filter_map(|words| words.first()).any(|name| is(name));
            let (interprets, fetched) = (any(kinds::is_interpreter), any(kinds::is_fetcher));
            if at > 0 && interprets {
                self.does(match fetches {
                    true => Deed::RunsWhatItFetches,
                    false => Deed::RunsWhatItMakes,
                });
            }
            fetches |= fetched;
        }
    }

    fn redirect(&mut self, node: Node<'_>, source: &str) {
        let mut writes = false;
        for child in node.children(&mut node.walk()) {
            writes |= [">", ">>", ">|", "&>", "&>>", ">&", "<>"].contains(&child.kind());
            self.visit(child, source);
        }
        let file = node
            .child_by_field_name("destination")
            .map(|word| Said::of(word, source));
        let descriptor = |text: &str| text == "-" || text.bytes().all(|byte| byte.is_ascii_digit());
        if let Some(file) = file.filter(|file| writes && file.text != "/dev/null" && !descriptor(&file.text)) {
            self.label.writes.insert(file.text);
        }
    }

    /// A command in words.
    fn words(&mut self, words: Vec<Said>) {
        if self.label.commands.len() >= MAX_COMMANDS || self.depth >= MAX_DEPTH || words.len() > MAX_WORDS {
            self.failed = true;
            return;
        }
        self.depth += 1;
        self.named(&words);
        self.depth -= 1;
    }

    fn named(&mut self, words: &[Said]) {
        let Some(name) = words.first() else { return };
        let in_text = self.texts > 0;
        if !name.exact {
            return self.does(Deed::RunsWhatItMakes);
        }
        if self.functions.contains(&name.text) {
            return;
        }
        if in_text && kinds::is_builtin(&name.text) {
            return self.builtin(words);
        }
        let argv: Vec<String> = words.iter().map(|word| word.text.clone()).collect();
        if in_text {
            self.label.deeds.extend(Deed::of(&argv));
            self.label.commands.push(argv.clone());
        }
        if kinds::is_shell(&argv[0]) {
            return match shell_text(&argv) {
                Some(at) => self.given(&words[at]),
                // A shell that reads its text from elsewhere.
                None if in_text && argv[1..].iter().any(|word| word.starts_with("<(")) => {
                    self.does(Deed::RunsWhatItMakes)
                }
                None => {}
            };
        }
        let bytes: Vec<&[u8]> = argv.iter().map(String::as_bytes).collect();
        let lossy = |words: Vec<Vec<u8>>| {
            let words = words.iter().map(|word| String::from_utf8_lossy(word));
            words.map(|word| Said::plainly(&word)).collect()
        };
        match self.wrappers.payload(bytes[0], b"", &bytes) {
            Some(Payload::Program { argv, .. } | Payload::Applet { argv }) => self.words(lossy(argv)),
            Some(Payload::Text(text)) => self.text(&String::from_utf8_lossy(&text)),
            None => {}
        }
    }

    /// A text that is given to a shell.
    fn given(&mut self, word: &Said) {
        match word.exact {
            true => self.text(&word.text),
            false => self.does(Deed::RunsWhatItMakes),
        }
    }

    fn builtin(&mut self, words: &[Said]) {
        let rest = &words[1..];
        match words[0].text.as_str() {
            "eval" => {
                let text: Vec<&str> = rest.iter().map(|word| word.text.as_str()).collect();
                self.given(&Said {
                    text: text.join(" "),
                    exact: rest.iter().all(|word| word.exact),
                });
            }
            "." | "source" => self.does(Deed::RunsWhatItMakes),
            "exec" | "command" | "builtin" => {
                let mut at = 0;
                while let Some(option) = rest.get(at).filter(|word| word.text.starts_with('-')) {
                    at += 1 + usize::from(option.text == "-a");
                }
                self.words(rest.get(at..).unwrap_or_default().to_vec());
            }
            _ => {}
        }
    }
}

/// Where the text of `SHELL … -c TEXT` stands.
fn shell_text(argv: &[String]) -> Option<usize> {
    let mut text = false;
    let mut at = 1;
    while let Some(word) = argv.get(at) {
        let Some(letters) = word.strip_prefix(['-', '+']).filter(|letters| !letters.is_empty()) else {
            break;
        };
        at += 1;
        match word.strip_prefix("--") {
            Some("") => break,
            Some(long) => at += usize::from(["rcfile", "init-file"].contains(&long)),
            None => {
                text |= word.starts_with('-') && letters.contains('c');
                at += letters.chars().filter(|letter| "oO".contains(*letter)).count();
            }
        }
    }
    (text && at < argv.len()).then_some(at)
}
