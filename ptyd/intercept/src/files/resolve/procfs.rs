//! procfs, `proc(5)`: where a name means something else for every reader, and where a link may lead into
//! another process.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};

use super::canonical::{Canonical, canonical};
use super::{PIN, Pin, Resolver};
use crate::files::actor;
use crate::files::host::Host;

/// Which tasks belong to the caller's session.
pub trait Tasks: Send + Sync {
    /// Whether process `tgid` does. Never true for a process of ours. Called while the worker acts as a
    /// caller: it must not need rights of its own.
    fn contains(&self, tgid: i32) -> bool;
}

/// What following a link of procfs comes to.
pub enum Jump {
    /// Go on with this text.
    Text(Vec<u8>),
    /// Go on at this object; whether a program of the session has it open.
    Object(OwnedFd, bool),
}

const PROC_ROOT_INODE: u64 = 1;
const PROC_SUPER_MAGIC: u64 = 0x9fa0;

/// Whether `fd` lies in a procfs.
pub fn is_procfs(fd: impl AsFd) -> Result<bool, Errno> {
    Ok(rustix::fs::fstatfs(fd)?.f_type as u64 == PROC_SUPER_MAGIC)
}

/// Follows `link`, which was found as `name` in `folder`, for the caller.
pub fn follow(
    resolver: &Resolver<'_>,
    folder: BorrowedFd<'_>,
    link: BorrowedFd<'_>,
    name: &[u8],
) -> Result<Jump, Errno> {
    let inside = way(resolver, folder)?;
    let Some(task) = inside.first() else {
        return root_link(resolver, link, name).map(Jump::Text);
    };
    let Some(tgid) = number(task) else {
        return Ok(Jump::Text(rustix::fs::readlinkat(link, "", Vec::new())?.into_bytes()));
    };
    session_only(resolver, tgid)?;
    if !is_callers(resolver, tgid) {
        // The kernel's own check, with the caller's rights: who may read this link may follow it.
        rustix::fs::readlinkat(link, "", Vec::new())?;
    }
    let parts: Vec<&[u8]> = inside.iter().map(Vec::as_slice).collect();
    let (task, below) = match parts.as_slice() {
        [_, b"task", thread, below @ ..] => (number(thread).ok_or(Errno::NOENT)?, below),
        [_, below @ ..] => (tgid, below),
        [] => return Err(Errno::ACCESS),
    };
    match (below, name) {
        ([b"fd"], descriptor) => {
            let descriptor = number(descriptor).ok_or(Errno::NOENT)?;
            open_descriptor(resolver, link, task, descriptor).map(|pin| Jump::Object(pin.fd, pin.held))
        }
        ([], b"cwd" | b"root" | b"exe") | ([b"map_files" | b"ns"], _) => {
            let open = || rustix::fs::openat(folder, name, PIN, Mode::empty());
            actor::as_reader(open).map(|object| Jump::Object(object, false))
        }
        _ => Err(Errno::ACCESS),
    }
}

/// The text of the pinned symbolic link `pin`, as it reads for the caller.
///
/// # Errors
/// Those of `readlink(2)`.
pub fn link_text(resolver: &Resolver<'_>, pin: &Pin) -> Result<Vec<u8>, Errno> {
    if is_procfs(&pin.fd)?
        && let [name] = way(resolver, pin.fd.as_fd())?.as_slice()
    {
        return root_link(resolver, pin.fd.as_fd(), name);
    }
    let read = || rustix::fs::readlinkat(&pin.fd, "", Vec::new());
    match read() {
        Err(Errno::ACCESS) if is_own(resolver, pin.fd.as_fd(), b"") => Ok(actor::as_reader(read)?.into_bytes()),
        result => Ok(result?.into_bytes()),
    }
}

/// Whether what `folder` has as `name` lies in the part of procfs that shows the caller's own process.
pub fn is_own(resolver: &Resolver<'_>, folder: BorrowedFd<'_>, name: &[u8]) -> bool {
    is_procfs(folder).is_ok_and(|procfs| procfs)
        && way(resolver, folder).is_ok_and(|inside| {
            let task = inside.first().map_or(name, Vec::as_slice);
            number(task).is_some_and(|task| is_callers(resolver, task))
        })
}

