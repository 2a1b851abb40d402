//! Something else runs than what was asked for: another program, or the same with another environment.
//!
//! The caller's call becomes one that executes the stub: its registers are changed, its memory is not (a child of
//! `vfork(2)` shares it with its parent). The stub asks for its orders, which are written into its own memory, and
//! executes them. What it then executes must be what was judged.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::calls::Call;
use super::chain::Links;
use super::expectation::Expectation;
use super::guard::Guard;
use super::request::Instead;
use super::stub::Stub;
use crate::caller::{AddDescriptor, Caller};
use crate::outcome::Outcome;
use crate::process::{FileId, Known, TaskStat, procfs};
use crate::sys::steer::{self, NewCall};
use crate::sys::stub::{ASK_LENGTH, ASK_ORDERS};

/// Errands from which on those of dead processes are looked for.
const FORGOTTEN: usize = 64;

/// One exec that is on its way through the stub.
struct Errand {
    /// The thread that called.
    tid: i32,
    /// The stub's number there.
    folder: i32,
    instead: Instead,
}

/// The errands of one command's processes.
#[derive(Default)]
pub(super) struct Errands {
    map: Mutex<HashMap<i32, Arc<Errand>>>,
    /// In the common case there is none, and nobody looks.
    count: AtomicUsize,
}

impl Errands {
    fn map(&self) -> MutexGuard<'_, HashMap<i32, Arc<Errand>>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, tgid: i32) -> Option<Arc<Errand>> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.map().get(&tgid).cloned()
    }

    fn add(&self, tgid: i32, errand: Errand) {
        let mut map = self.map();
        if map.len() > FORGOTTEN {
            map.retain(|tgid, _| TaskStat::read(*tgid).is_ok());
        }
        map.insert(tgid, Arc::new(errand));
        self.count.store(map.len(), Ordering::Release);
    }

    /// Drops the errand of `tgid`, which ends or has done it.
    pub(super) fn drop(&self, tgid: i32) {
        if self.count.load(Ordering::Acquire) > 0 {
            let mut map = self.map();
            map.remove(&tgid);
            self.count.store(map.len(), Ordering::Release);
        }
    }
}

impl Guard {
    /// Has the caller's process execute `instead`, by way of the stub.
    pub(super) fn send(&self, caller: &Caller<'_>, known: &Known, instead: Instead) -> Result<Outcome, Errno> {
        let stub = Stub::get()?;
        let at = caller.notification().nr == libc::SYS_execveat;
        let first = usize::from(at);
        if is_traced(caller.tid()) {
            // Its registers are its tracer's.
            return Err(Errno::ACCESS);
        }
        // Some place that holds an empty string: where the path that it gave ends.
        let path = caller.arg(first);
        let end = path + caller.read_path(path)?.as_bytes().len() as u64;
        let folder = AddDescriptor::to(caller).reserve(stub.as_fd())?;
        let tid = caller.tid();
        self.errands.add(known.tgid, Errand { tid, folder, instead });
        let call = NewCall {
            number: libc::SYS_execveat,
            arguments: [
                folder as u64,
                end,
                caller.arg(first + 1),
                caller.arg(first + 2),
                libc::AT_EMPTY_PATH as u64,
            ],
        };
        match steer::steer(tid, call, || caller.answer(Outcome::Again)) {
            Ok(()) | Err(Errno::SRCH) => Ok(Outcome::Answered),
            Err(errno) => {
                self.errands.drop(known.tgid);
                tracing::error!(tid, %errno, "an exec cannot be steered");
                Err(Errno::ACCESS)
            }
        }
    }

    /// The next step of a process on an errand; `None`: the call is not part of it.
    pub(super) fn errand(&self, caller: &Caller<'_>, known: &Known) -> Result<Option<Outcome>, Errno> {
        let Some(errand) = self.errands.of(known.tgid) else {
            return Ok(None);
        };
        let at = caller.notification().nr == libc::SYS_execveat;
        let flags = caller.arg_i32(4);
        if !Stub::is(known.image) {
            let steered = at && caller.tid() == errand.tid && caller.arg_i32(0) == errand.folder;
            return if steered && flags == libc::AT_EMPTY_PATH {
                self.start_stub(caller, known, &errand).map(Some)
            } else {
                Ok(None)
            };
        }
        match (at, flags) {
            (true, ASK_LENGTH) => {
                let length = i64::try_from(errand.instead.block(0).len()).map_err(|_| Errno::TOOBIG)?;
                Ok(Some(Outcome::Value(length)))
            }
            (true, ASK_ORDERS) => {
                let block = errand.instead.block(caller.arg(1));
                if block.len() as u64 > caller.arg(2) {
                    return Err(Errno::INVAL);
                }
                caller.write_bytes(caller.arg(1), &block)?;
                Ok(Some(Outcome::Value(0)))
            }
            _ => self.finish_errand(caller, known, &errand).map(Some),
        }
    }

