//! connect.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::SocketType;

use super::address::MAX_ADDRESS;
use super::inside::address;
use super::netlink::{NET_ADMIN, names_the_kernel};
use super::socket::Socket;
use super::{Address, ConnectRequest, OwnSocket, Peer, SocketDecision, Sockets, UnixOperation, path_of};
use crate::caller::Caller;
use crate::files::actor;
use crate::files::resolve::Pin;
use crate::outcome::Outcome;
use crate::sys::socket;

/// What is connected to, held.
enum Target {
    Socket(Pin),
    /// The address as copied.
    Copy(Vec<u8>),
}

impl Sockets {
    pub(super) fn connect(&self, caller: &Caller<'_>) -> Result<Outcome, Outcome> {
        let socket = Socket::of(&self.locator, caller)?;
        let length = usize::try_from(caller.arg_i32(2)).map_err(|_| Errno::INVAL)?;
        if length > MAX_ADDRESS {
            return Err(Outcome::Errno(Errno::INVAL));
        }
        let bytes = caller.read_bytes(caller.arg(1), length)?;
        let (peer, target) = match Address::parse(&bytes) {
            Address::Path(path) if socket.is_unix() => {
                let (path, pin) = self.find(caller, &path);
                if let Some(own) = path.as_deref().and_then(OwnSocket::named) {
                    return self.connect_inside(caller, &socket, own);
                }
                let (Some(path), pin) = (path, pin?) else {
                    return Err(Outcome::Errno(Errno::ACCESS));
                };
                (Peer::Path(path), Target::Socket(pin))
            }
            Address::Abstract(name) if socket.is_unix() => (Peer::Abstract(name), Target::Copy(bytes)),
            Address::Internet(to) if socket.is_internet() => {
                return self.connect_internet(caller, &socket, to, &bytes);
            }
            // As of a message: nobody else is named by who has no right over the network.
            Address::Other(_) if socket.is_netlink() && !self.may_ask(caller, &bytes)? => {
                return Err(Outcome::Errno(Errno::PERM));
            }
            Address::Other(family) if !socket.is_unix() => (Peer::Other(family), Target::Copy(bytes)),
            // Dissolves an association, or is refused by the kernel: it leads nowhere.
            _ => {
                return self
                    .carry_out(caller, &socket, &Target::Copy(bytes))
                    .map(|()| Outcome::Value(0));
            }
        };
        let request = ConnectRequest {
            caller,
            operation: UnixOperation::Connect,
            peer,
            kind: socket.kind.as_raw(),
            file: match &target {
                Target::Socket(pin) => Some(pin.stat),
                Target::Copy(_) => None,
            },
        };
        match self.judge.connect(&request) {
            SocketDecision::Allow => {}
            decision => return Err(decision.outcome()),
        }
        let result = self.carry_out(caller, &socket, &target);
        match &result {
            Ok(()) => self.judge.connected(&request, Ok(())),
            Err(Outcome::Errno(errno)) => self.judge.connected(&request, Err(*errno)),
            Err(_) => self.judge.connected(&request, Err(Errno::INTR)),
        }
        result.map(|()| Outcome::Value(0))
    }

    /// Whether the caller may connect a netlink socket to this address.
    fn may_ask(&self, caller: &Caller<'_>, address: &[u8]) -> Result<bool, Errno> {
        let client = self.locator.client(caller)?;
        Ok(client.identity.capable(NET_ADMIN) || names_the_kernel(address)?)
    }

    /// Connects as the caller.
    fn carry_out(&self, caller: &Caller<'_>, socket: &Socket, target: &Target) -> Result<(), Outcome> {
        let bytes = match target {
            Target::Copy(bytes) => bytes.clone(),
            // Of the pinned socket itself, whatever its name leads to by now.
            Target::Socket(pin) => address(&format!("/proc/self/fd/{}", pin.fd.as_raw_fd())),
        };
        let client = self.locator.client(caller)?;
        if !caller.still_valid() {
            return Err(Outcome::Answered);
        }
        let _acting = actor::act_as(&client.identity, None)?;
        match socket.blocks && socket.kind != SocketType::DGRAM {
            true => caller.interruptible(|| socket::connect(&socket.fd, &bytes)),
            false => socket::connect(&socket.fd, &bytes).map_err(Outcome::Errno),
        }
    }

    fn connect_inside(&self, caller: &Caller<'_>, socket: &Socket, own: OwnSocket) -> Result<Outcome, Outcome> {
        if socket.kind != SocketType::STREAM {
            return Err(Outcome::Errno(Errno::PROTOTYPE));
        }
        let stream = self.inside.connect(&socket.fd)?;
        self.judge.insider(own, caller, stream);
        Ok(Outcome::Value(0))
    }

    /// The canonical path of `path`, and its object. Where there is none only what may be a socket of ours has a path, the one
    /// that it would have.
    pub(super) fn find(&self, caller: &Caller<'_>, path: &CStr) -> (Option<PathBuf>, Result<Pin, Errno>) {
        let errno = match self.locator.object(caller, libc::AT_FDCWD, path, true) {
            Ok(pin) => match self.locator.canonical(&pin) {
                Ok(place) => return (path_of(place), Ok(pin)),
                Err(errno) => errno,
            },
            Err(errno) => errno,
        };
        let text = Path::new(OsStr::from_bytes(path.to_bytes()));
        let would_be = OwnSocket::may_be(text).then(|| self.would_be(caller, path)).flatten();
        (would_be, Err(errno))
    }

    /// The canonical path of what does not exist, or is out of the caller's reach: that of its nearest
    /// ancestor which can be found, and the rest as written.
    pub(super) fn would_be(&self, caller: &Caller<'_>, path: &CStr) -> Option<PathBuf> {
        let path = Path::new(OsStr::from_bytes(path.to_bytes()));
        let mut ancestors = path.ancestors();
        ancestors.next();
        for ancestor in ancestors {
            let text = if ancestor.as_os_str().is_empty() {
                b"."
            } else {
                ancestor.as_os_str().as_bytes()
            };
            let folder = CString::new(text).ok()?;
            let Ok(pin) = self.locator.object(caller, libc::AT_FDCWD, &folder, true) else {
                continue;
            };
            let place = path_of(self.locator.canonical(&pin).ok()?)?;
            return Some(place.join(path.strip_prefix(ancestor).ok()?));
        }
        None
    }
}
