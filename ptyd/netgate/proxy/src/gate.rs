//! What the proxy asks of its session.

use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use crate::dlp::Counts;
use crate::host::Authority;
use crate::llm::Usage;

/// Who asks: the process that holds the other end of the connection, as the kernel told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// Its process.
    pub pid: i32,
    /// The command that it belongs to.
    pub command: Option<String>,
}

/// What policy says of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ruling {
    /// Whether it may pass, after anybody who had to be asked was.
    pub allowed: bool,
    /// The rule's word.
    pub decision: String,
    /// The rule.
    pub rule: Option<String>,
    /// What the caller is told.
    pub message: Option<String>,
    /// The approval that decided.
    pub approval: Option<String>,
}

impl Ruling {
    /// A plain no.
    pub fn deny(message: impl Into<String>) -> Ruling {
        Ruling {
            decision: "deny".to_owned(),
            message: Some(message.into()),
            ..Ruling::default()
        }
    }

    /// A plain yes.
    pub fn allow() -> Ruling {
        Ruling {
            allowed: true,
            decision: "allow".to_owned(),
            ..Ruling::default()
        }
    }
}

/// What a connection is made to.
#[derive(Debug)]
pub enum Destination {
    /// The first of these that answers.
    Addresses(Vec<SocketAddr>),
    /// A socket of this machine, connected.
    Unix(UnixStream),
}

impl Default for Destination {
    fn default() -> Destination {
        Destination::Addresses(Vec::new())
    }
}

/// Where a connection goes that policy was asked about.
#[derive(Debug, Default)]
pub struct Route {
    /// What policy says of it.
    pub ruling: Ruling,
    /// What may be dialled.
    pub to: Destination,
    /// The name that its TLS is to ask for instead of the host's.
    pub server_name: Option<String>,
    /// What it may carry both ways together.
    pub max_bytes: Option<u64>,
}

impl Route {
    /// One that is not taken.
    pub fn deny(message: impl Into<String>) -> Route {
        Route {
            ruling: Ruling::deny(message),
            ..Route::default()
        }
    }
}

/// A connection that its program meant for somebody else and that was led here.
#[derive(Debug, Clone)]
pub struct Meant {
    /// Who made it.
    pub client: Client,
    /// Whom it was meant for.
    pub address: SocketAddr,
    /// The names by which that is known to the session; none: by its address alone.
    pub names: Vec<String>,
    /// The provider of models that is there, by name.
    pub provider: Option<String>,
    /// What policy has said of it, if it has let it through, whichever of the names is meant.
    pub judged: Option<Ruling>,
    /// Whether the program trusts the authority that opens TLS.
    pub trusts: bool,
}

impl Meant {
    /// Whether a host that a program names is whom the connection was meant for.
    pub(crate) fn is(&self, host: &Authority) -> bool {
        let by_address = || host.address().is_some_and(|address| address == self.address.ip());
        let by_name = self.names.contains(&host.host);
        let here = || self.provider.is_some() && self.address.ip().is_loopback() && host.is_loopback();
        let known = by_name || (self.names.is_empty() && by_address()) || here();
        known && host.port.is_none_or(|port| port == self.address.port())
    }

    /// Where it goes, if nobody has to be asked any more. What it carries is counted on its program's own socket.
    pub(crate) fn route(&self) -> Option<Route> {
        self.judged.clone().map(|ruling| Route {
            ruling,
            to: Destination::Addresses(vec![self.address]),
            ..Route::default()
        })
    }
}

/// A service of the policy.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// `https://host[:port][/path]`.
    pub upstream: String,
    /// The header that is put into requests, with the secret in it.
    pub header: Option<(String, String)>,
    /// The secret, to be removed from answers.
    pub scrub: Option<String>,
}

/// An HTTP request that was judged.
#[derive(Debug, Clone, Copy)]
pub struct HttpEvent<'a> {
    /// The method; `CONNECT` for a tunnel; empty where the request could not be read.
    pub method: &'a str,
    /// The host; empty where it is not known.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// The path without its query; empty for a tunnel.
    pub path: &'a str,
    /// The service that it went to.
    pub service: Option<&'a str>,
    /// What policy said.
    pub ruling: &'a Ruling,
    /// The status that the caller got.
    pub status: u16,
}

