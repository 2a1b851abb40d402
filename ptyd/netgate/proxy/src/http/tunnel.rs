//! CONNECT: bytes of a protocol that is not read, to a host that is judged; where the protocol is TLS its
//! name must be that host.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};

use super::line::{Far, Line, Way};
use super::rewound::Rewound;
use super::server::{self, Place, Shared};
use super::sni::{self, Hello, MAX_HELLO};
use super::{Answer, full, refuse, request};
use crate::gate::{Client, Event, HttpEvent, Ruling};
use crate::host::Authority;

/// A buffer begins with so many bytes, and grows where it is filled.
const SMALL: usize = 2 << 10;
const LARGE: usize = 256 << 10;

/// Where a tunnel leads.
pub(super) struct End {
    pub to: Authority,
    pub port: u16,
    /// Whether its TLS is opened where the operator wants it.
    pub opens: bool,
}

/// One tunnel.
pub(super) async fn open(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    to: Authority,
    request: Request<Incoming>,
) -> Answer {
    let Some(port) = to.port else {
        return refuse(StatusCode::BAD_REQUEST, "CONNECT needs host:port");
    };
    let end = End { to, port, opens: true };
    let far = match reach(shared, client, &end, Way::Asked).await {
        Ok(far) => far,
        Err((status, why)) => return refuse(status, &why),
    };
    let (shared, client) = (Arc::clone(shared), Arc::clone(client));
    tokio::spawn(async move {
        match hyper::upgrade::on(request).await {
            Ok(upgraded) => carry(&shared, &client, end, TokioIo::new(upgraded), far).await,
            Err(error) => tracing::debug!("a tunnel: {error}"),
        }
    });
    Response::new(full(bytes::Bytes::new()))
}

/// Judges a tunnel, unless that was done, makes it, and puts it on record; else what its program is told.
pub(super) async fn reach(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    end: &End,
    way: Way,
) -> Result<Far, (StatusCode, String)> {
    match way.reach(shared, client, (&end.to.host, end.port)).await {
        Ok(far) if record(shared, client, end, &far.ruling, StatusCode::OK) => Ok(far),
        Ok(_) => Err((StatusCode::BAD_GATEWAY, "the request cannot be recorded".to_owned())),
        Err(unreached) => {
            record(shared, client, end, &unreached.ruling, unreached.status);
            Err((unreached.status, unreached.told(&end.to)))
        }
    }
}

pub(super) fn record(shared: &Shared, client: &Client, end: &End, ruling: &Ruling, status: StatusCode) -> bool {
    let event = HttpEvent {
        method: "CONNECT",
        host: &end.to.host,
        port: end.port,
        path: "",
        service: None,
        ruling,
        status: status.as_u16(),
    };
    shared.gate.record(client, Event::Http(event))
}

