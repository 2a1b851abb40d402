//! The connection to the hub.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use agentsh_protocol::terminal::{Decoder, FromClient, FromHub};
use tungstenite::Message;

use crate::client::Socket;
use crate::error::Error;

/// Frames over messages.
pub(super) struct Link {
    socket: Socket,
    decoder: Decoder,
    /// Something is not sent yet.
    pub pending: bool,
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::io("the connection to the terminal", io::Error::other(error))
}

impl Link {
    pub(super) fn new(socket: Socket) -> Result<Link, Error> {
        socket.get_ref().stream().set_nonblocking(true).map_err(broken)?;
        Ok(Link {
            socket,
            decoder: Decoder::default(),
            pending: false,
        })
    }

    pub(super) fn say(&mut self, what: &FromClient) -> Result<(), Error> {
        let mut bytes = Vec::new();
        what.encode(&mut bytes);
        let sent = self.socket.write(Message::binary(bytes));
        self.sent(sent)?;
        self.flush()
    }

    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let flushed = self.socket.flush();
        self.sent(flushed)
    }

    fn sent(&mut self, result: tungstenite::Result<()>) -> Result<(), Error> {
        self.pending = match result {
            Ok(()) => false,
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(error) => return Err(broken(error)),
        };
        Ok(())
    }

    /// Everything that has come; `None` at the end of the connection.
    pub(super) fn hear(&mut self) -> Result<Option<Vec<FromHub>>, Error> {
        let mut heard = Vec::new();
        loop {
            match self.socket.read() {
                Ok(Message::Binary(bytes)) => self.decoder.push(&bytes),
                Ok(Message::Close(_)) => return Ok(None),
                Ok(_) => continue,
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Some(heard));
                }
                Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => return Ok(None),
                Err(error) => return Err(broken(error)),
            }
            while let Some(frame) = self.decoder.from_hub().map_err(broken)? {
                let last = matches!(frame, FromHub::Leave(_));
                heard.push(frame);
                if last {
                    return Ok(Some(heard));
                }
            }
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.get_ref().as_fd()
    }
}
