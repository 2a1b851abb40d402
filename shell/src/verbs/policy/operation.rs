//! An operation as it is typed: with paths made absolute and programs found, as the kernel would have them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use agentsh_policy::{CommandOperation, OPERATION_USAGE, Operation};
use clap::Args;

use crate::error::Error;

/// The operation that is asked about.
#[derive(Debug, Args)]
pub struct Asked {
    /// The operation: its kind and what it is about
    #[arg(value_name = "OPERATION", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Asked {
    /// Whether none is given.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The operation.
    ///
    /// # Errors
    /// It is not of the form; the message says what is.
    pub fn operation(&self) -> Result<Operation, Error> {
        let mut words = self.words.clone();
        if let [kind, .., path] = words.as_mut_slice()
            && (kind == "file" || kind == "unix" && !path.starts_with('@'))
        {
            *path = resolved(Path::new(path)).to_string_lossy().into_owned();
        }
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        // What policies call a command, the record calls an exec.
        if let Some(kind) = words.first_mut().filter(|kind| **kind == "exec") {
            *kind = "command";
        }
        let operation = Operation::parse(&words).map_err(|problem| Error::usage(problem, OPERATION_USAGE))?;
        Ok(found(operation))
    }
}

/// The object itself, or the place where it would be: links are followed as far as there is something.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(object) = absolute.canonicalize() {
        return object;
    }
    match (absolute.parent(), absolute.file_name()) {
        (Some(parent), Some(name)) => resolved(parent).join(name),
        _ => absolute,
    }
}

/// A program by the file that runs, and as it was called.
pub fn found(operation: Operation) -> Operation {
    match operation {
        Operation::Command(command) => Operation::Command(found_in(command, None)),
        other => other,
    }
}

/// The same, looked for along a `PATH` of its own.
pub fn found_in(mut command: CommandOperation, path: Option<&[u8]>) -> CommandOperation {
    let called = std::mem::take(&mut command.program);
    let file = match called.contains('/') {
        true => PathBuf::from(&called),
        false => in_path(&called, path).unwrap_or_else(|| PathBuf::from(&called)),
    };
    command.program = match file.is_absolute() || called.contains('/') {
        true => resolved(&file).to_string_lossy().into_owned(),
        false => called.clone(),
    };
    command.called = Some(called);
    command
}

fn in_path(name: &str, path: Option<&[u8]>) -> Option<PathBuf> {
    let path = match path {
        Some(path) => OsStr::from_bytes(path).to_owned(),
        None => std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()),
    };
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &[&str]) -> Result<String, Error> {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Ok(Asked { words }.operation()?.to_string())
    }

    #[test]
    fn a_path_is_that_of_the_object_or_of_what_would_be_made() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let real = folder.path().canonicalize()?.join("real");
        std::fs::create_dir(&real)?;
        std::os::unix::fs::symlink(&real, folder.path().join("link"))?;
        let link = folder.path().join("link/new/file").to_string_lossy().into_owned();
        assert_eq!(
            asked(&["file", "create", &link])?,
            format!("create {}/new/file", real.display())
        );
        Ok(())
    }

    #[test]
    fn a_program_is_found_as_a_shell_finds_it() -> Result<(), Error> {
        assert!(asked(&["command", "sh", "-c", "x"])?.ends_with(" -c x"));
        assert!(asked(&["command", "sh"])?.starts_with("run /"));
        assert_eq!(
            asked(&["command", "no-such-program-at-all"])?,
            "run no-such-program-at-all"
        );
        Ok(())
    }

    #[test]
    fn a_wrong_operation_is_a_usage_error_that_says_what_is_right() {
        let error = asked(&["file", "raed", "/x"]);
        assert!(matches!(error, Err(Error::Usage { problem, .. }) if problem.contains("did you mean `read`")));
        assert!(matches!(asked(&[]), Err(Error::Usage { .. })));
    }
}
