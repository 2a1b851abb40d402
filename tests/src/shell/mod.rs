//! How a shell, or a program that starts one, is run: a description that can be run again and again.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use crate::child::Child;
use crate::world::World;
use crate::{Result, fail};

mod outcome;
mod subject;

pub use outcome::{Ended, Outcome};
pub use subject::Subject;

/// What the child finds on a descriptor that it reads.
#[derive(Debug, Clone)]
pub enum Input {
    Null,
    /// A pipe with these bytes and then the end.
    Bytes(Vec<u8>),
    /// A pipe whose writing end stays open until the child has ended.
    Open,
    /// A regular file with this content, opened for reading.
    File(Vec<u8>),
    /// A stream socket with these bytes and then the end.
    Socket(Vec<u8>),
    /// An open folder.
    Folder(PathBuf),
    /// The terminal of [`crate::pty::Terminal`].
    Terminal,
    Closed,
}

/// Where the child finds itself writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Pipe,
    /// A regular file opened for appending, one for all descriptors that ask for it.
    Appended,
    Socket,
    Null,
    /// A pipe whose reading end is closed.
    Broken,
    /// `/dev/full`.
    Full,
    /// The same open file as descriptor 1.
    LikeStdout,
    /// The terminal of [`crate::pty::Terminal`].
    Terminal,
    Closed,
}

/// A start of a shell or program. All strings may contain `@bash@`, `@sh@`, `@zsh@` or `@dash@`, which stand for the
/// path of that shell of the [`Subject`].
#[derive(Debug, Clone)]
pub struct Shell {
    pub(crate) program: OsString,
    pub(crate) argv0: Option<OsString>,
    pub(crate) args: Vec<OsString>,
    /// `None` is the test's standard environment.
    pub(crate) bare_env: bool,
    pub(crate) env: BTreeMap<OsString, OsString>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) stdin: Input,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    pub(crate) reads: Vec<(i32, Input)>,
    pub(crate) writes: Vec<(i32, Output)>,
    pub(crate) inherit: Inherit,
    pub(crate) deadline: Duration,
}

/// What a child inherits beside descriptors.
#[derive(Debug, Clone, Default)]
pub struct Inherit {
    pub as_root: bool,
    pub ignored: Vec<i32>,
    pub blocked: Vec<i32>,
    pub umask: Option<u32>,
    pub rlimits: Vec<(u32, u64, u64)>,
    pub nice: Option<i32>,
    pub new_session: bool,
    pub new_group: bool,
    pub no_new_privs: bool,
    pub oom_score: Option<&'static str>,
    /// The child starts in a folder that was removed under it.
    pub removed_cwd: bool,
}

impl Shell {
    /// The shell `name` of whichever subject it is run with, called by that name.
    pub fn named(name: &str) -> Shell {
        Shell::program(format!("@{name}@")).argv0(name)
    }

    /// A program by its path, or by its name on the standard PATH.
    pub fn program(path: impl Into<OsString>) -> Shell {
        Shell {
            program: path.into(),
            argv0: None,
            args: Vec::new(),
            bare_env: false,
            env: BTreeMap::new(),
            cwd: None,
            stdin: Input::Null,
            stdout: Output::Pipe,
            stderr: Output::Pipe,
            reads: Vec::new(),
            writes: Vec::new(),
            inherit: Inherit::default(),
            deadline: Duration::from_secs(90),
        }
    }

    /// What the program sees as `argv[0]`; otherwise it is the path by which it was started.
    pub fn argv0(mut self, text: impl Into<OsString>) -> Shell {
        self.argv0 = Some(text.into());
        self
    }

    /// `argv[0]` is the path, as `Popen(…, executable=$SHELL)` does.
    pub fn argv0_is_path(mut self) -> Shell {
        self.argv0 = None;
        self
    }

    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Shell {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Shell {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Starts from an empty environment instead of the test's standard one.
    pub fn env_clear(mut self) -> Shell {
        self.bare_env = true;
        self
    }

    pub fn cwd(mut self, folder: impl Into<PathBuf>) -> Shell {
        self.cwd = Some(folder.into());
        self
    }

    pub fn stdin(mut self, input: Input) -> Shell {
        self.stdin = input;
        self
    }

    pub fn stdout(mut self, output: Output) -> Shell {
        self.stdout = output;
        self
    }

    pub fn stderr(mut self, output: Output) -> Shell {
        self.stderr = output;
        self
    }

    /// Gives the child a descriptor above 2 to read from.
    pub fn reads(mut self, fd: i32, input: Input) -> Shell {
        self.reads.push((fd, input));
        self
    }

    /// Gives the child a descriptor above 2 to write to.
    pub fn writes(mut self, fd: i32, output: Output) -> Shell {
        self.writes.push((fd, output));
        self
    }

    /// Changes what the child inherits.
    pub fn inherit(mut self, change: impl FnOnce(&mut Inherit)) -> Shell {
        change(&mut self.inherit);
        self
    }

    /// How long a run may take before it is killed and counts as hanging.
    pub fn deadline(mut self, deadline: Duration) -> Shell {
        self.deadline = deadline;
        self
    }

    /// All three standard descriptors are the terminal.
    pub fn on_terminal(self) -> Shell {
        self.stdin(Input::Terminal)
            .stdout(Output::Terminal)
            .stderr(Output::Terminal)
    }

    /// Starts it with the real shells.
    pub fn spawn(&self, world: &World) -> Result<Child> {
        Child::start_on(self, world, &Subject::Real, None)
    }

    /// Starts it with the subject's shells.
    pub fn spawn_with(&self, world: &World, subject: &Subject) -> Result<Child> {
        Child::start_on(self, world, subject, None)
    }

    /// Starts it with `output` as its standard output.
    pub fn spawn_on_pipe(&self, world: &World, subject: &Subject, output: std::os::fd::OwnedFd) -> Result<Child> {
        let shell = self.clone().stdout(Output::Null);
        Child::start_with(&shell, world, subject, |setup| {
            setup.fds.retain(|(_, number)| *number != 1);
            setup.fds.push((output, 1));
        })
    }

    /// Runs it to its end with the product's stand-ins and this descriptor above the standard ones.
    pub fn run_with_descriptor(&self, world: &World, fd: std::os::fd::OwnedFd, number: i32) -> Result<Outcome> {
        let child = Child::start_with(self, world, &Subject::shims(), |setup| setup.fds.push((fd, number)))?;
        child.finish(self.deadline)
    }

    /// Runs it to its end with the real shells.
    pub fn run(&self, world: &World) -> Result<Outcome> {
        self.run_with(world, &Subject::Real)
    }

    /// Runs it to its end with the product's stand-ins.
    pub fn run_shimmed(&self, world: &World) -> Result<Outcome> {
        self.run_with(world, &Subject::shims())
    }

    /// Runs it to its end with the subject's shells.
    pub fn run_with(&self, world: &World, subject: &Subject) -> Result<Outcome> {
        let child = self.spawn_with(world, subject)?;
        child
            .finish(self.deadline)
            .map_err(|error| fail(format!("{self}: {error}")))
    }
}

impl std::fmt::Display for Shell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:?} {:?} {:?}",
            self.program,
            self.argv0.as_deref().unwrap_or_default(),
            self.args
        )
    }
}