/// Runs `look`, which asks for attributes of `fd`: a process always sees its own.
///
/// # Errors
/// Those of `look`.
pub fn look<T>(
    resolver: &Resolver<'_>,
    fd: BorrowedFd<'_>,
    look: impl Fn(BorrowedFd<'_>) -> Result<T, Errno>,
) -> Result<T, Errno> {
    match look(fd) {
        Err(Errno::NOENT) if is_own(resolver, fd, b"") => actor::as_reader(|| look(fd)),
        result => result,
    }
}

/// Whether `task` is one of the caller's own process.
fn is_callers(resolver: &Resolver<'_>, task: i32) -> bool {
    let client = resolver.client;
    task == client.tgid || task == client.tid || leader(task) == Some(client.tgid)
}

/// [`components`] of what the caller may not see in every procfs (`hidepid`, `proc(5)`): that a process always sees
/// itself does not help us, who are another one.
fn way(resolver: &Resolver<'_>, fd: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>, Errno> {
    actor::as_reader(|| components(resolver.host, fd))
}

/// The text of a link in procfs's own root.
fn root_link(resolver: &Resolver<'_>, link: BorrowedFd<'_>, name: &[u8]) -> Result<Vec<u8>, Errno> {
    let text = rustix::fs::readlinkat(link, "", Vec::new())?.into_bytes();
    let client = resolver.client;
    match name {
        // An instance in which we have another number counts tasks of another pid namespace.
        b"self" if text != resolver.host.tgid.to_string().into_bytes() => Err(Errno::ACCESS),
        b"self" => Ok(client.tgid.to_string().into_bytes()),
        b"thread-self" => Ok(format!("{}/task/{}", client.tgid, client.tid).into_bytes()),
        _ => Ok(text),
    }
}

/// Refuses what no worker opens for anybody: objects of a task outside the session, and memory that the caller
/// does not have in its hands already. Whether `pin` is the memory of a process.
///
/// # Errors
/// `EACCES`.
pub fn guard(resolver: &Resolver<'_>, pin: &Pin) -> Result<bool, Errno> {
    if !pin.procfs || !is_procfs(&pin.fd)? {
        return Ok(false);
    }
    let inside = way(resolver, pin.fd.as_fd())?;
    let Some(tgid) = inside.first().and_then(|first| number(first)) else {
        return Ok(false);
    };
    session_only(resolver, tgid)?;
    let memory = inside.last().is_some_and(|last| last == b"mem");
    if memory && !is_in_hand(resolver, tgid) {
        return Err(Errno::ACCESS);
    }
    Ok(memory)
}

/// Whether the caller reads and writes that process's memory as it likes: its own, or as its tracer (`ptrace(2)`).
fn is_in_hand(resolver: &Resolver<'_>, tgid: i32) -> bool {
    let tracer = || status_number(tgid, "TracerPid:").filter(|tracer| *tracer > 0);
    tgid == resolver.client.tgid || tracer().and_then(leader) == Some(resolver.client.tgid)
}

/// The components of `fd` below the root of its procfs, if it is one that counts tasks as we do.
pub fn components(host: &Host, fd: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>, Errno> {
    let stat = rustix::fs::fstat(fd)?;
    let Canonical::At(path) = canonical(host, fd, &stat)? else {
        return Err(Errno::ACCESS);
    };
    let root = path
        .ancestors()
        .find(|above| rustix::fs::stat(*above).is_ok_and(|it| it.st_dev == stat.st_dev && it.st_ino == PROC_ROOT_INODE))
        .ok_or(Errno::ACCESS)?;
    let own = rustix::fs::readlinkat(CWD, root.join("self"), Vec::new())?;
    if own.as_bytes() != host.tgid.to_string().as_bytes() {
        return Err(Errno::ACCESS);
    }
    use std::os::unix::ffi::OsStrExt;
    let below = path.strip_prefix(root).map_err(|_| Errno::ACCESS)?;
    Ok(below.iter().map(|part| part.as_bytes().to_vec()).collect())
}

/// The task whose folder `fd` is, which `pidfd_send_signal(2)` takes as well.
///
/// # Errors
/// `EBADF` if it is no such folder, `ESRCH` if the task is gone.
pub fn task_of(host: &Host, fd: BorrowedFd<'_>) -> Result<i32, Errno> {
    if !is_procfs(fd).map_err(|_| Errno::BADF)? {
        return Err(Errno::BADF);
    }
    let stat = rustix::fs::fstat(fd)?;
    if let Canonical::Was(_) = canonical(host, fd, &stat)? {
        return Err(Errno::SRCH);
    }
    match components(host, fd).map_err(|_| Errno::BADF)?.as_slice() {
        [task] if stat.st_mode & libc::S_IFMT == libc::S_IFDIR => number(task).ok_or(Errno::BADF),
        _ => Err(Errno::BADF),
    }
}

fn session_only(resolver: &Resolver<'_>, task: i32) -> Result<(), Errno> {
    if task == resolver.client.tgid || task == resolver.client.tid {
        return Ok(());
    }
    // `/proc/N` answers for threads as well.
    let tgid = leader(task).ok_or(Errno::NOENT)?;
    if tgid != resolver.host.tgid && (tgid == resolver.client.tgid || resolver.tasks.contains(tgid)) {
        Ok(())
    } else {
        Err(Errno::ACCESS)
    }
}

/// Which process `task` is of.
fn leader(task: i32) -> Option<i32> {
    actor::as_reader(|| status_number(task, "Tgid:").ok_or(Errno::NOENT)).ok()
}

/// A line of `/proc/TASK/status`, `proc_pid_status(5)`.
fn status_number(task: i32, key: &str) -> Option<i32> {
    let text = std::fs::read_to_string(format!("/proc/{task}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().parse().ok()
}

/// Pins the object behind descriptor `number` of `task`, whose link in procfs is `link`.
fn open_descriptor(resolver: &Resolver<'_>, link: BorrowedFd<'_>, task: i32, number: i32) -> Result<Pin, Errno> {
    let open = || {
        let pid = Pid::from_raw(task).ok_or(Errno::NOENT)?;
        let thread = PidfdFlags::from_bits_retain(libc::O_EXCL as u32);
        let pidfd = match rustix::process::pidfd_open(pid, thread) {
            Err(Errno::INVAL) => rustix::process::pidfd_open(pid, PidfdFlags::empty())?,
            result => result?,
        };
        // The link belongs to one task for ever: while it can be read, the number has not changed hands.
        rustix::fs::readlinkat(link, "", Vec::new())?;
        rustix::process::pidfd_getfd(pidfd, number, PidfdGetfdFlags::empty())
    };
    let fd = actor::as_reader(open).map_err(|errno| match errno {
        Errno::BADF | Errno::SRCH => Errno::NOENT,
        other => other,
    })?;
    resolver.own_descriptor(fd.as_fd())
}

fn number(text: &[u8]) -> Option<i32> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}
