//! Engines: what holds a session's rules on the network.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use agentsh_policy::Policy;
use rustix::io::Errno;

use crate::diag::ends::{self, End};
use crate::diag::traffic;
use crate::own::Owner;

/// Why an engine does not hold a session: then there is no session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    #[error("the kernel does not tell of ends of connections (sock_diag): {0}")]
    Diag(#[source] std::io::Error),
    #[error("no thread can be started: {0}")]
    Thread(#[source] std::io::Error),
}

/// What an engine did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Ends that were told.
    pub closed: u64,
    /// What could not be told. Nothing passed because of that.
    pub lost: u64,
}

/// Who records what an engine sees.
pub trait Told: Send + Sync {
    /// A connection has ended.
    fn closed(&self, closed: &Closed<'_>);

    /// So many events could not be told.
    fn lost(&self, count: u64);

    /// A connection has carried more than its rule lets it carry, and is to be cut.
    fn exceeded(&self, exceeded: &Exceeded<'_>);
}

/// Holds the rules of one session from [`Engine::start`] to [`Engine::stop`]. What it cannot judge it denies.
pub trait Engine: Send + Sync {
    /// Its name in plans and records.
    fn name(&self) -> &'static str;

    /// Begins; events go to `told`.
    ///
    /// # Errors
    /// What is missing: a session whose plan needs this engine does not start.
    fn start(&self, told: Arc<dyn Told>) -> Result<(), EngineError>;

    /// Puts rules in force, at the beginning and whenever they change.
    ///
    /// # Errors
    /// Those that cannot be held; the old ones stay in force.
    fn apply(&self, policy: &Policy) -> Result<(), EngineError>;

    /// What it did so far.
    fn counters(&self) -> Counters;

    /// Ends. What is still connected stays as it is.
    fn stop(&self);
}

/// A connection that was let through.
#[derive(Debug, Clone)]
pub struct Connection {
    pub owner: Owner,
    pub remote: SocketAddr,
    pub host: Option<Arc<str>>,
    pub rule: Option<Arc<str>>,
    pub udp: bool,
    /// What it may carry both ways together.
    pub max_bytes: Option<u64>,
}

/// The end of one.
#[derive(Debug)]
pub struct Closed<'a> {
    pub connection: &'a Connection,
    /// Sent and received, without headers and repetitions; that the peer has ended its stream counts as a byte of it.
    /// The kernel does not count datagrams.
    pub bytes: Option<(u64, u64)>,
}

/// A connection that has used up what its rule grants.
#[derive(Debug)]
pub struct Exceeded<'a> {
    pub connection: &'a Connection,
    /// `SO_COOKIE` of its socket.
    pub cookie: u64,
    /// Its inode in sockfs.
    pub inode: u64,
    /// What it has carried both ways.
    pub bytes: u64,
}

/// So many connections are watched; the ends of more are not told, and counted as lost.
const MOST: usize = 65_536;

/// Connections by the kernel's number of their socket (`SO_COOKIE`).
#[derive(Default)]
pub struct Connections {
    open: Mutex<HashMap<u64, Connection>>,
    /// Whether some of them may carry no more than so much.
    limited: Condvar,
    unwatched: AtomicU64,
}

impl Connections {
    /// A connection was made, or is in the making.
    pub fn opened(&self, cookie: u64, connection: Connection) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() < MOST || open.contains_key(&cookie) {
            let limited = connection.max_bytes.is_some();
            open.insert(cookie, connection);
            if limited {
                self.limited.notify_one();
            }
        } else {
            self.unwatched.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Waits until some connection has a limit.
    fn await_limited(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while !open.values().any(|connection| connection.max_bytes.is_some()) {
            open = self.limited.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The connection of a socket that has carried so much, if that is too much; it is told once.
    fn over(&self, cookie: u64, bytes: u64) -> Option<Connection> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = open.get_mut(&cookie)?;
        let found = connection.clone();
        connection.max_bytes.take_if(|limit| bytes > *limit).map(|_| found)
    }

    fn ended(&self, cookie: u64) -> Option<Connection> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&cookie)
    }
}

