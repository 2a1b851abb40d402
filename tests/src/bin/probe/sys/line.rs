//! Making and ending processes, without anything that a library does beside it.

use std::ffi::CStr;
use std::io;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// The counter, in a page that all who come after share.
static BEATS: AtomicPtr<AtomicU64> = AtomicPtr::new(std::ptr::null_mut());

/// Has [`beat`] count in this file, from what it holds.
pub fn beat_in(path: &CStr) -> io::Result<()> {
    // SAFETY: the path ends with a NUL, the mapping is new and nobody unmaps it.
    let page = unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CREAT | libc::O_CLOEXEC, 0o666);
        if fd < 0 || libc::ftruncate(fd, 4096) < 0 {
            return Err(io::Error::last_os_error());
        }
        libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            fd,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    BEATS.store(page.cast(), Ordering::Release);
    Ok(())
}

/// Counts.
pub fn beat() {
    // SAFETY: null, or the page of `beat_in`.
    if let Some(beats) = unsafe { BEATS.load(Ordering::Acquire).as_ref() } {
        beats.fetch_add(1, Ordering::AcqRel);
    }
}

/// `fork(2)` itself: 0 in the child, negative if there is none.
pub fn fork() -> i64 {
    // SAFETY: no memory is passed; the child only makes calls of this kind.
    unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) }
}

/// A child of one's parent.
pub fn fork_sibling() -> i64 {
    // SAFETY: as for `fork`.
    unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_PARENT | libc::SIGCHLD, 0, 0, 0, 0) }
}

/// The kernel ends the process, without any call of its.
pub fn fault() -> ! {
    loop {
        // SAFETY: the address is mapped nowhere, so that nothing is written.
        unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(0) };
    }
}

/// `exit_group(2)`.
pub fn exit_group(status: i32) {
    // SAFETY: does not return.
    unsafe { libc::syscall(libc::SYS_exit_group, status) };
}

/// `exit(2)`, of the calling thread.
pub fn exit_thread(status: i32) {
    // SAFETY: does not return.
    unsafe { libc::syscall(libc::SYS_exit, status) };
}

/// SIGKILL to oneself.
pub fn kill_self() {
    // SAFETY: no memory is passed.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
}

/// `setsid(2)`.
pub fn new_session() {
    // SAFETY: no memory is passed.
    unsafe { libc::setsid() };
}

/// `pause(2)`.
pub fn pause() {
    // SAFETY: no memory is passed.
    unsafe { libc::pause() };
}

/// No core dumps.
pub fn no_core() {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the structure is only read.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) };
}

/// Executes this program as `probe chain KIND`.
pub fn execute_self(kind: &str) -> io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    Err(std::process::Command::new("/proc/self/exe")
        .args(["chain", kind])
        .exec())
}

/// Starts it in a child that shares the memory until then (`posix_spawn(3)`).
pub fn spawn_self(kind: &str) -> io::Result<()> {
    std::process::Command::new("/proc/self/exe")
        .args(["chain", kind])
        .spawn()
        .map(drop)
}
