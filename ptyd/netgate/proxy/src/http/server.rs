//! Connections of programs, one task each.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, HOST, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::forward::Speaks;
use super::intercept::{InterceptError, Interceptor};
use super::line::{Far, Way};
use super::rewound::Rewound;
use super::screen::{MAX_FIELDS, MAX_HEAD, Spoken, Unserved, screen};
use super::tunnel::End;
use super::{Answer, Upstreams, answer, forward, refuse, service, transparent, tunnel};
use crate::Settings;
use crate::gate::{Client, Event, Gate, HttpEvent, Meant, Route, Ruling};
use crate::host::Authority;
use crate::llm::{self, Meter, Provider};

/// How long a program may take for the head of its request.
pub(super) const HEAD_LIMIT: Duration = Duration::from_secs(60);

/// How long a refused connection is drained, so that its answer is not lost to a reset.
const DRAIN: Duration = Duration::from_millis(500);

/// Connections at a time.
const CONNECTIONS: usize = 8192;

/// The proxy of one session.
pub struct Proxy(Arc<Shared>);

/// What all its connections share.
pub(crate) struct Shared {
    pub gate: Arc<dyn Gate>,
    pub settings: Settings,
    pub upstreams: Upstreams,
    /// Where TLS is opened.
    pub interceptor: Option<Interceptor>,
    pub meter: Meter,
    slots: Arc<Semaphore>,
}

impl Shared {
    /// Asks the gate where it may take its time.
    pub(crate) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&dyn Gate) -> T + Send + 'static,
    ) -> io::Result<T> {
        let gate = Arc::clone(&self.gate);
        Ok(tokio::task::spawn_blocking(move || question(&*gate)).await?)
    }

    /// Where a connection of `client` goes.
    pub(super) async fn route(self: &Arc<Self>, client: &Arc<Client>, (host, port): (&str, u16)) -> Route {
        let (asker, host) = (Arc::clone(client), host.to_owned());
        let asked = self.ask(move |gate| gate.connect(&asker, &host, port)).await;
        asked.unwrap_or_else(|error| Route::deny(error.to_string()))
    }
}

