//! HTTP to a host that the request names: plain, or inside of TLS that was opened.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{EXPECT, HOST, HeaderValue};
use hyper::http::uri::Scheme;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;

use super::body::{Body, boxed};
use super::head::strip_hops;
use super::line::{Unreached, Way};
use super::server::Shared;
use super::tunnel::{self, End};
use super::upstream;
use super::{Answer, refuse};
use crate::gate::{Client, Event, HttpEvent, Ruling};
use crate::host::Authority;
use crate::llm;

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// HTTP/1 in the clear.
    Plain,
    /// In the clear what its program speaks, which means the server itself.
    Alike,
    /// TLS.
    Secure,
}

impl Speaks {
    pub(super) fn port(self) -> u16 {
        match self {
            Speaks::Secure => 443,
            Speaks::Plain | Speaks::Alike => 80,
        }
    }
}

/// One request.
pub(super) async fn forward(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    (to, speaks): (Authority, Speaks),
    way: Way,
    request: Request<Incoming>,
) -> Answer {
    let port = to.port_or(speaks.port());
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let record = |ruling: &Ruling, status: StatusCode| {
        let event = HttpEvent {
            method: &method,
            host: &to.host,
            port,
            path: &path,
            service: None,
            ruling,
            status: status.as_u16(),
        };
        shared.gate.record(client, Event::Http(event))
    };
    let far = match way.reach(shared, client, (&to.host, port)).await {
        Ok(far) => far,
        Err(unreached) => {
            record(&unreached.ruling, unreached.status);
            return refuse(unreached.status, &unreached.told(&to));
        }
    };
    let (request, switch) = prepare(request, &to);
    let sent = match speaks {
        Speaks::Secure => {
            let name = far.server_name.as_deref().unwrap_or(&to.host);
            shared.upstreams.send_secure(far.line, name, request).await
        }
        Speaks::Alike if request.version() == Version::HTTP_2 => {
            upstream::send_on_two(far.line, Scheme::HTTP, request).await
        }
        Speaks::Plain | Speaks::Alike => upstream::send_on(far.line, request).await,
    };
    let answer = match sent {
        Ok(answer) => finish(answer, switch),
        Err(error) => refuse(StatusCode::BAD_GATEWAY, &format!("{to}: {error}")),
    };
    match record(&far.ruling, answer.status()) {
        true => answer,
        false => refuse(StatusCode::BAD_GATEWAY, "the request cannot be recorded"),
    }
}

/// One request in the clear to the provider `name`; `rest` is the path below its address.
pub(super) async fn provide(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    to: Authority,
    way: Way,
    (name, rest): (&str, &str),
    request: Request<Incoming>,
) -> Answer {
    let port = to.port_or(Speaks::Plain.port());
    let ruling = way.judged(shared, client, (&to.host, port)).await;
    if !ruling.allowed {
        let unreached = Unreached::denied(ruling);
        let answer = refuse(unreached.status, &unreached.told(&to));
        let end = End { to, port, opens: false };
        tunnel::record(shared, client, &end, &unreached.ruling, unreached.status);
        return answer;
    }
    llm::request(shared, client, name, rest, request).await
}

/// The other protocol that a request asks for.
pub(super) type Switch = Option<(hyper::upgrade::OnUpgrade, HeaderValue)>;

/// The request as it leaves, and the client's side of another protocol if it asks for one.
pub(super) fn prepare(mut request: Request<Incoming>, to: &Authority) -> (Request<Body>, Switch) {
    let asked = request.headers().get(hyper::header::UPGRADE).cloned();
    let upgrades = strip_hops(request.headers_mut());
    request.headers_mut().remove(EXPECT);
    if let Ok(host) = HeaderValue::from_str(&to.to_string()) {
        request.headers_mut().insert(HOST, host);
    }
    let mut switch = None;
    if upgrades && let Some(protocol) = asked {
        switch_to(request.headers_mut(), &protocol);
        switch = Some((hyper::upgrade::on(&mut request), protocol));
    }
    (request.map(boxed), switch)
}

fn switch_to(headers: &mut hyper::HeaderMap, protocol: &HeaderValue) {
    headers.insert(hyper::header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(hyper::header::UPGRADE, protocol.clone());
}

/// The answer as it goes back; where both sides agreed on another protocol their bytes are passed on.
pub(super) fn finish(mut answer: Response<Body>, switch: Switch) -> Answer {
    let theirs = hyper::upgrade::on(&mut answer);
    strip_hops(answer.headers_mut());
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return answer;
    }
    let Some((ours, protocol)) = switch else {
        return refuse(
            StatusCode::BAD_GATEWAY,
            "the server switches to a protocol that nobody asked for",
        );
    };
    switch_to(answer.headers_mut(), &protocol);
    tokio::spawn(async move {
        if let (Ok(ours), Ok(theirs)) = (ours.await, theirs.await) {
            tunnel::join(TokioIo::new(ours), TokioIo::new(theirs)).await;
        }
    });
    answer
}
