//! Making a waiting call another one, or have another one precede it.

use rustix::io::Errno;

use super::traced::{RESTART_ALWAYS, Stop, Traced};

/// A call as registers hold it.
#[derive(Debug, Clone, Copy)]
pub struct NewCall {
    pub number: i64,
    pub arguments: [u64; 5],
}

/// Has task `tid`, which waits in a notified call, make `call` instead. `release` answers with [`RESTART_ALWAYS`].
/// Nothing else of it is touched.
///
/// # Errors
/// Those of [`Traced::seize`].
#[cfg(target_arch = "x86_64")]
pub fn steer(tid: i32, call: NewCall, release: impl FnOnce() -> bool) -> Result<(), Errno> {
    let traced = Traced::seize(tid, release)?;
    let registers = waiting(&traced)?;
    traced.set_registers(registers.calling(call))?;
    traced.let_go(None)
}

/// Has task `tid`, which waits in a notified call, make `call` before anything else; then the call that it waits in has
/// `result`. What comes of `call` it does not see. Its signals wait meanwhile, as they do in a call.
///
/// # Errors
/// Those of [`Traced::seize`].
#[cfg(target_arch = "x86_64")]
pub fn precede(tid: i32, call: NewCall, result: i32, release: impl FnOnce() -> bool) -> Result<(), Errno> {
    let traced = Traced::seize(tid, release)?;
    let registers = waiting(&traced)?;
    let blocked = traced.block(u64::MAX)?;
    traced.set_registers(registers.calling(call))?;
    let mut stopped_by = None;
    for _in_and_out in 0..2 {
        traced.to_call()?;
        loop {
            match traced.wait()? {
                Stop::Call => break,
                // Which cannot be blocked. It comes a moment later.
                Stop::Signal(signal) => stopped_by = Some(signal),
                // The kernel stops it again when it is let go.
                Stop::Told => {}
            }
            traced.to_call()?;
        }
    }
    traced.set_registers(registers.returning(result))?;
    traced.block(blocked)?;
    traced.let_go(stopped_by)
}

/// The registers of a task whose call the kernel is about to start again.
#[cfg(target_arch = "x86_64")]
fn waiting(traced: &Traced) -> Result<Registers, Errno> {
    let registers = traced.registers()?;
    match registers.rax == (-i64::from(RESTART_ALWAYS)) as u64 {
        true => Ok(Registers(registers)),
        false => Err(Errno::SRCH),
    }
}

#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Registers(libc::user_regs_struct);

#[cfg(target_arch = "x86_64")]
impl Registers {
    fn calling(self, call: NewCall) -> libc::user_regs_struct {
        let [rdi, rsi, rdx, r10, r8] = call.arguments;
        libc::user_regs_struct {
            orig_rax: call.number as u64,
            rdi,
            rsi,
            rdx,
            r10,
            r8,
            ..self.0
        }
    }

    fn returning(self, result: i32) -> libc::user_regs_struct {
        libc::user_regs_struct {
            rax: i64::from(result) as u64,
            ..self.0
        }
    }
}

/// Registers are known for one architecture.
///
/// # Errors
/// Always.
#[cfg(not(target_arch = "x86_64"))]
pub fn steer(_tid: i32, _call: NewCall, _release: impl FnOnce() -> bool) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// As [`steer`].
///
/// # Errors
/// Always.
#[cfg(not(target_arch = "x86_64"))]
pub fn precede(_tid: i32, _call: NewCall, _result: i32, _release: impl FnOnce() -> bool) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}
