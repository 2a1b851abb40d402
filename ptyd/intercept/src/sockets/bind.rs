//! bind.
//!
//! A name of the abstract namespace is bound on a copy, on the caller's own socket. A path is judged and
//! then continued: the kernel keeps the text for `getsockname(2)` and resolves it in the caller's folder,
//! which nobody can do for it. What a race of the text could reach is an empty socket file where the hull
//! lets the caller make one anyway.

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType};

use super::address::MAX_ADDRESS;
use super::socket::Socket;
use super::{Address, BindRequest, Peer, SocketDecision, Sockets};
use crate::caller::Caller;
use crate::outcome::Outcome;
use crate::sys::socket;

impl Sockets {
    pub(super) fn bind(&self, caller: &Caller<'_>) -> Result<Outcome, Outcome> {
        let socket = Socket::of(caller)?;
        if !socket.is_unix() && !socket.is_internet() {
            // Netlink: the kernel takes the number of the calling process where none is given. TCP, which the
            // descriptor could be made to mean meanwhile, is out of reach of an own bind (Landlock).
            return Ok(Outcome::Continue);
        }
        let length = usize::try_from(caller.arg_i32(2)).map_err(|_| Errno::INVAL)?;
        if length > MAX_ADDRESS {
            return Err(Outcome::Errno(Errno::INVAL));
        }
        let bytes = caller.read_bytes(caller.arg(1), length)?;
        if socket.is_internet() {
            let address = match socket.domain {
                AddressFamily::INET => Address::parse_v4(&bytes),
                _ => Address::parse(&bytes),
            };
            return match address {
                Address::Internet(address) => self.bind_internet(caller, &socket, address, &bytes),
                // The kernel refuses it, and says how.
                _ => self.bind_copy(caller, &socket.fd, &bytes),
            };
        }
        let fd = &socket.fd;
        let (at, copied) = match Address::parse(&bytes) {
            Address::Path(path) => match self.would_be(caller, &path) {
                Some(path) => (Peer::Path(path), false),
                None => return Err(Outcome::Errno(Errno::ACCESS)),
            },
            Address::Abstract(name) => (Peer::Abstract(name), true),
            // The kernel picks a name that nobody has, or refuses.
            _ => {
                self.note_own(&socket)?;
                return self.bind_copy(caller, fd, &bytes);
            }
        };
        let listens = socket.kind != SocketType::DGRAM;
        let request = BindRequest { caller, at, listens };
        match self.judge.bind(&request) {
            SocketDecision::Allow => {}
            decision => return Err(decision.outcome()),
        }
        self.note_own(&socket)?;
        if copied {
            return self.bind_copy(caller, fd, &bytes);
        }
        Ok(Outcome::Continue)
    }

    /// Its name will be the session's own. A socket that has one already, which somebody else may have given it, is
    /// not bound again by the kernel.
    fn note_own(&self, socket: &Socket) -> Result<(), Errno> {
        if !socket.is_named()? {
            self.endpoints.note(socket.inode()?);
        }
        Ok(())
    }

    /// Names without a file need no rights: nobody has to be acted for.
    fn bind_copy(&self, caller: &Caller<'_>, fd: &std::os::fd::OwnedFd, bytes: &[u8]) -> Result<Outcome, Outcome> {
        if !caller.still_valid() {
            return Err(Outcome::Answered);
        }
        socket::bind(fd, bytes)?;
        Ok(Outcome::Value(0))
    }
}
