//! Datagrams on their way out of a private network, and what comes back.

use std::collections::{HashMap, HashSet};
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
use rustix::net::SendFlags;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

use super::relay::{Path, State, canonical};
use crate::packet;

/// The way out for datagrams of one socket to one address.
#[derive(Debug)]
pub struct FarDatagrams {
    /// Connected to where they go.
    pub socket: std::net::UdpSocket,
    /// `SO_COOKIE` of the socket that sends.
    pub cookie: u64,
    /// `Some`: without traffic it ends after this time; else when the sender's socket does.
    pub idle: Option<Duration>,
    /// What may be carried both ways together.
    pub max_bytes: Option<u64>,
    /// Is called once if that is used up.
    pub exceeded: Option<Excess>,
}

/// Told of so many bytes.
pub struct Excess(pub Box<dyn FnOnce(u64) + Send>);

impl std::fmt::Debug for Excess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Excess")
    }
}

/// Ways that are open at the same time.
const MOST: usize = 4_096;
/// Senders without a permit that are remembered, each of whom is told of once.
const STRAYS: usize = 1_024;
/// More than can wait to be read.
const WAITING: usize = 4_096;
/// The largest datagram.
const LARGEST: usize = 65_535;

struct Way {
    socket: UdpSocket,
    cookie: u64,
    /// Where answers go: the sender's own address.
    sender: Mutex<Option<SocketAddr>>,
    carried: AtomicU64,
    max_bytes: Option<u64>,
    exceeded: Mutex<Option<Excess>>,
}

impl Way {
    /// Whether so much more may pass.
    fn admits(&self, bytes: usize) -> bool {
        let carried = self.carried.fetch_add(bytes as u64, Ordering::AcqRel) + bytes as u64;
        let passes = self.max_bytes.is_none_or(|limit| carried <= limit);
        if !passes && let Some(exceeded) = self.exceeded.lock().unwrap_or_else(PoisonError::into_inner).take() {
            (exceeded.0)(carried);
        }
        passes
    }
}

type Ways = HashMap<Path, (Arc<Way>, AbortHandle)>;

/// All ways.
pub(super) struct Datagrams {
    ways: Mutex<Ways>,
    strays: Mutex<HashSet<Path>>,
    /// For what comes back, one datagram at a time.
    buffer: Mutex<Vec<u8>>,
    /// For IPv4 and, where there is one, IPv6: on which datagrams come, and for answers.
    incoming: Vec<UdpSocket>,
    answers: Vec<OwnedFd>,
    /// For what comes. Who has it reads the next one, and passes it on.
    next: Mutex<Vec<u8>>,
    state: Arc<State>,
}

/// Starts, on the runtime that is entered: for each family a socket on which datagrams come and one for answers.
pub(super) fn start(sockets: Vec<(OwnedFd, OwnedFd)>, state: &Arc<State>) -> io::Result<Arc<Datagrams>> {
    let (incoming, answers): (Vec<_>, Vec<_>) = sockets.into_iter().unzip();
    let incoming = incoming
        .into_iter()
        .map(|socket: OwnedFd| UdpSocket::from_std(socket.into()));
    let datagrams = Arc::new(Datagrams {
        incoming: incoming.collect::<io::Result<_>>()?,
        ways: Mutex::default(),
        strays: Mutex::default(),
        buffer: Mutex::new(vec![0; LARGEST]),
        answers,
        next: Mutex::new(vec![0; LARGEST]),
        state: Arc::clone(state),
    });
    for place in 0..datagrams.incoming.len() {
        tokio::spawn(receive(place, Arc::clone(&datagrams)));
    }
    Ok(datagrams)
}

