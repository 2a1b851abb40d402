//! The session's proxy: started when the first program is that is led to it, and only where the operator
//! named providers of models or the policy has services.

mod gate;
mod owner;
mod secret;
mod settings;
mod told;
mod trust;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use agentsh_netgate::Owner;
use agentsh_protocol::Bytes;
use agentsh_protocol::api::ProxyInfo;
use agentsh_proxy::{InterceptError, Proxy};

use self::gate::SessionGate;
pub(super) use self::trust::FILE as AUTHORITIES;
use super::session::Session;

/// Threads that move bytes.
const WORKERS: usize = 2;

/// The proxy of a session, if it runs.
#[derive(Default)]
pub(crate) struct SessionProxy(Mutex<Option<Running>>);

#[derive(Clone)]
struct Running {
    address: SocketAddr,
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

    /// The variables that lead a program to the proxy, which runs from then on. None where there is nothing
    /// that it would be led to.
    pub(crate) fn proxy_variables(self: &Arc<Self>) -> Result<Vec<Bytes>, ProxyError> {
        if !self.needs_proxy() {
            return Ok(Vec::new());
        }
        let running = {
            let mut proxy = self.proxy.0.lock().unwrap_or_else(PoisonError::into_inner);
            match &*proxy {
                Some(running) => running.clone(),
                None => proxy.insert(start(self)?).clone(),
            }
        };
        let to = format!("http://{}", running.address);
        let mut variables = settings::general(&to);
        if running.proxy.authority().is_some() {
            variables.extend(trust::variables(&self.dir));
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

    /// What the proxy is, and what it was used for.
    pub(crate) fn proxy_info(&self) -> ProxyInfo {
        let running = self.proxy.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        told::info(self, running.as_ref().map(|running| (running.address, &*running.proxy)))
    }
}

fn start(session: &Arc<Session>) -> Result<Running, ProxyError> {
    let settings = settings::of(&session.config)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
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
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => serving.serve(listener).await,
                    Err(error) => tracing::error!("the proxy does not listen: {error}"),
                }
            });
        })?;
    tracing::info!("the proxy listens at {address}");
    Ok(Running { address, proxy })
}
