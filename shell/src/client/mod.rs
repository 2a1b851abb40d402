//! A small client of `api.sock`: one request, one connection. Synchronous, because `exec` is run for every command of an
//! agent and an asynchronous runtime would cost more than the request.

mod connection;
#[cfg(test)]
pub mod fake;
mod http;
mod peer;
mod start;
#[cfg(test)]
mod tests;

pub use connection::{Connection, Silence};
pub use start::{Starter, beside_us};

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

use agentsh_protocol::api::ApiError;
use agentsh_protocol::places;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why the broker (or, inside a session, the supervisor) was not asked, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no broker answers at {path}")]
    NoBroker { path: PathBuf },
    #[error("{path} belongs to user {uid}, not to you: not used")]
    Foreign { path: PathBuf, uid: u32 },
    #[error("{0}")]
    Place(#[from] places::PlaceError),
    #[error("the broker {program} did not start: {reason}")]
    NotStarted { program: PathBuf, reason: String },
    #[error("{0}")]
    Silent(Silence),
    #[error("asking the broker at {path}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the broker's answer is not understood: {reason}")]
    Answer { reason: String },
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// An open WebSocket.
pub type Socket = tungstenite::WebSocket<Connection>;

/// Somebody who answers on `api.sock`.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    uid: u32,
}

impl Client {
    /// The broker of `uid`, started if there is none (a person may where the configuration says that nobody else does).
    pub fn reach(uid: u32, starter: Starter) -> Result<Client, ClientError> {
        if let Some(client) = Client::find(uid)? {
            return Ok(client);
        }
        start::broker(starter)?;
        Client::find(uid)?.ok_or_else(|| ClientError::NotStarted {
            program: places::BROKER_PROGRAM.into(),
            reason: "it ended before it listened; `agentsh logs` shows why".to_owned(),
        })
    }

    /// The broker of `uid` if one listens.
    pub fn find(uid: u32) -> Result<Option<Client>, ClientError> {
        let client = Client {
            socket: places::api_socket(uid),
            uid,
        };
        match client.connect() {
            Ok(_) => Ok(Some(client)),
            Err(ClientError::NoBroker { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `GET path`.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.request("GET", path, None)
    }

    /// `GET path` whose answer is server-sent events. Once this returns the broker has answered, and nothing is missed.
    pub fn events(&self, path: &str) -> Result<Events, ClientError> {
        let events = http::events(self.connect()?, path).map_err(|source| self.io(source))?;
        Ok(Events {
            client: self.clone(),
            events,
        })
    }

    /// A WebSocket at `path` (RFC 6455).
    pub fn web_socket(&self, path: &str) -> Result<Socket, ClientError> {
        let answer = |reason: String| ClientError::Answer { reason };
        let request = tungstenite::http::Request::builder()
            .uri(format!("ws://agentsh{path}"))
            .header("Host", "agentsh")
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", tungstenite::handshake::client::generate_key())
            .body(())
            .map_err(|error| answer(error.to_string()))?;
        match tungstenite::client(request, self.connect()?) {
            Ok((mut socket, _)) => {
                socket.get_mut().wait_for_ever();
                Ok(socket)
            }
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) => {
                let told = response
                    .body()
                    .as_deref()
                    .and_then(|body| serde_json::from_slice(body).ok());
                Err(told.map_or_else(
                    || answer(format!("HTTP status {}", response.status())),
                    ClientError::Api,
                ))
            }
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Io(source))) => Err(self.io(source)),
            Err(error) => Err(answer(error.to_string())),
        }
    }

    /// `DELETE path`.
    pub fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.request("DELETE", path, None)
    }

    /// `POST path` with `body` as JSON.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| ClientError::Answer {
            reason: error.to_string(),
        })?;
        self.request("POST", path, Some(&body))
    }

    fn request<T: DeserializeOwned>(&self, method: &str, path: &str, body: Option<&[u8]>) -> Result<T, ClientError> {
        let stream = self.connect()?;
        let answer = http::exchange(stream, method, path, body).map_err(|source| self.io(source))?;
        if (200..300).contains(&answer.status) {
            // An answer without a body is the answer "done".
            let text: &[u8] = if answer.body.is_empty() { b"null" } else { &answer.body };
            return serde_json::from_slice(text).map_err(|error| ClientError::Answer {
                reason: error.to_string(),
            });
        }
        Err(serde_json::from_slice::<ApiError>(&answer.body).map_or_else(
            |_| ClientError::Answer {
                reason: format!("HTTP status {}", answer.status),
            },
            ClientError::Api,
        ))
    }

    fn connect(&self) -> Result<Connection, ClientError> {
        let connection = Connection::open(&self.socket).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NoBroker {
                path: self.socket.clone(),
            },
            _ => self.io(source),
        })?;
        peer::check(connection.stream(), &self.socket, self.uid)?;
        Ok(connection)
    }

    fn io(&self, source: io::Error) -> ClientError {
        let path = self.socket.clone();
        match Silence::of(&source) {
            Some(Silence::Stopped(pid)) => ClientError::Silent(Silence::Stopped(*pid)),
            Some(Silence::Stuck) => ClientError::Silent(Silence::Stuck),
            None => ClientError::Io { path, source },
        }
    }
}

/// What a broker tells until it ends.
pub struct Events {
    client: Client,
    events: http::Events,
}

impl Events {
    /// `each` is given the data of one after the other, until it says stop or the broker ends.
    pub fn each<T: DeserializeOwned>(self, mut each: impl FnMut(T) -> ControlFlow<()>) -> Result<(), ClientError> {
        let all = self.events.each(|data| match serde_json::from_str(data) {
            Ok(event) => each(event),
            // A change that this version does not know.
            Err(_) => ControlFlow::Continue(()),
        });
        all.map_err(|source| self.client.io(source))
    }
}

/// `/v1/sessions/NAME…` with the parts made safe for a request line.
pub fn path(parts: &[&str]) -> String {
    parts
        .iter()
        .fold("/v1".to_owned(), |path, part| path + "/" + &http::escape(part))
}
