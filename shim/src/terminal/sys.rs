//! Processes, signals and terminals, as `libc` has them.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use agentsh_protocol::terminal::{Modes, Window};

use super::Standing;
use crate::sys::out_of_the_way;

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        other => Ok(other),
    }
}

fn owned(fd: libc::c_int) -> io::Result<OwnedFd> {
    let fd = checked(fd)?;
    // SAFETY: the call that returned it made this descriptor, and nobody else owns it.
    Ok(out_of_the_way(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// The device of a descriptor that is a terminal.
pub(super) fn terminal_device(fd: i32) -> Option<u64> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: isatty takes a number; fstat fills the structure if it says 0.
    unsafe { (libc::isatty(fd) == 1 && libc::fstat(fd, stat.as_mut_ptr()) == 0).then(|| stat.assume_init().st_rdev) }
}

/// Whether a descriptor is a pipe.
pub(crate) fn is_pipe(fd: i32) -> bool {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: fstat fills the structure if it says 0.
    unsafe { libc::fstat(fd, stat.as_mut_ptr()) == 0 && stat.assume_init().st_mode & libc::S_IFMT == libc::S_IFIFO }
}

/// A copy of ours, out of the way and close-on-exec.
pub(super) fn duplicate(fd: i32) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes no pointers.
    owned(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) })
}

/// Two ends of a connection that keeps packets apart.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes two numbers.
    checked(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) })?;
    Ok((owned(ends[0])?, owned(ends[1])?))
}

/// fork(2).
pub(super) fn fork() -> io::Result<i32> {
    // SAFETY: this process has one thread.
    checked(unsafe { libc::fork() })
}

pub(super) fn own_group() -> i32 {
    // SAFETY: takes nothing.
    unsafe { libc::getpgrp() }
}

/// Whether this process leads its session.
pub(super) fn leads_session() -> bool {
    // SAFETY: take and return numbers.
    unsafe { libc::getsid(0) == libc::getpid() }
}

/// The foreground process group of the terminal, if it controls this process.
pub(super) fn foreground_group(tty: &OwnedFd) -> Option<i32> {
    // SAFETY: takes and returns numbers.
    let group = unsafe { libc::tcgetpgrp(tty.as_raw_fd()) };
    (group > 0).then_some(group)
}

/// Brings a process group to the front, also from the background: all signals are held back here.
pub(super) fn set_foreground(tty: &OwnedFd, group: i32) {
    // SAFETY: takes numbers. A terminal that is gone has no front.
    unsafe { libc::tcsetpgrp(tty.as_raw_fd(), group) };
}

/// A session of one's own, on this terminal if it is to control it.
pub(super) fn lead_session(tty: &OwnedFd, controlling: bool) {
    // SAFETY: take numbers. A child just born leads no group, so both succeed.
    unsafe {
        libc::setsid();
        if controlling {
            libc::ioctl(tty.as_raw_fd(), libc::TIOCSCTTY, 0);
        }
    }
}

/// A process group of one's own, in front of this terminal.
pub(super) fn lead_group(front: Option<&OwnedFd>) {
    // SAFETY: takes numbers.
    unsafe { libc::setpgid(0, 0) };
    if let Some(tty) = front {
        set_foreground(tty, own_group());
    }
}

/// Makes `fd` name what `from` names, over an exec too.
pub(super) fn put_at(from: &OwnedFd, fd: i32) -> io::Result<()> {
    // SAFETY: takes numbers; the caller's descriptor `fd` is what is to be replaced.
    checked(unsafe { libc::dup2(from.as_raw_fd(), fd) }).map(drop)
}

