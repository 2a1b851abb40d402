//! Having another process make one call of ours, `ptrace(2)`.

use std::sync::mpsc::{Receiver, channel};

use rustix::io::Errno;

/// Stack of a tracing thread, in bytes.
const STACK: usize = 128 << 10;

/// Has thread `tid` make a call with these arguments, wherever it is, and go on as if nothing had been. What the call
/// returned arrives once it has: a call that somebody is asked about first may take for ever.
///
/// Nothing arrives if the thread may not be traced, or ends.
pub(crate) fn make(tid: i32, number: i64, arguments: [u64; 3]) -> Receiver<i64> {
    let (send, receive) = channel();
    // A tracee is its tracer's, which is a thread.
    let thread = std::thread::Builder::new().name("tracer".into()).stack_size(STACK);
    let spawned = thread.spawn(move || match made(tid, number, arguments) {
        // Who does not wait any more need not know.
        Ok(value) => drop(send.send(value)),
        Err(errno) => tracing::debug!(tid, %errno, "cannot be made to call"),
    });
    if let Err(error) = spawned {
        tracing::warn!("no thread to trace another process: {error}");
    }
    receive
}

/// Registers are known for one architecture.
#[cfg(not(target_arch = "x86_64"))]
fn made(_tid: i32, _number: i64, _arguments: [u64; 3]) -> Result<i64, Errno> {
    Err(Errno::NOSYS)
}

#[cfg(target_arch = "x86_64")]
fn made(tid: i32, number: i64, arguments: [u64; 3]) -> Result<i64, Errno> {
    /// `syscall`.
    const INSTRUCTION: [u8; 2] = [0x0f, 0x05];
    request(libc::PTRACE_SEIZE, tid, 0, 0)?;
    request(libc::PTRACE_INTERRUPT, tid, 0, 0)?;
    let mut held_back = 0;
    await_stop(tid, &mut held_back, |status| status >> 16 == libc::PTRACE_EVENT_STOP)?;
    let before = registers(tid)?;
    let at = before.rip as usize;
    let text = request(libc::PTRACE_PEEKTEXT, tid, at, 0)?;
    let mut bytes = text.to_ne_bytes();
    bytes[..2].copy_from_slice(&INSTRUCTION);
    let [rdi, rsi, rdx] = arguments;
    let wanted = libc::user_regs_struct {
        rax: number as u64,
        // None of the calls that the kernel would start again.
        orig_rax: u64::MAX,
        rdi,
        rsi,
        rdx,
        ..before
    };
    request(libc::PTRACE_POKETEXT, tid, at, usize::from_ne_bytes(bytes))?;
    let called = set_registers(tid, &wanted)
        .and_then(|()| step(tid, &mut held_back))
        .and_then(|()| registers(tid));
    // Put back whatever came of it.
    request(libc::PTRACE_POKETEXT, tid, at, text as usize)?;
    set_registers(tid, &before)?;
    request(libc::PTRACE_DETACH, tid, 0, held_back as usize)?;
    Ok(called?.rax as i64)
}

/// One instruction.
#[cfg(target_arch = "x86_64")]
fn step(tid: i32, held_back: &mut i32) -> Result<(), Errno> {
    request(libc::PTRACE_SINGLESTEP, tid, 0, 0)?;
    await_stop(tid, held_back, |status| {
        libc::WSTOPSIG(status) == libc::SIGTRAP && status >> 16 == 0
    })
}

