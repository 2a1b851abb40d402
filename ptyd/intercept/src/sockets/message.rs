//! What a caller sends, copied once: data, and what goes along with it (`sendmsg(2)`, `cmsg(3)`).

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::Errno;

use super::address::MAX_ADDRESS;
use crate::caller::Caller;

/// `sizeof(struct msghdr)` and `sizeof(struct mmsghdr)`.
pub const HEADER: usize = 56;
pub const VECTOR: usize = 64;

/// `UIO_MAXIOV`.
pub const MAX_PARTS: usize = 1024;

/// More is not sent as one datagram: the kernel's own bound is the send buffer.
pub const MAX_DATAGRAM: usize = 8 << 20;

/// The most that goes along (`net.core.optmem_max` is smaller).
const MAX_CONTROL: usize = 1 << 20;

/// `SCM_MAX_FD`.
const MAX_DESCRIPTORS: usize = 253;

/// `CAP_NET_ADMIN` and `CAP_NET_RAW`: who may mark packets.
const MARKING: u64 = 1 << 12 | 1 << 13;

/// `struct cmsghdr`.
const CONTROL_HEADER: usize = 16;

/// Where the parts of a message lie in the caller's memory.
#[derive(Debug, Clone, Default)]
pub struct Parts(pub Vec<(u64, usize)>);

impl Parts {
    /// All bytes.
    pub fn len(&self) -> usize {
        self.0
            .iter()
            .fold(0usize, |sum, (_, length)| sum.saturating_add(*length))
    }

    /// Copies at most `most` bytes from `offset` on.
    pub fn copy(&self, caller: &Caller<'_>, offset: usize, most: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; most.min(self.len().saturating_sub(offset))];
        let (mut skip, mut done) = (offset, 0);
        for (address, length) in &self.0 {
            if skip >= *length {
                skip -= length;
                continue;
            }
            let take = (length - skip).min(bytes.len() - done);
            let from = address.checked_add(skip as u64).ok_or(Errno::FAULT)?;
            caller.read_into(from, &mut bytes[done..done + take])?;
            done += take;
            skip = 0;
            if done == bytes.len() {
                break;
            }
        }
        Ok(bytes)
    }
}

/// A message without its data.
#[derive(Debug)]
pub struct Header {
    pub name: Vec<u8>,
    pub parts: Parts,
    control: (u64, usize),
}

impl Header {
    /// One part, and nothing that goes along.
    pub fn plain(name: Vec<u8>, data: (u64, usize)) -> Header {
        Header {
            name,
            parts: Parts(vec![data]),
            control: (0, 0),
        }
    }

    /// Reads `struct msghdr` at `address`.
    pub fn read(caller: &Caller<'_>, address: u64) -> Result<Header, Errno> {
        let bytes = caller.read_bytes(address, HEADER)?;
        let word = |at: usize| {
            bytes[at..]
                .first_chunk()
                .map_or(0, |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes))
        };
        let length = |at: usize| usize::try_from(word(at)).unwrap_or(usize::MAX);
        let name_length = bytes[8..].first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
        let name_length = usize::try_from(name_length).map_err(|_| Errno::INVAL)?.min(MAX_ADDRESS);
        let name = match (word(0), name_length) {
            (0, _) | (_, 0) => Vec::new(),
            (address, length) => caller.read_bytes(address, length)?,
        };
        let control = length(40);
        if control > MAX_CONTROL {
            return Err(Errno::NOBUFS);
        }
        Ok(Header {
            name,
            parts: parts(caller, word(16), length(24))?,
            control: (word(32), control),
        })
    }

    /// What goes along with the data, for a message of ours that says the same.
    pub fn control(&self, caller: &Caller<'_>) -> Result<Control, Errno> {
        match self.control {
            (0, _) | (_, 0) => Ok(Control::default()),
            (address, length) => Control::read(caller, &caller.read_bytes(address, length)?),
        }
    }
}

fn parts(caller: &Caller<'_>, address: u64, count: usize) -> Result<Parts, Errno> {
    if count > MAX_PARTS {
        return Err(Errno::MSGSIZE);
    }
    let bytes = caller.read_bytes(address, count * 16)?;
    let mut parts = Vec::with_capacity(count);
    for part in bytes.chunks_exact(16) {
        let word = |at: usize| {
            part[at..]
                .first_chunk()
                .map_or(0, |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes))
        };
        parts.push((word(0), usize::try_from(word(8)).map_err(|_| Errno::INVAL)?));
    }
    Ok(Parts(parts))
}

/// Control messages with descriptors of ours in the place of the caller's.
#[derive(Debug, Default)]
pub struct Control {
    pub bytes: Vec<u8>,
    /// Whether the caller says itself who it is.
    pub names_sender: bool,
    held: Vec<OwnedFd>,
}

impl Control {
    fn read(caller: &Caller<'_>, bytes: &[u8]) -> Result<Control, Errno> {
        let mut control = Control::default();
        let mut rest = bytes;
        while rest.len() >= CONTROL_HEADER {
            let (length, level, kind) = header(rest).ok_or(Errno::INVAL)?;
            let data = rest.get(CONTROL_HEADER..length).ok_or(Errno::INVAL)?;
            control.take(caller, level, kind, data)?;
            rest = rest.get(length.next_multiple_of(8)..).unwrap_or_default();
        }
        Ok(control)
    }

