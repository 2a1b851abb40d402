//! The process that lives in a private network: it makes the network, and sockets there for its supervisor. A process
//! with threads could not enter a user namespace.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Write as _};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{setsockopt, sockopt};
use rustix::io::retry_on_intr;
use rustix::net::{
    AddressFamily, Protocol, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, ipproto, recvmsg, sendmsg,
};

use super::{routes, steering};

/// What the supervisor gets once the network stands, in this order.
pub(super) struct Made {
    /// Which of the optional ones are there.
    pub parts: Parts,
    pub descriptors: Vec<OwnedFd>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    /// A user namespace comes first, then the network.
    pub user: bool,
    /// Three sockets more, of IPv6, behind those of IPv4: for connections, for datagrams, for answers.
    pub v6: bool,
}

/// Most descriptors of a message.
const MOST: usize = 8;
/// Beginnings of messages.
const MADE: u8 = b'M';
const FAILED: u8 = b'F';
/// A request for a socket: family, type and protocol.
const REQUEST: usize = 12;

/// The process's life: makes the network, then sockets in it, until its supervisor is gone.
///
/// # Errors
/// None is told to anybody but the supervisor.
pub fn hold(supervisor: OwnedFd) -> io::Result<()> {
    match make() {
        Ok(made) => {
            let fds: Vec<BorrowedFd<'_>> = made.descriptors.iter().map(AsFd::as_fd).collect();
            send(&supervisor, &[MADE, made.parts.user.into(), made.parts.v6.into()], &fds)?;
        }
        Err(error) => return send(&supervisor, &[&[FAILED], error.to_string().as_bytes()].concat(), &[]),
    }
    // Nobody of the user's other processes is to reach into this one.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    let mut request = [0; REQUEST];
    while retry_on_intr(|| rustix::net::recv(&supervisor, &mut request[..], RecvFlags::empty()))?.0 == REQUEST {
        match socket(request) {
            Ok(socket) => send(&supervisor, &[MADE], &[socket.as_fd()])?,
            Err(error) => {
                let code = error.raw_os_error().unwrap_or(libc::EIO);
                send(&supervisor, &[&[FAILED][..], &code.to_ne_bytes()].concat(), &[])?;
            }
        }
    }
    Ok(())
}

fn socket(request: [u8; REQUEST]) -> io::Result<OwnedFd> {
    let number = |at: usize| {
        let bytes = request.get(at..).and_then(|bytes| bytes.first_chunk());
        bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
    };
    Ok(rustix::net::socket_with(
        AddressFamily::from_raw(number(0) as u16),
        SocketType::from_raw(number(4)),
        SocketFlags::CLOEXEC,
        NonZeroU32::new(number(8)).map(Protocol::from_raw),
    )?)
}

/// Asks for a socket.
pub(super) fn ask(
    holder: &OwnedFd,
    family: AddressFamily,
    kind: SocketType,
    protocol: Option<Protocol>,
) -> io::Result<OwnedFd> {
    let protocol = protocol.map_or(0, |protocol| protocol.as_raw().get());
    let request = [u32::from(family.as_raw()), kind.as_raw(), protocol].map(u32::to_ne_bytes);
    retry_on_intr(|| rustix::net::send(holder, &request.concat(), SendFlags::NOSIGNAL))?;
    let (answer, mut fds) = receive(holder)?;
    match (answer.split_first(), fds.pop()) {
        (Some((&MADE, _)), Some(socket)) => Ok(socket),
        (Some((&FAILED, code)), _) => Err(io::Error::from_raw_os_error(
            code.first_chunk().map_or(libc::EIO, |code| i32::from_ne_bytes(*code)),
        )),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Waits for the network.
pub(super) fn await_made(holder: &OwnedFd) -> io::Result<Made> {
    let (answer, descriptors) = receive(holder)?;
    match answer.split_first() {
        Some((&MADE, &[user, v6])) => Ok(Made {
            parts: Parts {
                user: user != 0,
                v6: v6 != 0,
            },
            descriptors,
        }),
        Some((&FAILED, text)) => Err(io::Error::other(String::from_utf8_lossy(text).into_owned())),
        _ => Err(io::Error::other("the process that was to make it is gone")),
    }
}

fn send(socket: &OwnedFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(fds));
    }
    retry_on_intr(|| sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL))?;
    Ok(())
}