/// The engine in which every call is asked about (`seccomp_unotify(2)`): `intercept` carries out what the gate lets
/// through. Rules need no putting in force, since each call is judged by those of its moment; what the engine adds is
/// the end of every connection.
pub struct Notify {
    connections: Arc<Connections>,
    closed: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
}

impl Notify {
    /// An engine for the connections of one gate.
    pub fn new(connections: Arc<Connections>) -> Notify {
        Notify {
            connections,
            closed: Arc::default(),
            lost: Arc::default(),
            stopped: Arc::default(),
        }
    }
}

impl Engine for Notify {
    fn name(&self) -> &'static str {
        "notify"
    }

    fn start(&self, told: Arc<dyn Told>) -> Result<(), EngineError> {
        let socket = ends::listen().map_err(|errno| EngineError::Diag(errno.into()))?;
        let watch = Watch {
            socket,
            told,
            connections: Arc::clone(&self.connections),
            closed: Arc::clone(&self.closed),
            lost: Arc::clone(&self.lost),
            stopped: Arc::clone(&self.stopped),
        };
        let (told, connections) = (Arc::clone(&watch.told), Arc::clone(&self.connections));
        spawn("connections", move || watch.run())?;
        let stopped = Arc::clone(&self.stopped);
        spawn("quotas", move || {
            while !stopped.load(Ordering::Acquire) {
                connections.await_limited();
                look(&connections, &*told);
                thread::sleep(PAUSE);
            }
        })
    }

    fn apply(&self, _policy: &Policy) -> Result<(), EngineError> {
        Ok(())
    }

    fn counters(&self) -> Counters {
        Counters {
            closed: self.closed.load(Ordering::Acquire),
            lost: self.lost.load(Ordering::Acquire) + self.connections.unwatched.load(Ordering::Acquire),
        }
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), EngineError> {
    let thread = thread::Builder::new().name(name.into()).stack_size(256 << 10);
    thread.spawn(work).map_err(EngineError::Thread).map(drop)
}

/// How long a connection goes on unseen: what it carries meanwhile is beyond its limit.
const PAUSE: Duration = Duration::from_millis(100);

/// Looks at what connections have carried.
fn look(connections: &Connections, told: &dyn Told) {
    let listed = traffic::list(&mut |socket| {
        if let Some(connection) = connections.over(socket.cookie, socket.bytes) {
            told.exceeded(&Exceeded {
                connection: &connection,
                cookie: socket.cookie,
                inode: socket.inode,
                bytes: socket.bytes,
            });
        }
    });
    if let Err(errno) = listed {
        tracing::error!("what connections carry is not known: {errno}");
    }
}

struct Watch {
    socket: OwnedFd,
    told: Arc<dyn Told>,
    connections: Arc<Connections>,
    closed: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
}

impl Watch {
    fn run(&self) {
        let mut buffer = vec![0; 32 << 10];
        while !self.stopped.load(Ordering::Acquire) {
            let told = ends::receive(&self.socket, &mut buffer, &mut |end| self.end(&end));
            match told {
                Ok(()) | Err(Errno::INTR | Errno::AGAIN) => {}
                // The kernel had no room for some: how many, nobody knows.
                Err(Errno::NOBUFS) => {
                    self.lost.fetch_add(1, Ordering::AcqRel);
                    self.told.lost(1);
                }
                Err(errno) => {
                    tracing::error!("ends of connections are not told any more: {errno}");
                    return;
                }
            }
        }
    }

    fn end(&self, end: &End) {
        let Some(connection) = self.connections.ended(end.cookie) else {
            return;
        };
        self.closed.fetch_add(1, Ordering::AcqRel);
        let bytes = end.bytes.filter(|_| !connection.udp);
        self.told.closed(&Closed {
            connection: &connection,
            bytes,
        });
    }
}
