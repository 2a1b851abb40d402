//! Starting a program under a filter with a listener, `seccomp(2)`.

pub mod pinned;

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    }
}

fn jump(k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
        jt,
        jf,
        k,
    }
}

/// A program that notifies `calls`, allows the rest and kills foreign architectures.
pub fn filter(calls: &[i64]) -> Vec<libc::sock_filter> {
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let mut program = vec![
        statement(load, 4),
        jump(ARCH, 1, 0),
        statement(libc::BPF_RET, libc::SECCOMP_RET_KILL_PROCESS),
        statement(load, 0),
    ];
    for call in calls {
        program.push(jump(*call as u32, 0, 1));
        program.push(statement(libc::BPF_RET, libc::SECCOMP_RET_USER_NOTIF));
    }
    program.push(statement(libc::BPF_RET, libc::SECCOMP_RET_ALLOW));
    program
}

/// Makes `command` enter the filter before its exec: it writes its pid and the listener's number to
/// `announce` and waits for a byte from `go`.
pub fn enter(command: &mut Command, program: Vec<libc::sock_filter>, announce: RawFd, go: RawFd) {
    let enter = move || {
        let fprog = libc::sock_fprog {
            len: program.len() as u16,
            filter: program.as_ptr().cast_mut(),
        };
        let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
        // SAFETY: integers and a valid program; only system calls, as a fork of many threads demands.
        unsafe {
            if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
                return Err(io::Error::last_os_error());
            }
            let listener = libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const fprog,
            );
            if listener < 0 {
                return Err(io::Error::last_os_error());
            }
            let words = [libc::getpid(), listener as i32];
            libc::write(announce, words.as_ptr().cast(), 8);
            let mut byte = 0u8;
            if libc::read(go, (&raw mut byte).cast(), 1) != 1 {
                return Err(io::Error::from_raw_os_error(libc::EPIPE));
            }
        }
        Ok(())
    };
    // SAFETY: the closure makes only async-signal-safe calls and allocates nothing.
    unsafe { command.pre_exec(enter) };
}

/// Takes descriptor `number` of process `pid`.
pub fn take(pid: i32, number: i32) -> io::Result<OwnedFd> {
    // SAFETY: integers; each successful call returns a descriptor that nobody else owns.
    unsafe {
        let pidfd = libc::syscall(libc::SYS_pidfd_open, pid, 0) as RawFd;
        if pidfd < 0 {
            return Err(io::Error::last_os_error());
        }
        let pidfd = OwnedFd::from_raw_fd(pidfd);
        let fd = libc::syscall(
            libc::SYS_pidfd_getfd,
            std::os::fd::AsRawFd::as_raw_fd(&pidfd),
            number,
            0,
        ) as RawFd;
        if fd < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(OwnedFd::from_raw_fd(fd))
        }
    }
}
