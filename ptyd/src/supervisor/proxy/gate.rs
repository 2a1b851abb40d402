//! What the proxy asks, answered for the session.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Instant;

use agentsh_intercept::Interruption;
use agentsh_netgate::{Court, Flow, Owner, Transport, is_machine, is_special};
use agentsh_policy::{
    ConnectTarget, ConnectTo, Decision, NetOp, NetworkQuery, OnFailure, Protocol, ServiceView, Subject, Verdict,
};
use agentsh_proxy::{Client, Destination, Event, Gate, Meant, Route, Ruling, Service};

use super::{owner, secret, told};
use crate::process::Identity;
use crate::supervisor::approvals::{Answered, Ask, Bound};
use crate::supervisor::session::Session;

/// The session as the proxy knows it. A session that ends takes no request any more.
pub(super) struct SessionGate(Weak<Session>);

impl SessionGate {
    pub(super) fn new(session: Weak<Session>) -> SessionGate {
        SessionGate(session)
    }
}

const ENDED: &str = "the session has ended";

/// The port of servers of names.
const NAMES: u16 = 53;

/// The addresses that a table of hosts (`hosts(5)`) has for a name.
fn listed(table: &str, host: &str) -> Vec<IpAddr> {
    let lines = table.lines().map(|line| line.split('#').next().unwrap_or_default());
    let named = lines.filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
    });
    named.collect()
}

/// The names that such a table has for an address.
fn named_at(table: &str, address: IpAddr) -> impl Iterator<Item = String> {
    let lines = table.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines
        .filter(move |line| line.split_whitespace().next().and_then(|word| word.parse().ok()) == Some(address))
        .flat_map(|line| line.split_whitespace().skip(1).map(str::to_ascii_lowercase))
        .collect::<Vec<_>>()
        .into_iter()
}

/// Where a connection goes that the user's policy leads elsewhere.
fn led(redirect: &ConnectTarget) -> std::io::Result<Route> {
    let (to, name) = match &redirect.to {
        ConnectTo::Unix(path) => {
            let stream = UnixStream::connect(Path::new(OsStr::from_bytes(path)))?;
            (Destination::Unix(stream), String::from_utf8_lossy(path))
        }
        ConnectTo::Host(host) => {
            let addresses = host.to_socket_addrs()?.collect();
            (Destination::Addresses(addresses), Cow::from(host))
        }
    };
    Ok(Route {
        ruling: Ruling {
            allowed: true,
            decision: Decision::Redirect.word().to_owned(),
            rule: Some(redirect.rule.to_string()),
            message: Some(format!("led to {name} by `{}`", redirect.rule)),
            approval: None,
        },
        to,
        server_name: redirect.sni.as_deref().map(str::to_owned),
        max_bytes: None,
    })
}

/// Whether an address is none of the public internet's, or this machine's own: no public name should have it.
fn is_inner(address: IpAddr) -> bool {
    is_special(address) || is_machine(address)
}

impl Session {
    /// What policy says of a request whose verdict is this; a person is asked where it says so.
    fn ruled(
        &self,
        client: &Client,
        operation: &str,
        target: &str,
        verdict: &Verdict<'_>,
        subject: &Subject<'_>,
    ) -> Ruling {
        let mut ruling = Ruling {
            allowed: verdict.decision.passes(),
            decision: verdict.decision.word().to_owned(),
            rule: verdict.rule.map(str::to_owned),
            message: verdict.message(subject),
            approval: None,
        };
        if verdict.decision != Decision::Approve {
            return ruling;
        }
        let ask = Ask {
            bound: Bound::file(operation, Path::new(target), verdict.rule),
            command: client.command.as_deref(),
            pid: client.pid,
            message: ruling.message.clone(),
            timeout: verdict.timeout,
        };
        let own = Identity::of(client.pid).ok();
        let gone = || match own.is_some() && Identity::of(client.pid).ok() == own {
            true => Interruption::None,
            false => Interruption::Gone,
        };
        match self.ask(&ask, &gone) {
            Answered::Yes(id) => {
                ruling.allowed = true;
                ruling.approval = Some(id);
            }
            Answered::No(id, why) => {
                ruling.approval = id;
                ruling.message = Some(why);
            }
            Answered::Interrupted(_) => ruling.message = Some("whoever asked is gone".to_owned()),
        }
        ruling
    }

