//! After an exec: is it what was judged?

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::process::Signal;

use super::chain::{Chain, Links};
use super::environment::Environment;
use super::expectation::{Expectation, Image};
use super::guard::Guard;
use super::request::{ExecDecision, ExecRequest, Stage, Subject};
use crate::caller::Caller;
use crate::files::resolve::Canonical;
use crate::outcome::Outcome;
use crate::process::{ExecSettled, FileId, Known};

/// How far behind an interpreter's name its script can stand: behind one argument of the `#!` line.
const SCRIPT_PLACES: [usize; 2] = [1, 2];

impl Guard {
    /// Compares the process with what was judged; an error is what its call is answered with.
    pub(super) fn settle(&self, caller: &Caller<'_>, known: &Known) -> Result<(), Outcome> {
        let pending = self.expectations(known.tgid).unwrap_or_default();
        pending
            .iter()
            .filter_map(|one| one.stay.as_ref())
            .for_each(|stay| stay.end());
        if let Some(file) = pending.iter().find_map(|one| one.stat.as_ref()) {
            caller.stat_by(file);
        }
        // What cannot be seen is not let through, and not forgotten.
        let image = Image::with_environment(caller, known)?;
        if !caller.still_valid() {
            return Err(Outcome::Answered);
        }
        // What is left of a process that had the same number.
        self.retain(known.tgid, |one| one.before.stat.started == image.stat.started);
        let Some(expectations) = self.expectations(known.tgid) else {
            return Ok(());
        };
        let given = || Environment::given(image.environment.as_deref());
        if expectations.iter().all(|one| image.is_still(&one.before)) {
            if !self.common.layouts.differ(caller.tid())
                && let killed @ ExecSettled::Killed(_) = self.judge_running(caller, known, &image, Some(given()))
            {
                return self.finish(caller, known, (&image, true), killed);
            }
            self.refused_by_kernel(caller, known, &expectations);
            return Ok(());
        }
        let met: Vec<_> = expectations.iter().filter(|one| one.is_met_by(&image)).collect();
        let settled = match met.first() {
            None => self.judge_running(caller, known, &image, Some(given())),
            Some(_) if met.iter().any(|one| one.has_environment(&image)) => ExecSettled::Ran,
            // What it was given has been exchanged since, and may have brought in code that nobody judged.
            Some(one) => ExecSettled::Killed(one.subjects.clone()),
        };
        let counts = met.first().is_none_or(|one| one.counts);
        self.finish(caller, known, (&image, counts), settled)
    }

    /// The thread that called is back: the kernel has refused it. Others may still be on their way.
    fn refused_by_kernel(&self, caller: &Caller<'_>, known: &Known, expectations: &[Arc<Expectation>]) {
        let back = |one: &Expectation| one.inherited || one.tid == caller.tid();
        if expectations.iter().any(|one| back(one)) {
            self.laid_out(known.tgid);
        }
        for _ in expectations.iter().filter(|one| back(one) && !one.inherited) {
            self.observer.exec_settled(known.tgid, &ExecSettled::Failed);
        }
        self.retain(known.tgid, |one| !back(one));
    }

    fn finish(
        &self,
        caller: &Caller<'_>,
        known: &Known,
        (image, counts): (&Image, bool),
        settled: ExecSettled,
    ) -> Result<(), Outcome> {
        self.laid_out(known.tgid);
        let killed = matches!(settled, ExecSettled::Killed(_));
        if killed {
            // Before anybody else can take the matter for settled.
            kill(caller);
        }
        if let Some(taken) = self.take(known.tgid) {
            // For a child of a process that was not seen since its exec this counts the parent's.
            self.table.executed(known.tgid, (image.file, image.stat.layout), counts);
            if killed || taken.iter().any(|one| !one.inherited) {
                self.observer.exec_settled(known.tgid, &settled);
            }
        }
        if killed {
            Err(Outcome::Errno(Errno::ACCESS))
        } else {
            Ok(())
        }
    }

    /// A process whose parents are not known: what it runs must be known, or be allowed.
    pub(super) fn admit_orphan(&self, caller: &Caller<'_>, known: &Known) -> Result<(), Outcome> {
        let image = Image::of(caller, known)?;
        if !caller.still_valid() {
            return Err(Outcome::Answered);
        }
        if self.table.has_judged(image.file) {
            return Ok(());
        }
        match self.judge_running(caller, known, &image, None) {
            settled @ ExecSettled::Killed(_) => {
                kill(caller);
                self.observer.exec_settled(known.tgid, &settled);
                Err(Outcome::Errno(Errno::ACCESS))
            }
            _ => Ok(()),
        }
    }

    /// Judges what runs as what it is, and with the environment that it was given if it was seen to start.
    fn judge_running(
        &self,
        caller: &Caller<'_>,
        known: &Known,
        image: &Image,
        environment: Option<Rc<Environment>>,
    ) -> ExecSettled {
        let links = Links {
            locator: &self.locator,
            caller,
        };
        let Ok(subjects) = seen(&links, known.tgid, image) else {
            return ExecSettled::Killed(Vec::new());
        };
        let mut request = ExecRequest {
            stage: Stage::Running,
            caller,
            tgid: known.tgid,
            ppid: known.ppid,
            depth: known.execs,
            above: known.above,
            subjects,
            environment,
            locator: &self.locator,
        };
        let nameless = request
            .subjects
            .iter()
            .any(|one| !matches!(one.place, Canonical::At(_)));
        let says_yes = || {
            matches!(
                self.judge.exec(&request),
                ExecDecision::Allow | ExecDecision::Transparent
            )
        };
        let allowed = (!nameless || self.judge.nameless_programs()) && says_yes();
        let subjects = std::mem::take(&mut request.subjects);
        if allowed {
            ExecSettled::Replaced(subjects)
        } else {
            ExecSettled::Killed(subjects)
        }
    }
}

/// A pidfd of a thread kills its process. Should that fail, the call fails at least.
pub(super) fn kill(caller: &Caller<'_>) {
    let kill = |pidfd| rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
    match caller.pidfd().and_then(kill) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(errno) => tracing::error!(tid = caller.tid(), %errno, "it cannot be killed"),
    }
}

/// The files that a running image stands for: itself, what it loads, and the script that it may
/// have been started for.
fn seen(links: &Links<'_>, tgid: i32, image: &Image) -> Result<Vec<Subject>, Errno> {
    let link = format!("/proc/{tgid}/exe");
    let called = std::fs::read_link(&link).map_err(|_| Errno::ACCESS)?;
    let called = CString::new(called.as_os_str().as_bytes()).map_err(|_| Errno::ACCESS)?;
    let argv = image.argv();
    let mut subjects = Vec::new();
    for place in SCRIPT_PLACES {
        if let Some(script) = argv.get(place)
            && let Some(chain) = started_script(links, script, &argv[place..], image.file)
        {
            subjects = chain.subjects;
            break;
        }
    }
    let pin = links.locator.image(tgid)?;
    subjects.extend(links.follow(pin, called, argv)?.subjects);
    Ok(subjects)
}

/// The chain of `script`, if it is one that `image` interprets.
fn started_script(links: &Links<'_>, script: &CString, argv: &[CString], image: FileId) -> Option<Chain> {
    let pin = links.file(script).ok()?;
    let chain = links.follow(pin, script.clone(), argv.to_vec()).ok()?;
    (chain.subjects.len() > 1 && chain.image == image).then_some(chain)
}
