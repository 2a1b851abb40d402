//! `GET /v1/sessions/ID/commands/CID/terminal` and `…/watch`: a command's terminal over a WebSocket (RFC 6455). Its
//! binary messages, one after the other, are the stream that `agentsh_protocol::terminal` describes.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::rc::Rc;

use agentsh_protocol::api::{ApiError, ErrorKind};
use agentsh_protocol::control::Call;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};

use super::http::Body;
use super::path;
use super::registry::{Registry, api_error};

/// The longest message that a client may send.
const MAX_MESSAGE: usize = 1 << 20;

/// Read from the hub at a time.
const CHUNK: usize = 64 << 10;

/// Whether the request is for a WebSocket.
pub(super) fn is_wanted(request: &Request<Incoming>) -> bool {
    request.method() == Method::GET
        && header(request, &UPGRADE).is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

fn header<'a>(request: &'a Request<Incoming>, name: &HeaderName) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

/// Hands one end of a connection to the session's supervisor and carries bytes between it and the client.
pub(super) async fn attach(registry: &Rc<Registry>, request: Request<Incoming>) -> Result<Response<Body>, ApiError> {
    let invalid = |what: &str| api_error(ErrorKind::Invalid, what);
    let path = request.uri().path().to_owned();
    let parts = path::parts(&path)?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let [
        "v1",
        "sessions",
        session,
        "commands",
        command,
        what @ ("terminal" | "watch"),
    ] = parts.as_slice()
    else {
        return Err(api_error(ErrorKind::NotFound, format!("{path}: no such WebSocket")));
    };
    if header(&request, &SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(invalid("the WebSocket version must be 13"));
    }
    let accept = header(&request, &SEC_WEBSOCKET_KEY)
        .map(|key| derive_accept_key(key.as_bytes()))
        .ok_or_else(|| invalid("the WebSocket has no key"))?;
    let accept = HeaderValue::from_str(&accept).map_err(|_| invalid("the WebSocket's key is malformed"))?;
    let failed = |error: std::io::Error| api_error(ErrorKind::Failed, error);
    let (ours, theirs) = StdStream::pair().map_err(failed)?;
    ours.set_nonblocking(true).map_err(failed)?;
    let ours = UnixStream::from_std(ours).map_err(failed)?;
    let call = Call::Attach {
        command: (*command).to_owned(),
        watch: *what == "watch",
    };
    registry
        .find_running(session)?
        .call_with(call, &[OwnedFd::from(theirs)])
        .await?;
    tokio::task::spawn_local(async move {
        if let Err(error) = relay(request, ours).await {
            tracing::debug!("a terminal's client: {error}");
        }
    });
    let mut response = Response::new(Either::Left(Full::default()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

async fn relay(request: Request<Incoming>, mut hub: UnixStream) -> Result<(), Box<dyn std::error::Error>> {
    let upgraded = hyper::upgrade::on(request).await?;
    let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE));
    let mut client = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let mut buffer = vec![0; CHUNK];
    loop {
        tokio::select! {
            count = hub.read(&mut buffer) => match count? {
                0 => return Ok(client.close(None).await?),
                // A client that takes nothing holds this task up, and the hub then skips it.
                count => client.send(Message::binary(buffer[..count].to_vec())).await?,
            },
            message = client.next() => match message {
                Some(Ok(Message::Binary(bytes))) => hub.write_all(&bytes).await?,
                Some(Ok(Message::Close(_)) | Err(tungstenite::Error::ConnectionClosed)) | None => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
            },
        }
    }
}
