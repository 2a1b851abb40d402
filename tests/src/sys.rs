//! System calls without a safe wrapper at hand, and the work between fork and exec.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::OnceLock;

/// What a child gets beside its program, arguments, environment and folder; everything is prepared before the fork.
#[derive(Debug, Default)]
pub struct Setup {
    /// Descriptors and the numbers under which the child has them. Every other number from 0 up is closed.
    pub fds: Vec<(OwnedFd, RawFd)>,
    pub user: Option<(u32, u32, Vec<u32>)>,
    pub ignored: Vec<i32>,
    pub blocked: Vec<i32>,
    pub umask: Option<u32>,
    /// `(RLIMIT_*, soft, hard)`.
    pub rlimits: Vec<(u32, u64, u64)>,
    pub nice: Option<i32>,
    pub new_session: bool,
    pub new_group: bool,
    /// The number of a terminal that becomes the controlling one of the new session.
    pub terminal: Option<RawFd>,
    /// Whether privileges are given up for ever (`PR_SET_NO_NEW_PRIVS`).
    pub no_new_privs: bool,
    pub oom_score: Option<&'static str>,
    /// Where to go by `chdir` after the user was changed; `None` leaves it to `Command`.
    pub removed_cwd: Option<std::ffi::CString>,
}

/// Starts `command` with `setup` applied in the child.
pub fn spawn(mut command: Command, setup: Setup) -> io::Result<Child> {
    let mut parked: Vec<(RawFd, RawFd)> = Vec::with_capacity(setup.fds.len());
    // SAFETY: the closure runs between fork and exec and makes only system calls on memory prepared before the fork
    // (the vector has its capacity already).
    unsafe { command.pre_exec(move || apply(&setup, &mut parked)) };
    // A program that was just copied is busy while a child of another thread still holds the copy's descriptor,
    // which its exec closes.
    for _ in 0..BUSY_TRIES {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            outcome => return outcome,
        }
    }
    command.spawn()
}

/// How often a busy program is tried again.
const BUSY_TRIES: u32 = 200;

fn apply(setup: &Setup, parked: &mut Vec<(RawFd, RawFd)>) -> io::Result<()> {
    // SAFETY: plain system calls; every pointer is to memory that lives through the call.
    unsafe {
        if setup.new_session {
            check(libc::setsid())?;
        } else if setup.new_group {
            check(libc::setpgid(0, 0))?;
        }
        if let Some(score) = setup.oom_score {
            let file = check(libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY))?;
            check(libc::write(file, score.as_ptr().cast(), score.len()) as i32)?;
            libc::close(file);
        }
        if let Some(nice) = setup.nice {
            check(libc::setpriority(libc::PRIO_PROCESS, 0, nice))?;
        }
        if let Some((uid, gid, groups)) = &setup.user {
            check(libc::setgroups(groups.len(), groups.as_ptr()))?;
            check(libc::setresgid(*gid, *gid, *gid))?;
            check(libc::setresuid(*uid, *uid, *uid))?;
        }
        if let Some(folder) = &setup.removed_cwd {
            check(libc::chdir(folder.as_ptr()))?;
            check(libc::rmdir(folder.as_ptr()))?;
        }
        if let Some(mask) = setup.umask {
            libc::umask(mask as libc::mode_t);
        }
        if setup.no_new_privs {
            check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        }
        place(setup, parked)?;
        for (resource, soft, hard) in &setup.rlimits {
            let limit = libc::rlimit {
                rlim_cur: *soft,
                rlim_max: *hard,
            };
            check(libc::setrlimit(*resource, &limit))?;
        }
        if let Some(terminal) = setup.terminal {
            check(libc::ioctl(terminal, libc::TIOCSCTTY, 0))?;
        }
        // Whoever runs the suites may have ignored some (a job in the background ignores SIGINT).
        for signal in 1..=libc::SIGRTMAX() {
            libc::signal(signal, libc::SIG_DFL);
        }
        for signal in &setup.ignored {
            libc::signal(*signal, libc::SIG_IGN);
        }
        let mut mask = std::mem::zeroed();
        libc::sigemptyset(&mut mask);
        for signal in &setup.blocked {
            libc::sigaddset(&mut mask, *signal);
        }
        check(libc::sigprocmask(libc::SIG_SETMASK, &mask, std::ptr::null_mut()))?;
    }
    Ok(())
}

