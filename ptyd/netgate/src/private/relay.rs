//! The way out of a private network: what was judged goes on through sockets of the host's network, everything else ends
//! here.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use super::datagrams::{self, Datagrams};
use crate::engine::Told;

/// The sockets of one address family: for connections, for datagrams, and for answers to those.
pub(super) struct Sockets {
    connections: OwnedFd,
    datagrams: OwnedFd,
    answers: OwnedFd,
}

impl Sockets {
    pub fn new(connections: OwnedFd, datagrams: OwnedFd, answers: OwnedFd) -> Sockets {
        Sockets {
            connections,
            datagrams,
            answers,
        }
    }
}

/// The other end of a connection that may leave.
#[derive(Debug)]
pub enum Far {
    /// A socket that does not block, connected or about to be.
    Internet(OwnedFd),
    Unix(UnixStream),
}

/// From a local port to an address.
pub(super) type Path = (u16, SocketAddr);

/// A permit that is not used within this time has lost its caller.
const PATIENCE: Duration = Duration::from_secs(60);
/// So much is moved at once, each way.
const BUFFER: usize = 32 << 10;
const STACK: usize = 512 << 10;

/// Who may go where, and who tells of those who may not.
#[derive(Default)]
pub(super) struct State {
    permits: Mutex<HashMap<Path, (Far, Instant)>>,
    told: OnceLock<Arc<dyn Told>>,
}

impl State {
    fn permits(&self) -> MutexGuard<'_, HashMap<Path, (Far, Instant)>> {
        self.permits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn told(&self) -> Option<&Arc<dyn Told>> {
        self.told.get()
    }
}

/// A running relay. It runs until the process ends.
pub struct Relay {
    runtime: Handle,
    state: Arc<State>,
    datagrams: Arc<Datagrams>,
}

impl Relay {
    pub(super) fn start(sockets: Vec<Sockets>) -> io::Result<Relay> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let state = Arc::new(State::default());
        let mut answers = Vec::new();
        let entered = runtime.enter();
        for sockets in sockets {
            let listener = TcpListener::from_std(sockets.connections.into())?;
            runtime.spawn(accept(listener, Arc::clone(&state)));
            answers.push((sockets.datagrams, sockets.answers));
        }
        let datagrams = datagrams::start(answers, &state)?;
        let relay = Relay {
            runtime: runtime.handle().clone(),
            state,
            datagrams,
        };
        drop(entered);
        thread::Builder::new()
            .name("relay".into())
            .stack_size(STACK)
            .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
        Ok(relay)
    }

    /// Whom to tell of what comes without a permit.
    pub(crate) fn tell(&self, told: Arc<dyn Told>) {
        // Set once, when the session's engine starts.
        let _ = self.state.told.set(told);
    }

    /// The next connection from the local port `from` to `to` leads to `far`.
    pub fn permit(&self, from: u16, to: SocketAddr, far: Far) {
        let now = Instant::now();
        let mut permits = self.state.permits();
        permits.retain(|_, (_, since)| now.duration_since(*since) < PATIENCE);
        permits.insert((from, to), (far, now));
    }

    /// Datagrams from the local port `from` to `to` go out by `far`, and what comes there gets back.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn permit_datagrams(&self, from: u16, to: SocketAddr, far: datagrams::FarDatagrams) -> io::Result<()> {
        let _entered = self.runtime.enter();
        self.datagrams.permit((from, to), far)
    }

    /// Nobody sends datagrams from the socket with this `SO_COOKIE` any more.
    pub(crate) fn ended(&self, cookie: u64) {
        self.datagrams.ended(cookie);
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    loop {
        match listener.accept().await {
            Ok((near, peer)) => lead(near, peer, &state),
            // Out of descriptors: that passes.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

fn lead(near: TcpStream, peer: SocketAddr, state: &State) {
    let Ok(to) = near.local_addr() else { return };
    let permit = state.permits().remove(&(peer.port(), canonical(to)));
    let Some((far, _)) = permit else {
        reset(&near);
        if let Some(told) = state.told() {
            told.stray(false, canonical(to));
        }
        return;
    };
    tokio::spawn(async move {
        if let Err(error) = follow(near, far).await {
            tracing::debug!(%to, "a relayed connection: {error}");
        }
    });
}

async fn follow(mut near: TcpStream, far: Far) -> io::Result<()> {
    let followed = match far {
        Far::Internet(far) => match connected(far).await {
            Ok(mut far) => copy(&mut near, &mut far).await,
            Err(error) => Err(error),
        },
        Far::Unix(far) => match unix(far) {
            Ok(mut far) => copy(&mut near, &mut far).await,
            Err(error) => Err(error),
        },
    };
    if followed.is_err() {
        reset(&near);
    }
    followed
}

/// Waits until a socket that is about to be connected is.
async fn connected(socket: OwnedFd) -> io::Result<TcpStream> {
    let stream = TcpStream::from_std(socket.into())?;
    stream.writable().await?;
    match stream.take_error()? {
        Some(error) => Err(error),
        None => Ok(stream),
    }
}

fn unix(far: UnixStream) -> io::Result<tokio::net::UnixStream> {
    far.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(far)
}

/// Both ways, until both have ended.
pub(super) async fn copy<A, B>(near: &mut A, far: &mut B) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    copy_bidirectional_with_sizes(near, far, BUFFER, BUFFER).await.map(drop)
}

/// Its end is to look like one that was broken off.
pub(super) fn reset(near: &TcpStream) {
    // Without it the peer sees a regular end.
    let _ = set_socket_linger(near, Some(Duration::ZERO));
}

/// As rules and the record write it.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
