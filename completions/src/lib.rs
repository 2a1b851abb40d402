//! Shell completions (bash, zsh, fish) and man pages of `agentsh`, made from the one definition of its command line.
//!
//! Promises: the same definition gives the same files, byte for byte; `generated/` holds those of this version, and a test
//! says when it does not. It defines no option and no text of its own.

use std::io;
use std::path::{Path, PathBuf};

use clap_complete::Shell;

/// Every file as its path below the target folder, and its contents, sorted by path.
///
/// # Errors
/// Those of the generators, which write to memory only.
pub fn files() -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for (shell, name) in [
        (Shell::Bash, "agentsh.bash"),
        (Shell::Zsh, "_agentsh"),
        (Shell::Fish, "agentsh.fish"),
    ] {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut agentsh_shell::command(), "agentsh", &mut text);
        files.push((PathBuf::from(name), text));
    }
    let mut root = agentsh_shell::command().disable_help_subcommand(true);
    root.build();
    pages(&root, "agentsh", &mut files)?;
    files.sort();
    Ok(files)
}

/// A page for the command and one for each verb below it, as git has them: `agentsh-session-create(1)`.
fn pages(command: &clap::Command, name: &str, files: &mut Vec<(PathBuf, Vec<u8>)>) -> io::Result<()> {
    let page = clap_mangen::Man::new(page_command(command, name))
        .source("agentsh")
        .manual("agentsh");
    let mut text = Vec::new();
    page.render(&mut text)?;
    files.push((PathBuf::from(format!("man/{name}.1")), text));
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        pages(verb, &format!("{name}-{}", verb.get_name()), files)?;
    }
    Ok(())
}

/// The command under its page's name, without the commit in its version: pages are the same for every commit.
fn page_command(command: &clap::Command, name: &str) -> clap::Command {
    command
        .clone()
        .name(name.to_owned())
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
}

/// Writes every file below `folder`.
///
/// # Errors
/// Those of the file system.
pub fn write(folder: &Path) -> io::Result<()> {
    for (path, text) in files()? {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files on disk below `folder`, as [`files`] gives them.
    fn on_disk(folder: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
        let mut found = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(next)? {
                let path = entry?.path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => {
                        let name = path.strip_prefix(folder).map_err(io::Error::other)?.to_owned();
                        found.push((name, std::fs::read(path)?));
                    }
                }
            }
        }
        found.sort();
        Ok(found)
    }

    #[test]
    fn the_committed_files_are_those_of_the_definition() -> io::Result<()> {
        let committed = on_disk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("generated"))?;
        let stale: Vec<PathBuf> = files()?
            .into_iter()
            .filter(|file| !committed.contains(file))
            .map(|file| file.0)
            .collect();
        assert!(
            stale.is_empty(),
            "run `cargo run -p agentsh-completions -- completions/generated`: {stale:?}"
        );
        assert_eq!(
            committed.len(),
            files()?.len(),
            "generated/ holds files of verbs that are gone"
        );
        Ok(())
    }

    #[test]
    fn what_is_written_is_what_is_made() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        write(folder.path())?;
        assert!(on_disk(folder.path())? == files()?);
        Ok(())
    }
}
