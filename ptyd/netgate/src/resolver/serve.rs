//! Sockets and threads of the resolver.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::source::Sources;
use super::{Client, Court, Resolver, Upstream};
use crate::own::Owner;
use crate::pins::Pins;
use crate::place::{self, Place};

/// Queries that are answered at the same time by threads that stay.
const WORKERS: usize = 4;
/// More of them, each by a thread of its own: a server that does not answer keeps those of others waiting.
const MORE: usize = 28;
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
    client: Client,
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
        place: Arc<dyn Place>,
    ) -> io::Result<Arc<Resolver>> {
        let (udp, tcp) = both(&*place, Ipv4Addr::LOCALHOST.into())?;
        // A host without IPv6 has no sockets that would need it.
        let six = both(&*place, Ipv6Addr::LOCALHOST.into()).ok();
        let endpoint = |tcp: &TcpListener| tcp.local_addr();
        let v6 = six.as_ref().map(|(_, tcp)| endpoint(tcp)).transpose()?;
        let resolver = Arc::new(Resolver::new((court, pins), upstream, (endpoint(&tcp)?, v6)));
        let (queue, todo) = sync_channel(WAITING);
        let todo = Mutex::new(todo);
        let office = Arc::new(Office {
            resolver: Arc::clone(&resolver),
            sources: Sources::new(place),
            queue,
            todo,
            asked: AtomicUsize::new(0),
            more: AtomicUsize::new(0),
        });
        for _ in 0..WORKERS {
            let office = Arc::clone(&office);
            spawn(move || office.work())?;
        }
        let open = Arc::new(AtomicUsize::new(0));
        for (udp, tcp) in [Some((udp, tcp)), six].into_iter().flatten() {
            let office = Arc::clone(&office);
            spawn(move || office.receive(&Arc::new(udp)))?;
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

/// Who answers datagrams.
struct Office {
    resolver: Arc<Resolver>,
    sources: Sources,
    queue: SyncSender<Datagram>,
    todo: Mutex<Receiver<Datagram>>,
    /// Queries in the queue and in the hands of those who take from it.
    asked: AtomicUsize,
    /// Threads beside those.
    more: AtomicUsize,
}

impl Office {
    fn receive(self: &Arc<Self>, socket: &Arc<UdpSocket>) {
        let mut buffer = vec![0; 4096];
        loop {
            // Errors are those of earlier answers that nobody waited for.
            let Ok((length, from)) = socket.recv_from(&mut buffer) else {
                continue;
            };
            // Whoever is not of the session is not answered.
            let Some(client) = self.resolver.client(true, from) else {
                continue;
            };
            self.take(Datagram {
                bytes: buffer[..length].to_vec(),
                from,
                client,
                socket: Arc::clone(socket),
            });
        }
    }

    /// Has it answered by who is free, or by one more.
    fn take(self: &Arc<Self>, datagram: Datagram) {
        if self.asked.load(Ordering::Acquire) >= WORKERS && self.more.load(Ordering::Acquire) < MORE {
            self.more.fetch_add(1, Ordering::AcqRel);
            let office = Arc::clone(self);
            let one = move || {
                office.answer(datagram);
                office.more.fetch_sub(1, Ordering::AcqRel);
            };
            if spawn(one).is_err() {
                self.more.fetch_sub(1, Ordering::AcqRel);
            }
            return;
        }
        self.asked.fetch_add(1, Ordering::AcqRel);
        // Full: the sender asks again.
        if self.queue.try_send(datagram).is_err() {
            self.asked.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn work(&self) {
        loop {
            let next = self.todo.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(datagram) = next else { return };
            self.answer(datagram);
            self.asked.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn answer(&self, datagram: Datagram) {
        let Datagram {
            bytes,
            from,
            client,
            socket,
        } = datagram;
        let Some(reply) = self.resolver.answer(&bytes, &client.owner, true) else {
            return;
        };
        if !client.asked.is_some_and(|asked| self.sources.send(&reply, asked, from)) {
            // Nobody may be there any more.
            let _ = socket.send_to(&reply, from);
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
        let client = stream.peer_addr().ok().and_then(|from| resolver.client(false, from));
        let (Some(Client { owner, .. }), true) = (client, open.load(Ordering::Acquire) < CONNECTIONS) else {
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
