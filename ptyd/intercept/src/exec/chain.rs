//! Which files one exec runs: a script and its interpreters, a loader and its program.

use std::ffi::{CStr, CString};
use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use super::header::{self, Header};
use super::loader;
use super::request::{Role, Subject};
use crate::caller::Caller;
use crate::files::resolve::Pin;
use crate::locate::Locator;
use crate::process::{Common, FileId};

/// How many interpreters the kernel follows (`execve(2)`, "Interpreter scripts").
const MAX_SCRIPTS: usize = 5;

/// How many loaders may be told to run each other.
const MAX_LOADERS: usize = 4;

/// The files of an exec and what the process will look like.
pub struct Chain {
    /// The files that run, the one that was asked for first.
    pub subjects: Vec<Subject>,
    /// What `/proc/PID/exe` will name.
    pub image: FileId,
    /// The arguments that the image gets.
    pub argv: Vec<CString>,
    /// The kernel itself does not execute it.
    pub foreign: bool,
    /// It does, for everybody: nobody writes to these files, as far as their age tells.
    pub plain: bool,
}

/// Seconds after which a file counts as one that nobody writes to.
const OLD: i64 = 60;

/// Follows chains for one caller.
pub struct Links<'a> {
    pub locator: &'a Locator,
    pub caller: &'a Caller<'a>,
}

impl Links<'_> {
    /// Follows the chain from `pin`, which was called `called` with `argv`, as the kernel does for the caller.
    ///
    /// # Errors
    /// Those of the call itself: `EACCES`, `ELOOP`, `ENOEXEC` …
    pub fn follow(&self, pin: Pin, called: CString, argv: Vec<CString>) -> Result<Chain, Errno> {
        let mut passed = Vec::new();
        self.walk(pin, called, argv, &mut passed).map_err(|errno| {
            // The kernel finds a file not executable before it looks for what that file asks for.
            let refused = |pin: &Pin| self.locator.may_execute(self.caller, pin).err();
            passed.iter().find_map(refused).unwrap_or(errno)
        })
    }

    /// `passed` gets the files that ask for another one.
    fn walk(&self, pin: Pin, called: CString, argv: Vec<CString>, passed: &mut Vec<Pin>) -> Result<Chain, Errno> {
        let mut subjects = Vec::new();
        let (mut pin, mut name, mut argv, mut role) = (pin, called, argv, Role::Program);
        loop {
            let header = self.add(&mut subjects, role, &pin, &name, &argv)?;
            let Header::Script { interpreter, argument } = header else {
                let image = FileId::of(&pin.stat);
                passed.push(pin);
                let plain = passed
                    .iter()
                    .all(|pin| pin.stat.st_mode & 0o111 == 0o111 && is_old(pin));
                match &header {
                    Header::Elf { loader: true, .. } => self.add_loaded(&mut subjects, &argv)?,
                    Header::Elf {
                        interpreter: Some(path),
                        ..
                    } => self.add_loader(&mut subjects, path.clone(), &argv)?,
                    _ => {}
                }
                let foreign = header == Header::Other;
                return Ok(Chain {
                    subjects,
                    image,
                    argv,
                    foreign,
                    plain: plain && !foreign,
                });
            };
            passed.push(pin);
            if subjects.len() > MAX_SCRIPTS {
                return Err(Errno::LOOP);
            }
            let interpreter = CString::new(interpreter).map_err(|_| Errno::NOEXEC)?;
            pin = self.file(&interpreter)?;
            argv = script_arguments(&interpreter, argument, name, argv);
            (name, role) = (interpreter, Role::Interpreter);
        }
    }

    /// The file that `path` means in the caller's working directory.
    pub fn file(&self, path: &CStr) -> Result<Pin, Errno> {
        self.locator.object(self.caller, libc::AT_FDCWD, path, true)
    }

    /// Adds one file and says what the kernel makes of it.
    fn add(
        &self,
        subjects: &mut Vec<Subject>,
        role: Role,
        pin: &Pin,
        called: &CStr,
        argv: &[CString],
    ) -> Result<Header, Errno> {
        if pin.kind() != libc::S_IFREG {
            return Err(Errno::ACCESS);
        }
        subjects.push(Subject {
            role,
            place: self.locator.canonical(pin)?,
            file: FileId::of(&pin.stat),
            called: called.to_owned(),
            argv: argv.to_vec(),
        });
        if let Some(header) = self.locator.headers.get(&pin.stat) {
            return Ok(header);
        }
        match self.locator.reopen(pin) {
            Ok(fd) => {
                let header = header::look(fd.as_fd())?;
                self.locator.headers.learn(&pin.stat, &header);
                Ok(header)
            }
            Err(Errno::ACCESS | Errno::PERM) => Ok(Header::Unreadable),
            Err(errno) => Err(errno),
        }
    }

    /// Adds what a loader is told to run.
    fn add_loaded(&self, subjects: &mut Vec<Subject>, argv: &[CString]) -> Result<(), Errno> {
        let mut argv: Vec<CString> = argv.to_vec();
        for _ in 0..MAX_LOADERS {
            let words: Vec<&[u8]> = argv.iter().map(|word| word.as_bytes()).collect();
            let Some(told) = loader::told(&words) else {
                return Ok(());
            };
            let name = argv[told.program].clone();
            if !name.as_bytes().contains(&b'/') {
                // Such a name is looked for along library paths that we cannot know.
                return Err(Errno::ACCESS);
            }
            let pin = self.file(&name)?;
            let first = told.argv0.and_then(|index| argv.get(index).cloned());
            let rest = argv.split_off(told.program + 1);
            argv = std::iter::once(first.unwrap_or_else(|| name.clone()))
                .chain(rest)
                .collect();
            let header = self.add(subjects, Role::Loaded, &pin, &name, &argv)?;
            if !matches!(header, Header::Elf { loader: true, .. }) {
                return Ok(());
            }
        }
        Err(Errno::LOOP)
    }

    /// Adds the loader that a program asks for, if it is none: any program can be named there, and it is that
    /// one's code which starts.
    fn add_loader(&self, subjects: &mut Vec<Subject>, path: Vec<u8>, argv: &[CString]) -> Result<(), Errno> {
        let path = CString::new(path).map_err(|_| Errno::NOEXEC)?;
        let at_our_root = self.caller.common().is_some_and(Common::at_our_root);
        if at_our_root && self.locator.headers.is_loader(&path) {
            return Ok(());
        }
        let pin = self.file(&path)?;
        let header = self.add(subjects, Role::Interpreter, &pin, &path, argv)?;
        if matches!(header, Header::Elf { loader: true, .. }) {
            subjects.pop();
            if at_our_root && !pin.procfs {
                self.locator.headers.learn_loader(&path, &pin.stat);
            }
        }
        Ok(())
    }
}

/// Whether nothing was written to a file, and nothing else of it changed, for some time.
fn is_old(pin: &Pin) -> bool {
    let now = clock_gettime(ClockId::RealtimeCoarse).tv_sec;
    now - OLD > pin.stat.st_ctime
}

/// The arguments of an interpreter: its name, the line's argument, the script's name, the script's arguments.
fn script_arguments(
    interpreter: &CStr,
    argument: Option<Vec<u8>>,
    script: CString,
    argv: Vec<CString>,
) -> Vec<CString> {
    let argument = argument.and_then(|argument| CString::new(argument).ok());
    let mut words = vec![interpreter.to_owned()];
    words.extend(argument);
    words.push(script);
    words.extend(argv.into_iter().skip(1));
    words
}
