//! The session's proxy: started when the first program, or the first connection, is led to it. Programs are where the
//! operator named providers of models or the policy has services; connections also where only their first bytes tell
//! which of an address's names is meant.

mod gate;
mod led;
mod owner;
mod secret;
mod settings;
mod told;
mod trust;

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use agentsh_netgate::{Owner, place};
use agentsh_protocol::Bytes;
use agentsh_protocol::api::ProxyInfo;
use agentsh_proxy::{InterceptError, Meant, Provider, Proxy};

use self::gate::SessionGate;
use self::led::Led;
pub(super) use self::trust::FILE as AUTHORITIES;
use super::session::Session;

/// Threads that move bytes.
const WORKERS: usize = 2;

/// The proxy of a session.
#[derive(Default)]
pub(crate) struct SessionProxy {
    /// If it runs.
    running: Mutex<Option<Running>>,
    led: Led,
    /// Commands whose programs are told to trust the authority that opens TLS.
    trusting: Mutex<HashSet<String>>,
    providers: OnceLock<Vec<Provider>>,
}

#[derive(Clone)]
struct Running {
    address: SocketAddr,
    /// Where connections are led: for sockets of IPv4, and of IPv6 where there is any.
    doors: (SocketAddr, Option<SocketAddr>),
    proxy: Arc<Proxy>,
}

/// Why programs are not led to the proxy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    #[error("the proxy's configuration: {0}")]
    Settings(#[from] settings::SettingsError),
    #[error("the proxy does not start: {0}")]
    Io(#[from] io::Error),
    #[error("the proxy does not start: {0}")]
    Tls(#[from] InterceptError),
}

impl Session {
    /// Whether programs have anything to be led to.
    fn needs_proxy(&self) -> bool {
        !self.config.proxy.providers.is_empty() || self.rules().policy.services().next().is_some()
    }

    fn running_proxy(self: &Arc<Self>) -> Result<Running, ProxyError> {
        let mut running = self.proxy.running.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match &*running {
            Some(running) => running.clone(),
            None => running.insert(start(self)?).clone(),
        })
    }

    /// The variables that lead the programs of a command to the proxy, which runs from then on. None where there is
    /// nothing that they would be led to.
    pub(crate) fn proxy_variables(self: &Arc<Self>, command: &str) -> Result<Vec<Bytes>, ProxyError> {
        if !self.needs_proxy() {
            return Ok(Vec::new());
        }
        let running = self.running_proxy()?;
        let to = format!("http://{}", running.address);
        let mut variables = settings::general(&to);
        if running.proxy.authority().is_some() {
            variables.extend(trust::variables(&self.dir));
            let mut trusting = self.proxy.trusting.lock().unwrap_or_else(PoisonError::into_inner);
            trusting.insert(command.to_owned());
        }
        for provider in running.proxy.providers() {
            variables.extend(provider.variables(&to));
        }
        for service in self.rules().policy.services() {
            let model = service.model();
            if let Some(name) = &model.expose_as {
                variables.push((name.value.clone(), format!("{to}/svc/{}", model.name.value)));
            }
        }
        let entry = |(name, value): (String, String)| Bytes(format!("{name}={value}").into_bytes());
        Ok(variables.into_iter().map(entry).collect())
    }

    /// Whether programs of this command are told to trust the authority that opens TLS.
    pub(super) fn trusts_proxy(&self, command: &str) -> bool {
        let trusting = self.proxy.trusting.lock().unwrap_or_else(PoisonError::into_inner);
        trusting.contains(command)
    }

    /// Providers of models whose traffic the proxy is to see.
    pub(super) fn providers(&self) -> &[Provider] {
        self.proxy.providers.get_or_init(|| {
            settings::providers(&self.config).unwrap_or_else(|error| {
                tracing::error!("no provider is known: {error}");
                Vec::new()
            })
        })
    }

    /// Awaits a connection from a local port by the socket with this inode, and says where it is to go.
    pub(super) fn await_led(
        self: &Arc<Self>,
        (port, inode, v6): (u16, u64, bool),
        meant: Meant,
    ) -> Result<SocketAddr, ProxyError> {
        let (v4, six) = self.running_proxy()?.doors;
        match self.proxy.led.expect(port, inode, meant) {
            true => Ok(six.filter(|_| v6).unwrap_or(v4)),
            false => Err(io::Error::from(io::ErrorKind::WouldBlock).into()),
        }
    }

    /// The connection does not come.
    pub(super) fn forget_led(&self, port: u16) {
        self.proxy.led.forget(port);
    }

    /// What the proxy is, and what it was used for.
    pub(crate) fn proxy_info(&self) -> ProxyInfo {
        let running = self
            .proxy
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        told::info(self, running.as_ref().map(|running| (running.address, &*running.proxy)))
    }
}

fn start(session: &Arc<Session>) -> Result<Running, ProxyError> {
    let settings = settings::of(&session.config)?;
    let (listener, address) = listen(session, Ipv4Addr::LOCALHOST.into())?;
    let (led, v4) = listen(session, Ipv4Addr::LOCALHOST.into())?;
    // A host without IPv6 has no sockets that would need it.
    let six = listen(session, Ipv6Addr::LOCALHOST.into()).ok();
    let doors = (v4, six.as_ref().map(|(_, address)| *address));
    // Programs of the session reach it without a rule, as they do what they bound themselves.
    let owner = Owner {
        command: Arc::from(""),
        pid: std::process::id() as i32,
    };
    session
        .shared
        .gate
        .note(rustix::fs::fstat(&listener).map_err(io::Error::from)?.st_ino, owner);
    let gate = Arc::new(SessionGate::new(Arc::downgrade(session)));
    let proxy = Arc::new(Proxy::new(gate, settings)?);
    if let Some(authority) = proxy.authority() {
        trust::write(&session.dir, authority)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("proxy")
        .enable_all()
        .build()?;
    let serving = Arc::clone(&proxy);
    std::thread::Builder::new()
        .name("proxy-accept".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                for listener in std::iter::once(led).chain(six.map(|(listener, _)| listener)) {
                    let serving = Arc::clone(&serving);
                    match tokio::net::TcpListener::from_std(listener) {
                        Ok(listener) => drop(tokio::spawn(async move { serving.serve_led(listener).await })),
                        Err(error) => tracing::error!("no connection can be led to the proxy: {error}"),
                    }
                }
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => serving.serve(listener).await,
                    Err(error) => tracing::error!("the proxy does not listen: {error}"),
                }
            });
        })?;
    tracing::info!("the proxy listens at {address}");
    Ok(Running { address, doors, proxy })
}

/// On the network that the session's programs are on.
fn listen(session: &Session, at: IpAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = place::listen(session.shared.gate.place(), SocketAddr::new(at, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
