//! The process itself: its vectors, its descriptors, `fork` and `execve`.

use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use agentsh_protocol::shown::visible;

use crate::{Invocation, Refusal, run};

mod arena;
mod mask;
mod room;

pub(crate) use mask::{SignalSet, change_mask, pending, take};
pub(crate) use room::make_room;

/// Descriptors of ours stay above the numbers that shells and their scripts use.
const HIGH: c_int = 200;

/// The library's entry: runs, and if the program could not be started writes one line to stderr.
///
/// # Safety
/// `argv` and `envp` are null-terminated vectors of C strings that live as long as the process.
pub unsafe fn run_main(argv: *const *const c_char, envp: *const *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    let invocation = unsafe {
        Invocation {
            argv: strings(argv),
            env: strings(envp).into_iter().map(CStr::to_owned).collect(),
            given: Given(envp),
        }
    };
    let Refusal { status, message } = run(&invocation);
    say(&message);
    end(status)
}

/// Ends this process, which has one thread, by `exit(2)` itself: `exit_group(2)` is notified, and after a
/// refusal inside the filter nobody may be there to answer it.
fn end(status: c_int) -> ! {
    loop {
        // SAFETY: takes an integer and does not return.
        unsafe { libc::syscall(libc::SYS_exit, status) };
    }
}

/// One line on stderr, if there is one.
fn say(message: &str) {
    let line = format!("agentsh: {}\n", visible(message));
    // SAFETY: descriptor 2 is only borrowed for this write; if it is closed the write fails, harmlessly.
    let stderr = unsafe { BorrowedFd::borrow_raw(2) };
    let _ = write_without_sigpipe(stderr, line.as_bytes());
}

/// # Safety
/// `vector` is null or a null-terminated vector of C strings that live as long as the process.
unsafe fn strings<'a>(vector: *const *const c_char) -> Vec<&'a CStr> {
    let mut found = Vec::new();
    if vector.is_null() {
        return found;
    }
    for index in 0.. {
        // SAFETY: the vector ends with a null pointer, at which this loop stops.
        let entry = unsafe { *vector.add(index) };
        if entry.is_null() {
            break;
        }
        // SAFETY: every entry before the null pointer is a C string of the process's lifetime.
        found.push(unsafe { CStr::from_ptr(entry) });
    }
    found
}

/// The environment as the kernel laid it out; everybody here has copies.
pub(crate) struct Given(*const *const c_char);

impl Given {
    /// Overwrites it: who looks at this process from inside the session, before it is the program, finds nothing.
    pub(crate) fn wipe(&self) {
        if self.0.is_null() {
            return;
        }
        for index in 0.. {
            // SAFETY: as in `strings`, whose promise this vector was made with.
            let entry = unsafe { *self.0.add(index) }.cast_mut();
            if entry.is_null() {
                break;
            }
            // SAFETY: a C string on the stack of this process, which is writable and to which nobody has a reference.
            unsafe { std::ptr::write_bytes(entry, 0, libc::strlen(entry)) };
        }
    }
}

/// The path by which this program was executed (`AT_EXECFN`, `getauxval(3)`).
pub(crate) fn executed_file() -> Option<&'static CStr> {
    // SAFETY: takes and returns integers.
    let address = unsafe { libc::getauxval(libc::AT_EXECFN) };
    if address == 0 {
        return None;
    }
    // SAFETY: the kernel put a C string there, above the stack, for the process's lifetime.
    Some(unsafe { CStr::from_ptr(address as *const c_char) })
}

/// Moves a descriptor of ours to a high number; keeps it where it is if the limits leave no room there.
pub(crate) fn out_of_the_way(fd: OwnedFd) -> OwnedFd {
    // SAFETY: F_DUPFD_CLOEXEC takes no pointers.
    let high = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, HIGH) };
    if high < 0 {
        return fd;
    }
    // SAFETY: fcntl returned a new descriptor that nobody else owns.
    unsafe { OwnedFd::from_raw_fd(high) }
}

/// A descriptor that this process was started with and that is not for the program; `None` if it is not open.
pub(crate) fn take_inherited(number: c_int) -> Option<OwnedFd> {
    // SAFETY: F_SETFD takes no pointers.
    if number < 3 || unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } != 0 {
        return None;
    }
    // SAFETY: it is open, and nothing here has made it or uses it.
    Some(out_of_the_way(unsafe { OwnedFd::from_raw_fd(number) }))
}

