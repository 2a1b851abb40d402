//! What a judge is asked about an exec, and who answers.

use std::ffi::{CStr, CString};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::rc::Rc;

use rustix::io::Errno;

use super::chain::Links;
use super::environment::Environment;
use super::header::{self, Header};
use crate::caller::{Caller, Words};
use crate::files::resolve::Canonical;
use crate::locate::Locator;
use crate::outcome::Outcome;
use crate::process::FileId;

/// Why a file is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is the program that was asked for.
    Program,
    /// It is named in the `#!` line of the one before it.
    Interpreter,
    /// The one before it is a loader that was told to run it.
    Loaded,
}

/// A file that would run, and with which arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Why it would run.
    pub role: Role,
    /// Where it is.
    pub place: Canonical,
    /// Which file it is.
    pub file: FileId,
    /// How it was called: the path as it was written.
    pub called: CString,
    /// Its arguments, `argv[0]` included.
    pub argv: Vec<CString>,
}

/// When the judge is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before: the caller waits, and a person may be asked.
    Asked,
    /// After: something else than what was judged runs already. Only a plain yes saves it.
    Running,
}

/// One exec.
pub struct ExecRequest<'a> {
    /// When it is asked.
    pub stage: Stage,
    /// The calling thread; for [`Stage::Running`] the one whose next call showed what runs.
    pub caller: &'a Caller<'a>,
    /// The process.
    pub tgid: i32,
    /// Its parent, 0 if that is outside our pid namespace.
    pub ppid: i32,
    /// How many programs were executed on the way from the command's start to here: 0 for the command's
    /// own program, 1 for what that executes.
    pub depth: u32,
    /// What was put in the place of programs on the way to here.
    pub above: Above,
    /// The files that run, the one that was asked for first; all must be allowed.
    pub subjects: Vec<Subject>,
    /// The new environment; none for one of whom nobody saw the start.
    pub(crate) environment: Option<Rc<Environment>>,
    pub(crate) locator: &'a Locator,
}

impl ExecRequest<'_> {
    /// Whether it is known with which environment it was started.
    pub fn tells_environment(&self) -> bool {
        self.environment.is_some()
    }

    /// The new environment's entries, read once; none for one of whom nobody saw the start. Whoever has asked for them
    /// has judged them: what runs with others is killed.
    ///
    /// # Errors
    /// `EFAULT`, `E2BIG` as the call itself.
    pub fn environment(&self) -> Result<&Words, Errno> {
        static NONE: Words = Words::NONE;
        self.environment.as_ref().map_or(Ok(&NONE), |one| one.read())
    }

    /// The same for another program that the caller would execute in the place of this one.
    ///
    /// # Errors
    /// Those of the call: `ENOENT`, `EACCES`, `ENOEXEC` …
    pub fn other(&self, program: &CStr, argv: Vec<CString>) -> Result<ExecRequest<'_>, Errno> {
        let links = self.links();
        let pin = links.file(program)?;
        self.locator.may_execute(self.caller, &pin)?;
        let chain = links.follow(pin, program.to_owned(), argv)?;
        if chain.foreign {
            return Err(Errno::NOEXEC);
        }
        let subjects = chain.subjects;
        let nameless = subjects.iter().any(|one| !matches!(one.place, Canonical::At(_)));
        if nameless {
            return Err(Errno::ACCESS);
        }
        Ok(ExecRequest {
            subjects,
            environment: self.environment.clone(),
            ..*self
        })
    }

    /// The program that `name` means to the caller, with these arguments: a path, or a name along `search` (`PATH`);
    /// none if there is no such file.
    pub fn find(&self, name: &CStr, search: &[u8], argv: Vec<CString>) -> Option<Subject> {
        let links = self.links();
        let subject = |path: CString| {
            let pin = links.file(&path).ok()?;
            let runs = pin.kind() == libc::S_IFREG && pin.stat.st_mode & 0o111 != 0;
            Some(Subject {
                role: Role::Program,
                place: runs.then(|| self.locator.canonical(&pin).ok())??,
                file: FileId::of(&pin.stat),
                called: path,
                argv: argv.clone(),
            })
        };
        let bytes = name.to_bytes();
        if bytes.is_empty() || bytes.contains(&b'/') {
            return subject(name.to_owned());
        }
        search.split(|byte| *byte == b':').find_map(|folder| {
            let folder = if folder.is_empty() { b"." } else { folder };
            subject(CString::new([folder, b"/", bytes].concat()).ok()?)
        })
    }

    /// The loader that the program of `subject` asks for, if it asks for one.
    pub fn loader_of(&self, subject: &Subject) -> Option<CString> {
        let pin = self.links().file(&subject.called).ok()?;
        let header = match self.locator.headers.get(&pin.stat) {
            Some(header) => header,
            None => header::look(self.locator.reopen(&pin).ok()?.as_fd()).ok()?,
        };
        match header {
            Header::Elf { interpreter, .. } if FileId::of(&pin.stat) == subject.file => CString::new(interpreter?).ok(),
            _ => None,
        }
    }

    /// A path by which the caller reaches `subject`, without links where there is one.
    pub fn path_of(&self, subject: &Subject) -> Option<CString> {
        if let Canonical::At(path) = &subject.place
            && self.locator.is_at_our_root(self.caller.tid())
        {
            return CString::new(path.as_os_str().as_bytes()).ok();
        }
        let called = subject.called.as_bytes();
        match called.contains(&b'/') {
            true => Some(subject.called.clone()),
            // A loader looks elsewhere for a name without a slash.
            false => CString::new([b"./", called].concat()).ok(),
        }
    }

    fn links(&self) -> Links<'_> {
        Links {
            locator: self.locator,
            caller: self.caller,
        }
    }

    /// The caller's working directory, links resolved; none if it is deleted or out of reach.
    pub fn cwd(&self) -> Option<PathBuf> {
        std::fs::read_link(format!("/proc/{}/cwd", self.caller.tid())).ok()
    }
}

