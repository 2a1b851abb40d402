//! What was let through and has not ended.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use super::Connection;
use crate::diag::ends::End;
use crate::own::Owner;

/// So many connections are watched; the ends of more are not told, and counted as lost.
const MOST: usize = 65_536;

/// A socket of the session that takes connections.
#[derive(Debug, Clone)]
pub struct Listener {
    pub owner: Owner,
    pub local: SocketAddr,
    pub rule: Option<Arc<str>>,
}

impl Listener {
    fn takes(&self, at: SocketAddr) -> bool {
        self.local.port() == at.port() && (self.local.ip().is_unspecified() || self.local.ip() == at.ip())
    }
}

/// Connections by the kernel's number of their socket (`SO_COOKIE`).
#[derive(Default)]
pub struct Connections {
    open: Mutex<HashMap<u64, Connection>>,
    listeners: Mutex<HashMap<u64, Listener>>,
    /// Whether some of them may carry no more than so much.
    limited: Condvar,
    unwatched: AtomicU64,
    /// Whoever may know of a connection that is not known here yet.
    first: OnceLock<Box<dyn Fn() + Send + Sync>>,
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

    /// `ask` is called before an end counts as that of a connection that nobody knows: what it knows of, it tells.
    pub(super) fn ask_first(&self, ask: Box<dyn Fn() + Send + Sync>) {
        // Set once, when the engine starts.
        let _ = self.first.set(ask);
    }

    /// Waits until some connection has a limit.
    pub(super) fn await_limited(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while !open.values().any(|connection| connection.max_bytes.is_some()) {
            open = self.limited.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The connection of a socket that has carried so much, if that is too much; it is told once.
    pub(super) fn over(&self, cookie: u64, bytes: u64) -> Option<Connection> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = open.get_mut(&cookie)?;
        let found = connection.clone();
        connection.max_bytes.take_if(|limit| bytes > *limit).map(|_| found)
    }

    /// The socket with this cookie takes connections from now on.
    pub fn listens(&self, cookie: u64, listener: Listener) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        if listeners.len() < MOST {
            listeners.insert(cookie, listener);
        }
    }

    /// What has ended, if it was a connection of the session's.
    pub(super) fn ended_at(&self, end: &End) -> Option<Connection> {
        if let Some(connection) = self.ended(end.cookie) {
            return Some(connection);
        }
        if let Some(ask) = self.first.get() {
            ask();
            if let Some(connection) = self.ended(end.cookie) {
                return Some(connection);
            }
        }
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        if listeners.remove(&end.cookie).is_some() || end.remote.port() == 0 {
            return None;
        }
        let listener = listeners.values().find(|listener| listener.takes(end.local))?;
        Some(Connection {
            owner: listener.owner.clone(),
            remote: end.remote,
            host: None,
            rule: listener.rule.clone(),
            udp: false,
            incoming: true,
            max_bytes: None,
        })
    }

    /// How many could not be watched.
    pub(super) fn unwatched(&self) -> u64 {
        self.unwatched.load(Ordering::Acquire)
    }

    fn ended(&self, cookie: u64) -> Option<Connection> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&cookie)
    }
}
