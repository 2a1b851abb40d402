//! An operation as it is typed: with paths made absolute and programs found, as the kernel would have them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use agentsh_policy::{CommandOperation, OPERATION_USAGE, Operand, Operation};
use clap::Args;

use crate::error::Error;

/// The operation that is asked about.
#[derive(Debug, Args)]
pub struct Asked {
    /// The operation: its kind and what it is about
    #[arg(value_name = "OPERATION", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
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
            && (kind == "file" || kind == "unix" && !path.as_bytes().starts_with(b"@"))
        {
            *path = resolved(Path::new(path)).into();
        }
        let mut words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        // What policies call a command, the record calls an exec.
        if let Some(kind) = words.first_mut().filter(|kind| **kind == b"exec") {
            *kind = b"command";
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
    let is_path = called.as_bytes().contains(&b'/');
    let file = match is_path {
        true => called.as_path().to_owned(),
        false => in_path(called.as_path(), path).unwrap_or_else(|| called.as_path().to_owned()),
    };
    command.program = match file.is_absolute() || is_path {
        true => Operand::from(resolved(&file).as_os_str().as_bytes()),
        false => called.clone(),
    };
    command.called = Some(called);
    command
}

fn in_path(name: &Path, path: Option<&[u8]>) -> Option<PathBuf> {
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
        let words = words.iter().map(OsString::from).collect();
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
    fn what_is_judged_are_the_bytes_that_were_given() -> Result<(), Error> {
        use std::os::unix::ffi::OsStringExt as _;

        let path = OsString::from_vec(b"/no-such/\xff\n\x1b".to_vec());
        for words in [["file", "read"], ["unix", "connect"]] {
            let words = words.iter().map(OsString::from).chain([path.clone()]).collect();
            let judged = match (Asked { words }).operation()? {
                Operation::File(file) => file.path,
                Operation::UnixSocket(unix) => unix.path,
                _ => Operand::default(),
            };
            assert_eq!(judged.as_bytes(), path.as_bytes());
        }
        let words = ["command", "sh"]
            .iter()
            .map(OsString::from)
            .chain([path.clone()])
            .collect();
        let operation = (Asked { words }).operation()?;
        assert!(matches!(operation, Operation::Command(run) if run.args == [Operand::from(path.as_bytes())]));
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
