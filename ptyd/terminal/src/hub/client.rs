use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use agentsh_protocol::terminal::{Decoder, FromClient, FromHub, Window};

/// Names a client of one hub.
pub type ClientId = u64;

/// Bytes that may wait for a client that is not the primary.
const MAX_QUEUE: usize = 1 << 20;
/// Bytes that wait for the primary before the command has to.
const PRIMARY_QUEUE: usize = 256 << 10;

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The terminal's own client: types unless another has taken over, decides the size under
    /// [`super::SizeRule::Fixed`], and makes the command wait. At most one.
    Primary,
    /// May type: does so if nobody else does, else after it took over.
    Writer,
    /// Only looks.
    Watcher,
}

/// How a client is connected.
#[derive(Debug)]
pub enum Io {
    /// A stream that speaks [`agentsh_protocol::terminal`].
    Framed(UnixStream),
    /// A terminal itself: its input and its output, both not blocking (see [`crate::pty::reopen`]). Its
    /// window and its wishes come through the [`super::Hub`].
    Raw {
        /// Read for what is typed, unless the client only looks.
        input: Option<OwnedFd>,
        /// Written to.
        output: OwnedFd,
    },
}

/// A client that joins.
#[derive(Debug)]
pub struct Joining {
    /// What it may do.
    pub role: Role,
    /// Its connection.
    pub io: Io,
    /// Its window, if it is known already.
    pub window: Option<Window>,
    /// It takes typing over at once.
    pub take: bool,
    /// It has seen everything so far (the primary at the start): no redraw.
    pub fresh: bool,
}

/// A client of the hub.
pub(super) struct Client {
    pub(super) id: ClientId,
    pub(super) role: Role,
    pub(super) window: Option<Window>,
    pub(super) active: u64,
    io: Io,
    decoder: Decoder,
    queue: VecDeque<Vec<u8>>,
    queued: usize,
    /// How much of the queue's first entry is written.
    sent: usize,
    /// It missed output and needs a redraw once its queue is empty.
    pub(super) behind: bool,
    /// The rows that it shows, if it is of another size than the terminal.
    pub(super) frame: Option<Vec<Vec<u8>>>,
    pub(super) gone: Option<super::Gone>,
    /// It was told to leave.
    pub(super) left: bool,
}

impl Client {
    pub(super) fn new(id: ClientId, joining: Joining) -> io::Result<Client> {
        if let Io::Framed(stream) = &joining.io {
            stream.set_nonblocking(true)?;
        }
        Ok(Client {
            id,
            role: joining.role,
            window: joining.window,
            active: 0,
            io: joining.io,
            decoder: Decoder::default(),
            queue: VecDeque::new(),
            queued: 0,
            sent: 0,
            behind: !joining.fresh,
            frame: None,
            gone: None,
            left: false,
        })
    }

    /// Whether the command has to wait for this client.
    pub(super) fn holds_up(&self) -> bool {
        self.role == Role::Primary && self.queued > PRIMARY_QUEUE
    }

    pub(super) fn idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Queues output, or drops all that waits if it is too much.
    pub(super) fn output(&mut self, bytes: &[u8]) {
        if self.behind || bytes.is_empty() {
            return;
        }
        if self.role != Role::Primary && self.queued + bytes.len() > MAX_QUEUE {
            self.drop_behind();
            return;
        }
        match &self.io {
            Io::Framed(_) => self.message(&FromHub::Output(bytes.to_vec())),
            Io::Raw { output, .. } => {
                // Straight through if nothing waits.
                let written = if self.queue.is_empty() {
                    write(output.as_fd(), bytes)
                } else {
                    Ok(0)
                };
                match written {
                    Ok(count) => self.queue(bytes[count..].to_vec()),
                    Err(_) => self.gone = Some(super::Gone::Lost),
                }
            }
        }
    }

    /// Queues a redraw.
    pub(super) fn redraw(&mut self, bytes: Vec<u8>) {
        self.behind = false;
        match &self.io {
            Io::Framed(_) => self.message(&FromHub::Redraw(bytes)),
            Io::Raw { .. } => self.queue(bytes),
        }
    }

    /// Queues what a client that is behind is told along with its redraw.
    pub(super) fn tell(&mut self, message: &FromHub) {
        if !self.behind {
            self.message(message);
        }
    }

