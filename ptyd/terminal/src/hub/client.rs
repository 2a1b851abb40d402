use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use agentsh_protocol::terminal::{Cooked, Decoder, FromClient, FromHub, SizeRule, Window};

use crate::pty::Settings;

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
    /// The primary's: what is printed goes to its terminal itself, not blocking (see
    /// [`crate::pty::reopen`]); everything else is said over the stream. The terminal outlives the stream:
    /// what is printed after the command's end still appears on it.
    Terminal {
        /// As for [`Io::Framed`].
        control: UnixStream,
        /// Written to.
        output: OwnedFd,
        /// What it is to be set to if its relay is killed.
        before: Settings,
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
    /// The rule that it asks for, and when it did; greater is later.
    pub(super) size_rule: Option<(u64, SizeRule)>,
    io: Link,
    decoder: Decoder,
    queue: VecDeque<Vec<u8>>,
    queued: usize,
    /// How much of the queue's first entry is written.
    sent: usize,
    /// How much was written in all.
    pub(super) written: u64,
    /// It missed output and needs a redraw once its queue is empty.
    pub(super) behind: bool,
    /// The rows that it shows, if it is of another size than the terminal.
    pub(super) frame: Option<Vec<Vec<u8>>>,
    pub(super) gone: Option<super::Gone>,
    /// It was told to leave.
    pub(super) left: bool,
    /// Said to a client with a terminal once everything is printed.
    last: Vec<u8>,
}

/// How a client is reached now.
enum Link {
    Framed(UnixStream),
    Terminal {
        /// `None` once the command's end was told and the relay is gone.
        control: Option<UnixStream>,
        /// `None` once the terminal is nothing of ours any more.
        output: Option<OwnedFd>,
        cooked: Option<Cooked>,
        before: Settings,
    },
}

impl Client {
    pub(super) fn new(id: ClientId, joining: Joining) -> io::Result<Client> {
        let (Io::Framed(stream) | Io::Terminal { control: stream, .. }) = &joining.io;
        stream.set_nonblocking(true)?;
        let io = match joining.io {
            Io::Framed(stream) => Link::Framed(stream),
            Io::Terminal {
                control,
                output,
                before,
            } => Link::Terminal {
                control: Some(control),
                output: Some(output),
                cooked: Some(Cooked::default()),
                before,
            },
        };
        Ok(Client {
            id,
            role: joining.role,
            window: joining.window,
            active: 0,
            size_rule: None,
            io,
            decoder: Decoder::default(),
            queue: VecDeque::new(),
            queued: 0,
            sent: 0,
            written: 0,
            behind: !joining.fresh,
            frame: None,
            gone: None,
            left: false,
            last: Vec::new(),
        })
    }

    /// Whether the command has to wait for this client.
    pub(super) fn holds_up(&self) -> bool {
        self.role == Role::Primary && self.queued > PRIMARY_QUEUE
    }

    pub(super) fn idle(&self) -> bool {
        self.queue.is_empty() && self.last.is_empty()
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
        match &mut self.io {
            Link::Framed(_) => self.message(&FromHub::Output(bytes.to_vec())),
            Link::Terminal { output, cooked, .. } => {
                let Some(output) = output else { return };
                let changed;
                let bytes = match cooked {
                    None => bytes,
                    Some(cooked) => {
                        changed = cooked.undo(bytes);
                        &changed[..]
                    }
                };
                // Straight through if nothing waits.
                let written = if self.queue.is_empty() {
                    write(output.as_fd(), bytes)
                } else {
                    Ok(0)
                };
                match written {
                    Ok(count) => {
                        self.written += count as u64;
                        self.queue(bytes[count..].to_vec());
                    }
                    Err(_) => self.gone = Some(super::Gone::HungUp),
                }
            }
        }
    }

    /// The client's terminal is raw now, or not: then it makes a carriage return of its own for each line.
    pub(super) fn set_raw(&mut self, raw: bool) {
        if let Link::Terminal { cooked, .. } = &mut self.io {
            let held = cooked.take().map(Cooked::rest).unwrap_or_default();
            *cooked = (!raw).then(Cooked::default);
            self.queue(held.to_vec());
            self.flush();
        }
    }

    /// The command has ended, and everything that it printed is queued. Nobody has its terminal open any more
    /// if it is `closed`.
    pub(super) fn end(&mut self, status: i32, closed: bool) {
        match &mut self.io {
            Link::Framed(_) => {
                self.tell(&FromHub::Exit(status));
                if closed && self.role == Role::Primary && !self.behind {
                    // In one piece with it: a relay that hears nothing of the kind stays for what comes later.
                    self.leave(&[]);
                }
            }
            Link::Terminal { cooked, .. } => {
                let held = cooked
                    .as_mut()
                    .map(std::mem::take)
                    .map(Cooked::rest)
                    .unwrap_or_default();
                self.queue(held.to_vec());
                FromHub::Exit(status).encode(&mut self.last);
                // What comes later is printed from here.
                FromHub::Leave(Vec::new()).encode(&mut self.last);
                self.left |= closed;
                self.flush();
            }
        }
    }

