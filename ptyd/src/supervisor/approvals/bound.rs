//! What an answer is bound to.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use agentsh_intercept::ExecRequest;
use agentsh_policy::{is_steering, variable_name};
use agentsh_protocol::Bytes;

use crate::standing::{Program, Standing};

/// A file as it was when it was asked about (`stat(2)`): another file under the name, or other content, differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileState {
    path: PathBuf,
    device: u64,
    inode: u64,
    size: i64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl FileState {
    fn of(path: &Path) -> Option<FileState> {
        let stat = rustix::fs::stat(path).ok()?;
        Some(FileState {
            path: path.to_owned(),
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        })
    }
}

/// A call in all that a yes covers. Two calls are identical if these are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    pub operation: String,
    /// The resolved program, or the object's canonical path.
    pub path: Vec<u8>,
    pub argv: Vec<Vec<u8>>,
    pub cwd: Option<PathBuf>,
    /// What steers the program beside its arguments, without passwords.
    pub environment: Vec<Vec<u8>>,
    pub rule: Option<String>,
    /// The program, its interpreters and loader.
    files: Vec<FileState>,
    /// Whether every yes counts until the session ends: what is asked about is asked again and again.
    pub lasts: bool,
}

impl Bound {
    /// A file operation on an object.
    pub(crate) fn file(operation: &str, path: &Path, rule: Option<&str>) -> Bound {
        Bound {
            operation: operation.to_owned(),
            path: path.as_os_str().as_bytes().to_owned(),
            argv: Vec::new(),
            cwd: None,
            environment: Vec::new(),
            rule: rule.map(str::to_owned),
            files: Vec::new(),
            lasts: false,
        }
    }

    /// A connection to an endpoint of this machine, which programs make for every little thing.
    pub(crate) fn endpoint(operation: &str, name: &[u8], rule: Option<&str>) -> Bound {
        Bound {
            operation: operation.to_owned(),
            path: name.to_owned(),
            argv: Vec::new(),
            cwd: None,
            environment: Vec::new(),
            rule: rule.map(str::to_owned),
            files: Vec::new(),
            lasts: true,
        }
    }

    /// An operation of a program on the network; `None` if the program cannot be told from another.
    pub(crate) fn network(operation: &str, peer: &str, program: &Path, rule: Option<&str>) -> Option<Bound> {
        Some(Bound {
            operation: operation.to_owned(),
            path: peer.as_bytes().to_owned(),
            argv: vec![program.as_os_str().as_bytes().to_owned()],
            cwd: None,
            environment: Vec::new(),
            rule: rule.map(str::to_owned),
            files: vec![FileState::of(program)?],
            lasts: false,
        })
    }

    /// A signal to a process, which its number and its start name.
    pub(crate) fn signal(signal: &str, program: &[u8], (pid, started): (i32, u64), rule: Option<&str>) -> Bound {
        let words = [signal.to_owned(), format!("pid {pid}"), format!("started {started}")];
        Bound {
            operation: "signal".to_owned(),
            path: program.to_owned(),
            argv: words.map(String::into_bytes).to_vec(),
            cwd: None,
            environment: Vec::new(),
            rule: rule.map(str::to_owned),
            files: Vec::new(),
            lasts: false,
        }
    }

    /// What would run, by its content.
    ///
    /// # Errors
    /// A file that cannot be read, or is not any more what was asked about.
    pub(super) fn programs(&self) -> io::Result<Vec<Program>> {
        let content = |state: &FileState| {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(std::fs::File::open(&state.path)?)?;
            match FileState::of(&state.path).as_ref() == Some(state) {
                true => Ok(Program {
                    path: Bytes::from(state.path.as_path()),
                    blake3: hasher.finalize().to_hex().to_string(),
                }),
                false => Err(io::Error::other(format!(
                    "{} was changed meanwhile",
                    state.path.display()
                ))),
            }
        };
        self.files.iter().map(content).collect()
    }