/// A request to a model.
#[derive(Debug, Clone, Copy)]
pub struct LlmRequestEvent<'a> {
    /// What ties it to its answer.
    pub id: &'a str,
    /// The provider's name.
    pub provider: &'a str,
    /// The model, if the request names one.
    pub model: Option<&'a str>,
    /// Its method.
    pub method: &'a str,
    /// The path without its query.
    pub path: &'a str,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Bytes of its body.
    pub bytes: u64,
    /// Why it was refused, if it was.
    pub refused: Option<&'a str>,
    /// What was found in it.
    pub found: &'a Counts,
}

/// The end of a model's answer.
#[derive(Debug, Clone, Copy)]
pub struct LlmResponseEvent<'a> {
    /// The request's.
    pub id: &'a str,
    /// The provider's name.
    pub provider: &'a str,
    /// The model, as the answer names it, else as the request did.
    pub model: Option<&'a str>,
    /// The status of the answer.
    pub status: u16,
    /// Bytes of its body.
    pub bytes: u64,
    /// Tokens and their price.
    pub usage: &'a Usage,
    /// Names of the tools that the model called, in order.
    pub tools: &'a [String],
    /// From the request's last byte to the end of the answer.
    pub duration: Duration,
    /// How it ended if not as it should.
    pub problem: Option<&'a str>,
    /// What was found in it.
    pub found: &'a Counts,
}

/// A connection that has used up what its rule grants, and is cut.
#[derive(Debug, Clone, Copy)]
pub struct ExceededEvent<'a> {
    /// Whom it leads to, as its program said.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// The rule.
    pub rule: Option<&'a str>,
    /// What it has carried both ways.
    pub bytes: u64,
}

/// What the record is told.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A request was answered, or a tunnel opened, or neither.
    Http(HttpEvent<'a>),
    /// A connection was cut.
    Exceeded(ExceededEvent<'a>),
    /// A request to a model is about to leave, or was refused.
    LlmRequest(LlmRequestEvent<'a>),
    /// A model's answer is over.
    LlmResponse(LlmResponseEvent<'a>),
}

/// What the proxy asks of its session. All calls may block; none is made on a thread that moves bytes,
/// except [`Gate::record`], which must be short.
pub trait Gate: Send + Sync + 'static {
    /// Who holds the other end of the connection from `peer` to `local`; `None` is turned away.
    fn who(&self, peer: SocketAddr, local: SocketAddr) -> Option<Client>;

    /// Whom the connection from `peer` to `local` was meant for; `None`: it was not led here.
    fn meant(&self, peer: SocketAddr, local: SocketAddr) -> Option<Meant>;

    /// Judges a connection by name and by each address that the name has.
    fn connect(&self, client: &Client, host: &str, port: u16) -> Route;

    /// The addresses of an upstream that the operator named: no rule is asked.
    ///
    /// # Errors
    /// Why there are none.
    fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>>;

    /// The service of this name or alias, with its secret.
    ///
    /// # Errors
    /// Why it cannot be used; the line is for the caller and holds no secret.
    fn service(&self, name: &str) -> Option<Result<Arc<Service>, String>>;

    /// Judges a request to a service; the path is decoded and has no dot parts.
    fn request(&self, client: &Client, service: &str, method: &str, path: &str) -> Ruling;

    /// Whether the TLS of this host is opened, where any is.
    fn opens(&self, host: &str) -> bool;

    /// An id for one request and its answer.
    fn new_id(&self) -> String;

    /// Tells the record. False: it was not taken, and what it tells of must not happen.
    fn record(&self, client: &Client, event: Event<'_>) -> bool;

    /// Keeps a body, where the operator asked for it. `part`: `request` or `response`.
    fn store(&self, id: &str, part: &str, body: &[u8]);
}