/// Closes every descriptor but these, and leaves the caller's folder.
pub(super) fn keep_only(kept: &[&OwnedFd]) {
    let mut numbers: Vec<u32> = kept.iter().map(|fd| fd.as_raw_fd() as u32).collect();
    numbers.sort_unstable();
    let mut from = 0;
    for number in numbers.into_iter().chain([u32::MAX]) {
        if from < number {
            // SAFETY: takes numbers; what is closed belonged to the caller, and nothing here uses it.
            unsafe { libc::syscall(libc::SYS_close_range, from, number - 1, 0u32) };
        }
        from = number.saturating_add(1);
    }
    // SAFETY: a string that outlives the call.
    unsafe { libc::chdir(c"/".as_ptr()) };
}

/// A signal mask.
pub(super) struct Mask(libc::sigset_t);

fn set_of(signals: &[i32]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

fn all() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigfillset initialises the set.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        set.assume_init()
    }
}

/// Holds every signal back; the mask as it was.
pub(super) fn block_all() -> Mask {
    let mut before = MaybeUninit::uninit();
    // SAFETY: sigprocmask fills `before`.
    unsafe {
        libc::sigprocmask(libc::SIG_SETMASK, &all(), before.as_mut_ptr());
        Mask(before.assume_init())
    }
}

impl Mask {
    pub(super) fn restore(&self) {
        // SAFETY: a set that was filled.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
    }
}

/// Gives SIGCHLD its default disposition; whether it was ignored.
pub(super) fn stop_ignoring_children() -> bool {
    // SAFETY: installs no handler.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) == libc::SIG_IGN }
}

