//! A broker for tests: answers a list of requests in order, and tells what it was asked.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread::JoinHandle;

use tempfile::TempDir;

use super::Client;

/// Serves one connection for each answer.
pub struct Fake {
    folder: TempDir,
    thread: JoinHandle<io::Result<Vec<String>>>,
}

impl Fake {
    /// `answers` are status and body.
    pub fn serve(answers: Vec<(u16, String)>) -> io::Result<Fake> {
        let folder = tempfile::tempdir()?;
        let listener = UnixListener::bind(folder.path().join("api.sock"))?;
        let thread = std::thread::spawn(move || answers.iter().map(|answer| one(&listener, answer)).collect());
        Ok(Fake { folder, thread })
    }

    pub fn client(&self) -> Client {
        Client {
            socket: self.socket(),
            uid: rustix::process::geteuid().as_raw(),
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("api.sock")
    }

    /// The requests, each as its first line and its body.
    pub fn requests(self) -> io::Result<Vec<String>> {
        self.thread
            .join()
            .map_err(|_| io::Error::other("the fake broker panicked"))?
    }
}

fn one(listener: &UnixListener, (status, body): &(u16, String)) -> io::Result<String> {
    let (mut stream, _) = listener.accept()?;
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).into_owned();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .and_then(|text| text.parse().ok());
    let mut sent = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut sent)?;
    write!(
        stream,
        "HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1");
    Ok(format!("{line} {}", String::from_utf8_lossy(&sent))
        .trim_end()
        .to_owned())
}