fn receive(socket: &OwnedFd) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0; 512];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    // Whoever is stopped and let go on meanwhile (signal(7)) waits on.
    let received = retry_on_intr(|| {
        recvmsg(
            socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )
    })?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    bytes.truncate(received.bytes);
    Ok((bytes, fds))
}

fn step<T, E: Into<io::Error>>(what: &'static str, result: Result<T, E>) -> io::Result<T> {
    result.map_err(|error| {
        let error = error.into();
        io::Error::new(error.kind(), format!("{what}: {error}"))
    })
}

fn make() -> io::Result<Made> {
    let user = leave()?;
    let v6 = rustix::net::socket(AddressFamily::INET6, SocketType::DGRAM, None).is_ok();
    step("its addresses", routes::make(v6))?;
    let (port, relays) = step("the relay's sockets", relays(v6))?;
    step("steering by nf_tables", steering::make(v6, port))?;
    let mut descriptors = Vec::new();
    if user {
        descriptors.push(OwnedFd::from(File::open("/proc/self/ns/user")?));
    }
    descriptors.push(OwnedFd::from(File::open("/proc/self/ns/net")?));
    descriptors.extend(relays);
    Ok(Made {
        parts: Parts { user, v6 },
        descriptors,
    })
}

/// Leaves the host's network; whether for a user namespace as well, in which its user has no ids but their own.
fn leave() -> io::Result<bool> {
    if unshare(CloneFlags::CLONE_NEWNET).is_ok() {
        return Ok(false);
    }
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    step(
        "a user namespace",
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET),
    )?;
    let write = |name: &'static str, text: &str| {
        let file = File::options().write(true).open(format!("/proc/self/{name}"));
        step(name, file.and_then(|mut file| file.write_all(text.as_bytes())))
    };
    write("uid_map", &format!("{uid} {uid} 1"))?;
    write("setgroups", "deny")?;
    write("gid_map", &format!("{gid} {gid} 1"))?;
    Ok(true)
}

/// Sockets that take what was sent elsewhere, all of one port, and those for answers.
fn relays(v6: bool) -> io::Result<(u16, Vec<OwnedFd>)> {
    let first = takes(SocketType::STREAM, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
    let port = SocketAddr::try_from(rustix::net::getsockname(&first)?)?.port();
    // Nobody else is here who could have the port.
    let at = |v6: bool| match v6 {
        false => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        true => SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
    };
    let mut sockets = vec![
        first,
        takes(SocketType::DGRAM, at(false))?,
        answers(AddressFamily::INET)?,
    ];
    if v6 {
        sockets.push(takes(SocketType::STREAM, at(true))?);
        sockets.push(takes(SocketType::DGRAM, at(true))?);
        sockets.push(answers(AddressFamily::INET6)?);
    }
    Ok((port, sockets))
}

fn takes(kind: SocketType, at: SocketAddr) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let family = match at {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = rustix::net::socket_with(family, kind, flags, None)?;
    setsockopt(&socket, sockopt::IpTransparent, &true)?;
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
    if at.is_ipv6() {
        rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
    }
    match (kind == SocketType::DGRAM, at.is_ipv6()) {
        (true, false) => setsockopt(&socket, sockopt::Ipv4OrigDstAddr, &true)?,
        (true, true) => setsockopt(&socket, sockopt::Ipv6OrigDstAddr, &true)?,
        (false, _) => {}
    }
    rustix::net::bind(&socket, &at)?;
    if kind == SocketType::STREAM {
        rustix::net::listen(&socket, 1024)?;
    }
    Ok(socket)
}

/// One on which packets are sent as they are to be (`raw(7)`); nothing is received there.
fn answers(family: AddressFamily) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(rustix::net::socket_with(
        family,
        SocketType::RAW,
        flags,
        Some(ipproto::RAW),
    )?)
}