pub(super) fn ignore_children(ignored: bool) {
    if ignored {
        // SAFETY: installs no handler.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    }
}

/// Reads held-back signals, signalfd(2).
pub(super) fn signal_reader(signals: &[i32]) -> io::Result<OwnedFd> {
    reader(&set_of(signals))
}

/// Reads all of them.
pub(super) fn all_signals() -> io::Result<OwnedFd> {
    reader(&all())
}

fn reader(set: &libc::sigset_t) -> io::Result<OwnedFd> {
    // SAFETY: a set that was filled.
    owned(unsafe { libc::signalfd(-1, set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) })
}

/// A signal that came.
pub(super) struct Signal {
    pub number: i32,
    /// Not sent by a process: the terminal's keys, its hang-up.
    pub by_kernel: bool,
}

pub(super) fn next_signal(reader: &OwnedFd) -> Option<Signal> {
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: the kernel writes at most `size` bytes, and the structure is plain numbers.
    let info = unsafe {
        if libc::read(reader.as_raw_fd(), info.as_mut_ptr().cast(), size) != size as isize {
            return None;
        }
        info.assume_init()
    };
    Some(Signal {
        number: info.ssi_signo as i32,
        by_kernel: info.ssi_code == libc::SI_KERNEL,
    })
}

pub(super) fn drain(reader: &OwnedFd) {
    while next_signal(reader).is_some() {}
}

/// Stops this process, with its job if it is one, and returns once it was continued; `false` if nothing stopped it.
pub(super) fn stop(signal: i32, standing: Standing) -> bool {
    let whom = if standing == Standing::Job { 0 } else { own_pid() };
    let one = set_of(&[signal]);
    let continued = set_of(&[libc::SIGCONT]);
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: sets that were filled; everything else is numbers.
    unsafe {
        while libc::sigtimedwait(&continued, std::ptr::null_mut(), &now) > 0 {}
        libc::kill(whom, signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &one, std::ptr::null_mut());
        libc::sigprocmask(libc::SIG_BLOCK, &one, std::ptr::null_mut());
        libc::sigtimedwait(&continued, std::ptr::null_mut(), &now) > 0
    }
}

fn own_pid() -> i32 {
    // SAFETY: takes nothing.
    unsafe { libc::getpid() }
}

/// Sends a signal to the command and its process group; to the command alone where the group is not its own.
/// It is our child and not reaped, so its number is its own.
pub(super) fn signal_command(standing: Standing, command: i32, signal: i32) {
    // SAFETY: takes numbers.
    unsafe {
        if standing == Standing::Guest || libc::kill(-command, signal) != 0 {
            libc::kill(command, signal);
        }
    }
}

/// The parent's number.
pub(super) fn parent() -> i32 {
    // SAFETY: takes nothing.
    unsafe { libc::getppid() }
}

/// Has the parent go on, if it still is this one.
pub(super) fn continue_parent(pid: i32) {
    if parent() == pid {
        // SAFETY: takes numbers.
        unsafe { libc::kill(pid, libc::SIGCONT) };
    }
}

/// What became of a child.
pub(super) enum Change {
    None,
    Stopped(i32),
    Continued,
    /// It is to be reaped.
    Ended,
}

pub(super) fn change_of(child: i32) -> Change {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let flags = libc::WEXITED | libc::WSTOPPED | libc::WCONTINUED | libc::WNOHANG;
    // SAFETY: waitid fills the structure, or leaves its zeros; si_status belongs to these codes.
    unsafe {
        if libc::waitid(
            libc::P_PID,
            child as libc::id_t,
            info.as_mut_ptr(),
            flags | libc::WNOWAIT,
        ) != 0
        {
            return Change::Ended;
        }
        let info = info.assume_init();
        match info.si_code {
            0 => Change::None,
            code @ (libc::CLD_STOPPED | libc::CLD_TRAPPED | libc::CLD_CONTINUED) => {
                let mut taken = MaybeUninit::<libc::siginfo_t>::zeroed();
                let both = libc::WSTOPPED | libc::WCONTINUED | libc::WNOHANG;
                libc::waitid(libc::P_PID, child as libc::id_t, taken.as_mut_ptr(), both);
                match code {
                    libc::CLD_CONTINUED => Change::Continued,
                    _ => Change::Stopped(info.si_status()),
                }
            }
            _ => Change::Ended,
        }
    }
}

/// The wait status of a child that has ended.
pub(super) fn reap(child: i32) -> i32 {
    let mut status = 0;
    // SAFETY: the kernel writes one number.
    match unsafe { libc::waitpid(child, &raw mut status, 0) } {
        -1 => libc::SIGKILL,
        _ => status,
    }
}

/// Waits until a signal came or the other side said something.
pub(super) fn wait_readable(signals: &OwnedFd, other: Option<&OwnedFd>) {
    let mut set = [poll_of(Some(signals), libc::POLLIN), poll_of(other, libc::POLLIN)];
    // SAFETY: an array of the given length.
    unsafe { libc::poll(set.as_mut_ptr(), 2, -1) };
}

pub(super) fn is_readable(fd: &OwnedFd) -> bool {
    let mut set = [poll_of(Some(fd), libc::POLLIN)];
    // SAFETY: an array of the given length.
    unsafe { libc::poll(set.as_mut_ptr(), 1, 0) > 0 }
}

/// What the relay waited for.
pub(super) struct Ready {
    pub signals: bool,
    pub monitor: bool,
    pub hub: bool,
    pub typed: bool,
    pub hung_up: bool,
}

/// A negative number is not looked at, poll(2).
fn poll_of(fd: Option<&OwnedFd>, events: libc::c_short) -> libc::pollfd {
    let fd = fd.map_or(-1, AsRawFd::as_raw_fd);
    libc::pollfd { fd, events, revents: 0 }
}

/// Waits for what the relay serves; `hub` and `tty` with whether there is something to write and to read.
pub(super) fn wait(
    signals: &OwnedFd,
    monitor: Option<&OwnedFd>,
    (hub, writes): (Option<&OwnedFd>, bool),
    (tty, reads): (Option<&OwnedFd>, bool),
) -> Ready {
    let hub_events = libc::POLLIN | if writes { libc::POLLOUT } else { 0 };
    let mut set = [
        poll_of(Some(signals), libc::POLLIN),
        poll_of(monitor, libc::POLLIN),
        poll_of(hub, hub_events),
        poll_of(tty, if reads { libc::POLLIN } else { 0 }),
    ];
    // SAFETY: an array of the given length.
    let count = unsafe { libc::poll(set.as_mut_ptr(), set.len() as libc::nfds_t, -1) };
    let [signals, monitor, hub, tty] = set.map(|entry| if count > 0 { entry.revents } else { 0 });
    Ready {
        signals: signals != 0,
        monitor: monitor != 0,
        hub: hub & !libc::POLLOUT != 0,
        typed: tty & libc::POLLIN != 0,
        hung_up: tty & (libc::POLLHUP | libc::POLLERR) != 0,
    }
}

/// Sends one packet.
pub(super) fn send(to: &OwnedFd, packet: &[u8]) -> bool {
    // SAFETY: reads `packet` only.
    unsafe { libc::send(to.as_raw_fd(), packet.as_ptr().cast(), packet.len(), libc::MSG_NOSIGNAL) >= 0 }
}

/// Receives one packet; `None` if the other side is gone.
pub(super) fn receive<'a>(from: &OwnedFd, packet: &'a mut [u8]) -> Option<&'a [u8]> {
    // SAFETY: writes into `packet` only.
    let count = unsafe { libc::recv(from.as_raw_fd(), packet.as_mut_ptr().cast(), packet.len(), 0) };
    usize::try_from(count)
        .ok()
        .filter(|count| *count > 0)
        .map(|count| &packet[..count])
}

