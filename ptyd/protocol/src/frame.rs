//! Length-prefixed JSON frames over a stream socket, with descriptors by `SCM_RIGHTS`.
//!
//! A frame is a 32-bit little-endian length and that many bytes of JSON (see `unix(7)` for the
//! descriptors, which travel with the first byte of the length).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest payload, in bytes. A larger one is refused before it is read.
pub const MAX_FRAME: usize = 16 << 20;

/// Most descriptors that one frame carries.
pub const MAX_FDS: usize = 16;

/// Why a frame could not be sent or received.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The peer closed the connection between two frames.
    #[error("the peer closed the connection")]
    Closed,
    /// The peer closed the connection, or vanished, inside a frame.
    #[error("the frame ends after {got} of {want} bytes")]
    Truncated { got: usize, want: usize },
    /// The announced or given length is over [`MAX_FRAME`].
    #[error("a frame of {0} bytes is over the limit of {MAX_FRAME}")]
    TooLarge(usize),
    /// The payload is not the JSON that was expected here.
    #[error("the frame is not a message of this protocol: {0}")]
    Malformed(#[from] serde_json::Error),
    /// More descriptors than the frame may carry; all were closed.
    #[error("the frame carries too many descriptors")]
    TooManyDescriptors,
    /// A system call failed.
    #[error("{call}: {source}")]
    Io { call: &'static str, source: io::Error },
}

fn io_error(call: &'static str) -> impl FnOnce(Errno) -> FrameError {
    move |errno| FrameError::Io {
        call,
        source: errno.into(),
    }
}

/// Encodes a message as the bytes of one frame.
pub fn encode<M: Serialize>(message: &M) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len() - 4;
    if length > MAX_FRAME {
        return Err(FrameError::TooLarge(length));
    }
    frame[..4].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(frame)
}

