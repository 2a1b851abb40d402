//! sendto, sendmsg and sendmmsg: whom a message goes to is judged, and the copy that was judged is sent.
//!
//! A stream's peer was judged when it was connected. A call on one is continued where nobody could put another
//! socket under its number meanwhile: in a process with one thread that shares its descriptors with nobody.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::thread::CapabilitySet;

use super::address::MAX_ADDRESS;
use super::inside::address;
use super::internet::InternetOperation;
use super::message::{self, Control, Header};
use super::netlink::is_the_kernel;
use super::socket::Socket;
use super::{Address, ConnectRequest, OwnSocket, Peer, SocketDecision, Sockets, UnixOperation};
use crate::caller::Caller;
use crate::files::actor;
use crate::files::resolve::Pin;
use crate::outcome::Outcome;
use crate::sys::{signal, socket};

const FAST_OPEN: i32 = libc::MSG_FASTOPEN;

/// So much of a stream is copied at once.
const CHUNK: usize = 256 << 10;

/// A message, ready to be judged.
struct Message {
    header: Header,
    control: Control,
    flags: i32,
}

/// Whom a message goes to.
enum Target {
    /// To the socket's own peer, or to an address that the kernel takes no notice of or refuses.
    Peer,
    /// By netlink to the kernel, without an address.
    Kernel,
    Internet(SocketAddr),
    Unix(Peer, Option<Pin>),
}

impl Sockets {
    /// Descriptors are shared beyond threads from now on, so that a number may change its meaning at any time.
    pub(super) fn clone_call(&self) -> Outcome {
        self.shared_descriptors.store(true, Ordering::Release);
        // Whether a process is made is for others to judge; the register with the flags cannot be raced.
        Outcome::Continue
    }

    pub(super) fn send(&self, caller: &Caller<'_>) -> Result<Outcome, Outcome> {
        let socket = Socket::of(&self.locator, caller)?;
        match caller.notification().nr {
            libc::SYS_sendto => {
                let length = usize::try_from(caller.arg(2)).map_err(|_| Errno::INVAL)?;
                let name = name(caller, caller.arg(4), caller.arg_i32(5))?;
                let header = Header::plain(name, (caller.arg(1), length));
                let message = Message {
                    header,
                    control: Control::default(),
                    flags: caller.arg_i32(3),
                };
                self.send_one(caller, &socket, message).map(Outcome::Value)
            }
            libc::SYS_sendmsg => {
                let flags = caller.arg_i32(2);
                if self.may_continue(caller, &socket, flags) {
                    return Ok(Outcome::Continue);
                }
                let message = Message::read(caller, caller.arg(1), flags)?;
                self.send_one(caller, &socket, message).map(Outcome::Value)
            }
            _ => self.send_many(caller, &socket),
        }
    }

    fn may_continue(&self, caller: &Caller<'_>, socket: &Socket, flags: i32) -> bool {
        socket.is_stream() && flags & FAST_OPEN == 0 && self.keeps_its_descriptors(caller)
    }

    /// Whether nobody but the calling thread, which waits, can change what its descriptors are.
    pub(super) fn keeps_its_descriptors(&self, caller: &Caller<'_>) -> bool {
        !self.shared_descriptors.load(Ordering::Acquire) && caller.is_only_thread()
    }

    fn send_many(&self, caller: &Caller<'_>, socket: &Socket) -> Result<Outcome, Outcome> {
        let count = (caller.arg_u32(2) as usize).min(message::MAX_PARTS);
        let mut sent = 0;
        for number in 0..count {
            let at = caller
                .arg(1)
                .checked_add((number * message::VECTOR) as u64)
                .ok_or(Errno::FAULT)?;
            let one = Message::read(caller, at, caller.arg_i32(3))
                .map_err(Outcome::Errno)
                .and_then(|message| self.send_one(caller, socket, message));
            let length = match one {
                Ok(length) => length,
                // What was sent is sent: the caller learns of the rest at its next call.
                Err(_) if sent > 0 => break,
                Err(outcome) => return Err(outcome),
            };
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            caller.write_bytes(at + message::HEADER as u64, &length.to_ne_bytes())?;
            sent += 1;
        }
        Ok(Outcome::Value(sent))
    }