impl Proxy {
    /// A proxy that serves nobody yet.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn new(gate: Arc<dyn Gate>, settings: Settings) -> Result<Proxy, InterceptError> {
        let interceptor = settings.tls_intercept.then(Interceptor::new).transpose()?;
        let upstreams = Upstreams::new(Arc::clone(&gate))?;
        Ok(Proxy(Arc::new(Shared {
            meter: Meter::new(settings.limits),
            gate,
            settings,
            upstreams,
            interceptor,
            slots: Arc::new(Semaphore::new(CONNECTIONS)),
        })))
    }

    /// What its connections share.
    #[cfg(test)]
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.0)
    }

    /// What the providers' use has come to.
    pub fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// The certificate of the authority that opens TLS, where it is opened; its key never leaves memory.
    pub fn authority(&self) -> Option<&str> {
        self.0.interceptor.as_ref().map(Interceptor::pem)
    }

    /// The providers that can be reached.
    pub fn providers(&self) -> &[Provider] {
        &self.0.settings.providers
    }

    /// Serves programs that know it as their proxy, until it is dropped.
    pub async fn serve(&self, listener: TcpListener) {
        self.accept(listener, connection).await;
    }

    /// Serves connections that were led here though their programs meant somebody else, [`Gate::meant`].
    pub async fn serve_led(&self, listener: TcpListener) {
        self.accept(listener, transparent::connection).await;
    }

    /// Errors of accepting are waited out: there is nobody to tell.
    async fn accept<F>(&self, listener: TcpListener, serve: fn(Arc<Shared>, TcpStream) -> F)
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        loop {
            let slots = Arc::clone(&self.0.slots);
            let Ok(slot) = slots.acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let shared = Arc::clone(&self.0);
                    tokio::spawn(async move {
                        if let Err(error) = serve(shared, stream).await {
                            tracing::debug!("a program's connection: {error}");
                        }
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!("accepting a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream) -> Result<(), Failure> {
    let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
    stream.set_nodelay(true)?;
    let Some(client) = shared.ask(move |gate| gate.who(peer, local)).await? else {
        tracing::warn!("a connection from {peer} is of no process of this session");
        return Ok(());
    };
    speak(&shared, &Arc::new(client), Arc::new(Place::Proxy(local.port())), stream).await
}

/// Why a connection ends early; there is nobody to tell.
pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Where a request is said.
pub(super) enum Place {
    /// To the proxy, which listens at this port.
    Proxy(u16),
    /// Inside of the TLS of this host, on a connection that was meant for it.
    Inside(Authority, Option<Meant>),
    /// Inside of a tunnel in the clear, and its server's side, which the first request gets.
    Tunnel(End, Mutex<Option<Far>>),
    /// On a connection that was meant for somebody else.
    Meant(Meant),
}

/// Serves HTTP on a connection.
pub(super) async fn speak<S>(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    place: Arc<Place>,
    mut stream: S,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let spoken = match tokio::time::timeout(HEAD_LIMIT, screen(&mut stream)).await {
        Ok(Ok(spoken)) => spoken,
        Ok(Err(Unserved::Ended)) | Err(_) => return Ok(()),
        Ok(Err(Unserved::Refused(status, why))) => {
            unread(shared, client, status, why);
            return turn_away(stream, status, why).await.map_err(Into::into);
        }
    };
    let (shared, client) = (Arc::clone(shared), Arc::clone(client));
    let service = service_fn(move |request| {
        let (shared, client, place) = (Arc::clone(&shared), Arc::clone(&client), Arc::clone(&place));
        async move { route(&shared, &client, &place, request).await }
    });
    match spoken {
        Spoken::One(bytes) => {
            hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .keep_alive(false)
                .max_headers(MAX_FIELDS)
                .max_buf_size(MAX_HEAD * 2)
                .serve_connection(TokioIo::new(Rewound::new(bytes, stream)), service)
                .with_upgrades()
                .await?;
        }
        Spoken::Two(bytes) => {
            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
                .serve_connection(TokioIo::new(Rewound::new(bytes, stream)), service)
                .await?;
        }
    }
    Ok(())
}

/// Tells of a request that was not read.
fn unread(shared: &Shared, client: &Client, status: u16, why: &str) {
    let event = HttpEvent {
        method: "",
        host: "",
        port: 0,
        path: "",
        service: None,
        ruling: &Ruling::deny(why),
        status,
    };
    shared.gate.record(client, Event::Http(event));
}

async fn turn_away(mut stream: impl AsyncRead + AsyncWrite + Unpin, status: u16, why: &str) -> io::Result<()> {
    stream.write_all(&answer::raw(status, why)).await?;
    stream.shutdown().await?;
    let mut rest = [0; 4096];
    let drained = async { while stream.read(&mut rest).await.is_ok_and(|length| length > 0) {} };
    let _ = tokio::time::timeout(DRAIN, drained).await;
    Ok(())
}

/// Where a request goes. One of HTTP/2 that is malformed ends its stream (RFC 9113, 8.1.1).
async fn route(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    place: &Place,
    request: Request<Incoming>,
) -> Result<Answer, h2::Error> {
    match named(&request, place) {
        Ok(named) => Ok(lead(shared, client, place, named, request).await),
        Err(why) => {
            unread(shared, client, 400, why);
            match request.version() {
                Version::HTTP_2 => Err(h2::Reason::PROTOCOL_ERROR.into()),
                _ => Ok(refuse(StatusCode::BAD_REQUEST, why)),
            }
        }
    }
}

/// Where a request for `named` goes.
async fn lead(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    place: &Place,
    named: Authority,
    request: Request<Incoming>,
) -> Answer {
    let port = match place {
        Place::Meant(meant) => return transparent::request(shared, client, meant, named, request).await,
        Place::Inside(host, meant) => return inside(shared, client, (host, meant.as_ref()), named, request).await,
        Place::Tunnel(end, far) => return tunnelled(shared, client, (end, far), named, request).await,
        Place::Proxy(port) => *port,
    };
    if request.method() == Method::CONNECT {
        return tunnel::open(shared, client, named, request).await;
    }
    if !(named.is_loopback() && named.port_or(80) == port) {
        return match request.uri().scheme_str() {
            Some("http") => plain(shared, client, (named, Speaks::Plain), Way::Asked, request).await,
            _ => refuse(
                StatusCode::MISDIRECTED_REQUEST,
                "this is the session's proxy, and no such host is here",
            ),
        };
    }
    let path = request.uri().path().to_owned();
    let mut parts = path.splitn(4, '/').skip(1);
    match (parts.next(), parts.next(), parts.next()) {
        (Some("svc"), Some(name), rest) => {
            service::request(shared, client, name, rest.unwrap_or_default(), request).await
        }
        (Some("llm"), Some(name), rest) => llm::request(shared, client, name, rest.unwrap_or_default(), request).await,
        _ => refuse(
            StatusCode::NOT_FOUND,
            "the session's proxy: /llm/PROVIDER/… and /svc/SERVICE/… are here",
        ),
    }
}

/// A request in the clear.
async fn plain(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    (named, speaks): (Authority, Speaks),
    way: Way,
    request: Request<Incoming>,
) -> Answer {
    let path = request.uri().path().to_owned();
    let mut providers = shared.settings.providers.iter();
    let provider = providers.find_map(|one| Some((one.name.as_str(), one.rest_of((&named, false), &path)?)));
    match provider {
        Some(its) => forward::provide(shared, client, named, way, its, request).await,
        None => forward::forward(shared, client, (named, speaks), way, request).await,
    }
}

/// A request inside of a tunnel to `end`, for that host, or, if the tunnel leads to an address, for a name that policy
/// allows too.
async fn tunnelled(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    (end, far): (&End, &Mutex<Option<Far>>),
    mut named: Authority,
    request: Request<Incoming>,
) -> Answer {
    let same = named.port.is_none_or(|port| port == end.port);
    let its = same && (named.host == end.to.host || tunnel::fits(shared, client, end, &named.host).await);
    if !its || request.method() == Method::CONNECT {
        let ruling = Ruling::deny(format!("HTTP asks for {named}"));
        tunnel::record(shared, client, end, &ruling, StatusCode::FORBIDDEN);
        return refuse(
            StatusCode::MISDIRECTED_REQUEST,
            "the request is for another host than its tunnel",
        );
    }
    named.port = Some(end.port).filter(|port| *port != 80);
    let made = far.lock().unwrap_or_else(PoisonError::into_inner).take();
    plain(
        shared,
        client,
        (named, Speaks::Alike),
        made.map_or(Way::Asked, Way::Made),
        request,
    )
    .await
}

/// A request inside of the TLS of `host`.
async fn inside(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    (host, meant): (&Authority, Option<&Meant>),
    named: Authority,
    request: Request<Incoming>,
) -> Answer {
    if (&named.host, named.port_or(443)) != (&host.host, host.port_or(443)) || request.method() == Method::CONNECT {
        return refuse(
            StatusCode::MISDIRECTED_REQUEST,
            "the request is for another host than its TLS",
        );
    }
    let path = request.uri().path().to_owned();
    let mut providers = shared.settings.providers.iter();
    let provider = providers.find_map(|provider| Some((provider, provider.rest_of((host, true), &path)?)));
    match provider {
        Some((provider, rest)) => llm::request(shared, client, &provider.name, rest, request).await,
        None => {
            let way = meant.map_or(Way::Asked, Way::meant);
            forward::forward(shared, client, (named, Speaks::Secure), way, request).await
        }
    }
}

/// The host that a request names, the same everywhere, where its framing and path can be read in one way only. (Of
/// HTTP/1 this was seen before; of HTTP/2 it was not.)
fn named(request: &Request<Incoming>, place: &Place) -> Result<Authority, &'static str> {
    let parse = |text: &str| Authority::parse(text).ok_or("the host is no plain name of a host");
    if request.method() != Method::CONNECT && !request.uri().path().starts_with('/') {
        return Err("the path does not begin with a slash");
    }
    // Nothing takes it away in HTTP/2 (RFC 9113, 8.2.1).
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let padded = |value: &HeaderValue| blank(value.as_bytes().first()) || blank(value.as_bytes().last());
    if request.version() == Version::HTTP_2 && request.headers().values().any(padded) {
        return Err("a field's value begins or ends with white space");
    }
    if request.headers().get_all(CONTENT_LENGTH).iter().count() > 1 {
        return Err("Content-Length more than once");
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    if more.is_some() {
        return Err("Host more than once");
    }
    let host = host
        .map(|host| {
            host.to_str()
                .map_err(|_| "the host is no plain name of a host")
                .and_then(parse)
        })
        .transpose()?;
    let aimed = request
        .uri()
        .authority()
        .map(|authority| parse(authority.as_str()))
        .transpose()?;
    match (aimed, host) {
        (Some(aimed), Some(host)) => {
            let default = match place {
                Place::Inside(..) => 443,
                Place::Meant(meant) => meant.address.port(),
                Place::Tunnel(end, _) => end.port,
                Place::Proxy(_) if request.method() == Method::CONNECT => aimed.port_or(443),
                Place::Proxy(_) => 80,
            };
            let same = (&aimed.host, aimed.port_or(default)) == (&host.host, host.port_or(default));
            same.then_some(aimed).ok_or("Host and target differ")
        }
        (Some(one), None) | (None, Some(one)) => Ok(one),
        (None, None) => Err("no Host"),
    }
}
