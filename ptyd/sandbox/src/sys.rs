//! System calls that no wrapper of ours covers.
#![cfg_attr(
    not(all(feature = "enter", feature = "plan")),
    allow(dead_code, reason = "each half of this crate uses its own part")
)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `struct sock_fprog` of `linux/filter.h`.
#[repr(C)]
struct SockFprog {
    len: u16,
    filter: *const libc::sock_filter,
}

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// `seccomp(SECCOMP_SET_MODE_FILTER)` for the calling thread; the listener if the flags ask for one.
/// See `seccomp(2)`. A program of a wrong length is `EINVAL`.
pub(crate) fn load_filter(program: &[libc::sock_filter], flags: u32) -> io::Result<Option<OwnedFd>> {
    let len = u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let fprog = SockFprog {
        len,
        filter: program.as_ptr(),
    };
    // SAFETY: `fprog` points to `len` instructions that outlive the call; the kernel copies them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::c_ulong::from(flags),
            &raw const fprog,
        )
    };
    let fd = check(result)?;
    if u64::from(flags) & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER == 0 {
        return Ok(None);
    }
    // SAFETY: with NEW_LISTENER the result is a descriptor that nobody else owns.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(fd as i32) }))
}

/// `landlock_restrict_self(2)` for the calling thread.
pub(crate) fn restrict_self(ruleset: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no pointers are passed.
    check(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0u32) }).map(drop)
}

/// `prctl(PR_SET_NO_NEW_PRIVS)` for the calling thread.
pub(crate) fn set_no_new_privs() -> io::Result<()> {
    // SAFETY: no pointers are passed; the unused arguments must be zero.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into()).map(drop)
}

/// Root, working folder and umask that are shared with no other process, `unshare(2)`.
pub(crate) fn own_folders() -> io::Result<()> {
    // SAFETY: the call takes flags only; no thread of this process is promised to share its folders.
    check(unsafe { libc::unshare(libc::CLONE_FS) }.into()).map(drop)
}

/// `setns(2)` with whatever namespace the descriptor names.
pub(crate) fn enter_namespace(namespace: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no pointers are passed.
    check(unsafe { libc::setns(namespace.as_raw_fd(), 0) }.into()).map(drop)
}

/// Makes a network namespace in a child that ends with that, as root would or else in a user namespace.
pub(crate) fn try_network_namespace() -> io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    let mut command = std::process::Command::new("/proc/self/exe");
    let attempt = || {
        let rootless = libc::CLONE_NEWUSER | libc::CLONE_NEWNET;
        // SAFETY: no pointers are passed.
        let made = unsafe { libc::unshare(libc::CLONE_NEWNET) == 0 || libc::unshare(rootless) == 0 };
        // The child is to run nothing: its failure is the way to tell.
        Err(match made {
            true => io::Error::from_raw_os_error(libc::ECANCELED),
            false => io::Error::last_os_error(),
        })
    };
    // SAFETY: the closure makes two system calls and allocates nothing.
    unsafe { command.pre_exec(attempt) };
    match command.spawn() {
        Err(error) if error.raw_os_error() == Some(libc::ECANCELED) => Ok(()),
        Err(error) => Err(error),
        Ok(mut child) => child.wait().and(Err(io::ErrorKind::Other.into())),
    }
}

/// The newest Landlock interface of the running kernel; 0 where there is none or it is switched off.
pub(crate) fn landlock_abi() -> u32 {
    const LANDLOCK_CREATE_RULESET_VERSION: u32 = 1;
    // SAFETY: with this flag the attribute pointer must be null and the size zero.
    let abi = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0usize,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    };
    u32::try_from(abi).unwrap_or(0)
}

/// `getppid(2)` as a plain system call, so that a filter sees it.
pub(crate) fn getppid() -> io::Result<i64> {
    // SAFETY: takes no arguments.
    check(unsafe { libc::syscall(libc::SYS_getppid) })
}

/// The beginning of `union bpf_attr` for `BPF_PROG_LOAD` (`bpf(2)`).
#[repr(C)]
#[derive(Default)]
struct ProgramLoad {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log: [u32; 4],
    version_and_flags: [u32; 2],
    name: [u8; 16],
    device: u32,
    place: u32,
}

/// Loads a program that allows every `connect` and attaches it to a control group, which ends both with the group.
pub(crate) fn attach_trial_program(group: BorrowedFd<'_>) -> io::Result<()> {
    const BPF_PROG_LOAD: libc::c_long = 5;
    const BPF_PROG_ATTACH: libc::c_long = 8;
    const CGROUP_SOCK_ADDR: u32 = 18;
    const CGROUP_INET4_CONNECT: u32 = 10;
    const ALLOW_MULTI: u32 = 2;
    // r0 = 1; exit
    let instructions: [u64; 2] = [0x0000_0001_0000_00b7_u64.to_le(), 0x95_u64.to_le()];
    let load = ProgramLoad {
        kind: CGROUP_SOCK_ADDR,
        count: instructions.len() as u32,
        instructions: instructions.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        place: CGROUP_INET4_CONNECT,
        ..ProgramLoad::default()
    };
    // SAFETY: the kernel reads `load` and what it points to, all of which outlive the call.
    let fd = check(unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const load, size_of::<ProgramLoad>()) })?;
    // SAFETY: the result is a descriptor that nobody else owns.
    let program = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    let attach = [
        group.as_raw_fd() as u32,
        program.as_raw_fd() as u32,
        CGROUP_INET4_CONNECT,
        ALLOW_MULTI,
    ];
    // SAFETY: the kernel reads these four numbers.
    check(unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_ATTACH, &raw const attach, size_of_val(&attach)) }).map(drop)
}
