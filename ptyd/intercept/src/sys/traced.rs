//! A task that waits in a notified call, in the hands of its tracer for the moment of the answer: the only way to its
//! registers (`ptrace(2)`).

use rustix::io::Errno;

/// `ERESTARTNOINTR`: the kernel starts the call again, whatever signals come. Never seen by a program.
pub const RESTART_ALWAYS: i32 = 513;

/// What stops at calls are told by (`PTRACE_O_TRACESYSGOOD`).
const AT_CALL: i32 = libc::SIGTRAP | 0x80;

/// What a stop of a task is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It was told to, or its whole process stops.
    Told,
    /// It enters a call or leaves one.
    Call,
    /// This signal is about to be taken.
    Signal(i32),
}

/// A stopped task that this thread traces. It goes on when this is dropped.
pub struct Traced(i32);

impl Traced {
    /// Seizes task `tid`, tells it to stop, and lets it out of its wait by `release`, which answers with
    /// [`RESTART_ALWAYS`]: it stops before the kernel starts its call again, with what its registers hold by then.
    /// Should we end while we have it, it ends.
    ///
    /// # Errors
    /// `ENOSYS` where no registers are known; `EPERM` if it has a tracer (or may not be traced); `ESRCH` if it is gone.
    pub fn seize(tid: i32, release: impl FnOnce() -> bool) -> Result<Traced, Errno> {
        if cfg!(not(target_arch = "x86_64")) {
            return Err(Errno::NOSYS);
        }
        request(
            libc::PTRACE_SEIZE,
            tid,
            (libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL) as usize,
        )?;
        let traced = Traced(tid);
        request(libc::PTRACE_INTERRUPT, tid, 0)?;
        if !release() {
            // It dies.
            return Err(Errno::SRCH);
        }
        loop {
            match traced.wait()? {
                Stop::Told => return Ok(traced),
                Stop::Call => request(libc::PTRACE_CONT, tid, 0)?,
                Stop::Signal(signal) => request(libc::PTRACE_CONT, tid, signal as usize)?,
            }
        }
    }

    /// Waits for its next stop.
    ///
    /// # Errors
    /// `ESRCH` if it is gone.
    pub fn wait(&self) -> Result<Stop, Errno> {
        loop {
            let mut status = 0;
            // SAFETY: the status is valid and exclusive for the call.
            match unsafe { libc::waitpid(self.0, &raw mut status, libc::__WALL) } {
                -1 if super::last_errno() == Errno::INTR => {}
                -1 => return Err(super::last_errno()),
                _ if !libc::WIFSTOPPED(status) => return Err(Errno::SRCH),
                _ if status >> 16 == libc::PTRACE_EVENT_STOP => return Ok(Stop::Told),
                _ if libc::WSTOPSIG(status) == AT_CALL => return Ok(Stop::Call),
                _ => return Ok(Stop::Signal(libc::WSTOPSIG(status))),
            }
        }
    }

    /// Lets it run until it enters or leaves a call. A signal that it was about to take it does not take.
    ///
    /// # Errors
    /// `ESRCH` if it is gone.
    pub fn to_call(&self) -> Result<(), Errno> {
        request(libc::PTRACE_SYSCALL, self.0, 0)
    }

    /// Lets it go, to take this signal first, if there is one.
    ///
    /// # Errors
    /// `ESRCH` if it is gone.
    pub fn let_go(self, signal: Option<i32>) -> Result<(), Errno> {
        request(libc::PTRACE_DETACH, self.0, signal.unwrap_or(0) as usize)?;
        // Should it die just now, the rest is done by the drop.
        std::mem::forget(self);
        Ok(())
    }

    /// Has it block `signals` (bit 0 is signal 1); which it blocked.
    ///
    /// # Errors
    /// `ESRCH` if it is gone.
    pub fn block(&self, signals: u64) -> Result<u64, Errno> {
        let mut before = 0u64;
        let length = size_of::<u64>();
        // SAFETY: the request writes a mask of that length, to which the pointer is valid and exclusive.
        done(unsafe { libc::ptrace(libc::PTRACE_GETSIGMASK, self.0, length, &raw mut before) })?;
        // SAFETY: the request reads a mask of that length, to which the pointer is valid.
        done(unsafe { libc::ptrace(libc::PTRACE_SETSIGMASK, self.0, length, &raw const signals) })?;
        Ok(before)
    }

    /// Its registers as they are.
    ///
    /// # Errors
    /// `ESRCH` if it is gone.
    #[cfg(target_arch = "x86_64")]
    pub fn registers(&self) -> Result<libc::user_regs_struct, Errno> {
        // SAFETY: the registers are plain numbers, for which zeroes are valid.
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        // SAFETY: the request writes one set of registers, to which the pointer is valid and exclusive.
        done(unsafe { libc::ptrace(libc::PTRACE_GETREGS, self.0, 0usize, &raw mut registers) })?;
        Ok(registers)
    }

    /// Sets its registers.
    ///
    /// # Errors
    /// `ESRCH` if it is gone.
    #[cfg(target_arch = "x86_64")]
    pub fn set_registers(&self, registers: libc::user_regs_struct) -> Result<(), Errno> {
        // SAFETY: the request reads one set of registers, to which the pointer is valid.
        done(unsafe { libc::ptrace(libc::PTRACE_SETREGS, self.0, 0usize, &raw const registers) })
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // Whatever went wrong, it must not stay stopped; unchanged it makes its own call again and is judged again. One that
        // dies is not its parent's before its tracer has taken note.
        while request(libc::PTRACE_DETACH, self.0, 0).is_err() && self.wait().is_ok() {}
    }
}

fn request(what: libc::c_uint, tid: i32, data: usize) -> Result<(), Errno> {
    // SAFETY: the requests that come here take their data by value.
    done(unsafe { libc::ptrace(what, tid, 0usize, data) })
}

fn done(result: libc::c_long) -> Result<(), Errno> {
    match result {
        -1 => Err(super::last_errno()),
        _ => Ok(()),
    }
}