/// Puts the descriptors under their numbers; whatever else is open closes at exec, and 0-2 if they were not asked for.
fn place(setup: &Setup, parked: &mut Vec<(RawFd, RawFd)>) -> io::Result<()> {
    const PARK: RawFd = 300;
    // SAFETY: descriptor numbers only; a failure is reported.
    unsafe {
        for (fd, number) in &setup.fds {
            parked.push((
                check(libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, PARK))?,
                *number,
            ));
        }
        check(libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) as i32)?;
        for number in 0..3 {
            libc::close(number);
        }
        for (fd, number) in parked.iter() {
            check(libc::dup2(*fd, *number))?;
        }
    }
    Ok(())
}

fn check(outcome: i32) -> io::Result<i32> {
    match outcome {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}

/// Gives the calling thread a fresh mount namespace (`unshare(2)`, CLONE_NEWNS), a copy of the one in which the process
/// began: a thread that had one before does not stack the new on the old.
pub fn unshare_mounts() -> io::Result<()> {
    static BEGINNING: OnceLock<Option<File>> = OnceLock::new();
    let Some(beginning) = BEGINNING.get_or_init(|| File::open("/proc/thread-self/ns/mnt").ok()) else {
        return Err(io::Error::other("/proc is not there"));
    };
    // SAFETY: no memory is passed.
    unsafe {
        check(libc::unshare(libc::CLONE_FS))?;
        check(libc::setns(beginning.as_raw_fd(), libc::CLONE_NEWNS))?;
        check(libc::unshare(libc::CLONE_NEWNS)).map(drop)
    }
}

/// `kill(2)`.
pub fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// `pidfd_open(2)`.
pub fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: no memory is passed; the descriptor is new and owned by nobody else.
    unsafe {
        let fd = check(libc::syscall(libc::SYS_pidfd_open, pid, 0) as i32)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Sets the size of a terminal's window (`TIOCSWINSZ`).
pub fn resize(terminal: &impl AsRawFd, rows: u16, columns: u16) -> io::Result<()> {
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the structure lives through the call.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &size) }).map(drop)
}

/// The rows and columns of a terminal's window (`TIOCGWINSZ`).
pub fn window(terminal: &impl AsRawFd) -> io::Result<(u16, u16)> {
    let mut size = std::mem::MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: the kernel fills the structure, which is plain numbers; until then it is zeros.
    let size = unsafe {
        check(libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, size.as_mut_ptr()))?;
        size.assume_init()
    };
    Ok((size.ws_row, size.ws_col))
}

/// Gives the calling thread a network namespace of its own (`unshare(2)`, CLONE_NEWNET).
pub fn unshare_network() -> io::Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(drop)
}

/// `gettid(2)`.
pub fn thread_id() -> i32 {
    // SAFETY: no memory is passed.
    unsafe { libc::gettid() }
}

/// A socket that receives what comes in of one protocol (`ETH_P_*`) at an interface, from its IP header on
/// (`packet(7)`).
pub fn capture(interface: &std::ffi::CStr, protocol: i32) -> io::Result<std::net::UdpSocket> {
    let network_order = (protocol as u16).to_be();
    // SAFETY: the name and the structure live through the calls; the descriptor is new and owned by nobody else.
    unsafe {
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
        let fd = check(libc::socket(libc::AF_PACKET, kind, i32::from(network_order)))?;
        let socket = std::net::UdpSocket::from_raw_fd(fd);
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = network_order;
        address.sll_ifindex = libc::if_nametoindex(interface.as_ptr()) as i32;
        let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        check(libc::bind(fd, std::ptr::from_ref(&address).cast(), length))?;
        Ok(socket)
    }
}

/// A copy of the mounts at `path` that is nowhere yet (`open_tree(2)`).
pub fn clone_tree(path: &std::path::Path) -> std::io::Result<std::os::fd::OwnedFd> {
    use std::os::fd::FromRawFd as _;
    let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes())?;
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_RECURSIVE as u32;
    // SAFETY: a terminated path and integers.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the call returned a descriptor that nobody else owns.
    Ok(unsafe { std::os::fd::OwnedFd::from_raw_fd(fd as i32) })
}

/// Puts such a copy at `path` (`move_mount(2)`).
pub fn attach_tree(tree: &std::os::fd::OwnedFd, path: &std::path::Path) -> std::io::Result<()> {
    use std::os::fd::AsRawFd as _;
    /// `MOVE_MOUNT_F_EMPTY_PATH`.
    const EMPTY: u32 = 4;
    let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes())?;
    // SAFETY: terminated paths and integers.
    let moved = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            path.as_ptr(),
            EMPTY,
        )
    };
    match moved {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}