    fn send_one(&self, caller: &Caller<'_>, socket: &Socket, mut message: Message) -> Result<i64, Outcome> {
        // Its buffer would have to stay as it is until the kernel is done; who asks falls back to copies.
        if message.flags & libc::MSG_ZEROCOPY != 0 {
            return Err(Outcome::Errno(Errno::NOBUFS));
        }
        let client = self.locator.client(caller)?;
        let named = !message.header.name.is_empty();
        let target =
            match named && socket.is_netlink() && is_the_kernel(socket, &client.identity, &message.header.name)? {
                true => Target::Kernel,
                false => self.target(caller, socket, &message)?,
            };
        let says_who = socket.is_unix() && may_say_who();
        if says_who && !message.control.names_sender {
            message.control.name_sender(caller)?;
        } else if socket.is_unix() && !says_who {
            // The kernel takes the name of another process from nobody but the superuser.
            message.control.unname_sender();
        }
        let mut act = |name: &[u8]| {
            let acting = actor::act_as(&client.identity, None)?;
            if let Target::Unix(_, Some(pin)) = &target {
                writable(pin)?;
            }
            // Who names the caller does so as itself.
            let _acting = (!says_who).then_some(acting);
            message.transfer(caller, socket, name)
        };
        match &target {
            Target::Peer => act(&message.header.name),
            Target::Kernel => act(&[]),
            Target::Internet(to) => {
                let operation = match socket.is_stream() {
                    true => InternetOperation::Connect,
                    false => InternetOperation::Send,
                };
                match self.internet(caller, socket, (operation, *to), &message.header.name, &mut act)? {
                    Outcome::Value(value) => Ok(value),
                    other => Err(other),
                }
            }
            Target::Unix(peer, pin) => {
                let request = ConnectRequest {
                    caller,
                    operation: UnixOperation::Send,
                    file: pin.as_ref().map(|pin| pin.stat),
                    peer: peer.clone(),
                    kind: socket.kind.as_raw(),
                };
                match self.judge.connect(&request) {
                    SocketDecision::Allow => {}
                    decision => return Err(decision.outcome()),
                }
                let result = match pin {
                    Some(pin) => act(&address(&format!("/proc/self/fd/{}", pin.fd.as_raw_fd()))),
                    None => act(&message.header.name),
                };
                self.judge.connected(&request, as_result(&result));
                result
            }
        }
    }

    fn target(&self, caller: &Caller<'_>, socket: &Socket, message: &Message) -> Result<Target, Outcome> {
        let name = &message.header.name;
        let fast = message.flags & FAST_OPEN != 0;
        if name.is_empty() || (socket.is_stream() && !(fast && socket.is_internet())) {
            return Ok(Target::Peer);
        }
        let address = match socket.domain {
            AddressFamily::INET if !socket.is_stream() => Address::parse_v4(name),
            _ => Address::parse(name),
        };
        Ok(match address {
            Address::Internet(to) if socket.is_internet() => Target::Internet(to),
            Address::Path(path) if socket.is_unix() => {
                let (path, pin) = self.find(caller, &path);
                match (path, pin) {
                    // It takes streams only.
                    (Some(path), _) if OwnSocket::named(&path).is_some() => {
                        return Err(Outcome::Errno(Errno::PROTOTYPE));
                    }
                    (Some(path), Ok(pin)) => Target::Unix(Peer::Path(path), Some(pin)),
                    (_, Err(errno)) => return Err(Outcome::Errno(errno)),
                    (None, Ok(_)) => return Err(Outcome::Errno(Errno::ACCESS)),
                }
            }
            Address::Abstract(name) if socket.is_unix() => Target::Unix(Peer::Abstract(name), None),
            _ => Target::Peer,
        })
    }
}

fn as_result(result: &Result<i64, Outcome>) -> Result<(), Errno> {
    match result {
        Ok(_) => Ok(()),
        Err(Outcome::Errno(errno)) => Err(*errno),
        Err(_) => Err(Errno::INTR),
    }
}

