//! Waiting, reading and writing.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Waits until a signal came, the other side said something, the third has something (then it says so), or so many
/// milliseconds have passed.
pub(in super::super) fn wait_readable(
    signals: &OwnedFd,
    other: Option<&OwnedFd>,
    (third, milliseconds): (Option<&OwnedFd>, libc::c_int),
) -> bool {
    let mut set = [Some(signals), other, third].map(|fd| poll_of(fd, libc::POLLIN));
    // SAFETY: an array of the given length.
    let count = unsafe { libc::poll(set.as_mut_ptr(), 3, milliseconds) };
    count > 0 && set[2].revents != 0
}

pub(in super::super) fn is_writable(fd: &OwnedFd) -> bool {
    let mut set = [poll_of(Some(fd), libc::POLLOUT)];
    // SAFETY: an array of the given length.
    unsafe { libc::poll(set.as_mut_ptr(), 1, 0) > 0 }
}

pub(in super::super) fn is_readable(fd: &OwnedFd) -> bool {
    let mut set = [poll_of(Some(fd), libc::POLLIN)];
    // SAFETY: an array of the given length.
    unsafe { libc::poll(set.as_mut_ptr(), 1, 0) > 0 }
}

/// Whether something was typed on a terminal that has not been hung up: what one that has been gives to read has no end.
pub(in super::super) fn has_typed(tty: &OwnedFd) -> bool {
    let mut set = [poll_of(Some(tty), libc::POLLIN)];
    // SAFETY: an array of the given length.
    let ready = unsafe { libc::poll(set.as_mut_ptr(), 1, 0) > 0 };
    ready && set[0].revents & (libc::POLLIN | libc::POLLHUP) == libc::POLLIN
}

/// What the relay waited for.
pub(in super::super) struct Ready {
    pub signals: bool,
    pub monitor: bool,
    pub editor: bool,
    pub hub: bool,
    pub front: bool,
    pub typed: bool,
    pub hung_up: bool,
    /// Somebody may have set the terminal.
    pub changed: bool,
}

/// A negative number is not looked at, poll(2).
fn poll_of(fd: Option<&OwnedFd>, events: libc::c_short) -> libc::pollfd {
    let fd = fd.map_or(-1, AsRawFd::as_raw_fd);
    libc::pollfd { fd, events, revents: 0 }
}

/// Waits for what the relay serves; `hub` and `tty` with whether there is something to write and to read.
pub(in super::super) fn wait(
    (signals, monitor, editor): (&OwnedFd, Option<&OwnedFd>, Option<&OwnedFd>),
    (hub, writes): (Option<&OwnedFd>, bool),
    (tty, reads): (Option<&OwnedFd>, bool),
    (front, look): (Option<&OwnedFd>, libc::c_int),
    (changes, rest): (Option<&OwnedFd>, libc::c_int),
) -> Ready {
    let hub_events = libc::POLLIN | if writes { libc::POLLOUT } else { 0 };
    let mut set = [
        poll_of(Some(signals), libc::POLLIN),
        poll_of(monitor, libc::POLLIN),
        poll_of(editor, libc::POLLIN),
        poll_of(hub, hub_events),
        poll_of(tty, if reads { libc::POLLIN } else { 0 }),
        poll_of(front, libc::POLLIN),
        poll_of(changes, libc::POLLIN),
    ];
    let milliseconds = match (look, rest) {
        (-1, other) | (other, -1) => other,
        (one, other) => one.min(other),
    };
    // SAFETY: an array of the given length.
    let count = unsafe { libc::poll(set.as_mut_ptr(), set.len() as libc::nfds_t, milliseconds) };
    let [signals, monitor, editor, hub, tty, front, changes] =
        set.map(|entry| if count > 0 { entry.revents } else { 0 });
    Ready {
        signals: signals != 0,
        monitor: monitor != 0,
        editor: editor != 0,
        hub: hub & !libc::POLLOUT != 0,
        front: front != 0,
        typed: tty & libc::POLLIN != 0,
        hung_up: tty & (libc::POLLHUP | libc::POLLERR) != 0,
        changed: changes != 0,
    }
}

/// Becomes readable whenever the terminal's settings may have changed. Nobody is told of that, but the kernel wakes
/// those who wait to write (`n_tty_set_termios`), and an edge-triggered epoll(7) tells of each such wakening; of those
/// by a reader on the other side too.
pub(in super::super) fn changes_of(tty: &OwnedFd) -> Option<OwnedFd> {
    // SAFETY: takes no pointers.
    let epoll = super::owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).ok()?;
    let mut event = libc::epoll_event {
        events: (libc::EPOLLOUT | libc::EPOLLET) as u32,
        u64: 0,
    };
    // SAFETY: one event, valid and exclusive for the call.
    let added = unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, tty.as_raw_fd(), &raw mut event) };
    (added == 0).then_some(epoll)
}

/// Takes what [`changes_of`] told.
pub(in super::super) fn take_change(epoll: &OwnedFd) {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    // SAFETY: room for one event, valid and exclusive for the call.
    unsafe { libc::epoll_wait(epoll.as_raw_fd(), &raw mut event, 1, 0) };
}

/// Milliseconds of a clock that only goes on.
pub(in super::super) fn now() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills one structure.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

/// Sends one packet.
pub(in super::super) fn send(to: &OwnedFd, packet: &[u8]) -> bool {
    // SAFETY: reads `packet` only.
    unsafe { libc::send(to.as_raw_fd(), packet.as_ptr().cast(), packet.len(), libc::MSG_NOSIGNAL) >= 0 }
}

/// Receives one packet; `None` if the other side is gone.
pub(in super::super) fn receive<'a>(from: &OwnedFd, packet: &'a mut [u8]) -> Option<&'a [u8]> {
    // SAFETY: writes into `packet` only.
    let count = unsafe { libc::recv(from.as_raw_fd(), packet.as_mut_ptr().cast(), packet.len(), 0) };
    usize::try_from(count)
        .ok()
        .filter(|count| *count > 0)
        .map(|count| &packet[..count])
}

/// Sends what a stream takes at once; `None` if nobody is at its other end.
pub(in super::super) fn send_some(to: &OwnedFd, bytes: &[u8]) -> Option<usize> {
    if bytes.is_empty() {
        return Some(0);
    }
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: reads `bytes` only.
    let count = unsafe { libc::send(to.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) };
    usize::try_from(count).ok().or_else(|| again().then_some(0))
}

/// What is there of a stream; `None` at its end.
pub(in super::super) fn receive_some<'a>(from: &OwnedFd, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
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
pub(in super::super) fn read_typed<'a>(from: &OwnedFd, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    // SAFETY: writes into `buffer` only.
    let count = unsafe { libc::read(from.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(count).ok().map(|count| &buffer[..count])
}

/// How many bytes wait to be read from a terminal.
pub(in super::super) fn waiting(tty: &OwnedFd) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: the kernel writes one number.
    unsafe { libc::ioctl(tty.as_raw_fd(), libc::FIONREAD, &raw mut count) };
    usize::try_from(count).unwrap_or(0)
}

/// Whether something comes, or the other end goes, within so many milliseconds.
pub(in super::super) fn heard_within(fd: &OwnedFd, milliseconds: libc::c_int) -> bool {
    let mut set = [poll_of(Some(fd), libc::POLLIN)];
    // SAFETY: one pollfd, valid and exclusive for the call.
    unsafe { libc::poll(set.as_mut_ptr(), 1, milliseconds) > 0 }
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
pub(in super::super) fn write_all(to: &OwnedFd, mut bytes: &[u8]) {
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
