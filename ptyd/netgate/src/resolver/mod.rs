//! The session's resolver: the only way to port 53, whatever server a program names.
//!
//! It answers only names that a rule could let somebody reach, only to sockets of the session, and asks the host's own
//! servers anew, so that nothing but a name and a type goes out. What it answers is pinned: from then on rules on the
//! name hold for the address.

mod answer;
mod limits;
mod serve;
mod source;
mod upstream;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use agentsh_policy::{Decision, Policy};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Record;

pub use upstream::Upstream;

use crate::own::Owner;
use crate::pins::Pins;
use limits::Limits;

/// Who knows the rules and keeps the record.
pub trait Court: Send + Sync {
    /// Shows the rules in force.
    fn policy(&self, look: &mut dyn FnMut(&Policy));

    /// Is told of a query that was answered or refused, before the answer goes out.
    fn told(&self, lookup: &Lookup<'_>);
}

/// A query and what became of it.
#[derive(Debug)]
pub struct Lookup<'a> {
    /// Whose socket asked.
    pub owner: &'a Owner,
    /// Lower case, without a dot at its end.
    pub name: &'a str,
    /// Type of the records (`A`, `AAAA`, …).
    pub kind: String,
    pub decision: Decision,
    pub rule: Option<&'a str>,
    /// Whether it was answered as asked.
    pub passed: bool,
    /// Why it was not.
    pub message: Option<&'a str>,
    /// The address of a `dns_redirects` rule.
    pub redirect: Option<IpAddr>,
    /// `NOERROR`, `NXDOMAIN` …
    pub code: String,
    /// Addresses that were answered.
    pub addresses: &'a [IpAddr],
}

/// Ports that are remembered as a program's.
const CLIENTS: usize = 65_536;

/// Who asks from a port.
#[derive(Clone)]
struct Client {
    owner: Owner,
    /// The server that is meant, where the answer is expected from it.
    asked: Option<SocketAddr>,
}

/// What a name and a type were answered with.
type Told = (ResponseCode, Vec<Record>);

/// A running resolver. It runs until the process ends.
pub struct Resolver {
    court: Arc<dyn Court>,
    pins: Arc<Pins>,
    upstream: Upstream,
    limits: Limits,
    /// Answers about addresses, for who asks again beyond those.
    told: Mutex<HashMap<(Box<str>, u16), Told>>,
    clients: Mutex<HashMap<(bool, u16), Client>>,
    v4: SocketAddr,
    v6: Option<SocketAddr>,
}

impl Resolver {
    /// The endpoint that a socket of this family can reach.
    pub fn endpoint(&self, v6: bool) -> SocketAddr {
        match (v6, self.v6) {
            (true, Some(endpoint)) => endpoint,
            _ => self.v4,
        }
    }

    /// Queries from this local port are from this process from now on. `asked`: the server that it means, if it expects
    /// its answer from there and from nowhere else.
    pub fn admit(&self, udp: bool, port: u16, owner: Owner, asked: Option<SocketAddr>) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() < CLIENTS {
            clients.insert((udp, port), Client { owner, asked });
        }
    }

    fn client(&self, udp: bool, from: SocketAddr) -> Option<Client> {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.get(&(udp, from.port())).cloned()
    }

    fn new(
        (court, pins): (Arc<dyn Court>, Arc<Pins>),
        upstream: Upstream,
        (v4, v6): (SocketAddr, Option<SocketAddr>),
    ) -> Resolver {
        Resolver {
            court,
            pins,
            upstream,
            limits: Limits::new(Instant::now()),
            told: Mutex::default(),
            clients: Mutex::default(),
            v4,
            v6,
        }
    }
}