/// Sends one message and the descriptors that belong to it. Blocks until all is sent.
pub fn send<M: Serialize>(socket: impl AsFd, message: &M, fds: &[BorrowedFd<'_>]) -> Result<(), FrameError> {
    send_encoded(socket, &encode(message)?, fds)
}

/// Sends a frame made by [`encode`], or one that was received as it is.
pub fn send_encoded(socket: impl AsFd, frame: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), FrameError> {
    if fds.len() > MAX_FDS {
        return Err(FrameError::TooManyDescriptors);
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(FrameError::TooManyDescriptors);
    }
    let mut sent = 0;
    while sent < frame.len() {
        match sendmsg(
            &socket,
            &[IoSlice::new(&frame[sent..])],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        ) {
            Ok(count) => {
                sent += count;
                ancillary.clear();
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(io_error("sendmsg")(errno)),
        }
    }
    Ok(())
}

/// Waits until something can be received, at most `limit`. A receiver that sleeps in poll(2) is not woken when its peer
/// reads what it had sent; one that sleeps in recvmsg(2) is, for nothing.
pub fn await_input(socket: impl AsFd, limit: Option<Duration>) -> Result<(), FrameError> {
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    loop {
        match poll(&mut [PollFd::new(&socket, PollFlags::IN)], limit.as_ref()) {
            Ok(0) => return Err(io_error("poll")(Errno::TIMEDOUT)),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(io_error("poll")(errno)),
        }
    }
}

/// Receives one message and its descriptors (close-on-exec). Blocks until the frame is whole.
pub fn receive<M: DeserializeOwned>(socket: impl AsFd) -> Result<(M, Vec<OwnedFd>), FrameError> {
    let (payload, fds) = receive_raw(socket)?;
    Ok((serde_json::from_slice(&payload)?, fds))
}

/// Receives one message and the pid of the process that wrote its first byte, as the kernel says it: the
/// socket must have `SO_PASSCRED` (unix(7)).
pub fn receive_from<M: DeserializeOwned>(socket: impl AsFd) -> Result<(M, i32), FrameError> {
    let (payload, Ancillary { sender, .. }) = receive_all(socket)?;
    let sender = sender.ok_or(FrameError::Io {
        call: "recvmsg",
        source: io::Error::other("the kernel does not say who wrote"),
    })?;
    Ok((serde_json::from_slice(&payload)?, sender))
}

/// Receives one frame's payload without looking into it.
pub fn receive_raw(socket: impl AsFd) -> Result<(Vec<u8>, Vec<OwnedFd>), FrameError> {
    let (payload, Ancillary { fds, .. }) = receive_all(socket)?;
    Ok((payload, fds))
}

/// What came along with a frame.
#[derive(Default)]
struct Ancillary {
    fds: Vec<OwnedFd>,
    sender: Option<i32>,
}

fn receive_all(socket: impl AsFd) -> Result<(Vec<u8>, Ancillary), FrameError> {
    let mut along = Ancillary::default();
    let mut head = [0; 4];
    fill(&socket, &mut head, &mut along, true)?;
    let length = u32::from_le_bytes(head) as usize;
    if length > MAX_FRAME {
        return Err(FrameError::TooLarge(length));
    }
    let mut payload = vec![0; length];
    fill(&socket, &mut payload, &mut along, false)?;
    Ok((payload, along))
}

/// Receives one message by `read(2)` alone: for a process whose filter notifies the socket calls.
pub fn receive_by_read<M: DeserializeOwned>(stream: impl AsFd) -> Result<M, FrameError> {
    let mut head = [0; 4];
    fill_by_read(&stream, &mut head, true)?;
    let length = u32::from_le_bytes(head) as usize;
    if length > MAX_FRAME {
        return Err(FrameError::TooLarge(length));
    }
    let mut payload = vec![0; length];
    fill_by_read(&stream, &mut payload, false)?;
    Ok(serde_json::from_slice(&payload)?)
}

fn fill_by_read(stream: impl AsFd, buffer: &mut [u8], first: bool) -> Result<(), FrameError> {
    let mut got = 0;
    while got < buffer.len() {
        match rustix::io::read(&stream, &mut buffer[got..]) {
            Ok(0) if first && got == 0 => return Err(FrameError::Closed),
            Ok(0) => {
                return Err(FrameError::Truncated {
                    got,
                    want: buffer.len(),
                });
            }
            Ok(count) => got += count,
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Err(FrameError::Closed),
            Err(errno) => return Err(io_error("read")(errno)),
        }
    }
    Ok(())
}

fn fill(socket: impl AsFd, buffer: &mut [u8], along: &mut Ancillary, first: bool) -> Result<(), FrameError> {
    let mut got = 0;
    while got < buffer.len() {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS), ScmCredentials(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let into = &mut [IoSliceMut::new(&mut buffer[got..])];
        let message = match recvmsg(&socket, into, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Ok(message) => message,
            Err(Errno::INTR) => continue,
            Err(Errno::CONNRESET) => return Err(FrameError::Closed),
            Err(errno) => return Err(io_error("recvmsg")(errno)),
        };
        for item in ancillary.drain() {
            match item {
                RecvAncillaryMessage::ScmRights(received) => along.fds.extend(received),
                RecvAncillaryMessage::ScmCredentials(from) if along.sender.is_none() => {
                    along.sender = Some(from.pid.as_raw_nonzero().get());
                }
                _ => {}
            }
        }
        if along.fds.len() > MAX_FDS || message.flags.contains(rustix::net::ReturnFlags::CTRUNC) {
            return Err(FrameError::TooManyDescriptors);
        }
        if message.bytes == 0 {
            return Err(match (first, got) {
                (true, 0) => FrameError::Closed,
                _ => FrameError::Truncated {
                    got,
                    want: buffer.len(),
                },
            });
        }
        got += message.bytes;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn a_message_and_its_descriptors_arrive_together() -> Outcome {
        let (a, b) = UnixStream::pair()?;
        let (extra, _) = UnixStream::pair()?;
        send(&a, &vec!["x", "y"], &[extra.as_fd(), a.as_fd()])?;
        let (message, fds): (Vec<String>, _) = receive(&b)?;
        assert_eq!((message.len(), fds.len()), (2, 2));
        Ok(())
    }

    #[test]
    fn a_large_message_crosses_in_pieces() -> Outcome {
        let (a, b) = UnixStream::pair()?;
        let text = "x".repeat(8 << 20);
        let copy = text.clone();
        let sender = std::thread::spawn(move || send(&a, &copy, &[]).is_ok());
        let (message, _): (String, _) = receive(&b)?;
        assert_eq!(message, text);
        assert!(sender.join().unwrap_or(false));
        Ok(())
    }

    #[test]
    fn waiting_for_input_has_an_end() -> Outcome {
        let (mut a, b) = UnixStream::pair()?;
        let late = await_input(&b, Some(Duration::from_millis(5)));
        assert!(matches!(late, Err(FrameError::Io { call: "poll", .. })));
        a.write_all(b"x")?;
        await_input(&b, None)?;
        drop(b);
        Ok(await_input(&a, None)?)
    }

    #[test]
    fn a_truncated_frame_is_an_error_at_every_length() -> Outcome {
        let frame = encode(&"hello")?;
        for cut in 0..frame.len() {
            let (mut a, b) = UnixStream::pair()?;
            a.write_all(&frame[..cut])?;
            drop(a);
            let outcome = receive::<String>(&b);
            assert!(
                matches!(outcome, Err(FrameError::Closed | FrameError::Truncated { .. })),
                "cut at {cut}"
            );
        }
        Ok(())
    }

    #[test]
    fn an_oversized_length_is_refused_before_its_bytes_are_read() -> Outcome {
        let (mut a, b) = UnixStream::pair()?;
        a.write_all(&u32::MAX.to_le_bytes())?;
        assert!(matches!(receive::<String>(&b), Err(FrameError::TooLarge(_))));
        Ok(())
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() -> Outcome {
        let (mut a, b) = UnixStream::pair()?;
        a.write_all(&[3, 0, 0, 0, 0xff, 0xfe, 0])?;
        assert!(matches!(receive::<String>(&b), Err(FrameError::Malformed(_))));
        Ok(())
    }
}