/// Whether the kernel takes the caller's name from this process (`unix(7)`, `SCM_CREDENTIALS`).
fn may_say_who() -> bool {
    static MAY: LazyLock<bool> = LazyLock::new(|| {
        let needed = CapabilitySet::SYS_ADMIN | CapabilitySet::SETUID | CapabilitySet::SETGID;
        rustix::thread::capabilities(None).is_ok_and(|sets| sets.permitted.contains(needed))
    });
    *MAY
}

/// A datagram to a socket file is written to it.
fn writable(pin: &Pin) -> Result<(), Errno> {
    let path = format!("/proc/self/fd/{}", pin.fd.as_raw_fd());
    rustix::fs::accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS)
}

fn name(caller: &Caller<'_>, address: u64, length: i32) -> Result<Vec<u8>, Errno> {
    let length = usize::try_from(length).map_err(|_| Errno::INVAL)?;
    match (address, length) {
        (0, _) | (_, 0) => Ok(Vec::new()),
        (_, length) if length > MAX_ADDRESS => Err(Errno::INVAL),
        (address, length) => caller.read_bytes(address, length),
    }
}

impl Message {
    fn read(caller: &Caller<'_>, address: u64, flags: i32) -> Result<Message, Errno> {
        let header = Header::read(caller, address)?;
        let control = header.control(caller)?;
        Ok(Message { header, control, flags })
    }

    /// Sends the copy on the caller's own socket, to `name` if it is not empty.
    fn transfer(&self, caller: &Caller<'_>, socket: &Socket, name: &[u8]) -> Result<i64, Outcome> {
        let total = self.header.parts.len();
        if !socket.is_stream() && total > message::MAX_DATAGRAM {
            return Err(Outcome::Errno(Errno::MSGSIZE));
        }
        let mut sent = 0;
        loop {
            let most = if socket.is_stream() { CHUNK } else { total };
            // The actor may not read a caller that has changed its ids: that cannot be dumped (PR_SET_DUMPABLE(2const)).
            let data = actor::as_reader(|| self.header.parts.copy(caller, sent, most))?;
            let control = if sent == 0 { self.control.bytes.as_slice() } else { &[] };
            let last = sent + data.len() >= total;
            if sent == 0 && !caller.still_valid() {
                return Err(Outcome::Answered);
            }
            match self.transfer_one(caller, socket, (name, control), &data, last) {
                Ok(count) => sent += count,
                Err(_) if sent > 0 => break,
                Err(Outcome::Errno(Errno::PIPE)) => return Err(self.broken(caller)),
                Err(outcome) => return Err(outcome),
            }
            if sent >= total || !(socket.is_stream() && self.waits(socket)) {
                break;
            }
        }
        Ok(i64::try_from(sent).unwrap_or(i64::MAX))
    }

    fn waits(&self, socket: &Socket) -> bool {
        socket.blocks && self.flags & libc::MSG_DONTWAIT == 0
    }

    fn transfer_one(
        &self,
        caller: &Caller<'_>,
        socket: &Socket,
        (name, control): (&[u8], &[u8]),
        data: &[u8],
        last: bool,
    ) -> Result<usize, Outcome> {
        let mut flags = self.flags | libc::MSG_NOSIGNAL;
        if !last {
            flags |= libc::MSG_MORE;
        }
        if self.waits(socket) && flags & FAST_OPEN != 0 {
            // It waits for the connection.
            return caller.slow(|| socket::send(&socket.fd, (name, control), data, flags));
        }
        match socket::send(&socket.fd, (name, control), data, flags | libc::MSG_DONTWAIT) {
            Err(Errno::AGAIN) if self.waits(socket) => {
                caller.slow(|| socket::send(&socket.fd, (name, control), data, flags))
            }
            result => result.map_err(Outcome::Errno),
        }
    }

    /// The peer is gone: who did not say otherwise gets a signal with the error.
    fn broken(&self, caller: &Caller<'_>) -> Outcome {
        if self.flags & libc::MSG_NOSIGNAL == 0
            && let Ok(status) = caller.status()
        {
            // A caller that is gone meanwhile needs none.
            let _ = actor::as_reader(|| signal::to_thread(status.tgid, caller.tid(), libc::SIGPIPE));
        }
        Outcome::Errno(Errno::PIPE)
    }
}