/// Waits for a stop; a signal that comes before is held back, and delivered in the end.
#[cfg(target_arch = "x86_64")]
fn await_stop(tid: i32, held_back: &mut i32, is_it: impl Fn(i32) -> bool) -> Result<(), Errno> {
    loop {
        let mut status = 0;
        // SAFETY: the status is valid and exclusive for the call.
        match unsafe { libc::waitpid(tid, &raw mut status, libc::__WALL) } {
            -1 if last_errno() == Errno::INTR => {}
            -1 => return Err(last_errno()),
            _ if !libc::WIFSTOPPED(status) => return Err(Errno::SRCH),
            _ if is_it(status) => return Ok(()),
            _ => {
                if status >> 16 == 0 {
                    *held_back = libc::WSTOPSIG(status);
                }
                request(libc::PTRACE_SINGLESTEP, tid, 0, 0)?;
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn request(what: libc::c_uint, tid: i32, address: usize, data: usize) -> Result<i64, Errno> {
    // A word that was read may be -1.
    // SAFETY: errno is the calling thread's own.
    unsafe { *libc::__errno_location() = 0 };
    // SAFETY: these requests take address and data by value; addresses are the tracee's.
    match unsafe { libc::ptrace(what, tid, address, data) } {
        -1 if last_errno().raw_os_error() != 0 => Err(last_errno()),
        word => Ok(word),
    }
}

#[cfg(target_arch = "x86_64")]
fn registers(tid: i32) -> Result<libc::user_regs_struct, Errno> {
    // SAFETY: the registers are plain numbers, for which zeroes are valid.
    let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    // SAFETY: the request writes one set of registers, to which the pointer is valid and exclusive.
    match unsafe { libc::ptrace(libc::PTRACE_GETREGS, tid, 0usize, &raw mut registers) } {
        -1 => Err(last_errno()),
        _ => Ok(registers),
    }
}

#[cfg(target_arch = "x86_64")]
fn set_registers(tid: i32, registers: &libc::user_regs_struct) -> Result<(), Errno> {
    // SAFETY: the request reads one set of registers, to which the pointer is valid.
    match unsafe { libc::ptrace(libc::PTRACE_SETREGS, tid, 0usize, std::ptr::from_ref(registers)) } {
        -1 => Err(last_errno()),
        _ => Ok(()),
    }
}

#[cfg(target_arch = "x86_64")]
fn last_errno() -> Errno {
    Errno::from_raw_os_error(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use std::io::Write as _;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::*;

    type Result = std::result::Result<(), Box<dyn std::error::Error>>;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Nothing of the caller's changes.
    const HARMLESS: [u64; 3] = [u64::MAX, libc::F_SETOWN as u64, 0];

    #[test]
    fn a_process_makes_a_call_and_goes_on_as_before() -> Result {
        // One sleeps, one waits for input, one computes.
        for text in [
            "exec sleep 0.7",
            "read -r line; test \"$line\" = x",
            "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done",
        ] {
            let mut child = Command::new("bash").args(["-c", text]).stdin(Stdio::piped()).spawn()?;
            let pid = child.id() as i32;
            for _ in 0..50 {
                let parent = make(pid, libc::SYS_getppid, [0; 3]).recv_timeout(PATIENCE)?;
                assert_eq!(parent, i64::from(std::process::id()), "{text}");
                let refused = make(pid, libc::SYS_fcntl, HARMLESS).recv_timeout(PATIENCE)?;
                assert_eq!(refused, -i64::from(libc::EBADF), "{text}");
            }
            child.stdin.take().ok_or("no pipe")?.write_all(b"x\n")?;
            let status = child.wait()?;
            assert!(status.success(), "{text}: {status}");
        }
        Ok(())
    }

    #[test]
    fn a_stopped_process_stays_stopped() -> Result {
        let mut child = Command::new("sleep").arg("60").spawn()?;
        let pid = child.id() as i32;
        let signal = |name: &str| Command::new("kill").args([name, &pid.to_string()]).status();
        let stopped = || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|text| text.contains(") T "));
        signal("-STOP")?;
        while !stopped() {
            std::thread::yield_now();
        }
        make(pid, libc::SYS_getppid, [0; 3]).recv_timeout(PATIENCE)?;
        let limit = std::time::Instant::now() + PATIENCE;
        while !stopped() {
            assert!(std::time::Instant::now() < limit, "it runs");
            std::thread::yield_now();
        }
        signal("-TERM")?;
        signal("-CONT")?;
        assert_eq!(child.wait()?.signal(), Some(libc::SIGTERM));
        Ok(())
    }
}
