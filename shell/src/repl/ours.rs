//! Lines that begin with a colon: our own verbs, with this session filled in.

use agentsh_protocol::api::SessionInfo;
use clap::Parser;

use crate::cli::Cli;
use crate::context::Context;
use crate::error::Error;
use crate::exit::{self, Exit};
use crate::render;
use crate::verbs::trash;

/// What comes after such a line.
pub enum Next {
    /// The next one; the last status is this.
    Status(u8),
    /// The person leaves.
    Leave,
}

/// Each of the words, the verb that it means (`@` is the session, `%` the editor's own shell), and what it does. Any other word is a verb of `agentsh`.
const WORDS: &[(&str, &str, &str)] = &[
    (
        "events",
        "events query @",
        "what happened in this session, the newest first",
    ),
    ("why", "why", "explain the newest denial, or one by its id"),
    (
        "approve",
        "approve",
        "what waits for an answer; `:approve allow ID`, `:approve deny ID`",
    ),
    (
        "undo",
        "trash list --session @",
        "bring back what was deleted or overwritten last; `:undo list` shows all, `:undo ID` brings that back",
    ),
    (
        "checkpoint",
        "checkpoint create",
        "keep the workspace as it is; `:checkpoint list`, `:checkpoint rollback ID`",
    ),
    ("policy", "policy show --session @", "the policy of this session"),
    (
        "replay",
        "replay @",
        "watch what was recorded in this session, or a command by its id",
    ),
    (
        "attach",
        "attach @ --except %",
        "look at the newest terminal of this session and type there, or at a command's by its id",
    ),
    ("search", "search", "look for a text in all recordings"),
    ("session", "session info @", "this session: layers, what is not held"),
    ("sessions", "session list", "all sessions"),
    ("help", "", "this list"),
    ("quit", "", "leave (also ^D)"),
];

/// What a line says to us: a letter comes behind the colon, or nothing. Anything else is the shell's own `:`, the command that
/// does nothing (`: > file`, `: "${NAME:=value}"`).
pub fn said(line: &str) -> Option<&str> {
    let said = line.trim_start().strip_prefix(':')?.trim_end();
    said.chars()
        .next()
        .is_none_or(|char| char.is_ascii_alphabetic())
        .then_some(said)
}

/// The words, for completion.
pub fn words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|(word, ..)| *word)
}

/// The verbs that stand for one of the words, for completion: the default's where only options follow.
pub fn meaning(word: &str, options: bool) -> &str {
    let meant = WORDS.iter().find(|(ours, ..)| *ours == word);
    match meant {
        Some((_, meaning, _)) if options || !takes_own_verbs(word) => meaning,
        _ => word,
    }
}

/// Whether words behind it mean the verb itself, not the session's default.
fn takes_own_verbs(word: &str) -> bool {
    matches!(word, "checkpoint" | "policy" | "session" | "replay" | "attach")
}

