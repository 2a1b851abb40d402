//! Sockets and threads of the resolver.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Court, Resolver, Upstream};
use crate::own::Owner;
use crate::pins::Pins;
use crate::place::{self, Place};

/// Queries that are answered at the same time.
const WORKERS: usize = 4;
/// Queries that wait for that; of more the sender hears nothing, and asks again.
const WAITING: usize = 256;
/// Connections that are served at the same time.
const CONNECTIONS: usize = 32;
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(10);
const STACK: usize = 256 << 10;

/// A query that came as a datagram.
struct Datagram {
    bytes: Vec<u8>,
    from: SocketAddr,
    owner: Owner,
    socket: Arc<UdpSocket>,
}

impl Resolver {
    /// Starts one on loopback ports of the network `place` that the kernel picks.
    ///
    /// # Errors
    /// If sockets or threads cannot be made: then there is no way to any name.
    pub fn start(
        court: Arc<dyn Court>,
        pins: Arc<Pins>,
        upstream: Upstream,
        place: &dyn Place,
    ) -> io::Result<Arc<Resolver>> {
        let (udp, tcp) = both(place, Ipv4Addr::LOCALHOST.into())?;
        // A host without IPv6 has no sockets that would need it.
        let six = both(place, Ipv6Addr::LOCALHOST.into()).ok();
        let endpoint = |tcp: &TcpListener| tcp.local_addr();
        let v6 = six.as_ref().map(|(_, tcp)| endpoint(tcp)).transpose()?;
        let resolver = Arc::new(Resolver::new((court, pins), upstream, (endpoint(&tcp)?, v6)));
        let (queue, todo) = sync_channel(WAITING);
        let todo = Arc::new(Mutex::new(todo));
        for _ in 0..WORKERS {
            let (resolver, todo) = (Arc::clone(&resolver), Arc::clone(&todo));
            spawn(move || work(&resolver, &todo))?;
        }
        let open = Arc::new(AtomicUsize::new(0));
        for (udp, tcp) in [Some((udp, tcp)), six].into_iter().flatten() {
            let (receiver, queue) = (Arc::clone(&resolver), queue.clone());
            spawn(move || receive(&receiver, &Arc::new(udp), &queue))?;
            let (resolver, open) = (Arc::clone(&resolver), Arc::clone(&open));
            spawn(move || accept(&resolver, &tcp, &open))?;
        }
        Ok(resolver)
    }
}

/// One port for datagrams and streams.
fn both(place: &dyn Place, address: IpAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..16 {
        let tcp = place::listen(place, SocketAddr::new(address, 0))?;
        match place::datagrams(place, tcp.local_addr()?) {
            Ok(udp) => return Ok((udp, tcp)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().name("resolver".into()).stack_size(STACK);
    thread.spawn(work).map(drop)
}

fn receive(resolver: &Resolver, socket: &Arc<UdpSocket>, queue: &SyncSender<Datagram>) {
    let mut buffer = vec![0; 4096];
    loop {
        // Errors are those of earlier answers that nobody waited for.
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        // Whoever is not of the session is not answered.
        let Some(owner) = resolver.client(true, from) else {
            continue;
        };
        let datagram = Datagram {
            bytes: buffer[..length].to_vec(),
            from,
            owner,
            socket: Arc::clone(socket),
        };
        // Full: the sender asks again.
        let _ = queue.try_send(datagram);
    }
}

fn work(resolver: &Resolver, todo: &Mutex<Receiver<Datagram>>) {
    loop {
        let next = todo.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(datagram) = next else { return };
        if let Some(reply) = resolver.answer(&datagram.bytes, &datagram.owner, true) {
            // Nobody may be there any more.
            let _ = datagram.socket.send_to(&reply, datagram.from);
        }
    }
}

fn accept(resolver: &Arc<Resolver>, listener: &TcpListener, open: &Arc<AtomicUsize>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            // Out of descriptors: that passes.
            thread::sleep(Duration::from_millis(100));
            continue;
        };
        let owner = stream.peer_addr().ok().and_then(|from| resolver.client(false, from));
        let (Some(owner), true) = (owner, open.load(Ordering::Acquire) < CONNECTIONS) else {
            continue;
        };
        let (resolver, open) = (Arc::clone(resolver), Arc::clone(open));
        open.fetch_add(1, Ordering::AcqRel);
        let counter = Arc::clone(&open);
        let started = spawn(move || {
            if let Err(error) = converse(&resolver, stream, &owner) {
                tracing::debug!("a conversation about names: {error}");
            }
            counter.fetch_sub(1, Ordering::AcqRel);
        });
        if started.is_err() {
            open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn converse(resolver: &Resolver, mut stream: TcpStream, owner: &Owner) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    loop {
        let mut length = [0; 2];
        match stream.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            result => result?,
        }
        let mut request = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut request)?;
        let Some(reply) = resolver.answer(&request, owner, false) else {
            return Ok(());
        };
        let length = u16::try_from(reply.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes()[..], &reply].concat())?;
    }
}
