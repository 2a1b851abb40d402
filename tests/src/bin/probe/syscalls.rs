//! Calls that the static filter refuses for ever, and ways to run a program that a name check would miss.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;

use serde_json::{Value, json};

use crate::{report, sys};

/// Tries each call that no command may make; the value is the errno's name, or `done`.
pub fn try_all() -> Value {
    const NONE: [usize; 6] = [0; 6];
    let path = c"/".as_ptr() as usize;
    let with = |first: i32| [first as usize, 0, 0, 0, 0, 0];
    let tries: [(&str, libc::c_long, [usize; 6]); 35] = [
        ("io_uring_setup", libc::SYS_io_uring_setup, [1, 0, 0, 0, 0, 0]),
        ("io_uring_enter", libc::SYS_io_uring_enter, NONE),
        ("io_uring_register", libc::SYS_io_uring_register, NONE),
        ("mount", libc::SYS_mount, [path, path, 0, libc::MS_BIND as usize, 0, 0]),
        ("umount2", libc::SYS_umount2, [path, 0, 0, 0, 0, 0]),
        ("pivot_root", libc::SYS_pivot_root, [path, path, 0, 0, 0, 0]),
        (
            "open_tree",
            libc::SYS_open_tree,
            [libc::AT_FDCWD as usize, path, 1, 0, 0, 0],
        ),
        ("move_mount", libc::SYS_move_mount, NONE),
        ("fsopen", libc::SYS_fsopen, [c"tmpfs".as_ptr() as usize, 0, 0, 0, 0, 0]),
        ("fsconfig", libc::SYS_fsconfig, NONE),
        ("fsmount", libc::SYS_fsmount, NONE),
        ("fspick", libc::SYS_fspick, [libc::AT_FDCWD as usize, path, 0, 0, 0, 0]),
        ("mount_setattr", libc::SYS_mount_setattr, NONE),
        ("unshare_mount", libc::SYS_unshare, with(libc::CLONE_NEWNS)),
        ("unshare_user", libc::SYS_unshare, with(libc::CLONE_NEWUSER)),
        ("unshare_net", libc::SYS_unshare, with(libc::CLONE_NEWNET)),
        ("unshare_pid", libc::SYS_unshare, with(libc::CLONE_NEWPID)),
        ("setns", libc::SYS_setns, with(-1)),
        ("clone3", libc::SYS_clone3, NONE),
        ("clone_user", libc::SYS_clone, with(libc::CLONE_NEWUSER | libc::SIGCHLD)),
        ("bpf", libc::SYS_bpf, NONE),
        ("perf_event_open", libc::SYS_perf_event_open, NONE),
        ("userfaultfd", libc::SYS_userfaultfd, NONE),
        // USERFAULTFD_IOC_NEW.
        ("userfault_device", libc::SYS_ioctl, [0, 0xaa00, 0, 0, 0, 0]),
        ("keyctl", libc::SYS_keyctl, NONE),
        ("add_key", libc::SYS_add_key, NONE),
        ("request_key", libc::SYS_request_key, NONE),
        ("init_module", libc::SYS_init_module, NONE),
        ("finit_module", libc::SYS_finit_module, with(-1)),
        ("delete_module", libc::SYS_delete_module, NONE),
        ("kexec_load", libc::SYS_kexec_load, NONE),
        ("open_by_handle_at", libc::SYS_open_by_handle_at, with(-1)),
        ("tiocsti", libc::SYS_ioctl, [0, libc::TIOCSTI as usize, path, 0, 0, 0]),
        (
            "tioclinux",
            libc::SYS_ioctl,
            [0, libc::TIOCLINUX as usize, path, 0, 0, 0],
        ),
        ("x32_getpid", 0x4000_0000 | libc::SYS_getpid, NONE),
    ];
    let mut found: BTreeMap<&str, String> = tries
        .into_iter()
        .map(|(name, number, args)| (name, verdict(sys::call(number, args).map(drop))))
        .collect();
    for (name, family) in [
        ("packet", libc::AF_PACKET),
        ("vsock", libc::AF_VSOCK),
        ("alg", libc::AF_ALG),
        ("bluetooth", libc::AF_BLUETOOTH),
    ] {
        found.insert(
            name,
            verdict(
                sys::call(
                    libc::SYS_socket,
                    [family as usize, libc::SOCK_SEQPACKET as usize, 0, 0, 0, 0],
                )
                .map(drop),
            ),
        );
    }
    found.insert("second_listener", verdict(sys::listener_for_openat().map(drop)));
    json!(found)
}

