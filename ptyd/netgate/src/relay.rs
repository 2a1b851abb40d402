//! Bytes between a connection of the session and an endpoint that it could not reach itself.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;

const STACK: usize = 128 << 10;

/// Joins the one connection that comes to `near` from the local port `from` with `far`; others are closed.
///
/// # Errors
/// If no thread can be started.
pub fn once(near: TcpListener, from: u16, far: UnixStream) -> io::Result<()> {
    start(move || {
        let Some(near) = accept(&near, from) else { return };
        if let Err(error) = join(near, far) {
            tracing::debug!("a relayed connection: {error}");
        }
    })
}

/// So many strangers are turned away before the connection counts as given up.
const STRANGERS: usize = 64;

fn accept(near: &TcpListener, from: u16) -> Option<TcpStream> {
    for _ in 0..STRANGERS {
        match near.accept() {
            Ok((stream, peer)) if peer.port() == from => return Some(stream),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
    None
}

fn start(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name("relay".into())
        .stack_size(STACK)
        .spawn(work)
        .map(drop)
}

fn join(near: TcpStream, far: UnixStream) -> io::Result<()> {
    let (mut inward, mut outward) = (near.try_clone()?, far.try_clone()?);
    let (mut near, mut far) = (near, far);
    start(move || {
        // Whoever ends first, the other learns of the end of its stream.
        let _ = io::copy(&mut near, &mut outward);
        let _ = outward.shutdown(Shutdown::Write);
    })?;
    let copied = io::copy(&mut far, &mut inward);
    let ended = inward.shutdown(Shutdown::Write);
    copied?;
    ended
}
