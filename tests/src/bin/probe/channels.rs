//! Two commands that talk to each other: abstract sockets and loopback.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use crate::report;

/// Listens on the abstract name, says so, answers one caller with `pong`.
pub fn serve(name: &str) -> i32 {
    finish(SocketAddr::from_abstract_name(name).and_then(|address| {
        let listener = UnixListener::bind_addr(&address)?;
        writeln!(std::io::stdout(), "listening")?;
        listener.accept()?.0.write_all(b"pong\n")
    }))
}

/// Calls the abstract name and prints what it says.
pub fn call(name: &str) -> i32 {
    finish(SocketAddr::from_abstract_name(name).and_then(|address| {
        let mut answer = String::new();
        UnixStream::connect_addr(&address)?.read_to_string(&mut answer)?;
        std::io::stdout().write_all(answer.as_bytes())
    }))
}

/// Sends the bytes, given in hexadecimal digits, to the unix socket at `path`, says that no more will come, and prints
/// what is answered, in the same form.
pub fn talk(path: &str, bytes: &str) -> i32 {
    finish(UnixStream::connect(path).and_then(|mut stream| {
        let bytes: Vec<u8> = (0..bytes.len() / 2)
            .filter_map(|at| u8::from_str_radix(bytes.get(2 * at..2 * at + 2)?, 16).ok())
            .collect();
        // A peer that has had enough closes before the end: what it answered is read all the same.
        let sent = stream
            .write_all(&bytes)
            .and_then(|()| stream.shutdown(std::net::Shutdown::Write));
        if let Err(error) = sent {
            report(&error.to_string());
        }
        let mut answer = Vec::new();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20)))?;
        stream.read_to_end(&mut answer)?;
        let answer: String = answer.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(std::io::stdout(), "{answer}")
    }))
}

/// Listens on a free loopback port, writes its number to `file`, and waits for ever.
pub fn tcp_serve(file: &str) -> i32 {
    finish(TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| {
        let part = format!("{file}.part");
        std::fs::write(&part, listener.local_addr()?.port().to_string())?;
        std::fs::rename(part, file)?;
        for caller in listener.incoming() {
            drop(caller?);
        }
        Ok(())
    }))
}

fn finish(outcome: std::io::Result<()>) -> i32 {
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            report(&error.to_string());
            1
        }
    }
}
