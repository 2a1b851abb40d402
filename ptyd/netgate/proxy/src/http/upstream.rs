//! Connections to servers.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::header::{HOST, HeaderValue, TE};
use hyper::http::uri::Scheme;
use hyper::{Request, Response, Uri, Version};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::body::{Body, boxed};
use super::line::Line;
use crate::gate::Gate;

/// How long a server may take to accept a connection, TLS included.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);

/// How long an unused connection is kept.
const KEEP: Duration = Duration::from_secs(60);

/// A connection to a server.
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Wire::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Wire::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Whether HTTP/2 was agreed on.
fn is_two<S>(stream: &TlsStream<S>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(b"h2")
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        match self {
            Wire::Tls(stream) if is_two(stream) => Connected::new().negotiated_h2(),
            _ => Connected::new(),
        }
    }
}

/// The servers that the operator named: providers and services.
pub(crate) struct Upstreams {
    pool: Client<Connector, Body>,
    /// For connections that change their protocol, and requests of HTTP/1.
    old: Connector,
    /// For requests of HTTP/2: their server may speak nothing else.
    new: Connector,
}

impl Upstreams {
    /// TLS trusts what the host trusts.
    pub(crate) fn new(gate: Arc<dyn Gate>) -> Result<Upstreams, rustls::Error> {
        let roots = Roots::of_host();
        let connector = |protocols: &[&[u8]]| -> Result<Connector, rustls::Error> {
            Ok(Connector {
                gate: Arc::clone(&gate),
                tls: TlsConnector::from(Arc::new(roots.config(protocols)?)),
            })
        };
        let pool = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP)
            .timer(TokioTimer::new())
            .build(connector(&[b"h2", b"http/1.1"])?);
        Ok(Upstreams {
            pool,
            old: connector(&[b"http/1.1"])?,
            new: connector(&[b"h2", b"http/1.1"])?,
        })
    }

    /// Sends a request whose target is whole.
    pub(crate) async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Unreachable> {
        let answer = self
            .pool
            .request(request)
            .await
            .map_err(|error| Unreachable(chain(&error)))?;
        Ok(answer.map(boxed))
    }

    /// Sends a request that asks for another protocol, on a connection of its own.
    pub(super) async fn send_alone(&self, request: Request<Body>) -> Result<Response<Body>, Unreachable> {
        let uri = request.uri().clone();
        let wire = self
            .old
            .dial(&uri)
            .await
            .map_err(|error| Unreachable(error.to_string()))?;
        send_on(wire, request).await
    }
}

impl Upstreams {
    /// Sends a request over TLS on a connection that was dialled to `host`: what its program speaks is offered.
    pub(super) async fn send_secure(
        &self,
        stream: Line,
        host: &str,
        request: Request<Body>,
    ) -> Result<Response<Body>, Unreachable> {
        let connector = match request.version() {
            Version::HTTP_2 => &self.new,
            _ => &self.old,
        };
        let stream = connector.secure(stream, host.to_owned()).await;
        let stream = stream.map_err(|error| Unreachable(error.to_string()))?;
        match is_two(&stream) {
            true => send_on_two(stream, Scheme::HTTPS, request).await,
            false => send_on(stream, request).await,
        }
    }
}

/// A server could not be asked; the text says why, for the caller.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreachable(pub String);

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// Sends one request of HTTP/1.1 on a connection of its own; its target is written as a path.
pub(super) async fn send_on<S>(wire: S, mut request: Request<Body>) -> Result<Response<Body>, Unreachable>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path
        .parse()
        .map_err(|_| Unreachable("the path is malformed".to_owned()))?;
    *request.version_mut() = hyper::Version::HTTP_11;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(wire)).await;
    let (mut sender, connection) = handshake.map_err(|error| Unreachable(chain(&error)))?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!("a server's connection: {error}");
        }
    });
    let answer = sender
        .send_request(request)
        .await
        .map_err(|error| Unreachable(chain(&error)))?;
    Ok(answer.map(boxed))
}

/// Sends one request of HTTP/2 on a connection of its own, to the host that it names.
pub(super) async fn send_on_two<S>(
    wire: S,
    scheme: Scheme,
    mut request: Request<Body>,
) -> Result<Response<Body>, Unreachable>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let malformed = || Unreachable("the target is malformed".to_owned());
    let host = request.headers_mut().remove(HOST).ok_or_else(malformed)?;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = Uri::builder()
        .scheme(scheme)
        .authority(host.as_bytes())
        .path_and_query(path)
        .build()
        .map_err(|_| malformed())?;
    // What comes behind a body is passed on, and gRPC asks for it by this field.
    request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(wire)).await;
    let (mut sender, connection) = handshake.map_err(|error| Unreachable(chain(&error)))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!("a server's connection: {error}");
        }
    });
    let answer = sender
        .send_request(request)
        .await
        .map_err(|error| Unreachable(chain(&error)))?;
    Ok(answer.map(boxed))
}

/// Dials the first address that answers.
pub(super) async fn dial(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::from(io::ErrorKind::TimedOut),
        }
    }
    Err(last)
}

/// The authorities that the host trusts.
struct Roots(RootCertStore);

impl Roots {
    fn of_host() -> Roots {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!("certificates of this host: {error}");
        }
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(found.certs);
        Roots(store)
    }

    fn config(&self, protocols: &[&[u8]]) -> Result<ClientConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.0.clone())
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(config)
    }
}

/// Dials for the pool.
#[derive(Clone)]
struct Connector {
    gate: Arc<dyn Gate>,
    tls: TlsConnector,
}

impl Connector {
    async fn dial(&self, uri: &Uri) -> io::Result<Wire> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
        let secure = uri.scheme_str() == Some("https");
        let host = uri.host().ok_or_else(|| invalid("no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let (gate, name) = (Arc::clone(&self.gate), host.clone());
        let addresses = tokio::task::spawn_blocking(move || gate.resolve(&name, port)).await??;
        let stream = dial(&addresses).await?;
        if !secure {
            return Ok(Wire::Plain(stream));
        }
        Ok(Wire::Tls(Box::new(self.secure(stream, host).await?)))
    }

    async fn secure<S>(&self, stream: S, host: String) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        tokio::time::timeout(CONNECT_LIMIT, self.tls.connect(name, stream)).await?
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Wire>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Wire>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.dial(&uri).await.map(TokioIo::new) })
    }
}
