//! bind.
//!
//! A name of the abstract namespace is bound on a copy, on the caller's own socket. A path is judged and
//! then bound by its text: the kernel keeps that for `getsockname(2)`. Where nobody can put another socket under
//! the caller's number meanwhile the call is continued, else a thread of ours does it in the caller's folder and
//! behind the command's walls. What a race of the text, or of links on the way, could reach is an empty socket
//! file where the hull lets the caller make one anyway.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType};

use super::address::MAX_ADDRESS;
use super::socket::Socket;
use super::{Address, BindRequest, Peer, SocketDecision, Sockets};
use crate::caller::Caller;
use crate::files::actor;
use crate::outcome::Outcome;
use crate::sys::socket;

impl Sockets {
    pub(super) fn bind(&self, caller: &Caller<'_>) -> Result<Outcome, Outcome> {
        let socket = Socket::of(&self.locator, caller)?;
        if !socket.is_unix() && !socket.is_internet() {
            return self.bind_netlink(caller, &socket);
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
        match self.keeps_its_descriptors(caller) {
            true => Ok(Outcome::Continue),
            false => self.bind_behind_walls(caller, fd, &bytes),
        }
    }

    /// Binds for the caller from where it works, on a thread that ends with that. Here its rights, its root folder and
    /// its walls are taken on, which are not all given back.
    fn bind_behind_walls(&self, caller: &Caller<'_>, fd: &OwnedFd, bytes: &[u8]) -> Result<Outcome, Outcome> {
        let identity = self.locator.client(caller)?.identity.clone();
        let umask = caller.status()?.umask.ok_or(Errno::SRCH)?;
        let (root, folder) = (caller.root()?, caller.cwd()?);
        let at_our_root = self.locator.is_at_our_root(caller.tid());
        if !caller.still_valid() {
            return Err(Outcome::Answered);
        }
        let bind = || -> Result<(), Errno> {
            if !actor::is_alone()? {
                // With everybody's root folder nothing is done below another.
                let _place = at_our_root
                    .then(|| actor::Place::at(&folder, umask))
                    .ok_or(Errno::PERM)??;
                self.judge.enter_walls()?;
                let _acting = actor::act_as(&identity, None)?;
                return socket::bind(fd, bytes);
            }
            actor::as_reader(|| {
                if !at_our_root {
                    rustix::process::fchdir(&root)?;
                    rustix::process::chroot(c".")?;
                }
                rustix::process::fchdir(&folder)
            })?;
            self.judge.enter_walls()?;
            let _acting = actor::act_as(&identity, Some(umask))?;
            socket::bind(fd, bytes)
        };
        let bound = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("bind".into());
            let thread = thread.spawn_scoped(scope, bind).map_err(|_| Errno::AGAIN)?;
            thread.join().unwrap_or(Err(Errno::ACCESS))
        });
        bound?;
        Ok(Outcome::Value(0))
    }

    /// Netlink: where no number is given the kernel takes that of the calling process, or another if that is taken.
    fn bind_netlink(&self, caller: &Caller<'_>, socket: &Socket) -> Result<Outcome, Outcome> {
        /// Where `struct sockaddr_nl` has its number.
        const NUMBER: std::ops::Range<usize> = 4..8;
        if self.keeps_its_descriptors(caller) {
            return Ok(Outcome::Continue);
        }
        let length = usize::try_from(caller.arg_i32(2)).map_err(|_| Errno::INVAL)?;
        if length > MAX_ADDRESS {
            return Err(Outcome::Errno(Errno::INVAL));
        }
        let bytes = caller.read_bytes(caller.arg(1), length)?;
        let client = self.locator.client(caller)?;
        let mut numbered = bytes.clone();
        if let Some(number) = numbered.get_mut(NUMBER)
            && number.iter().all(|byte| *byte == 0)
        {
            number.copy_from_slice(&client.tgid.to_ne_bytes());
        }
        if !caller.still_valid() {
            return Err(Outcome::Answered);
        }
        let _acting = actor::act_as(&client.identity, None)?;
        match socket::bind(&socket.fd, &numbered) {
            Err(Errno::ADDRINUSE) => socket::bind(&socket.fd, &bytes)?,
            bound => bound?,
        }
        Ok(Outcome::Value(0))
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
    fn bind_copy(&self, caller: &Caller<'_>, fd: &OwnedFd, bytes: &[u8]) -> Result<Outcome, Outcome> {
        if !caller.still_valid() {
            return Err(Outcome::Answered);
        }
        socket::bind(fd, bytes)?;
        Ok(Outcome::Value(0))
    }
}
