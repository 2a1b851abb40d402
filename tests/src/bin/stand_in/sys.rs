//! The entry and the faults of the stand-in.

use std::ffi::{CStr, CString};

/// The C entry point.
#[unsafe(no_mangle)]
pub extern "C" fn main(_argc: i32, argv: *const *const libc::c_char, env: *const *const libc::c_char) -> i32 {
    super::run(words(argv), words(env))
}

fn words(mut at: *const *const libc::c_char) -> Vec<CString> {
    let mut found = Vec::new();
    // SAFETY: the kernel hands both arrays over ended by a null pointer, each entry a terminated string.
    unsafe {
        while !(*at).is_null() {
            found.push(CStr::from_ptr(*at).to_owned());
            at = at.add(1);
        }
    }
    found
}

pub fn exec(program: &CStr, argv: &[CString], env: &[CString]) -> i32 {
    let array = |words: &[CString]| {
        let pointers = words.iter().map(|word| word.as_ptr());
        pointers.chain(std::iter::once(std::ptr::null())).collect::<Vec<_>>()
    };
    let (argv, env) = (array(argv), array(env));
    // SAFETY: both arrays end with a null pointer and live through the call.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    127
}

/// What a shim that stays a parent does: another `$PPID`, and death by signal becomes a status.
pub fn fork_and_wait(program: &CStr, argv: &[CString], env: &[CString]) -> i32 {
    let mut status = 0;
    // SAFETY: this program has one thread; the status is written by the kernel.
    unsafe {
        match libc::fork() {
            0 => libc::_exit(exec(program, argv, env)),
            pid => libc::waitpid(pid, &mut status, 0),
        };
    }
    if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        255
    }
}

pub fn write(fd: i32, bytes: &[u8]) {
    // SAFETY: the buffer lives through the call.
    unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
}

pub fn read_byte(fd: i32) {
    let mut byte = 0u8;
    // SAFETY: one byte is written to a byte.
    unsafe { libc::read(fd, (&raw mut byte).cast(), 1) };
}

pub fn close(fd: i32) {
    // SAFETY: no memory is passed.
    unsafe { libc::close(fd) };
}

pub fn leak() {
    // SAFETY: no memory is passed.
    unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0) };
}

/// What Rust's start-up does: descriptors 0-2 that are closed are opened on /dev/null.
pub fn open_standard() {
    for fd in 0..3 {
        // SAFETY: no memory but a static string is passed.
        unsafe {
            if libc::fcntl(fd, libc::F_GETFD) == -1 {
                libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            }
        }
    }
}

pub fn disposition(signal: i32, ignore: bool) {
    // SAFETY: only the two predefined dispositions are set.
    unsafe { libc::signal(signal, if ignore { libc::SIG_IGN } else { libc::SIG_DFL }) };
}

pub fn clear_mask() {
    // SAFETY: the set is initialised before use.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &set, std::ptr::null_mut());
    }
}

pub fn umask(mask: u32) {
    // SAFETY: no memory is passed.
    unsafe { libc::umask(mask as libc::mode_t) };
}

pub fn lower_limit() {
    let limit = libc::rlimit {
        rlim_cur: 100,
        rlim_max: 100,
    };
    // SAFETY: the structure lives through the call.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
}

pub fn nice() {
    // SAFETY: no memory is passed.
    unsafe { libc::nice(3) };
}

pub fn new_session() {
    // SAFETY: no memory is passed.
    unsafe { libc::setsid() };
}

pub fn new_group() {
    // SAFETY: no memory is passed.
    unsafe { libc::setpgid(0, 0) };
}

pub fn drop_groups() {
    // SAFETY: an empty list needs no memory.
    unsafe { libc::setgroups(0, std::ptr::null()) };
}

pub fn nonblock(fd: i32) {
    // SAFETY: no memory is passed.
    unsafe { libc::fcntl(fd, libc::F_SETFL, libc::fcntl(fd, libc::F_GETFL) | libc::O_NONBLOCK) };
}