    /// Whether a yes for good is about this very call.
    pub(super) fn is_covered_by(&self, standing: &Standing) -> bool {
        let same = |words: &[Bytes], own: &[Vec<u8>]| words.iter().map(|word| &word.0).eq(own);
        standing.operation == self.operation
            && standing.path.0 == self.path
            && same(&standing.argv, &self.argv)
            && same(&standing.environment, &self.environment)
            && standing.cwd.as_ref().map(|cwd| Path::new(cwd.as_os_str())) == self.cwd.as_deref()
            && standing.rule == self.rule
            && self.programs().is_ok_and(|programs| programs == standing.programs)
    }

    /// An exec; `None` if a file of it cannot be told from another.
    pub(crate) fn exec(request: &ExecRequest<'_>, rule: Option<&str>) -> Option<Bound> {
        let first = request.subjects.first()?;
        let files = request
            .subjects
            .iter()
            .map(|subject| {
                let state = FileState::of(subject.place.path()?)?;
                // What lies under the name now is what was judged.
                (state.device == subject.file.device && state.inode == subject.file.inode).then_some(state)
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Bound {
            operation: "exec".to_owned(),
            path: first.place.path()?.as_os_str().as_bytes().to_owned(),
            argv: first
                .argv
                .iter()
                .map(|argument| argument.as_bytes().to_owned())
                .collect(),
            cwd: request.cwd(),
            environment: steering(request)?,
            rule: rule.map(str::to_owned),
            files,
            lasts: false,
        })
    }
}

/// The variables that steer what runs, sorted; `None` if they cannot be read.
fn steering(request: &ExecRequest<'_>) -> Option<Vec<Vec<u8>>> {
    let entries = request.environment().ok()?;
    let steers = |entry: &&[u8]| is_steering(variable_name(entry));
    let mut found: Vec<Vec<u8>> = entries.iter().filter(steers).map(without_password).collect();
    found.sort();
    Some(found)
}

/// An entry with nothing of `USER:PASSWORD` in an address.
fn without_password(entry: &[u8]) -> Vec<u8> {
    let find = |text: &[u8], part: &[u8]| text.windows(part.len()).position(|window| window == part);
    let Some(begin) = find(entry, b"://").map(|at| at + 3) else {
        return entry.to_vec();
    };
    let host = entry[begin..].split(|byte| *byte == b'/').next().unwrap_or_default();
    match host.iter().rposition(|byte| *byte == b'@') {
        Some(at) => [&entry[..begin], "…".as_bytes(), &entry[begin + at..]].concat(),
        None => entry.to_vec(),
    }
}

/// The programs above a process, the nearest first.
pub(super) fn parents(pid: i32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pid = pid;
    while found.len() < MAX_PARENTS {
        let Some(parent) = crate::process::parent(pid).filter(|parent| *parent > 1) else {
            break;
        };
        found.push(name(parent));
        pid = parent;
    }
    found
}

/// The program of a process; of another user's only what it calls itself can be known.
fn name(pid: i32) -> PathBuf {
    let own = |_| std::fs::read_to_string(format!("/proc/{pid}/comm")).map(|text| text.trim_end().into());
    std::fs::read_link(format!("/proc/{pid}/exe"))
        .or_else(own)
        .unwrap_or_else(|_| "?".into())
}

/// So many are shown.
const MAX_PARENTS: usize = 8;

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn a_persons_question_holds_no_password() {
        for (entry, shown) in [
            ("HTTP_PROXY=http://u:p@x/y@z", "HTTP_PROXY=http://…@x/y@z"),
            ("HTTP_PROXY=http://x:1", "HTTP_PROXY=http://x:1"),
            ("PATH=/a@b:/c", "PATH=/a@b:/c"),
        ] {
            assert_eq!(String::from_utf8_lossy(&without_password(entry.as_bytes())), shown);
        }
    }
}
