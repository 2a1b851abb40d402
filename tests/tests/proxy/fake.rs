//! A server that says what a test gives it, and keeps what it was asked.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use agentsh_tests::{Result, fail};

/// What was asked: head and body.
#[derive(Debug, Clone)]
pub struct Asked {
    pub head: String,
    pub body: Vec<u8>,
}

impl Asked {
    /// A header field's value.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| {
            line.split_once(": ")
                .filter(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        })
    }
}

/// A running server.
pub struct Fake {
    pub port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// Answers every connection, one request each, by `answer`.
    pub fn start(
        answer: impl Fn(&Asked, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Result<Fake> {
        Fake::on(TcpListener::bind("127.0.0.1:0")?, answer)
    }

    /// The same, wherever the listener is.
    pub fn on(
        listener: TcpListener,
        answer: impl Fn(&Asked, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Result<Fake> {
        let port = listener.local_addr()?.port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let mut stream = stream;
                    if let Ok(Some(one)) = read(&mut stream) {
                        kept.lock().unwrap_or_else(PoisonError::into_inner).push(one.clone());
                        let _ = answer(&one, &mut stream);
                    }
                });
            }
        });
        Ok(Fake { port, asked })
    }

    /// Answers every request with these bytes as a body of this kind, in pieces of seven bytes.
    pub fn with_body(kind: &'static str, body: &[u8]) -> Result<Fake> {
        Fake::on_with_body(TcpListener::bind("127.0.0.1:0")?, kind, body)
    }

    /// The same, wherever the listener is.
    pub fn on_with_body(listener: TcpListener, kind: &'static str, body: &[u8]) -> Result<Fake> {
        let body = body.to_vec();
        Fake::on(listener, move |_, stream| {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            )?;
            for piece in body.chunks(7) {
                chunk(stream, piece)?;
            }
            chunk(stream, b"")
        })
    }

    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The only request.
    pub fn only(&self) -> Result<Asked> {
        match self.asked().as_slice() {
            [one] => Ok(one.clone()),
            all => Err(fail(format!("{} requests: {all:?}", all.len()))),
        }
    }
}

pub fn chunk(stream: &mut TcpStream, piece: &[u8]) -> std::io::Result<()> {
    stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes())?;
    stream.write_all(piece)?;
    stream.write_all(b"\r\n")?;
    stream.flush()
}

fn read(stream: &mut TcpStream) -> std::io::Result<Option<Asked>> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let asked = Asked { head, body: Vec::new() };
            let length = asked
                .field("content-length")
                .and_then(|length| length.parse().ok())
                .unwrap_or(0);
            while bytes.len() < end + 4 + length {
                match stream.read(&mut piece)? {
                    0 => break,
                    count => bytes.extend_from_slice(&piece[..count]),
                }
            }
            let body = bytes.split_off(end + 4);
            return Ok(Some(Asked { body, ..asked }));
        }
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
}