    fn take(&mut self, caller: &Caller<'_>, level: i32, kind: i32, data: &[u8]) -> Result<(), Errno> {
        match (level, kind) {
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => self.descriptors(caller, data),
            (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => {
                self.names_sender = true;
                self.push(level, kind, &credentials(caller, data)?);
                Ok(())
            }
            // Of a worker the network may be, where the caller has no right over it.
            (libc::SOL_SOCKET, libc::SO_MARK) if caller.status()?.effective.0 & MARKING == 0 => Err(Errno::PERM),
            _ if passes(level, kind) => {
                self.push(level, kind, data);
                Ok(())
            }
            // Others send the datagram another way than to its address, or are not known.
            _ => Err(Errno::PERM),
        }
    }

    fn descriptors(&mut self, caller: &Caller<'_>, data: &[u8]) -> Result<(), Errno> {
        if data.len() / 4 > MAX_DESCRIPTORS {
            return Err(Errno::INVAL);
        }
        let mut numbers = Vec::with_capacity(data.len());
        for number in data.chunks_exact(4) {
            let number = number.first_chunk().map_or(-1, |bytes| i32::from_ne_bytes(*bytes));
            let fd = caller.fetch_fd(number)?;
            numbers.extend_from_slice(&fd.as_raw_fd().to_ne_bytes());
            self.held.push(fd);
        }
        self.push(libc::SOL_SOCKET, libc::SCM_RIGHTS, &numbers);
        Ok(())
    }

    fn push(&mut self, level: i32, kind: i32, data: &[u8]) {
        self.bytes
            .extend_from_slice(&(CONTROL_HEADER + data.len()).to_ne_bytes());
        self.bytes.extend_from_slice(&level.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(data);
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
    }

    /// Leaves out who the caller says it is, which was true.
    pub fn unname_sender(&mut self) {
        let whole = std::mem::take(&mut self.bytes);
        let mut rest = whole.as_slice();
        while let Some((length, level, kind)) = header(rest) {
            if (level, kind) != (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) {
                self.push(level, kind, rest.get(CONTROL_HEADER..length).unwrap_or_default());
            }
            rest = rest.get(length.next_multiple_of(8)..).unwrap_or_default();
        }
    }

    /// Says who the caller is, as the kernel says it of whoever calls (`unix(7)`, `SO_PASSCRED`).
    pub fn name_sender(&mut self, caller: &Caller<'_>) -> Result<(), Errno> {
        let status = caller.status()?;
        let words = [status.tgid.cast_unsigned(), status.uid[0], status.gid[0]];
        self.push(
            libc::SOL_SOCKET,
            libc::SCM_CREDENTIALS,
            &words.map(u32::to_ne_bytes).concat(),
        );
        self.names_sender = true;
        Ok(())
    }
}

fn header(bytes: &[u8]) -> Option<(usize, i32, i32)> {
    let length = usize::from_ne_bytes(*bytes.first_chunk()?);
    let level = i32::from_ne_bytes(*bytes.get(8..)?.first_chunk()?);
    let kind = i32::from_ne_bytes(*bytes.get(12..)?.first_chunk()?);
    (length >= CONTROL_HEADER).then_some((length, level, kind))
}

/// Control messages that leave the address what it is, `ip(7)`, `ipv6(7)`, `udp(7)`, `socket(7)`.
fn passes(level: i32, kind: i32) -> bool {
    match level {
        libc::SOL_SOCKET => matches!(
            kind,
            libc::SO_TIMESTAMPING | libc::SO_MARK | libc::SO_PRIORITY | libc::SCM_TXTIME
        ),
        libc::IPPROTO_IP => matches!(kind, libc::IP_TOS | libc::IP_TTL | libc::IP_PKTINFO),
        libc::IPPROTO_IPV6 => matches!(
            kind,
            libc::IPV6_PKTINFO | libc::IPV6_HOPLIMIT | libc::IPV6_TCLASS | libc::IPV6_DONTFRAG | libc::IPV6_FLOWINFO
        ),
        libc::SOL_UDP => kind == libc::UDP_SEGMENT,
        _ => false,
    }
}

/// A caller may say of itself only what is true, or what it has the right to claim; of that nothing is claimed
/// for it here.
fn credentials(caller: &Caller<'_>, data: &[u8]) -> Result<Vec<u8>, Errno> {
    let word = |at: usize| {
        let bytes = data.get(at..).and_then(<[u8]>::first_chunk);
        bytes.map(|bytes| u32::from_ne_bytes(*bytes)).ok_or(Errno::INVAL)
    };
    let status = caller.status()?;
    let (pid, uid, gid) = (word(0)?, word(4)?, word(8)?);
    let own = pid == status.tgid.cast_unsigned() && status.uid[..3].contains(&uid) && status.gid[..3].contains(&gid);
    match own && data.len() == 12 {
        true => Ok(data.to_vec()),
        false => Err(Errno::PERM),
    }
}
