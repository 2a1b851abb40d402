//! Finding the broker by uid alone, and starting one where there is none.

use std::ffi::CString;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use agentsh_protocol::{Bytes, peer, places};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt};

use crate::{Refusal, sys};

/// How long broker and supervisor may take for one step; a session that has to be made first takes its time. One that
/// is stopped never answers.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(45);

/// How long a broker may take to start, in seconds.
const START_LIMIT: i64 = 20;

/// What is said of one that does not answer.
pub(crate) const SILENT: &str = "the broker does not answer: it or the session's supervisor is stopped or overloaded";

/// A connection to the launch socket of the caller's own broker, started if need be.
pub(crate) fn connect_or_start() -> Result<OwnedFd, Refusal> {
    let uid = rustix::process::geteuid().as_raw();
    match try_connect(uid)? {
        Some(socket) => Ok(socket),
        None => {
            start(uid)?;
            try_connect(uid)?.ok_or_else(|| {
                Refusal::new(format!(
                    "{}: no broker answers there",
                    places::launch_socket(uid).display()
                ))
            })
        }
    }
}

/// `None` where nobody listens.
fn try_connect(uid: u32) -> Result<Option<OwnedFd>, Refusal> {
    let path = places::launch_socket(uid);
    let failed = |errno: Errno| Refusal::new(format!("{}: {}", path.display(), std::io::Error::from(errno)));
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).map_err(failed)?;
    let socket = sys::out_of_the_way(socket);
    for direction in [sockopt::Timeout::Recv, sockopt::Timeout::Send] {
        sockopt::set_socket_timeout(&socket, direction, Some(ANSWER_LIMIT)).map_err(failed)?;
    }
    let address = SocketAddrUnix::new(path.as_path()).map_err(failed)?;
    loop {
        match connect(&socket, &address) {
            Ok(()) => break,
            Err(Errno::INTR) => {}
            Err(Errno::NOENT | Errno::CONNREFUSED) => return Ok(None),
            Err(Errno::AGAIN) => return Err(Refusal::new(SILENT)),
            Err(errno) => return Err(failed(errno)),
        }
    }
    // Inside a session the connection is answered by the session's supervisor, whether the folder
    // exists or not; where it exists it must be ours alone.
    if rustix::fs::lstat(places::run_dir(uid)).is_ok() {
        places::check_run_dir(uid).map_err(Refusal::new)?;
    }
    let peer = peer::credentials(&socket).map_err(|error| Refusal::new(format!("{}: {error}", path.display())))?;
    if peer.pid.is_none() {
        return Err(Refusal::new(format!(
            "{}: that broker is in another pid namespace, and cannot serve who is in this one",
            path.display()
        )));
    }
    let peer = peer.uid;
    if peer != uid && peer != 0 {
        return Err(Refusal::new(format!(
            "{}: served by another user (uid {peer})",
            path.display()
        )));
    }
    Ok(Some(socket))
}

/// A program of ours, which stands beside this one's own file.
pub(crate) fn beside(name: &str) -> Result<Bytes, Refusal> {
    let own = rustix::fs::readlink("/proc/self/exe", Vec::new())
        .map_err(|errno| Refusal::new(format!("/proc/self/exe: {}", std::io::Error::from(errno))))?;
    let folder = Path::new(std::ffi::OsStr::from_bytes(own.as_bytes()))
        .parent()
        .unwrap_or(Path::new("/"));
    Ok(Bytes::from(folder.join(name).as_path()))
}

/// Starts the broker and waits until it serves.
fn start(uid: u32) -> Result<(), Refusal> {
    let broker = beside(places::BROKER_PROGRAM)?;
    let broker = Path::new(broker.as_os_str());
    let failed = |what: &dyn std::fmt::Display| Refusal::new(format!("cannot start {}: {what}", broker.display()));
    let program = CString::new(broker.as_os_str().as_bytes()).map_err(|error| failed(&error))?;
    if let Err(errno) = rustix::fs::access(&*program, rustix::fs::Access::EXEC_OK) {
        return Err(failed(&std::io::Error::from(errno)));
    }
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|errno| failed(&std::io::Error::from(errno)))?;
    let (reader, writer) = (sys::out_of_the_way(reader), sys::out_of_the_way(writer));
    let argv = [
        program.clone(),
        c"--on-demand".into(),
        c"--ready-fd".into(),
        c"3".into(),
    ];
    sys::spawn_daemon(&program, &argv, writer).map_err(|error| failed(&error))?;
    wait_until_ready(reader).map_err(|reason| failed(&format_args!("{reason} (uid {uid})")))
}

/// The broker closes its end once it serves, or once it found another one that does; on failure it
/// writes the reason first.
fn wait_until_ready(reader: OwnedFd) -> Result<(), String> {
    let limit = Timespec {
        tv_sec: START_LIMIT,
        tv_nsec: 0,
    };
    loop {
        match poll(&mut [PollFd::new(&reader, PollFlags::IN)], Some(&limit)) {
            Ok(0) => return Err(format!("it does not serve after {START_LIMIT} s")),
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(std::io::Error::from(errno).to_string()),
        }
    }
    let mut reason = String::new();
    std::fs::File::from(reader)
        .read_to_string(&mut reason)
        .map_err(|error| error.to_string())?;
    match reason.trim() {
        "" => Ok(()),
        reason => Err(reason.lines().next().unwrap_or_default().to_owned()),
    }
}
