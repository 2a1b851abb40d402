//! The engine without help of the kernel's.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use agentsh_policy::Policy;
use rustix::io::Errno;

use super::{Closed, Connections, Counters, Engine, EngineError, Exceeded, Told, spawn};
use crate::diag::ends::{self, End};
use crate::diag::traffic;
use crate::place::Place;

/// The engine in which every call is asked about (`seccomp_unotify(2)`): `intercept` carries out what the gate lets
/// through. Rules need no putting in force, since each call is judged by those of its moment; what the engine adds is
/// the end of every connection.
pub struct Notify {
    connections: Arc<Connections>,
    place: Arc<dyn Place>,
    closed: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
}

impl Notify {
    /// An engine for the connections of one gate, whose sockets are on the network `place`.
    pub fn new(connections: Arc<Connections>, place: Arc<dyn Place>) -> Notify {
        Notify {
            connections,
            place,
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
        let socket = ends::listen(&*self.place).map_err(EngineError::Diag)?;
        let watch = Watch {
            socket,
            told,
            connections: Arc::clone(&self.connections),
            closed: Arc::clone(&self.closed),
            lost: Arc::clone(&self.lost),
            stopped: Arc::clone(&self.stopped),
        };
        let (told, connections) = (Arc::clone(&watch.told), Arc::clone(&self.connections));
        let place = Arc::clone(&self.place);
        spawn("connections", move || watch.run())?;
        let stopped = Arc::clone(&self.stopped);
        spawn("quotas", move || {
            while !stopped.load(Ordering::Acquire) {
                connections.await_limited();
                look(&connections, &*place, &*told);
                thread::sleep(PAUSE);
            }
        })
    }

    fn apply(&self, _policy: &Arc<Policy>) -> Result<(), EngineError> {
        Ok(())
    }

    fn counters(&self) -> Counters {
        Counters {
            closed: self.closed.load(Ordering::Acquire),
            lost: self.lost.load(Ordering::Acquire) + self.connections.unwatched(),
        }
    }

    fn stop(&self) {
        // What has ended until now is told.
        thread::sleep(2 * GATHER);
        self.stopped.store(true, Ordering::Release);
    }
}

/// How long a connection goes on unseen: what it carries meanwhile is beyond its limit.
const PAUSE: Duration = Duration::from_millis(100);

/// Ends within this time are told together: each that is waited for has to be woken for, on a processor that whoever
/// connects has use for.
const GATHER: Duration = Duration::from_millis(5);

/// Looks at what connections have carried.
fn look(connections: &Connections, place: &dyn Place, told: &dyn Told) {
    let listed: io::Result<()> = traffic::list(place, &mut |socket| {
        if let Some(connection) = connections.over(socket.cookie, socket.bytes) {
            told.exceeded(&Exceeded {
                connection: &connection,
                cookie: socket.cookie,
                inode: socket.inode,
                bytes: socket.bytes,
            });
        }
    });
    if let Err(error) = listed {
        tracing::error!("what connections carry is not known: {error}");
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
        let mut waits = true;
        while !self.stopped.load(Ordering::Acquire) {
            let told = ends::receive(&self.socket, &mut buffer, waits, &mut |end| self.end(&end));
            match told {
                Ok(()) => {
                    if waits {
                        thread::sleep(GATHER);
                    }
                    waits = false;
                }
                Err(Errno::AGAIN) => waits = true,
                Err(Errno::INTR) => {}
                // The kernel had no room for some: how many, nobody knows.
                Err(Errno::NOBUFS) => {
                    self.lost.fetch_add(1, Ordering::AcqRel);
                    self.told.lost(1, "ends of connections");
                }
                Err(errno) => {
                    tracing::error!("ends of connections are not told any more: {errno}");
                    return;
                }
            }
        }
    }

    fn end(&self, end: &End) {
        let Some(connection) = self.connections.ended_at(end) else {
            return;
        };
        self.closed.fetch_add(1, Ordering::AcqRel);
        let bytes = end.bytes.filter(|_| !connection.udp);
        self.told.closed(&Closed {
            connection: &connection,
            cookie: end.cookie,
            bytes,
        });
    }
}
