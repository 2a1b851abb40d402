//! The entry and the raw calls of the probe.

pub mod line;

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// The C entry point (see `main.rs`).
#[unsafe(no_mangle)]
pub extern "C" fn main(_argc: i32, _argv: *const *const libc::c_char) -> i32 {
    super::run()
}

/// A raw system call with up to six arguments.
pub fn call(number: libc::c_long, args: [usize; 6]) -> io::Result<usize> {
    // SAFETY: the callers pass null or pointers to memory that lives through the call; the calls under test are ones
    // that must be refused.
    let value = unsafe { libc::syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]) };
    match value {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value as usize),
    }
}

/// A flag of `fcntl(2)`: F_GETFD, F_GETFL.
pub fn fcntl(fd: i32, command: i32) -> io::Result<i32> {
    // SAFETY: these commands take no argument.
    match unsafe { libc::fcntl(fd, command) } {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}

/// The file position, or `None` where there is none.
pub fn position(fd: i32) -> Option<i64> {
    // SAFETY: no memory is passed.
    let at = unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) };
    (at >= 0).then_some(at)
}

/// `fstat(2)`.
pub fn stat(fd: i32) -> io::Result<libc::stat> {
    // SAFETY: the structure is a plain one and written by the kernel.
    unsafe {
        let mut stat = std::mem::zeroed();
        match libc::fstat(fd, &mut stat) {
            0 => Ok(stat),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// `getrlimit(2)`: soft and hard.
pub fn rlimit(resource: u32) -> (u64, u64) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the structure is written by the kernel.
    unsafe { libc::getrlimit(resource, &mut limit) };
    (limit.rlim_cur, limit.rlim_max)
}

/// An interval timer, `getitimer(2)`: its interval, and whether it runs.
pub fn timer(which: usize) -> (i64, bool) {
    let mut timer = [0i64; 4];
    match call(libc::SYS_getitimer, [which, &raw mut timer as usize, 0, 0, 0, 0]) {
        Ok(_) => (timer[0], timer[2] != 0 || timer[3] != 0),
        Err(_) => (-1, false),
    }
}

/// `sched_getattr(2)` as words: policy, flags, niceness, priority.
pub fn scheduling() -> [u32; 12] {
    let mut words = [0u32; 12];
    // What cannot be had stays zero.
    let _ = call(libc::SYS_sched_getattr, [0, &raw mut words as usize, 48, 0, 0, 0]);
    words
}

/// A value of a call that takes numbers only.
pub fn number(call: libc::c_long, a: usize, b: usize) -> i64 {
    // SAFETY: no memory is passed.
    unsafe { libc::syscall(call, a, b, 0, 0, 0) }
}

/// The umask, put back at once.
pub fn umask() -> u32 {
    // SAFETY: no memory is passed.
    unsafe {
        let mask = libc::umask(0);
        libc::umask(mask);
        mask
    }
}

/// The process group in the foreground of the terminal on `fd`, or -1.
pub fn foreground(fd: i32) -> i32 {
    // SAFETY: no memory is passed.
    unsafe { libc::tcgetpgrp(fd) }
}

/// Installs a filter that notifies `openat`, with a listener of its own.
pub fn listener_for_openat() -> io::Result<OwnedFd> {
    let load = |code: u32, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    let mut program = [
        load(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter {
            code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
            jt: 0,
            jf: 1,
            k: libc::SYS_openat as u32,
        },
        load(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_USER_NOTIF),
        load(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let head = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    let arguments = [
        libc::SECCOMP_SET_MODE_FILTER as usize,
        libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as usize,
        &raw const head as usize,
        0,
        0,
        0,
    ];
    let fd = call(libc::SYS_seccomp, arguments)?;
    // SAFETY: the descriptor is new and owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Installs a filter that refuses `mkdir` and `mkdirat` with EPERM, as a sandbox of somebody else's would.
pub fn filter_mkdir() -> io::Result<()> {
    let step = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let mut program = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            1,
            0,
            libc::SYS_mkdir as u32,
        ),
        step(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            0,
            1,
            libc::SYS_mkdirat as u32,
        ),
        step(
            libc::BPF_RET | libc::BPF_K,
            0,
            0,
            libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
        ),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let head = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    no_new_privs()?;
    call(
        libc::SYS_seccomp,
        [
            libc::SECCOMP_SET_MODE_FILTER as usize,
            0,
            &raw const head as usize,
            0,
            0,
            0,
        ],
    )
    .map(drop)
}

/// `PR_SET_NO_NEW_PRIVS`.
pub fn no_new_privs() -> io::Result<()> {
    call(libc::SYS_prctl, [libc::PR_SET_NO_NEW_PRIVS as usize, 1, 0, 0, 0, 0]).map(drop)
}

/// Starts a program by `posix_spawn(3)` with the caller's environment.
pub fn spawn(words: &[CString]) -> io::Result<i32> {
    let mut array: Vec<*mut libc::c_char> = words.iter().map(|word| word.as_ptr().cast_mut()).collect();
    array.push(std::ptr::null_mut());
    let mut pid = 0;
    // SAFETY: the array ends with a null pointer and lives through the call; `environ` is the process's own.
    let failed = unsafe {
        libc::posix_spawnp(
            &mut pid,
            array[0],
            std::ptr::null(),
            std::ptr::null(),
            array.as_ptr(),
            environ,
        )
    };
    match failed {
        0 => Ok(pid),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

unsafe extern "C" {
    static environ: *const *mut libc::c_char;
}

/// Becomes a program. Returns only on failure.
pub fn exec(words: &[CString]) -> io::Error {
    let mut array: Vec<*const libc::c_char> = words.iter().map(|word| word.as_ptr()).collect();
    array.push(std::ptr::null());
    // SAFETY: the array ends with a null pointer and lives through the call.
    unsafe { libc::execvp(array[0], array.as_ptr()) };
    io::Error::last_os_error()
}

/// Descriptor `number` of process `pid`, a listener, which from then on wakes its other side on the same processor.
pub fn take(pid: i32, number: i32) -> io::Result<OwnedFd> {
    let process = call(libc::SYS_pidfd_open, [pid as usize, 0, 0, 0, 0, 0])?;
    let fd = call(libc::SYS_pidfd_getfd, [process, number as usize, 0, 0, 0, 0])?;
    // SAFETY: both descriptors are new and owned by nobody else.
    let (listener, _process) = unsafe { (OwnedFd::from_raw_fd(fd as i32), OwnedFd::from_raw_fd(process as i32)) };
    let flags = SECCOMP_IOCTL_NOTIF_SET_FLAGS as usize;
    call(libc::SYS_ioctl, [fd, flags, SYNC_WAKE_UP, 0, 0, 0])?;
    Ok(listener)
}

/// Answers every notification of `listener` with "continue", for ever.
pub fn continue_all(listener: &OwnedFd) {
    // SAFETY: the structures are plain, zeroed, and written by the kernel.
    unsafe {
        loop {
            let mut request: libc::seccomp_notif = std::mem::zeroed();
            if libc::ioctl(listener.as_raw_fd(), SECCOMP_IOCTL_NOTIF_RECV, &mut request) != 0 {
                return;
            }
            let mut response: libc::seccomp_notif_resp = std::mem::zeroed();
            response.id = request.id;
            response.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
            libc::ioctl(listener.as_raw_fd(), SECCOMP_IOCTL_NOTIF_SEND, &mut response);
        }
    }
}

/// `_IOWR('!', 0, struct seccomp_notif)` and `_IOWR('!', 1, struct seccomp_notif_resp)`.
const SECCOMP_IOCTL_NOTIF_RECV: libc::c_ulong = 0xc050_2100;
const SECCOMP_IOCTL_NOTIF_SEND: libc::c_ulong = 0xc018_2101;
/// `_IOW('!', 4, __u64)`.
const SECCOMP_IOCTL_NOTIF_SET_FLAGS: libc::c_ulong = 0x4008_2104;
/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`.
const SYNC_WAKE_UP: usize = 1;

/// Forks; the child does `work` and ends with its status.
pub fn fork(work: impl FnOnce() -> i32) -> io::Result<i32> {
    // SAFETY: the probe has one thread when it forks.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let status = work();
            // SAFETY: ends the child without running what belongs to the parent.
            unsafe { libc::_exit(status) }
        }
        pid => Ok(pid),
    }
}

/// Waits for a child: its exit status, or 128 and the signal.
pub fn wait(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: the status is written by the kernel.
    unsafe { libc::waitpid(pid, &mut status, 0) };
    match libc::WIFEXITED(status) {
        true => libc::WEXITSTATUS(status),
        false => 128 + libc::WTERMSIG(status),
    }
}

/// `execveat(2)` of what `fd` is, with `argv` and an empty environment. Returns only on failure.
pub fn exec_fd(fd: i32, argv: &[CString]) -> io::Error {
    let mut words: Vec<*const libc::c_char> = argv.iter().map(|word| word.as_ptr()).collect();
    words.push(std::ptr::null());
    let none = [std::ptr::null::<libc::c_char>()];
    // SAFETY: both arrays end with a null pointer and live through the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            fd,
            c"".as_ptr(),
            words.as_ptr(),
            none.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

/// `execve(2)` on the bytes at `path`, which another thread may be changing. Returns only on failure.
pub fn exec_buffer(path: *const u8, argv: &[&CStr]) -> io::Error {
    let mut words: Vec<*const libc::c_char> = argv.iter().map(|word| word.as_ptr()).collect();
    words.push(std::ptr::null());
    let none = [std::ptr::null::<libc::c_char>()];
    // SAFETY: the buffer holds a terminated string at every moment; both arrays end with a null pointer.
    unsafe { libc::execve(path.cast(), words.as_ptr(), none.as_ptr()) };
    io::Error::last_os_error()
}

/// Two paths of one length that share a buffer: a thread flips the bytes between them for ever.
pub fn flipping(a: &'static [u8], b: &'static [u8]) -> *const u8 {
    let buffer: &'static mut [u8] = Box::leak(a.to_vec().into_boxed_slice());
    let start = buffer.as_mut_ptr() as usize;
    std::thread::spawn(move || {
        loop {
            for text in [b, a] {
                for (at, byte) in text.iter().enumerate() {
                    // SAFETY: the buffer was leaked and has the length of both texts; racing is the purpose.
                    unsafe { std::ptr::write_volatile((start + at) as *mut u8, *byte) };
                }
            }
        }
    });
    start as *const u8
}

/// Sends a signal to a process.
pub fn signal(pid: i32, number: i32) -> bool {
    // SAFETY: two integers.
    unsafe { libc::kill(pid, number) == 0 }
}