/// Does what the line after the colon says.
pub fn run(line: &str, session: &SessionInfo, shell: &str, context: &Context) -> Next {
    let Ok(words) = shell_words::split(line) else {
        render::say("agentsh: a quote has no end");
        return Next::Status(exit::USAGE);
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let verb = match words.as_slice() {
        [] | ["help", ..] => {
            let lines: Vec<(String, String)> = WORDS
                .iter()
                .map(|(word, _, does)| (format!(":{word}"), (*does).to_owned()))
                .collect();
            let pairs: Vec<(&str, String)> = lines.iter().map(|(word, does)| (word.as_str(), does.clone())).collect();
            let shown = render::print(
                &(render::pairs(&pairs) + "Any other verb of `agentsh` too: `:trash list`, `:status` …\n"),
            );
            return Next::Status(u8::from(shown.is_err()));
        }
        ["quit" | "exit" | "q", ..] => return Next::Leave,
        ["undo"] => match newest(&session.id, context) {
            Ok(Some(id)) => vec!["agentsh".into(), "trash".into(), "restore".into(), id],
            Ok(None) => {
                render::say("this session has deleted nothing that is kept");
                return Next::Status(exit::FAILED);
            }
            Err(error) => {
                render::error(&error, context);
                return Next::Status(error.status());
            }
        },
        words => argv(words, (&session.id, shell)),
    };
    match Cli::try_parse_from(verb) {
        Ok(cli) => match cli.action {
            Some(action) => match action.run(context) {
                Ok(Exit::Status(status)) => Next::Status(status),
                Ok(Exit::Signal(signal)) => Next::Status(u8::try_from(128 + signal).unwrap_or(exit::FAILED)),
                Err(error) => {
                    render::error(&error, context);
                    Next::Status(error.status())
                }
            },
            None => Next::Status(0),
        },
        Err(error) => {
            let _ = error.print();
            Next::Status(if error.use_stderr() { exit::USAGE } else { 0 })
        }
    }
}

/// What the session deleted or overwrote last, of what is kept.
fn newest(session: &str, context: &Context) -> Result<Option<String>, Error> {
    let entries = trash::open(context)?.list()?;
    let of_session = entries
        .iter()
        .rev()
        .find(|entry| entry.record.meta.session.as_deref() == Some(session));
    Ok(of_session.map(|entry| entry.record.id.to_string()))
}

/// The command line that the words mean.
fn argv(words: &[&str], (session, shell): (&str, &str)) -> Vec<String> {
    let own = |text: &str| {
        text.split_whitespace()
            .map(|word| word.replace('@', session).replace('%', shell))
            .collect::<Vec<_>>()
    };
    let given = words.iter().skip(1).map(|word| (*word).to_owned());
    let mut argv = vec!["agentsh".to_owned()];
    match (
        words,
        WORDS
            .iter()
            .find(|(word, meaning, _)| words.first() == Some(word) && !meaning.is_empty()),
    ) {
        // Words of its own mean the verb itself, not the session's default.
        (["undo", "list"], Some((_, meaning, _))) => argv.extend(own(meaning)),
        (["undo", _, ..], _) => argv.extend(["trash".to_owned(), "restore".to_owned()].into_iter().chain(given)),
        ([verb, first, ..], _) if takes_own_verbs(verb) && !first.starts_with('-') => {
            argv.push((*verb).to_owned());
            argv.extend(given);
        }
        (_, Some((_, meaning, _))) => argv.extend(own(meaning).into_iter().chain(given)),
        (_, None) => argv.extend(words.iter().map(|word| (*word).to_owned())),
    }
    argv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_verbs_of_this_session() {
        let meant = |line: &str| argv(&line.split_whitespace().collect::<Vec<_>>(), ("S", "C")).join(" ");
        assert_eq!(meant("events --count"), "agentsh events query S --count");
        assert_eq!(meant("undo list"), "agentsh trash list --session S");
        assert_eq!(meant("undo 0199"), "agentsh trash restore 0199");
        assert_eq!(meant("checkpoint list"), "agentsh checkpoint list");
        assert_eq!(meant("replay"), "agentsh replay S");
        assert_eq!(meant("attach"), "agentsh attach S --except C");
        assert_eq!(meant("attach 0199"), "agentsh attach 0199");
        assert_eq!(meant("status --json"), "agentsh status --json");
    }

    #[test]
    fn the_shells_own_colon_is_the_shells() {
        assert_eq!(said(":why --last\n"), Some("why --last"));
        assert_eq!(said("  :q"), Some("q"));
        assert_eq!(said(": "), Some(""));
        for line in [": > file", ":>file", ": ${X:=1}", ":; echo", ":\necho", "echo :why", ""] {
            assert_eq!(said(line), None, "{line:?}");
        }
    }

    #[test]
    fn every_word_is_understood() {
        for (word, meaning, _) in WORDS.iter().filter(|(_, meaning, _)| !meaning.is_empty()) {
            let mut line = argv(&[word], ("S", "C"));
            if *word == "search" {
                line.push("text".to_owned());
            }
            assert!(Cli::try_parse_from(&line).is_ok(), "{meaning}: {line:?}");
        }
    }
}
