//! Connections that programs meant for somebody else: the first bytes say which of the names that the address has is
//! meant, and what they are led here for.

use std::io;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::forward::Speaks;
use super::line::Way;
use super::rewound::Rewound;
use super::server::{self, Failure, HEAD_LIMIT, Place, Shared};
use super::sni::{self, Hello, MAX_HELLO};
use super::tunnel::{self, End};
use super::{Answer, forward, refuse};
use crate::gate::{Client, Meant, Ruling};
use crate::host::Authority;

/// Serves one connection.
pub(super) async fn connection(shared: Arc<Shared>, mut stream: TcpStream) -> Result<(), Failure> {
    let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
    stream.set_nodelay(true)?;
    let Some(meant) = shared.ask(move |gate| gate.meant(peer, local)).await? else {
        tracing::warn!("a connection from {peer} was not led here");
        return Ok(());
    };
    let client = Arc::new(meant.client.clone());
    let (hello, bytes) = tokio::time::timeout(HEAD_LIMIT, first(&mut stream)).await??;
    let stream = Rewound::new(bytes, stream);
    match hello {
        Hello::Plain => server::speak(&shared, &client, Arc::new(Place::Meant(meant)), stream).await,
        Hello::Tls(name) => secure(&shared, &client, &meant, name, stream).await,
        Hello::More | Hello::Broken => {
            deny(&shared, &client, &by_address(&meant), "its TLS cannot be understood");
            Ok(())
        }
    }
}

/// The first bytes, as many as it takes to know what they are.
async fn first(stream: &mut TcpStream) -> io::Result<(Hello, Vec<u8>)> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        match sni::look(&bytes) {
            Hello::More if bytes.len() <= MAX_HELLO + 5 => {
                if stream.read_buf(&mut bytes).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            hello => return Ok((hello, bytes)),
        }
    }
}

/// The end of a connection of which nothing but its address is known.
fn by_address(meant: &Meant) -> End {
    let host = meant.address.ip().to_string();
    End {
        to: Authority { host, port: None },
        port: meant.address.port(),
        opens: false,
    }
}

fn deny(shared: &Shared, client: &Client, end: &End, why: &str) {
    tunnel::record(shared, client, end, &Ruling::deny(why), StatusCode::FORBIDDEN);
}

/// TLS: for one of the names that the address has; opened where that is wanted and the program trusts who opens it.
async fn secure(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    meant: &Meant,
    name: Option<String>,
    stream: Rewound<TcpStream>,
) -> Result<(), Failure> {
    let mut end = by_address(meant);
    if let Some(name) = &name {
        let asked = Authority::parse(name).filter(|host| host.port.is_none() && meant.is(host));
        let Some(asked) = asked else {
            deny(shared, client, &end, &format!("TLS asks for {}", name.escape_debug()));
            return Ok(());
        };
        end.to = asked;
    } else if !meant.names.is_empty() {
        deny(
            shared,
            client,
            &end,
            "TLS asks for no name, and its address has several",
        );
        return Ok(());
    }
    let opener = shared.interceptor.as_ref().filter(|_| meant.trusts);
    if let Some(interceptor) = opener.filter(|_| shared.gate.opens(&end.to.host)) {
        end.to.port = Some(end.port).filter(|port| *port != 443);
        return interceptor
            .serve(shared, client, (end.to, Some(meant.clone())), stream)
            .await;
    }
    match tunnel::reach(shared, client, &end, Way::meant(meant)).await {
        Ok(far) => tunnel::carry(shared, client, end, stream, far).await,
        // Closed without a word: what a server says there would have to be TLS.
        Err((_, why)) => tracing::debug!("a connection that was led here: {why}"),
    }
    Ok(())
}

/// A request in the clear, for one of the names that the address has.
pub(super) async fn request(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    meant: &Meant,
    mut named: Authority,
    request: Request<Incoming>,
) -> Answer {
    if !meant.is(&named) || request.method() == hyper::Method::CONNECT {
        deny(shared, client, &by_address(meant), &format!("HTTP asks for {named}"));
        return refuse(
            StatusCode::MISDIRECTED_REQUEST,
            "the request is for another host than its connection",
        );
    }
    named.port = Some(meant.address.port()).filter(|port| *port != 80);
    let path = request.uri().path().to_owned();
    let mut providers = shared.settings.providers.iter();
    let provider = providers.find(|provider| Some(&provider.name) == meant.provider.as_ref());
    let below = provider.and_then(|provider| {
        let (at, _) = provider.at()?;
        let its = at.host == named.host || (at.is_loopback() && named.is_loopback());
        provider
            .below(&path)
            .filter(|_| its)
            .map(|rest| (provider.name.as_str(), rest))
    });
    match below {
        Some(below) => forward::provide(shared, client, named, Way::meant(meant), below, request).await,
        None => forward::forward(shared, client, (named, Speaks::Alike), Way::meant(meant), request).await,
    }
}
