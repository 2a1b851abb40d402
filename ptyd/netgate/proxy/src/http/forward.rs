//! HTTP to a host that the request names: plain, or inside of TLS that was opened.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{EXPECT, HOST, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use super::body::{Body, boxed};
use super::head::strip_hops;
use super::server::Shared;
use super::upstream::{self, Unreachable};
use super::{Answer, line, refuse, tunnel};
use crate::gate::{Client, Event, HttpEvent, Route, Ruling};
use crate::host::Authority;

/// One request; `secure`: the server speaks TLS; `known`: policy has said already where it goes.
pub(super) async fn forward(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    (to, secure): (Authority, bool),
    known: Option<Route>,
    request: Request<Incoming>,
) -> Answer {
    let port = to.port_or(if secure { 443 } else { 80 });
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let mut route = shared.route(client, (&to.host, port), known).await;
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
    let ruling = &route.ruling;
    if !ruling.allowed {
        record(ruling, StatusCode::FORBIDDEN);
        let why = ruling.message.as_deref().unwrap_or("no rule allows it");
        return refuse(StatusCode::FORBIDDEN, &format!("{to}: denied by policy: {why}"));
    }
    let (request, switch) = prepare(request, &to);
    let sent = match line::dial(shared, client, (&to.host, port), &mut route).await {
        Ok(stream) if secure => {
            let name = route.server_name.as_deref().unwrap_or(&to.host);
            shared.upstreams.send_secure(stream, name, request).await
        }
        Ok(stream) => upstream::send_on(stream, request).await,
        Err(error) => Err(Unreachable(error.to_string())),
    };
    let answer = match sent {
        Ok(answer) => finish(answer, switch),
        Err(error) => refuse(StatusCode::BAD_GATEWAY, &format!("{to}: {error}")),
    };
    match record(&route.ruling, answer.status()) {
        true => answer,
        false => refuse(StatusCode::BAD_GATEWAY, "the request cannot be recorded"),
    }
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