/// Passes bytes in both directions, the client's only after its first were looked at; or opens the TLS in them.
pub(super) async fn carry<C>(shared: &Arc<Shared>, client: &Arc<Client>, end: End, mut program: C, mut far: Far)
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut looked = Vec::new();
    if let Some(interceptor) = shared.interceptor.as_ref().filter(|_| end.opens && end.port == 443) {
        let Ok(first) = first(shared, client, &end, &mut program).await else {
            return;
        };
        if let Hello::Tls(Some(name)) = sni::look(&first)
            && let Some(host) = Authority::parse(&name).filter(|name| name.port.is_none())
            && shared.gate.opens(&host.host)
        {
            let opened = far.line.counted_at(Rewound::new(first, program));
            // Nothing of it is passed on: each request dials for itself.
            drop(far);
            if let Err(error) = interceptor.serve(shared, client, (host, None), opened).await {
                tracing::debug!("a tunnel whose TLS is opened: {error}");
            }
            return;
        }
        looked = first;
    }
    if far.server_name.is_some() {
        let why = "the server name inside of TLS that is not opened cannot be changed";
        record(shared, client, &end, &Ruling::deny(why), StatusCode::FORBIDDEN);
        return;
    }
    let mut program = Rewound::new(looked, program);
    let (mut said, mut heard) = (Vec::new(), Vec::with_capacity(SMALL));
    let Far { ruling, mut line, .. } = far;
    // A server that speaks first speaks no HTTP, but for the newer one.
    let begun = tokio::select! {
        is_http = request::begins(&mut program, &mut said) => is_http,
        read = line.read_buf(&mut heard) => match read {
            Ok(_) if request::is_settings(&heard) => request::begins(&mut program, &mut said).await,
            read => read.map(|_| false),
        },
    };
    let mut line = line.rewound(heard);
    let program = Rewound::new(said, program);
    match begun {
        Ok(true) if end.port != 443 => {
            let program = line.counted_at(program);
            let far = Far {
                ruling,
                line,
                server_name: None,
            };
            return converse(shared, client, end, program, far).await;
        }
        Ok(_) => {}
        Err(error) => return tracing::debug!("a tunnel: {error}"),
    }
    let (mut from_program, mut to_program) = split(program);
    let (mut from_server, mut to_server) = split(line);
    let up = async {
        let first = first(shared, client, &end, &mut from_program).await?;
        to_server.write_all(&first).await?;
        pump(&mut from_program, &mut to_server).await
    };
    let down = pump(&mut from_server, &mut to_program);
    // An end of one direction is passed on; a failure, or a refusal, ends both.
    let _ = tokio::try_join!(up, down);
}

/// Serves HTTP inside of a tunnel.
fn converse<'a>(
    shared: &'a Arc<Shared>,
    client: &'a Arc<Client>,
    end: End,
    program: Line,
    far: Far,
) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
    // What is inside may again be a tunnel as far as types can tell.
    Box::pin(async move {
        let place = Arc::new(Place::Tunnel(end, Mutex::new(Some(far))));
        if let Err(error) = server::speak(shared, client, place, program).await {
            tracing::debug!("a tunnel in the clear: {error}");
        }
    })
}

/// The client's first bytes, once they may pass.
async fn first(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    end: &End,
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1024);
    let why = loop {
        match sni::look(&bytes) {
            Hello::More if bytes.len() <= MAX_HELLO + 5 => {
                if from.read_buf(&mut bytes).await? == 0 {
                    return Ok(bytes);
                }
            }
            Hello::Plain if end.port == 443 => break "a tunnel to port 443 carries TLS only".to_owned(),
            Hello::Plain | Hello::Tls(None) => return Ok(bytes),
            Hello::Tls(Some(name)) if name.trim_end_matches('.') == end.to.host => return Ok(bytes),
            Hello::Tls(Some(name)) => match fits(shared, client, end, &name).await {
                true => return Ok(bytes),
                false => break format!("TLS asks for {}", name.escape_debug()),
            },
            Hello::More | Hello::Broken => break "its TLS cannot be understood".to_owned(),
        }
    };
    record(shared, client, end, &Ruling::deny(why.clone()), StatusCode::FORBIDDEN);
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// A tunnel to an address may carry TLS, or HTTP, for a name that policy allows too; one to a name carries that name.
pub(super) async fn fits(shared: &Arc<Shared>, client: &Arc<Client>, end: &End, name: &str) -> bool {
    let plain = Authority::parse(name).filter(|name| name.port.is_none() && name.address().is_none());
    let (Some(_), Some(plain)) = (end.to.address(), plain) else {
        return false;
    };
    shared.route(client, (&plain.host, end.port)).await.ruling.allowed
}

/// Passes bytes in both directions.
pub(super) async fn join<A, B>(a: A, b: B)
where
    A: AsyncRead + AsyncWrite + Send + Unpin,
    B: AsyncRead + AsyncWrite + Send + Unpin,
{
    let (mut from_a, mut to_a) = split(a);
    let (mut from_b, mut to_b) = split(b);
    let _ = tokio::try_join!(pump(&mut from_a, &mut to_b), pump(&mut from_b, &mut to_a));
}

/// Passes bytes until their end, and the end.
async fn pump(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut buffer = vec![0; SMALL];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
        to.flush().await?;
        if length == buffer.len() && length < LARGE {
            buffer = vec![0; length * 4];
        }
    }
}
