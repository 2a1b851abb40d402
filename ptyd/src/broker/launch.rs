//! One connection of `launch.sock`, from its first byte to its supervisor.

use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use agentsh_protocol::api::ApiError;
use agentsh_protocol::frame::{self, MAX_FRAME};
use agentsh_protocol::launch::{LaunchReply, LaunchRequest, Start};
use agentsh_protocol::{Bytes, VERSION};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::peer;
use super::registry::Registry;
use super::supervise::Supervisor;
use super::workspace;
use crate::foreign;

/// The longest request: it goes on to the supervisor in a frame that also says who asks.
const MAX_REQUEST: usize = MAX_FRAME - (4 << 10);

/// How long a caller may take to say what it wants.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// What is reserved for a request before it came, in bytes.
const RESERVED: usize = 64 << 10;

/// The variable by which a caller may ask for a session; honoured only where it contains the caller's folder.
const SESSION_VARIABLE: &[u8] = b"AGENTSH_SESSION_ID=";

/// Why a command is refused: one line.
struct Refused(String);

impl<E: std::fmt::Display> From<E> for Refused {
    fn from(error: E) -> Refused {
        Refused(error.to_string())
    }
}

/// Reads the request, finds the session and hands the connection over; or answers with the reason.
pub(super) async fn serve(registry: Rc<Registry>, mut stream: UnixStream) {
    if let Err(Refused(message)) = route(&registry, &mut stream).await {
        tracing::info!("refused: {message}");
        if let Ok(frame) = frame::encode(&LaunchReply::Refused { status: 126, message }) {
            // The caller may be gone; then nobody needs to know.
            let _ = stream.write_all(&frame).await;
        }
    }
}

async fn route(registry: &Rc<Registry>, stream: &mut UnixStream) -> Result<(), Refused> {
    let known = peer::identify(&*stream)?;
    let request = tokio::time::timeout(REQUEST_LIMIT, read_request(stream))
        .await
        .map_err(|_| Refused("the request did not come in time".into()))??;
    if request.version != VERSION {
        let hint = "`agentsh broker stop` ends the old broker";
        return Err(Refused(format!(
            "caller speaks protocol {}, this broker {VERSION}; {hint}",
            request.version
        )));
    }
    registry.refuse_if_killed().map_err(refusal)?;
    let supervisor = match find(registry, &request, known.peer.pid).map_err(refusal)? {
        Found::Running(supervisor) => supervisor,
        // A session is made for nobody who is going to be refused; what runs is its supervisor's to give.
        Found::ToBeMade(cwd) => {
            known
                .is_at_home()
                .map_err(|mismatch| Refused(foreign::refusal(&mismatch)))?;
            registry.make_around(cwd).await.map_err(refusal)?
        }
    };
    // The switch may have been set while a session was made.
    registry.refuse_if_killed().map_err(refusal)?;
    supervisor.launch(request, known.peer, stream.as_fd(), known.pidfd.as_fd())?;
    Ok(())
}

/// Whose session it is, or the folder that there is none around.
enum Found {
    Running(Rc<Supervisor>),
    ToBeMade(Option<PathBuf>),
}

fn find(registry: &Rc<Registry>, request: &LaunchRequest, pid: i32) -> Result<Found, ApiError> {
    match &request.start {
        Start::Exec { session, .. } => registry.find_running(session).map(Found::Running),
        Start::Shell { .. } => {
            let named = request.env.iter().find_map(|entry| named_session(entry));
            let cwd = workspace::cwd_of(pid);
            let running = registry.for_shim(cwd.as_deref(), named);
            Ok(running.map_or(Found::ToBeMade(cwd), Found::Running))
        }
    }
}

fn named_session(entry: &Bytes) -> Option<&str> {
    std::str::from_utf8(entry.0.strip_prefix(SESSION_VARIABLE)?).ok()
}

/// One line: what else there is to say stands in the log and in `agentsh policy validate`.
fn refusal(error: ApiError) -> Refused {
    if error.message.lines().count() > 1 {
        tracing::warn!("{}", error.message);
    }
    let first = error.message.lines().next().unwrap_or_default();
    Refused(match error.hint {
        Some(hint) => format!("{first} ({hint})"),
        None => first.to_owned(),
    })
}

async fn read_request(stream: &mut UnixStream) -> Result<LaunchRequest, Refused> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let length = u32::from_le_bytes(head) as usize;
    if length > MAX_REQUEST {
        return Err(Refused(format!(
            "a request of {length} bytes is over the limit of {MAX_REQUEST}"
        )));
    }
    // Grows with what arrives: a length alone reserves little.
    let mut payload = Vec::with_capacity(length.min(RESERVED));
    stream.take(length as u64).read_to_end(&mut payload).await?;
    if payload.len() < length {
        return Err(Refused(format!(
            "the request ends after {} of {length} bytes",
            payload.len()
        )));
    }
    serde_json::from_slice(&payload).map_err(|error| Refused(format!("the request is malformed: {error}")))
}