    /// The service whose server this is, if it may be reached through the service alone.
    pub(in crate::supervisor) fn reserved(&self, host: &str, port: u16) -> Option<String> {
        let rules = self.rules();
        let is_its = |service: &ServiceView<'_>| {
            let uri: Option<hyper::Uri> = service.model().upstream.value.parse().ok();
            let authority = uri.as_ref().and_then(|uri| uri.authority());
            let authority = authority.and_then(|authority| agentsh_proxy::Authority::parse(authority.as_str()));
            authority.is_some_and(|at| at.host == host && at.port_or(443) == port)
        };
        let mut services = rules.policy.services();
        let found = services.find(|service| !service.model().allow_direct && is_its(service))?;
        Some(found.model().name.value.clone())
    }

    /// The service that an address is the server of, by any name that the session or the host's own table has for it.
    pub(in crate::supervisor) fn reserved_at(&self, address: IpAddr, port: u16) -> Option<String> {
        let names = self.shared.gate.pins.names(address, Instant::now());
        if let Some(service) = names.iter().find_map(|name| self.reserved(name, port)) {
            return Some(service);
        }
        let rules = self.rules();
        let alone: Vec<_> = rules
            .policy
            .services()
            .filter(|service| !service.model().allow_direct)
            .collect();
        if alone.is_empty() {
            return None;
        }
        let table = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
        named_at(&table, address).find_map(|name| self.reserved(&name, port))
    }

    /// The addresses of a host, asked as its program would: the host's own table first, then the session's resolver.
    fn addresses_of(self: &Arc<Self>, client: &Client, host: &str) -> Vec<IpAddr> {
        if let Ok(address) = host.parse() {
            return vec![address];
        }
        let found = Session::listed_addresses(host);
        if !found.is_empty() {
            return found;
        }
        let court = Arc::clone(self) as Arc<dyn Court>;
        let owner = Owner {
            command: Arc::from(client.command.as_deref().unwrap_or_default()),
            pid: client.pid,
        };
        match self.shared.gate.resolver(&court) {
            Ok(resolver) => resolver.addresses(host, &owner),
            Err(error) => {
                tracing::error!("no names: the resolver does not start: {error}");
                Vec::new()
            }
        }
    }

    fn judge_connection(self: &Arc<Self>, client: &Client, host: &str, port: u16) -> Route {
        if port == NAMES {
            return Route::deny("names are resolved by the session's own resolver");
        }
        let rules = self.rules();
        let target = format!("{host}:{port}");
        if let Some(redirect) = rules.policy.connect_redirect(&target) {
            match led(redirect) {
                Ok(route) => return route,
                Err(_) if redirect.on_failure != OnFailure::FailClosed => {}
                Err(why) => return Route::deny(format!("`{}` cannot be done: {why}", redirect.rule)),
            }
        }
        let addresses = self.addresses_of(client, host);
        let named = host.parse::<IpAddr>().is_err();
        let mut its = addresses.iter().filter(|_| !named);
        let reserved = self.reserved(host, port);
        if let Some(service) = reserved.or_else(|| its.find_map(|address| self.reserved_at(*address, port))) {
            return Route::deny(format!("{host} is reached as the service `{service}` only"));
        }
        let ask = |host: Option<&str>, address: Option<IpAddr>| {
            rules.policy.network(&NetworkQuery {
                operation: NetOp::Connect,
                protocol: Protocol::Tcp,
                host,
                address: address.map(|address| address.to_canonical()),
                port,
            })
        };
        let name = named.then_some(host);
        // A name that has no address is judged as a name.
        let mut strictest = ask(name, addresses.first().copied());
        // Which of the addresses answers is not known yet: the least that a rule grants any of them holds.
        let mut max_bytes = strictest.max_bytes;
        for address in addresses.iter().copied() {
            // No rule on names alone opens what lies inside: that takes one that names the address.
            let inner = ask(None, Some(address));
            let meant = inner.decision.passes() && inner.rule.is_some();
            if is_inner(address) && !meant && !name.is_some_and(|name| rules.policy.name_may_mean(name, address)) {
                let why = format!("{host}: {address} is an inner address, and no rule that names it allows it");
                return Route::deny(why);
            }
            // An address by itself is judged as one that is connected to: by every name that it has.
            let flow = Flow {
                operation: NetOp::Connect,
                transport: Transport::Tcp,
                address: SocketAddr::new(address, port),
            };
            let gate = &self.shared.gate;
            let verdict = match name {
                None => gate.judge(&rules.policy, &flow).verdict,
                Some(_) => gate
                    .faces(address)
                    .map(|face| ask(name, Some(face)))
                    .max_by_key(|verdict| verdict.decision.strictness())
                    .unwrap_or_else(|| ask(name, Some(address))),
            };
            max_bytes = max_bytes.into_iter().chain(verdict.max_bytes).min();
            if verdict.decision.strictness() > strictest.decision.strictness() {
                strictest = verdict;
            }
        }
        let subject = Subject {
            host,
            operation: "connect",
            ..Subject::default()
        };
        let mut ruling = self.ruled(client, "connect", &target, &strictest, &subject);
        let rates = &self.shared.gate.rates;
        let mut limits = rules.policy.rates(&strictest);
        if ruling.allowed
            && let Some((_, limit)) = limits.find(|(place, limit)| !rates.admit((place.layer, place.index), *limit))
        {
            ruling.allowed = false;
            ruling.message = Some(format!("the rule lets {limit} through in a minute"));
        }
        let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, port));
        Route {
            ruling,
            to: Destination::Addresses(addresses.collect()),
            server_name: None,
            max_bytes,
        }
    }

    /// Whether the TLS of this host is opened for programs that trust who opens it.
    pub(in crate::supervisor) fn opens_tls(&self, host: &str) -> bool {
        let fits = |pinned: &str| {
            let pinned = pinned.to_ascii_lowercase();
            match pinned.strip_prefix("*.") {
                Some(above) => host.strip_suffix(above).is_some_and(|name| name.ends_with('.')),
                None => host == pinned,
            }
        };
        let proxy = &self.config.proxy;
        proxy.tls_intercept && !proxy.pinned.iter().any(|pinned| fits(pinned))
    }

    /// The addresses that the host's own table has for a name.
    pub(in crate::supervisor) fn listed_addresses(host: &str) -> Vec<IpAddr> {
        let table = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
        listed(&table, host)
    }

    fn secret_service(&self, view: &ServiceView<'_>) -> Result<Service, String> {
        let model = view.model();
        let secret = model
            .secret
            .as_ref()
            .map(|secret| secret::read(self, secret))
            .transpose()?;
        let header = match (&model.inject, &secret) {
            (Some(inject), Some(secret)) => {
                let template = &inject.header.template;
                let value = template.replace("{{secret}}", secret).replace("{{.Secret}}", secret);
                Some((inject.header.name.value.clone(), value))
            }
            _ => None,
        };
        Ok(Service {
            name: model.name.value.clone(),
            upstream: model.upstream.value.clone(),
            header,
            scrub: secret.filter(|_| model.scrub_response),
        })
    }
}