/// Sends what a stream takes at once; `None` if nobody is at its other end.
pub(super) fn send_some(to: &OwnedFd, bytes: &[u8]) -> Option<usize> {
    if bytes.is_empty() {
        return Some(0);
    }
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: reads `bytes` only.
    let count = unsafe { libc::send(to.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) };
    usize::try_from(count).ok().or_else(|| again().then_some(0))
}

/// What is there of a stream; `None` at its end.
pub(super) fn receive_some<'a>(from: &OwnedFd, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    // SAFETY: writes into `buffer` only.
    let count = unsafe {
        libc::recv(
            from.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            libc::MSG_DONTWAIT,
        )
    };
    some(count, buffer)
}

/// What was typed; the key that ends input, alone, comes as an empty slice. `None` if nothing can be read.
pub(super) fn read_typed<'a>(from: &OwnedFd, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    // SAFETY: writes into `buffer` only.
    let count = unsafe { libc::read(from.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(count).ok().map(|count| &buffer[..count])
}

/// How many bytes wait to be read from a terminal.
pub(super) fn waiting(tty: &OwnedFd) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: the kernel writes one number.
    unsafe { libc::ioctl(tty.as_raw_fd(), libc::FIONREAD, &raw mut count) };
    usize::try_from(count).unwrap_or(0)
}

/// Lets a moment pass.
pub(super) fn pause() {
    // SAFETY: looks at no descriptors.
    unsafe { libc::poll(std::ptr::null_mut(), 0, 1) };
}

fn some(count: isize, buffer: &[u8]) -> Option<&[u8]> {
    match usize::try_from(count) {
        Ok(0) => None,
        Ok(count) => Some(&buffer[..count]),
        Err(_) => again().then_some(&[]),
    }
}

