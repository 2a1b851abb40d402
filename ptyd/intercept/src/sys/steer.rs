//! Making a waiting call another one, `ptrace(2)`: the only way to a waiting task's registers.

use rustix::io::Errno;

/// `ERESTARTNOINTR`: the kernel starts the call again, whatever signals come. Never seen by a program.
pub const RESTART_ALWAYS: i32 = 513;

/// What the call becomes: an `execveat(2)` with these arguments.
#[derive(Debug, Clone, Copy)]
pub struct NewCall {
    pub folder: i32,
    pub path: u64,
    pub argv: u64,
    pub environment: u64,
    pub flags: i32,
}

/// Has task `tid`, which waits in a notified call, make `call` instead.
///
/// It is seized, told to stop, and let out of the wait by `release`, which answers with [`RESTART_ALWAYS`]; it then
/// stops before the kernel starts the call again, with what its registers hold by then. Nothing else of it is touched.
///
/// # Errors
/// `EPERM` if it has a tracer (or may not be traced); `ESRCH` if it is gone.
#[cfg(target_arch = "x86_64")]
pub fn steer(tid: i32, call: NewCall, release: impl FnOnce() -> bool) -> Result<(), Errno> {
    request(libc::PTRACE_SEIZE, tid, 0)?;
    request(libc::PTRACE_INTERRUPT, tid, 0)?;
    if !release() {
        // It dies, and with it the tracing.
        return Err(Errno::SRCH);
    }
    await_stop(tid)?;
    let changed = change(tid, call);
    // Whatever went wrong, it must not stay stopped; unchanged it makes its own call again and is judged again.
    request(libc::PTRACE_DETACH, tid, 0)?;
    changed
}

/// Registers are known for one architecture.
///
/// # Errors
/// Always.
#[cfg(not(target_arch = "x86_64"))]
pub fn steer(_tid: i32, _call: NewCall, _release: impl FnOnce() -> bool) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

#[cfg(target_arch = "x86_64")]
fn request(what: libc::c_uint, tid: i32, data: usize) -> Result<(), Errno> {
    // SAFETY: these requests take their data by value.
    match unsafe { libc::ptrace(what, tid, 0usize, data) } {
        -1 => Err(super::last_errno()),
        _ => Ok(()),
    }
}

/// Waits for the stop that was asked for; what stops it before that goes on.
#[cfg(target_arch = "x86_64")]
fn await_stop(tid: i32) -> Result<(), Errno> {
    loop {
        let mut status = 0;
        // SAFETY: the status is valid and exclusive for the call.
        match unsafe { libc::waitpid(tid, &raw mut status, libc::__WALL) } {
            -1 if super::last_errno() == Errno::INTR => {}
            -1 => return Err(super::last_errno()),
            _ if !libc::WIFSTOPPED(status) => return Err(Errno::SRCH),
            _ if status >> 16 == libc::PTRACE_EVENT_STOP => return Ok(()),
            _ => request(libc::PTRACE_CONT, tid, libc::WSTOPSIG(status) as usize)?,
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn change(tid: i32, call: NewCall) -> Result<(), Errno> {
    // SAFETY: the registers are plain numbers, for which zeroes are valid.
    let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    // SAFETY: the request writes one set of registers, to which the pointer is valid and exclusive.
    if unsafe { libc::ptrace(libc::PTRACE_GETREGS, tid, 0usize, &raw mut registers) } == -1 {
        return Err(super::last_errno());
    }
    if registers.rax != (-i64::from(RESTART_ALWAYS)) as u64 {
        return Err(Errno::SRCH);
    }
    registers.orig_rax = libc::SYS_execveat as u64;
    registers.rdi = call.folder as u64;
    registers.rsi = call.path;
    registers.rdx = call.argv;
    registers.r10 = call.environment;
    registers.r8 = call.flags as u64;
    // SAFETY: the request reads one set of registers, to which the pointer is valid.
    match unsafe { libc::ptrace(libc::PTRACE_SETREGS, tid, 0usize, &raw const registers) } {
        -1 => Err(super::last_errno()),
        _ => Ok(()),
    }
}