    /// Nobody is there any more. A relay that was killed has left its terminal raw.
    fn lost(&mut self) {
        if let Link::Terminal {
            control: Some(_),
            output: Some(output),
            cooked: None,
            before,
        } = &self.io
        {
            // A terminal that is gone needs no settings.
            let _ = before.apply(output.as_fd());
        }
        self.gone = Some(super::Gone::Lost);
    }

    /// Queues a redraw.
    pub(super) fn redraw(&mut self, bytes: Vec<u8>) {
        self.behind = false;
        match &self.io {
            Link::Framed(_) => self.message(&FromHub::Redraw(bytes)),
            Link::Terminal { .. } => self.queue(bytes),
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

    /// Queues a message; of a client with a terminal only output concerns it.
    pub(super) fn message(&mut self, message: &FromHub) {
        match (&self.io, message) {
            (Link::Framed(_), _) => {
                let mut bytes = Vec::new();
                message.encode(&mut bytes);
                self.queue(bytes);
            }
            (Link::Terminal { .. }, FromHub::Output(bytes) | FromHub::Leave(bytes)) => self.queue(bytes.clone()),
            (Link::Terminal { .. }, _) => {}
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
                Link::Framed(stream) => send(stream, rest),
                Link::Terminal {
                    output: Some(output), ..
                } => write(output.as_fd(), rest),
                Link::Terminal { output: None, .. } => Ok(rest.len()),
            };
            match written {
                Ok(0) => return,
                Ok(count) => {
                    self.sent += count;
                    self.written += count as u64;
                }
                Err(_) => {
                    self.gone = Some(match self.io {
                        Link::Framed(_) => super::Gone::Lost,
                        Link::Terminal { .. } => super::Gone::HungUp,
                    });
                    return;
                }
            }
            if self.sent == front.len() {
                self.queued -= front.len();
                self.queue.pop_front();
                self.sent = 0;
            }
        }
        self.say_last();
    }

    /// How much will have been written once everything that is queued now is.
    pub(super) fn written_then(&self) -> u64 {
        match self.io {
            // What is said comes behind it.
            Link::Framed(_) => 0,
            Link::Terminal { .. } => self.written + (self.queued - self.sent) as u64,
        }
    }

    /// Says something to the relay, past the queue of what is printed if that goes elsewhere; whether it was said. One
    /// that has ended needs to hear nothing.
    pub(super) fn tell_relay(&mut self, what: &FromHub) -> bool {
        match &self.io {
            Link::Framed(_) => {
                self.message(what);
                true
            }
            Link::Terminal { control: None, .. } => false,
            Link::Terminal {
                control: Some(control), ..
            } => {
                let mut bytes = Vec::new();
                what.encode(&mut bytes);
                // A socket whose reader waits takes so few bytes whole or not at all.
                send(control, &bytes).is_ok_and(|count| count == bytes.len())
            }
        }
    }

    /// Everything is printed: the relay may end. Before it does, its terminal is closed here if nobody prints any
    /// more, as it would be if the command had had it.
    fn say_last(&mut self) {
        let Link::Terminal {
            control,
            output,
            cooked,
            ..
        } = &mut self.io
        else {
            return;
        };
        if self.last.is_empty() {
            return;
        }
        if self.left {
            *output = None;
        }
        // The relay puts the terminal back: from then on that makes the line ends again.
        cooked.get_or_insert_default();
        // A relay that died before has nobody to tell. So few bytes are always taken.
        if let Some(stream) = control.take() {
            let _ = send(&stream, &self.last);
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
        self.last.clear();
    }

    /// Reads what the client says.
    pub(super) fn read(&mut self) -> Vec<FromClient> {
        let mut buffer = [0; 16 << 10];
        let Some(readable) = self.readable() else {
            return Vec::new();
        };
        let bytes = match rustix::io::read(readable, &mut buffer) {
            Ok(count) if count > 0 => &buffer[..count],
            Err(error) if again(error) => return Vec::new(),
            Ok(_) | Err(_) => {
                self.lost();
                return Vec::new();
            }
        };
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
            Link::Framed(stream) => Some(stream.as_fd()),
            Link::Terminal { control, .. } => control.as_ref().map(AsFd::as_fd),
        }
    }

    /// Where it is written to.
    pub(super) fn writable(&self) -> Option<BorrowedFd<'_>> {
        match &self.io {
            Link::Framed(stream) => Some(stream.as_fd()),
            Link::Terminal { output, .. } => output.as_ref().map(AsFd::as_fd),
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
