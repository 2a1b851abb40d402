//! What a word could become: a verb of ours, a command, a variable or a path.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::ours;

/// At most so many commands are offered: nobody reads more.
const MOST: usize = 500;

/// Where the word under the cursor begins, and what it could be; `None` if it is a path.
pub fn word(line: &str) -> Option<(usize, Vec<String>)> {
    let start = line
        .rfind(|char: char| char.is_whitespace() || "|&;(<>=".contains(char))
        .map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
    let word = &line[start..];
    if let (Some(prefix), 0) = (word.strip_prefix(':'), start) {
        let fitting = ours::words().filter(|verb| verb.starts_with(prefix));
        return Some((start + 1, fitting.map(str::to_owned).collect()));
    }
    if let Some(prefix) = word.strip_prefix('$') {
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let fitting: BTreeSet<String> = names.filter(|name| name.starts_with(prefix)).collect();
        return Some((start + 1, fitting.into_iter().collect()));
    }
    let before = line[..start].trim_end();
    let first = before.is_empty() || before.ends_with(['|', '&', ';', '(']);
    if !first || word.contains('/') || word.is_empty() {
        return None;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    Some((start, commands(std::env::split_paths(&path), word)))
}

fn commands(folders: impl Iterator<Item = impl AsRef<Path>>, prefix: &str) -> Vec<String> {
    let entries = folders
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .flatten();
    let fitting = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let runs = |path: &Path| {
            std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        };
        (name.starts_with(prefix) && !name.chars().any(char::is_control) && runs(&entry.path())).then_some(name)
    });
    let fitting: BTreeSet<String> = fitting.collect();
    fitting.into_iter().take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_completed_by_where_it_stands() {
        assert_eq!(word(":ev"), Some((1, vec!["events".to_owned()])));
        assert_eq!(word("cat fi"), None);
        assert_eq!(word("./x"), None);
        let (start, found) = word("ls | tru").unwrap_or_default();
        assert!(start == 5 && found.iter().any(|command| command == "true"), "{found:?}");
        let (start, found) = word("echo $PAT").unwrap_or_default();
        assert!(start == 6 && found.iter().any(|name| name == "PATH"));
    }
}
