//! What a word could become: a verb of ours, a command, a variable or a path. Commands and variables are those of the shell.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clap::{Command, CommandFactory as _};

use super::names::Names;
use super::ours;
use crate::cli::Cli;

/// At most so many commands are offered: nobody reads more.
const MOST: usize = 500;

/// Where the word under the cursor begins, and what it could be; `None` if it is a path.
pub fn word(line: &str, names: &Names) -> Option<(usize, Vec<String>)> {
    let start = line
        .rfind(|char: char| char.is_whitespace() || "|&;(<>=".contains(char))
        .map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
    let word = &line[start..];
    if let Some(ours) = line.strip_prefix(':').filter(|_| ours::said(line).is_some()) {
        let (before, word) = ours.split_at(start.max(1) - 1);
        return verbs(before, word).map(|found| (start.max(1), found));
    }
    // Behind the sign, and the brace if there is one.
    if let Some(at) = word.rfind('$') {
        let prefix = word[at + 1..].trim_start_matches('{');
        if prefix.chars().all(|char| char.is_alphanumeric() || char == '_') {
            let fitting = names.variables.iter().filter(|name| name.starts_with(prefix));
            return Some((line.len() - prefix.len(), fitting.cloned().collect()));
        }
    }
    let before = line[..start].trim_end();
    let first = before.is_empty() || before.ends_with(['|', '&', ';', '(']);
    if !first || word.contains('/') || word.is_empty() {
        return None;
    }
    let known = names.commands.iter().filter(|name| name.starts_with(word)).cloned();
    let all: BTreeSet<String> = commands(std::env::split_paths(&names.path), word)
        .chain(known)
        .collect();
    Some((start, all.into_iter().take(MOST).collect()))
}

/// What can follow these words of a line of ours: a verb, or an option of it; `None` if that is something else.
fn verbs(before: &str, word: &str) -> Option<Vec<String>> {
    let mut verb = Cli::command();
    let mut given = before.split_whitespace();
    let Some(first) = given.next() else {
        let names = verb.get_subcommands().filter(|verb| !verb.is_hide_set());
        let names = names.map(|verb| verb.get_name().to_owned());
        let all: BTreeSet<String> = names.chain(ours::words().map(str::to_owned)).collect();
        return Some(fitting(all.iter().map(String::as_str), word));
    };
    let meant = ours::meaning(first, word.starts_with('-'));
    for next in meant.split_whitespace().chain(given) {
        match verb.find_subcommand(next) {
            Some(found) => verb = found.clone(),
            None => break,
        }
    }
    if word.starts_with('-') {
        let options = verb.get_arguments().filter(|option| !option.is_hide_set());
        let names: Vec<String> = options
            .filter_map(|option| Some(format!("--{}", option.get_long()?)))
            .collect();
        return Some(fitting(names.iter().map(String::as_str), word));
    }
    let names = verb.get_subcommands().filter(|verb| !verb.is_hide_set());
    let found = fitting(names.map(Command::get_name), word);
    (!found.is_empty()).then_some(found)
}

fn fitting<'a>(names: impl Iterator<Item = &'a str>, prefix: &str) -> Vec<String> {
    names
        .filter(|name| name.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}

fn commands(folders: impl Iterator<Item = impl AsRef<Path>>, prefix: &str) -> impl Iterator<Item = String> {
    let entries = folders
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .flatten();
    entries.filter_map(move |entry| {
        let name = entry.file_name().into_string().ok()?;
        let runs = |path: &Path| {
            std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        };
        (name.starts_with(prefix) && !name.chars().any(char::is_control) && runs(&entry.path())).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_completed_by_where_it_stands() {
        let names = Names::new("/usr/bin:/bin", "HOME\nhidden_one\nhidden_two", "trap\nmine_alone");
        let found = |line: &str| word(line, &names);
        assert_eq!(found("cat fi"), None);
        assert_eq!(found("./x"), None);
        let (start, commands) = found("ls | tr").unwrap_or_default();
        let has = |wanted: &str| commands.iter().any(|command| command == wanted);
        assert!(start == 5 && has("true") && has("trap"), "{commands:?}");
        assert_eq!(found("(mine_"), Some((1, vec!["mine_alone".to_owned()])));
        let hidden = ["hidden_one", "hidden_two"].map(str::to_owned).to_vec();
        assert_eq!(found("echo $hid"), Some((6, hidden.clone())));
        assert_eq!(found("echo \"a${hid"), Some((9, hidden)));
        assert_eq!(found("cat $HOME/f"), None);
    }

    #[test]
    fn lines_of_ours_are_completed_with_their_verbs_and_options() {
        let found = |line: &str| word(line, &Names::default());
        let one = |start, word: &str| Some((start, vec![word.to_owned()]));
        assert_eq!(found(":ev"), one(1, "events"));
        assert_eq!(found(":tra"), one(1, "trash"));
        assert_eq!(found(":checkpoint rollb"), one(12, "rollback"));
        assert_eq!(found(":replay --sea"), one(8, "--search"));
        assert_eq!(found(":events --ty"), one(8, "--type"));
        assert_eq!(found(":replay x"), None);
    }
}