/// The attack of the traps list: a listener of one's own that says "continue" to everything, then an open.
///
/// In a child, and where none can be made in this process itself.
pub fn shadow_listener(path: &str) -> i32 {
    let attack = || match sys::listener_for_openat() {
        Ok(listener) => {
            std::thread::spawn(move || sys::continue_all(&listener));
            open(path)
        }
        Err(error) => {
            report(&format!("listener: {error}"));
            open(path)
        }
    };
    match sys::fork(attack) {
        Ok(child) => sys::wait(child),
        Err(_) => attack(),
    }
}

/// [`shadow_listener`], once a file `go` exists: the wait makes no call that is judged.
pub fn shadow_listener_after(go: &str, path: &str, up: &str) -> i32 {
    // All that is loaded is loaded by now, and what is written is written by no call that is judged.
    if let Err(error) = std::fs::write(up, "up") {
        report(&format!("{up}: {error}"));
        return 1;
    }
    while std::fs::metadata(go).is_err() {
        std::thread::yield_now();
    }
    shadow_listener(path)
}

/// Opens for reading and prints the content.
pub fn open(path: &str) -> i32 {
    match std::fs::read(path).and_then(|bytes| io::stdout().write_all(&bytes)) {
        Ok(()) => 0,
        Err(error) => {
            report(&format!("{path}: {error}"));
            1
        }
    }
}

/// Copies `program` into a memfd and executes that with `--version`.
pub fn memfd_exec(program: &str) -> i32 {
    let run = || -> io::Result<io::Error> {
        let fd = sys::call(libc::SYS_memfd_create, [c"copy".as_ptr() as usize, 0, 0, 0, 0, 0])? as i32;
        std::fs::write(format!("/proc/self/fd/{fd}"), std::fs::read(program)?)?;
        Ok(sys::exec_fd(fd, &words(program)))
    };
    report(&run().unwrap_or_else(|error| error).to_string());
    126
}

/// Opens `program` and executes the descriptor with `--version`.
pub fn fd_exec(program: &str) -> i32 {
    let error = match File::open(program) {
        Ok(file) => sys::exec_fd(file.as_raw_fd(), &words(program)),
        Err(error) => error,
    };
    report(&error.to_string());
    126
}

/// Starts `count` children that execute a path which a thread flips between an allowed and a banned program of names of
/// one length; prints how the children ended.
pub fn race_exec(allowed: &str, banned: &str, count: &str) -> i32 {
    let (Ok(allowed), Ok(banned), Ok(count)) = (CString::new(allowed), CString::new(banned), count.parse::<u32>())
    else {
        return 2;
    };
    let texts = [
        allowed.into_bytes_with_nul().leak() as &'static [u8],
        banned.into_bytes_with_nul().leak(),
    ];
    if texts[0].len() != texts[1].len() {
        report("the names must have one length");
        return 2;
    }
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..count {
        let child = sys::fork(|| {
            let path = sys::flipping(texts[0], texts[1]);
            sys::exec_buffer(path, &[c"racer"]);
            126
        });
        *ends
            .entry(child.map_or_else(|error| error.to_string(), |pid| sys::wait(pid).to_string()))
            .or_default() += 1;
    }
    crate::print(json!(ends))
}

/// Starts and awaits `count` children that end at once.
pub fn spawn_storm(count: &str) -> i32 {
    let Ok(count) = count.parse::<u32>() else { return 2 };
    for _ in 0..count {
        if sys::fork(|| 0).map_or(1, sys::wait) != 0 {
            return 1;
        }
    }
    0
}

fn words(program: &str) -> Vec<CString> {
    [program, "--version"]
        .into_iter()
        .filter_map(|word| CString::new(word).ok())
        .collect()
}

fn verdict(outcome: io::Result<()>) -> String {
    match outcome {
        Ok(()) => "done".to_owned(),
        Err(error) => nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(0))
            .to_string()
            .split(':')
            .next()
            .unwrap_or_default()
            .to_owned(),
    }
}