impl Datagrams {
    fn ways(&self) -> MutexGuard<'_, Ways> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn permit(self: &Arc<Self>, path: Path, far: FarDatagrams) -> io::Result<()> {
        let mut ways = self.ways();
        if let Some((way, _)) = ways.get(&path)
            && way.cookie == far.cookie
        {
            return Ok(());
        }
        if ways.len() >= MOST {
            return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
        }
        far.socket.set_nonblocking(true)?;
        let way = Arc::new(Way {
            socket: UdpSocket::from_std(far.socket)?,
            cookie: far.cookie,
            sender: Mutex::default(),
            carried: AtomicU64::new(0),
            max_bytes: far.max_bytes,
            exceeded: Mutex::new(far.exceeded),
        });
        let (back, all) = (Arc::clone(&way), Arc::clone(self));
        let task = tokio::spawn(async move {
            all.bring_back(path, &back, far.idle).await;
            let mut ways = all.ways();
            if ways.get(&path).is_some_and(|(way, _)| Arc::ptr_eq(way, &back)) {
                ways.remove(&path);
            }
        });
        if let Some((_, before)) = ways.insert(path, (way, task.abort_handle())) {
            before.abort();
        }
        Ok(())
    }

    /// The socket is closed. What it sent last is here, and may not have been read yet.
    pub fn ended(&self, cookie: u64) {
        if !self.ways().values().any(|(way, _)| way.cookie == cookie) {
            return;
        }
        for socket in &self.incoming {
            // Others may go on sending.
            let _ = (0..WAITING).try_for_each(|_| self.take(socket));
        }
        self.ways().retain(|_, (way, task)| {
            let ended = way.cookie == cookie;
            if ended {
                task.abort();
            }
            !ended
        });
    }

    /// Brings answers back until nothing has gone either way for the idle time.
    async fn bring_back(&self, (_, from): Path, way: &Way, idle: Option<Duration>) {
        let mut carried = 0;
        loop {
            let ready = match idle {
                None => way.socket.readable().await,
                Some(idle) => match tokio::time::timeout(idle, way.socket.readable()).await {
                    Ok(ready) => ready,
                    Err(_) if way.carried.load(Ordering::Acquire) == carried => return,
                    Err(_) => {
                        carried = way.carried.load(Ordering::Acquire);
                        continue;
                    }
                },
            };
            if ready.is_err() {
                return;
            }
            let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
            // Errors are what the other side said of earlier datagrams.
            let Ok(length) = way.socket.try_recv(&mut buffer) else {
                continue;
            };
            let sender = *way.sender.lock().unwrap_or_else(PoisonError::into_inner);
            if let (Some(sender), true) = (sender, way.admits(length)) {
                self.answer(from, sender, buffer.get(..length).unwrap_or_default());
            }
        }
    }

    fn answer(&self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        let socket = match from {
            SocketAddr::V4(_) => self.answers.first(),
            SocketAddr::V6(_) => self.answers.get(1),
        };
        let Some((socket, packet)) = socket.zip(packet::datagram(from, to, payload)) else {
            return;
        };
        let to = SocketAddr::new(to.ip(), 0);
        if let Err(error) = rustix::net::sendto(socket, &packet, SendFlags::empty(), &to) {
            tracing::debug!(%from, "an answer: {error}");
        }
    }

    /// Reads the next datagram and passes it on, before anybody else reads one.
    fn take(&self, socket: &UdpSocket) -> io::Result<()> {
        let mut buffer = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((length, from, to)) = one(socket, &mut buffer)? {
            self.send(from, to, buffer.get(..length).unwrap_or_default());
        }
        Ok(())
    }

    fn send(&self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        let path = (from.port(), to);
        let way = self.ways().get(&path).map(|(way, _)| Arc::clone(way));
        let Some(way) = way else {
            let mut strays = self.strays.lock().unwrap_or_else(PoisonError::into_inner);
            if strays.len() >= STRAYS {
                strays.clear();
            }
            if strays.insert(path)
                && let Some(told) = self.state.told()
            {
                told.stray(true, to);
            }
            return;
        };
        *way.sender.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
        if way.admits(payload.len()) {
            // As on any network, what does not fit is lost. The runtime may not know yet that a new socket takes something.
            let _ = rustix::net::send(&way.socket, payload, SendFlags::DONTWAIT);
        }
    }
}

async fn receive(place: usize, datagrams: Arc<Datagrams>) {
    let Some(socket) = datagrams.incoming.get(place) else {
        return;
    };
    loop {
        if let Err(error) = socket.async_io(Interest::READABLE, || datagrams.take(socket)).await {
            tracing::debug!("datagrams of a private network: {error}");
        }
    }
}

/// The next datagram: its length, whom it is from, where it was sent to.
fn one(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr, SocketAddr)>> {
    let mut parts = [IoSliceMut::new(buffer)];
    let mut control = nix::cmsg_space!(libc::sockaddr_in6);
    let fd = socket.as_raw_fd();
    let message = recvmsg::<SockaddrStorage>(fd, &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT)?;
    let from = message.address.as_ref().and_then(address);
    let mut to = None;
    for control in message.cmsgs()? {
        match control {
            ControlMessageOwned::Ipv4OrigDstAddr(at) => {
                let ip = u32::from_be(at.sin_addr.s_addr).into();
                to = Some(SocketAddr::V4(SocketAddrV4::new(ip, u16::from_be(at.sin_port))));
            }
            ControlMessageOwned::Ipv6OrigDstAddr(at) => {
                let ip = at.sin6_addr.s6_addr.into();
                to = Some(SocketAddr::V6(SocketAddrV6::new(ip, u16::from_be(at.sin6_port), 0, 0)));
            }
            _ => {}
        }
    }
    Ok(from
        .zip(to)
        .map(|(from, to)| (message.bytes, canonical(from), canonical(to))))
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    match (storage.as_sockaddr_in(), storage.as_sockaddr_in6()) {
        (Some(v4), _) => Some(SocketAddr::V4((*v4).into())),
        (_, Some(v6)) => Some(SocketAddr::V6((*v6).into())),
        _ => None,
    }
}