/// What runs instead of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instead {
    /// The path that is executed.
    pub program: CString,
    /// With these arguments, `argv[0]` included.
    pub argv: Vec<CString>,
    /// And this environment.
    pub environment: Vec<CString>,
    /// The files that were judged: if others run by then, nothing does.
    pub subjects: Vec<Subject>,
    /// Files that were judged as well and are opened by their names by what runs.
    pub scripts: Vec<Subject>,
    /// It is another program.
    pub redirected: bool,
    /// As [`ExecDecision::Transparent`].
    pub transparent: bool,
}

/// What was put in the place of programs on the way from the command's start to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Above {
    /// The last program that was.
    pub target: Option<FileId>,
    /// How often.
    pub redirects: u32,
}

/// The answer of a judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecDecision {
    /// Execute it.
    Allow,
    /// Execute it; it is a wrapper, which does not count in the depth of what it executes.
    Transparent,
    /// Execute this instead.
    Instead(Box<Instead>),
    /// The call fails with this.
    Deny(Errno),
    /// The caller got a signal, or is gone, while a person was asked.
    Interrupted(crate::Interruption),
}

/// Decides about execs of one command.
pub trait Judge: Send + Sync {
    /// Decides. For [`Stage::Asked`] it may block for long after [`Caller::will_block`], and then watches
    /// [`Caller::interruption`].
    fn exec(&self, request: &ExecRequest<'_>) -> ExecDecision;

    /// Whether files without a name (memory files, deleted files) may be judged at all; if not, their exec
    /// is refused with `EACCES` unasked, and [`crate::Observer::exec_refused`] told.
    fn nameless_programs(&self) -> bool {
        false
    }

    /// Answers `chdir(2)`, which changes the caller alone: it is let through, unless the folder is to look absent.
    fn enters(&self, _caller: &Caller<'_>) -> Outcome {
        Outcome::Continue
    }

    /// The soft limit of the stack under which these files are executed, if it matters where their libraries lie.
    fn stack_limit(&self, _subjects: &[Subject]) -> Option<u64> {
        None
    }
}