/// Makes the standard descriptor `number` name what `fd` names, over an exec too.
pub(crate) fn put_at(fd: &OwnedFd, number: c_int) -> io::Result<()> {
    if !(0..3).contains(&number) {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: takes numbers; the caller's descriptor is what is to be replaced.
    match unsafe { libc::dup2(fd.as_raw_fd(), number) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// `execve(2)`; returns only on failure.
pub(crate) fn execve(program: &CStr, argv: &[CString], env: &[CString]) -> io::Error {
    let pointers = |strings: &[CString]| -> Vec<*const c_char> {
        strings
            .iter()
            .map(|string| string.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (argv, env) = (pointers(argv), pointers(env));
    room::give_back();
    // SAFETY: both vectors are null-terminated and their strings outlive the call.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// `write(2)` of everything with SIGPIPE held back: a dead peer is an error, not our death.
pub(crate) fn write_without_sigpipe(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
    let before = change_mask(libc::SIG_BLOCK, SignalSet::of(&[libc::SIGPIPE]));
    // On failure the signal stays blocked and pending: the process ends with 126 next.
    io::Write::write_all(&mut Plain(fd), bytes)?;
    change_mask(libc::SIG_SETMASK, before);
    Ok(())
}

struct Plain<'a>(BorrowedFd<'a>);

impl io::Write for Plain<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.0, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts `program` as a daemon: twice forked, in a session of its own, with `/` as folder, without
/// environment, its standard descriptors on /dev/null and `ready` as descriptor 3.
///
/// The first child's end sends no signal: a SIGCHLD would stay pending, and the program would find it there.
pub(crate) fn spawn_daemon(program: &CStr, argv: &[CString], ready: OwnedFd) -> io::Result<()> {
    let no_signal = 0;
    // SAFETY: fork(2) without an exit signal, on a copy of this stack; this process has one thread, and the child
    // calls only functions that are safe after fork.
    let child = unsafe { libc::syscall(libc::SYS_clone, no_signal, 0, 0, 0, 0) };
    match child {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // SAFETY: as above; `daemon` never returns.
            unsafe { daemon(program, argv, &ready) }
        }
        child => {
            drop(ready);
            let mut status = 0;
            // SAFETY: waits for our own child; `__WALL` counts those without a signal too.
            unsafe { libc::waitpid(child as libc::pid_t, &raw mut status, libc::__WALL) };
            Ok(())
        }
    }
}

/// # Safety
/// Runs in a forked child with one thread.
unsafe fn daemon(program: &CStr, argv: &[CString], ready: &OwnedFd) -> ! {
    // SAFETY: plain system calls on numbers and on strings that outlive them; each failure ends in _exit.
    unsafe {
        libc::setsid();
        match libc::fork() {
            0 => {}
            -1 => give_up(ready.as_raw_fd(), "", &io::Error::last_os_error()),
            _ => libc::_exit(0),
        }
        let done = |result: c_int, ready: RawFd, what: &str| {
            if result < 0 {
                give_up(ready, what, &io::Error::last_os_error());
            }
            result
        };
        let ready = done(libc::fcntl(ready.as_raw_fd(), libc::F_DUPFD, 4), ready.as_raw_fd(), "");
        done(libc::chdir(c"/".as_ptr()), ready, "/: ");
        let null = done(libc::open(c"/dev/null".as_ptr(), libc::O_RDWR), ready, "/dev/null: ");
        let null = done(libc::fcntl(null, libc::F_DUPFD, 4), ready, "");
        for (from, to) in [(null, 0), (null, 1), (null, 2), (ready, 3)] {
            done(libc::dup2(from, to), ready, "");
        }
        libc::syscall(libc::SYS_close_range, 4u32, u32::MAX, 0u32);
    }
    let error = execve(program, argv, &[]);
    // SAFETY: as above.
    unsafe { give_up(3, "", &error) }
}

/// Says why on descriptor `ready`, which its reader takes for a broker that serves if nothing is said.
///
/// # Safety
/// As [`daemon`].
unsafe fn give_up(ready: RawFd, what: &str, error: &io::Error) -> ! {
    let reason = format!("{what}{error}");
    // SAFETY: the text lives through the call; then the child ends without running anything of the parent's.
    unsafe {
        libc::write(ready, reason.as_ptr().cast(), reason.len());
        libc::_exit(1)
    }
}