    fn start_stub(&self, caller: &Caller<'_>, known: &Known, errand: &Errand) -> Result<Outcome, Errno> {
        let call = Call::of(caller)?;
        let file = caller.fetch_fd(errand.folder)?;
        let id = FileId::of(&rustix::fs::fstat(file.as_fd())?);
        if !Stub::is(Some(id)) || !call.is_nameless() {
            return Err(Errno::ACCESS);
        }
        let before = self.before(caller, known)?;
        if !caller.still_valid() {
            return Ok(Outcome::Answered);
        }
        let (cmdline, tid) = (Expectation::cmdline(&call.argv), caller.tid());
        self.expect(
            known.tgid,
            Expectation {
                tid,
                before,
                subjects: Vec::new(),
                image: id,
                cmdline,
                environment: None,
                inherited: false,
                counts: false,
                stat: caller.take_stat_file().map(Arc::new),
                stay: None,
            },
        );
        Ok(Outcome::Continue)
    }

    /// The stub executes; it must be what was judged.
    fn finish_errand(&self, caller: &Caller<'_>, known: &Known, errand: &Errand) -> Result<Outcome, Errno> {
        let call = Call::of(caller)?;
        let pin = call.pin(&self.locator, caller)?;
        let environment = call.environment.read()?.to_strings()?;
        let (name, instead) = (call.name(), &errand.instead);
        let links = Links {
            locator: &self.locator,
            caller,
        };
        if call.argv != instead.argv || environment != instead.environment {
            return Err(Errno::ACCESS);
        }
        let chain = links.follow(pin, name, call.argv)?;
        let before = self.before(caller, known)?;
        if !caller.still_valid() {
            return Ok(Outcome::Answered);
        }
        if chain.subjects != instead.subjects {
            return Err(Errno::ACCESS);
        }
        if instead.redirected {
            self.table
                .redirected(known.tgid, instead.subjects.first().map(|subject| subject.file));
        }
        self.lay_out(known, &chain.subjects);
        let subjects = [instead.scripts.as_slice(), &chain.subjects].concat();
        let (cmdline, tid) = (Expectation::cmdline(&chain.argv), caller.tid());
        self.expect(
            known.tgid,
            Expectation {
                tid,
                before,
                subjects,
                image: chain.image,
                cmdline,
                environment: Some(Expectation::block(&environment)),
                inherited: false,
                counts: !instead.transparent,
                stat: caller.take_stat_file().map(Arc::new),
                stay: None,
            },
        );
        self.errands.drop(known.tgid);
        Ok(Outcome::Continue)
    }
}

/// Whether a task has a tracer; what cannot be read counts as one.
fn is_traced(tid: i32) -> bool {
    procfs::read(tid, "status").map_or(true, |text| {
        let mut lines = text.split(|byte| *byte == b'\n');
        !lines.any(|line| line == b"TracerPid:\t0")
    })
}

impl Instead {
    /// The orders as the stub reads them at `address`: where program, argv and environment lie, and these.
    fn block(&self, address: u64) -> Vec<u8> {
        let pointers = 3 + self.argv.len() + 1 + self.environment.len() + 1;
        let mut texts = Vec::new();
        let mut place = |text: &CString| {
            let at = address + 8 * pointers as u64 + texts.len() as u64;
            texts.extend_from_slice(text.as_bytes_with_nul());
            at
        };
        let argv = address + 24;
        let environment = argv + 8 * (self.argv.len() as u64 + 1);
        let mut numbers = vec![place(&self.program), argv, environment];
        numbers.extend(self.argv.iter().map(&mut place));
        numbers.push(0);
        numbers.extend(self.environment.iter().map(&mut place));
        numbers.push(0);
        let mut block: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
        block.append(&mut texts);
        block
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::Subject;
    use super::*;

    #[test]
    fn orders_point_into_themselves() -> Result<(), Box<dyn std::error::Error>> {
        let words = |words: &[&str]| {
            words
                .iter()
                .map(|word| CString::new(*word))
                .collect::<Result<Vec<_>, _>>()
        };
        let instead = Instead {
            program: CString::new("/bin/a")?,
            argv: words(&["a", "", "long word"])?,
            environment: words(&["X=1"])?,
            subjects: Vec::<Subject>::new(),
            scripts: Vec::new(),
            redirected: false,
            transparent: false,
        };
        let base = 0x1000;
        let block = instead.block(base);
        let number = |at: usize| {
            block[at..at + 8]
                .iter()
                .rev()
                .fold(0u64, |all, byte| all << 8 | u64::from(*byte))
        };
        let text = |at: usize| {
            let start = (number(at) - base) as usize;
            block[start..]
                .split(|byte| *byte == 0)
                .next()
                .unwrap_or_default()
                .to_vec()
        };
        assert_eq!(text(0), b"/bin/a");
        let (argv, environment) = ((number(8) - base) as usize, (number(16) - base) as usize);
        assert_eq!(text(argv), b"a");
        assert_eq!(text(argv + 16), b"long word");
        assert_eq!(number(argv + 24), 0);
        assert_eq!(text(environment), b"X=1");
        assert_eq!(number(environment + 8), 0);
        assert_eq!(block.last(), Some(&0));
        Ok(())
    }
}
