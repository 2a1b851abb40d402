//! HTTP/1.1 on `api.sock`: connections, and what makes a request acceptable at all.

use std::convert::Infallible;
use std::rc::Rc;

use agentsh_protocol::api::{ApiError, ErrorKind};
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::UnixStream;

use super::registry::Registry;
use super::watchers::Events;
use super::{api, peer, terminal};

/// What is answered: all at once, or as it happens.
pub(super) type Body = Either<Full<Bytes>, Events>;

/// Largest request body, in bytes.
const MAX_BODY: usize = 1 << 20;

/// The host that clients of this socket name; a web page that a browser was tricked to send names another.
const HOSTS: [&str; 2] = ["agentsh", "localhost"];

/// Serves one connection of a peer that belongs to the user and is in nobody's sandbox.
pub(super) async fn serve(registry: Rc<Registry>, stream: UnixStream) {
    let refusal = match peer::identify(&stream) {
        Ok(known) => known
            .is_at_home()
            .err()
            .map(|mismatch| format!("the caller is inside a sandbox: {mismatch}")),
        Err(error) => Some(error.to_string()),
    };
    let service = service_fn(move |request| {
        let (registry, refusal) = (Rc::clone(&registry), refusal.clone());
        async move {
            let answer = match refusal {
                Some(reason) => Err(error(ErrorKind::Denied, reason)),
                None => handle(&registry, request).await,
            };
            Ok::<_, Infallible>(answer.unwrap_or_else(|error| render_error(&error)))
        }
    });
    if let Err(error) = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await
    {
        tracing::debug!("api connection: {error}");
    }
}

fn error(kind: ErrorKind, message: impl Into<String>) -> ApiError {
    ApiError {
        error: kind,
        message: message.into(),
        hint: None,
    }
}

async fn handle(registry: &Rc<Registry>, request: Request<Incoming>) -> Result<Response<Body>, ApiError> {
    if request.headers().contains_key(ORIGIN) {
        return Err(error(ErrorKind::Denied, "requests from web pages are refused"));
    }
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    if !HOSTS.contains(&host) {
        return Err(error(ErrorKind::Denied, "the Host must be `agentsh`"));
    }
    if terminal::is_wanted(&request) {
        return terminal::attach(registry, request).await;
    }
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY)
        .collect()
        .await
        .map_err(|cause| error(ErrorKind::Invalid, format!("reading the request: {cause}")))?
        .to_bytes();
    api::answer(registry, &head.method, head.uri.path(), &body).await
}

/// A 200 with JSON.
pub(super) fn json<T: Serialize>(value: &T) -> Result<Response<Body>, ApiError> {
    let text = serde_json::to_vec(value).map_err(|cause| error(ErrorKind::Failed, cause.to_string()))?;
    Ok(response(StatusCode::OK, text))
}

/// A 200 that goes on until one side ends it (server-sent events, WHATWG HTML 9.2).
pub(super) fn events(events: Events) -> Response<Body> {
    let mut response = Response::new(Either::Right(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn render_error(error: &ApiError) -> Response<Body> {
    let status = match error.error {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Ambiguous | ErrorKind::Refused => StatusCode::CONFLICT,
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    response(status, serde_json::to_vec(error).unwrap_or_default())
}

fn response(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(body))));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