impl Gate for SessionGate {
    fn who(&self, peer: SocketAddr, local: SocketAddr) -> Option<Client> {
        let session = self.0.upgrade()?;
        let inode = owner::inode(session.shared.gate.place(), peer, local).ok()?;
        let processes = session.processes_by_command();
        let found = processes.iter().find(|(_, process)| owner::holds(process, inode))?;
        Some(Client {
            pid: found.1.pid,
            command: Some(found.0.clone()),
        })
    }

    fn meant(&self, peer: SocketAddr, local: SocketAddr) -> Option<Meant> {
        let session = self.0.upgrade()?;
        let inode = owner::inode(session.shared.gate.place(), peer, local).ok()?;
        session.proxy.led.take(peer.port(), inode.into())
    }

    fn connect(&self, client: &Client, host: &str, port: u16) -> Route {
        match self.0.upgrade() {
            Some(session) => session.judge_connection(client, host, port),
            None => Route::deny(ENDED),
        }
    }

    fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }

    fn service(&self, name: &str) -> Option<Result<Arc<Service>, String>> {
        let session = self.0.upgrade()?;
        let rules = session.rules();
        let view = rules.policy.service(name)?;
        Some(session.secret_service(&view).map(Arc::new))
    }

    fn request(&self, client: &Client, service: &str, method: &str, path: &str) -> Ruling {
        let Some(session) = self.0.upgrade() else {
            return Ruling::deny(ENDED);
        };
        let rules = session.rules();
        let Some(view) = rules.policy.service(service) else {
            return Ruling::deny("there is no such service");
        };
        let verdict = view.request(method, path);
        let subject = Subject {
            host: service,
            path: path.as_bytes(),
            operation: method,
            ..Subject::default()
        };
        session.ruled(
            client,
            &format!("http {method}"),
            &format!("{service}:{path}"),
            &verdict,
            &subject,
        )
    }

    fn opens(&self, host: &str) -> bool {
        self.0.upgrade().is_some_and(|session| session.opens_tls(host))
    }

    fn new_id(&self) -> String {
        agentsh_protocol::new_id()
    }

    fn record(&self, client: &Client, event: Event<'_>) -> bool {
        let Some(session) = self.0.upgrade() else {
            return false;
        };
        match told::record(&session, client, event) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!("recording a request: {error}");
                false
            }
        }
    }

    fn store(&self, id: &str, part: &str, body: &[u8]) {
        let Some(session) = self.0.upgrade() else {
            return;
        };
        let folder = session.dir.path().join("llm");
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(&folder)?;
            let path = folder.join(format!("{id}.{part}"));
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)?;
            std::io::Write::write_all(&mut file, body)
        };
        if let Err(error) = write() {
            tracing::error!("keeping a body: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_own_table_is_read() {
        let table = "127.0.0.1 localhost # me.example\n# 10.0.0.1 not.example\n10.1.2.3\tA.example b.example\n::1 a.example\nx y\n";
        assert_eq!(
            listed(table, "a.example"),
            [IpAddr::from([10, 1, 2, 3]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])]
        );
        let names: Vec<_> = named_at(table, IpAddr::from([10, 1, 2, 3])).collect();
        assert_eq!(names, ["a.example", "b.example"]);
        assert!(listed(table, "me.example").is_empty() && listed(table, "not.example").is_empty());
    }
}