fn again() -> bool {
    let error = io::Error::last_os_error();
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Writes everything, or as much as a terminal takes that goes away.
pub(super) fn write_all(to: &OwnedFd, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: reads `bytes` only.
        let count = unsafe { libc::write(to.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(count) {
            Ok(count) => bytes = &bytes[count..],
            Err(_) if again() => {}
            Err(_) => return,
        }
    }
}

/// The settings of a terminal, `TCGETS2` of ioctl_tty(2).
#[derive(Clone, Copy)]
pub(super) struct Tty(libc::termios2);

/// The flags that differ on a relayed terminal.
pub(super) const OURS: Modes = Modes {
    input: libc::ISTRIP | libc::IUCLC | libc::IXON,
    output: libc::OPOST,
    local: libc::EXTPROC,
};

const SIZE: usize = size_of::<libc::termios2>();

impl Tty {
    pub(super) fn of(tty: &OwnedFd) -> io::Result<Tty> {
        let mut settings = MaybeUninit::<libc::termios2>::zeroed();
        // SAFETY: the kernel fills the structure if it says 0.
        unsafe {
            checked(libc::ioctl(tty.as_raw_fd(), libc::TCGETS2, settings.as_mut_ptr()))?;
            Ok(Tty(settings.assume_init()))
        }
    }

    /// Sets a terminal so, also from the background: SIGTTOU is held back here.
    pub(super) fn apply(&self, tty: &OwnedFd) -> bool {
        // SAFETY: the kernel reads the structure.
        unsafe { libc::ioctl(tty.as_raw_fd(), libc::TCSETS2, &raw const self.0) == 0 }
    }

    /// The same for a terminal that is relayed: what is typed passes as it is, without echo or signals (that is
    /// `EXTPROC`, and leaves the flags to be seen as the command sets them), and output passes as it is.
    pub(super) fn relayed(&self) -> Tty {
        let mut relayed = self.0;
        relayed.c_iflag &= !OURS.input;
        relayed.c_oflag &= !OURS.output;
        relayed.c_lflag |= OURS.local;
        relayed.c_cc[libc::VMIN] = 1;
        relayed.c_cc[libc::VTIME] = 0;
        Tty(relayed)
    }

    /// The flags that the command's terminal has too.
    pub(super) fn modes(&self) -> Modes {
        Modes {
            input: self.0.c_iflag,
            output: self.0.c_oflag,
            local: self.0.c_lflag,
        }
    }

    /// The same with other flags.
    pub(super) fn with(&self, modes: Modes) -> Tty {
        let mut changed = self.0;
        changed.c_iflag = modes.input;
        changed.c_oflag = modes.output;
        changed.c_lflag = modes.local;
        Tty(changed)
    }

    /// The key that ends input.
    pub(super) fn end_key(&self) -> u8 {
        self.0.c_cc[libc::VEOF]
    }

    /// The same, but what comes is taken as it is.
    pub(super) fn unprocessed(&self) -> Tty {
        let mut unprocessed = self.0;
        unprocessed.c_lflag |= libc::EXTPROC;
        Tty(unprocessed)
    }

    pub(super) fn to_bytes(self) -> [u8; SIZE] {
        // SAFETY: the structure is numbers without padding (its size is the sum of its fields').
        unsafe { std::mem::transmute(self.0) }
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Tty> {
        let bytes: [u8; SIZE] = bytes.try_into().ok()?;
        // SAFETY: every pattern of bits is a value of a structure of numbers.
        Some(Tty(unsafe { std::mem::transmute::<[u8; SIZE], libc::termios2>(bytes) }))
    }
}

/// A terminal's window.
pub(super) fn window(tty: &OwnedFd) -> Option<Window> {
    let mut size = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: the kernel fills the structure if it says 0.
    let size = unsafe {
        checked(libc::ioctl(tty.as_raw_fd(), libc::TIOCGWINSZ, size.as_mut_ptr())).ok()?;
        size.assume_init()
    };
    Some(Window {
        cols: size.ws_col,
        rows: size.ws_row,
        width: size.ws_xpixel,
        height: size.ws_ypixel,
    })
}

/// Ends this process.
pub(super) fn end(status: i32) -> ! {
    // SAFETY: runs nothing of this process's.
    unsafe { libc::_exit(status) }
}

/// Ends this process as another one ended, by its wait status.
pub(super) fn end_as(status: i32) -> ! {
    if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        let none = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: structures that were filled; the rest is numbers. The command left its own core.
        unsafe {
            libc::setrlimit(libc::RLIMIT_CORE, &none);
            libc::signal(signal, libc::SIG_DFL);
            libc::kill(libc::getpid(), signal);
            libc::sigprocmask(libc::SIG_UNBLOCK, &set_of(&[signal]), std::ptr::null_mut());
        }
        end(128 + signal)
    }
    end(libc::WEXITSTATUS(status))
}
