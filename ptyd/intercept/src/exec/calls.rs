//! execve and execveat.

use std::ffi::CString;
use std::rc::Rc;
use std::sync::Arc;

use rustix::io::Errno;

use super::chain::Links;
use super::environment::Environment;
use super::expectation::Expectation;
use super::guard::Guard;
use super::request::{ExecDecision, ExecRequest, Stage};
use crate::caller::{Caller, Interruption};
use crate::files::resolve::{Canonical, Pin};
use crate::locate::Locator;
use crate::outcome::Outcome;
use crate::process::Known;

/// `AT_EXECVE_CHECK` (Linux 6.14): only ask whether it would be allowed.
const CHECK: i32 = 0x1_0000;
const FLAGS: i32 = libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW | CHECK;

/// Bytes of arguments with which an exec is not refused for their length, whatever the environment's.
const FEW: usize = 32 << 10;

/// The arguments of either call.
pub(super) struct Call {
    folder: i32,
    path: CString,
    pub argv: Vec<CString>,
    pub environment: Rc<Environment>,
    flags: i32,
}

impl Call {
    pub fn of(caller: &Caller<'_>) -> Result<Call, Errno> {
        let at = caller.notification().nr == libc::SYS_execveat;
        let first = usize::from(at);
        let flags = if at { caller.arg_i32(4) } else { 0 };
        if flags & !FLAGS != 0 {
            return Err(Errno::INVAL);
        }
        let [path, argv, environment] = [0, 1, 2].map(|index| caller.arg(first + index));
        let mut texts = caller.texts();
        texts.load([path, argv, environment]);
        Ok(Call {
            folder: if at { caller.arg_i32(0) } else { libc::AT_FDCWD },
            path: texts.path(path)?,
            argv: texts.array(argv)?.to_strings()?,
            environment: Environment::at(environment, texts),
            flags,
        })
    }

    pub fn pin(&self, locator: &Locator, caller: &Caller<'_>) -> Result<Pin, Errno> {
        let empty = self.flags & libc::AT_EMPTY_PATH != 0;
        match self.path.as_bytes() {
            b"" if !empty => Err(Errno::NOENT),
            b"" if self.folder == libc::AT_FDCWD => Err(Errno::ACCESS),
            b"" => locator.descriptor(caller, self.folder),
            _ => {
                let follow = self.flags & libc::AT_SYMLINK_NOFOLLOW == 0;
                if follow && self.folder == libc::AT_FDCWD {
                    return locator.program(caller, &self.path);
                }
                let pin = locator.object(caller, self.folder, &self.path, follow)?;
                if pin.kind() == libc::S_IFLNK {
                    return Err(Errno::LOOP);
                }
                Ok(pin)
            }
        }
    }

    /// Whether it executes a descriptor's file itself.
    pub fn is_nameless(&self) -> bool {
        self.path.is_empty()
    }

    /// The name that the kernel gives the file: what the interpreter of a script is told.
    pub fn name(&self) -> CString {
        let path = self.path.as_bytes();
        if self.folder == libc::AT_FDCWD || path.starts_with(b"/") {
            return self.path.clone();
        }
        let mut name = format!("/dev/fd/{}", self.folder).into_bytes();
        if !path.is_empty() {
            name.push(b'/');
            name.extend_from_slice(path);
        }
        CString::new(name).unwrap_or_else(|_| self.path.clone())
    }
}

impl Guard {
    /// Judges an exec and lets it through, or not.
    pub(super) fn execute(&self, caller: &Caller<'_>, known: &Known) -> Outcome {
        match self.try_execute(caller, known) {
            Ok(outcome) => outcome,
            Err(errno) => Outcome::Errno(errno),
        }
    }

    fn try_execute(&self, caller: &Caller<'_>, known: &Known) -> Result<Outcome, Errno> {
        if let Some(outcome) = self.errand(caller, known)? {
            return Ok(outcome);
        }
        let mut call = Call::of(caller)?;
        let pin = call.pin(&self.locator, caller)?;
        let name = call.name();
        let links = Links {
            locator: &self.locator,
            caller,
        };
        let chain = links.follow(pin, name, std::mem::take(&mut call.argv))?;
        let before = self.before(caller, known)?;
        if !caller.still_valid() {
            return Ok(Outcome::Answered);
        }
        let request = ExecRequest {
            stage: Stage::Asked,
            caller,
            tgid: known.tgid,
            ppid: known.ppid,
            depth: known.execs,
            above: known.above,
            subjects: chain.subjects,
            environment: Some(Rc::clone(&call.environment)),
            locator: &self.locator,
        };
        if !self.judge.nameless_programs()
            && request
                .subjects
                .iter()
                .any(|one| !matches!(one.place, Canonical::At(_)))
        {
            self.observer.exec_refused(&request, Errno::ACCESS);
            return Err(Errno::ACCESS);
        }
        let mut counts = true;
        match self.judge.exec(&request) {
            ExecDecision::Allow => {}
            ExecDecision::Transparent => counts = false,
            ExecDecision::Instead(_) if call.flags & CHECK != 0 => {}
            ExecDecision::Instead(instead) => {
                let pin = call.pin(&self.locator, caller)?;
                self.locator.may_execute(caller, &pin)?;
                if chain.foreign {
                    // The kernel says so too, and shells then read such a file themselves.
                    return Err(Errno::NOEXEC);
                }
                return self.send(caller, known, *instead);
            }
            ExecDecision::Deny(errno) => return Err(errno),
            ExecDecision::Interrupted(Interruption::Restart) => return Ok(Outcome::Restart),
            ExecDecision::Interrupted(Interruption::Gone) => return Ok(Outcome::Answered),
            ExecDecision::Interrupted(_) => return Err(Errno::INTR),
        }
        if call.flags & CHECK != 0 {
            return Ok(Outcome::Continue);
        }
        let subjects = request.subjects;
        let cmdline = Expectation::cmdline(&chain.argv);
        // A thread that is not its process's first has another number afterwards, by which nobody would find it.
        let surely = chain.plain && cmdline.len() < FEW && caller.tid() == known.tgid;
        self.lay_out(known, &subjects);
        self.expect(
            known.tgid,
            Expectation {
                tid: caller.tid(),
                before,
                subjects,
                image: chain.image,
                cmdline,
                environment: call.environment.judged(),
                inherited: false,
                counts,
                stat: caller.take_stat_file().map(Arc::new),
                stay: surely.then(|| Arc::clone(caller.stay())),
            },
        );
        Ok(match surely {
            true => Outcome::Execute,
            false => Outcome::Continue,
        })
    }
}