    /// Queues the last message.
    pub(super) fn leave(&mut self, order: &[u8]) {
        if !self.left {
            // The primary's terminal is the command's own, and stays as the command leaves it.
            let bytes = if self.role == Role::Primary {
                Vec::new()
            } else {
                order.to_vec()
            };
            self.message(&FromHub::Leave(bytes));
            self.left = true;
        }
    }

    /// Queues a message, which a raw client cannot be told; output and leave-taking it can.
    pub(super) fn message(&mut self, message: &FromHub) {
        match (&self.io, message) {
            (Io::Framed(_), _) => {
                let mut bytes = Vec::new();
                message.encode(&mut bytes);
                self.queue(bytes);
            }
            (Io::Raw { .. }, FromHub::Output(bytes) | FromHub::Leave(bytes)) => self.queue(bytes.clone()),
            (Io::Raw { .. }, _) => {}
        }
    }

    fn queue(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.queued += bytes.len();
            self.queue.push_back(bytes);
        }
    }

    /// Forgets what waits, save the entry that is partly sent.
    fn drop_behind(&mut self) {
        self.queue.truncate(usize::from(self.sent > 0));
        self.queued = self.queue.iter().map(Vec::len).sum();
        self.behind = true;
        self.frame = None;
    }

    /// Writes what the client takes now.
    pub(super) fn flush(&mut self) {
        while let Some(front) = self.queue.front() {
            let rest = &front[self.sent..];
            let written = match &self.io {
                Io::Framed(stream) => send(stream, rest),
                Io::Raw { output, .. } => write(output.as_fd(), rest),
            };
            match written {
                Ok(0) => return,
                Ok(count) => self.sent += count,
                Err(_) => {
                    self.gone = Some(super::Gone::Lost);
                    return;
                }
            }
            if self.sent == front.len() {
                self.queued -= front.len();
                self.queue.pop_front();
                self.sent = 0;
            }
        }
    }

    /// Reads what the client says; a raw client says only what is typed.
    pub(super) fn read(&mut self) -> Vec<FromClient> {
        let mut buffer = [0; 16 << 10];
        let Some(readable) = self.readable() else {
            return Vec::new();
        };
        let bytes = match rustix::io::read(readable, &mut buffer) {
            Ok(count) if count > 0 => &buffer[..count],
            Err(error) if again(error) => return Vec::new(),
            Ok(_) | Err(_) => {
                self.gone = Some(super::Gone::Lost);
                return Vec::new();
            }
        };
        if let Io::Raw { .. } = self.io {
            return vec![FromClient::Input(bytes.to_vec())];
        }
        self.decoder.push(bytes);
        let mut frames = Vec::new();
        loop {
            match self.decoder.from_client() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return frames,
                Err(_) => {
                    self.gone = Some(super::Gone::Broken);
                    return frames;
                }
            }
        }
    }

    /// Where the client is read, if it is.
    pub(super) fn readable(&self) -> Option<BorrowedFd<'_>> {
        match &self.io {
            Io::Framed(stream) => Some(stream.as_fd()),
            Io::Raw { input, .. } => input
                .as_ref()
                .filter(|_| self.role != Role::Watcher)
                .map(OwnedFd::as_fd),
        }
    }

    /// Where it is written to.
    pub(super) fn writable(&self) -> BorrowedFd<'_> {
        match &self.io {
            Io::Framed(stream) => stream.as_fd(),
            Io::Raw { output, .. } => output.as_fd(),
        }
    }
}

pub(super) fn again(error: rustix::io::Errno) -> bool {
    matches!(error, rustix::io::Errno::AGAIN | rustix::io::Errno::INTR)
}

/// Sends what is taken at once; a closed connection is an error and no signal.
fn send(stream: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    match rustix::net::send(stream, bytes, rustix::net::SendFlags::NOSIGNAL) {
        Err(error) if again(error) => Ok(0),
        other => Ok(other?),
    }
}

/// Writes what is taken at once; 0 if nothing is.
pub(super) fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    if bytes.is_empty() {
        return Ok(0);
    }
    match rustix::io::write(fd, bytes) {
        Err(error) if again(error) => Ok(0),
        other => Ok(other?),
    }
}
