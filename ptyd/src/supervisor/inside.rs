//! What processes of the session are answered when they ask the broker's sockets: who they are, and
//! why something was denied. Nothing else.

use std::convert::Infallible;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use agentsh_intercept::OwnSocket;
use agentsh_protocol::Bytes;
use agentsh_protocol::api::{ApiError, ErrorKind, SelfInfo, Why};
use agentsh_protocol::frame::{self, MAX_FRAME};
use agentsh_protocol::launch::{LaunchReply, LaunchRequest, Start};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;

use super::session::Session;
use super::shells;

/// How long a caller may take to say what it wants.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// With how many of them it is talked at once: whoever comes beyond that finds the connection closed.
const MOST_TALKS: usize = 256;

/// What is longer than this is read only where there is room for it: for two requests of the largest kind, in KiB.
const SHORT: usize = 64 << 10;
const MOST_READ: usize = (2 * MAX_FRAME) >> 10;

/// The record is read for one of them at a time, and apart from what the session's commands wait for.
static READING: Semaphore = Semaphore::const_new(1);

static TALKS: Semaphore = Semaphore::const_new(MOST_TALKS);
static ROOM: Semaphore = Semaphore::const_new(MOST_READ);

/// Most denials that one answer holds.
const MOST_DENIALS: usize = 100;

/// Who asks, as the notified connect told.
#[derive(Debug, Clone)]
pub(crate) struct Insider {
    pub command: String,
    pub tid: i32,
}

/// Answers one connection, on a task of its own.
pub(super) fn accept(
    session: &Arc<Session>,
    socket: OwnSocket,
    stream: std::os::unix::net::UnixStream,
    insider: Insider,
) {
    let stream = stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
    let Ok(talk) = TALKS.try_acquire() else {
        tracing::warn!(tid = insider.tid, "a connection from inside is one too many");
        return;
    };
    match stream {
        Ok(stream) => {
            let served = serve(Arc::clone(session), socket, stream, insider);
            tokio::task::spawn_local(async move {
                served.await;
                drop(talk);
            });
        }
        Err(error) => tracing::error!("a connection from inside: {error}"),
    }
}

async fn serve(session: Arc<Session>, socket: OwnSocket, stream: UnixStream, insider: Insider) {
    match socket {
        OwnSocket::Launch => launch(&session, stream, &insider).await,
        OwnSocket::Api => api(session, stream, insider).await,
    }
}

/// A stand-in shell inside a session is inside every wall already: it becomes the real shell at once.
async fn launch(session: &Session, mut stream: UnixStream, insider: &Insider) {
    let reply = match tokio::time::timeout(REQUEST_LIMIT, read_request(&mut stream)).await {
        Ok(Ok(request)) => answer(session, &request, insider),
        Ok(Err(message)) => LaunchReply::Refused { status: 126, message },
        Err(_) => return,
    };
    if let Ok(frame) = frame::encode(&reply) {
        // The caller may be gone; then nobody needs to know.
        let _ = stream.write_all(&frame).await;
    }
}

fn answer(session: &Session, request: &LaunchRequest, insider: &Insider) -> LaunchReply {
    let Start::Shell { name } = &request.start else {
        let message = "agentsh exec works from outside of a session only".to_owned();
        return LaunchReply::Refused { status: 126, message };
    };
    let stand_in = PathBuf::from(format!("/proc/{}/exe", insider.tid));
    match shells::real_shell(name.as_deref(), &session.config.shim, &stand_in) {
        Ok(program) => LaunchReply::Exec {
            program: Bytes::from(program.as_path()),
        },
        Err(error) => LaunchReply::Refused {
            status: 127,
            message: error.to_string(),
        },
    }
}

async fn read_request(stream: &mut UnixStream) -> Result<LaunchRequest, String> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.map_err(|error| error.to_string())?;
    let length = u32::from_le_bytes(head) as usize;
    if length > MAX_FRAME {
        return Err(format!("a request of {length} bytes is over the limit of {MAX_FRAME}"));
    }
    let room = match length > SHORT {
        true => Some(ROOM.acquire_many((length >> 10) as u32).await),
        false => None,
    };
    let mut payload = Vec::with_capacity(length);
    stream
        .take(length as u64)
        .read_to_end(&mut payload)
        .await
        .map_err(|error| error.to_string())?;
    let request = serde_json::from_slice(&payload).map_err(|error| format!("the request is malformed: {error}"));
    drop(room);
    request
}

async fn api(session: Arc<Session>, stream: UnixStream, insider: Insider) {
    let insider = Rc::new(insider);
    let service = service_fn(move |request| {
        let (session, insider) = (Arc::clone(&session), Rc::clone(&insider));
        async move { Ok::<_, Infallible>(respond(&session, &insider, &request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = tokio::time::timeout(REQUEST_LIMIT, connection).await {
        tracing::debug!("inside api connection: {error}");
    }
}

async fn respond(
    session: &Arc<Session>,
    insider: &Insider,
    request: &Request<Incoming>,
) -> Response<Full<hyper::body::Bytes>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/v1/self") => json(StatusCode::OK, &own(session, insider)),
        (&Method::GET, "/v1/self/why") => json(StatusCode::OK, &why(session, insider).await),
        _ => {
            let message = "inside a session only its own policy and denials are told".to_owned();
            let hint = "`agentsh policy show` and `agentsh why` ask for them (GET /v1/self and /v1/self/why); all else is \
                        for whoever runs the session";
            json(
                StatusCode::FORBIDDEN,
                &ApiError {
                    error: ErrorKind::Denied,
                    message,
                    hint: Some(hint.to_owned()),
                },
            )
        }
    }
}

fn own(session: &Session, insider: &Insider) -> SelfInfo {
    let rules = session.rules();
    SelfInfo {
        session_id: session.id.clone(),
        command_id: insider.command.clone(),
        workspace: session.workspace.as_deref().map(Bytes::from),
        policy: rules.policy.name().to_owned(),
        policy_text: rules.policy.text(),
    }
}

/// The denials of the asker's own command, newest first, then those of the session's others.
async fn why(session: &Arc<Session>, insider: &Insider) -> Why {
    let turn = READING.acquire().await;
    let (reader, command) = (Arc::clone(session), insider.command.clone());
    let read = tokio::task::spawn_blocking(move || reader.denials_of(&command, MOST_DENIALS)).await;
    drop(turn);
    let denials = read
        .unwrap_or_else(|error| Err(error.to_string()))
        .unwrap_or_else(|error| {
            tracing::error!("reading the record: {error}");
            Vec::new()
        });
    Why { denials }
}

fn json<T: Serialize>(status: StatusCode, value: &T) -> Response<Full<hyper::body::Bytes>> {
    let mut response = Response::new(Full::from(serde_json::to_vec(value).unwrap_or_default()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
