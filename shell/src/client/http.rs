//! HTTP/1.1 (RFC 9112), the client's half of one exchange: `Connection: close`, bodies by length, in chunks, or to the end.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::ops::ControlFlow;

use super::connection::Connection;

/// The longest head and the longest body that are read.
const MAX_HEAD: u64 = 64 << 10;
const MAX_BODY: u64 = 64 << 20;
const MAX_HEADERS: usize = 64;

/// An answer: its status and its body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Sends one request and reads the answer.
///
/// # Errors
/// The connection's own; `InvalidData` for an answer that is not HTTP/1.1 or is too long, `UnexpectedEof` for one cut short.
pub fn exchange(mut stream: Connection, method: &str, path: &str, body: Option<&[u8]>) -> io::Result<Answer> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: agentsh\r\nConnection: close\r\n");
    if let Some(body) = body {
        head += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    }
    let request = [head.as_bytes(), b"\r\n", body.unwrap_or_default()].concat();
    stream.write_all(&request)?;
    read_answer(&mut BufReader::new(stream))
}

/// Asks for server-sent events (WHATWG HTML 9.2), which go on to the end of the connection. HTTP/1.0 is spoken, so that
/// the body comes as it is.
///
/// # Errors
/// As [`exchange`]; `Other` for an answer that is not 200.
pub fn events(mut stream: Connection, path: &str) -> io::Result<Events> {
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: agentsh\r\n\r\n").as_bytes())?;
    let mut reader = BufReader::new(stream);
    let head = read_head(&mut reader)?;
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(&head).map_err(invalid)?;
    match response.code {
        Some(200) => Ok(Events(reader)),
        code => Err(io::Error::other(format!("HTTP status {}", code.unwrap_or(0)))),
    }
}

/// Server-sent events that were asked for.
pub struct Events(BufReader<Connection>);

impl Events {
    /// The data of one after the other, until `each` says stop or the sender ends. What stands in other fields is left
    /// as it is.
    ///
    /// # Errors
    /// Those of the connection, `InvalidData` for what is no text.
    pub fn each(mut self, mut each: impl FnMut(&str) -> ControlFlow<()>) -> io::Result<()> {
        self.0.get_mut().wait_for_ever();
        let mut line = Vec::new();
        loop {
            line.clear();
            if (&mut self.0).take(MAX_BODY).read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let text = std::str::from_utf8(&line).map_err(invalid)?;
            let flow = text.strip_prefix("data: ").map(|data| each(data.trim_end()));
            if flow.is_some_and(|flow| flow.is_break()) {
                return Ok(());
            }
        }
    }
}

/// Escapes what may not stand in one segment of a path (RFC 3986).
pub fn escape(segment: &str) -> String {
    segment.bytes().fold(String::new(), |text, byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text + &char::from(byte).to_string(),
        _ => text + &format!("%{byte:02X}"),
    })
}

enum Length {
    Exact(u64),
    Chunked,
    ToEnd,
}

fn read_answer(reader: &mut impl BufRead) -> io::Result<Answer> {
    let head = read_head(reader)?;
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(&head).map_err(invalid)?;
    let status = response.code.ok_or_else(|| invalid("no status"))?;
    let body = match length(status, response.headers)? {
        Length::Exact(length) => read_exact(reader, length)?,
        Length::Chunked => read_chunks(reader)?,
        Length::ToEnd => read_to_end(reader)?,
    };
    Ok(Answer { status, body })
}

fn read_head(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut limited = reader.take(MAX_HEAD);
    while !head.ends_with(b"\r\n\r\n") {
        if limited.read_until(b'\n', &mut head)? == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the answer's head was cut short",
            ));
        }
    }
    Ok(head)
}

fn length(status: u16, headers: &[httparse::Header<'_>]) -> io::Result<Length> {
    if status == 204 || status == 304 {
        return Ok(Length::Exact(0));
    }
    let value = |name: &str| {
        headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    };
    if value("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked")) {
        return Ok(Length::Chunked);
    }
    let Some(value) = value("content-length") else {
        return Ok(Length::ToEnd);
    };
    let length = std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    length
        .map(Length::Exact)
        .ok_or_else(|| invalid("malformed Content-Length"))
}

fn read_exact(reader: &mut impl BufRead, length: u64) -> io::Result<Vec<u8>> {
    if length > MAX_BODY {
        return Err(invalid("the answer is too long"));
    }
    let mut body = Vec::new();
    if reader.take(length).read_to_end(&mut body)? as u64 != length {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer was cut short"));
    }
    Ok(body)
}

fn read_to_end(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    reader.take(MAX_BODY + 1).read_to_end(&mut body)?;
    if body.len() as u64 > MAX_BODY {
        return Err(invalid("the answer is too long"));
    }
    Ok(body)
}

fn read_chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| invalid("malformed chunk"))?;
        if size == 0 {
            // Trailer fields, then the empty line.
            while !read_line(reader)?.is_empty() {}
            return Ok(body);
        }
        if size > MAX_BODY - body.len() as u64 {
            return Err(invalid("the answer is too long"));
        }
        body.extend(read_exact(reader, size)?);
        if !read_line(reader)?.is_empty() {
            return Err(invalid("malformed chunk"));
        }
    }
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    reader.take(MAX_HEAD).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer was cut short"));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(invalid)
}

fn invalid(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_body_is_read_by_length_in_chunks_and_to_the_end() -> io::Result<()> {
        for (answer, status, body) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcd", 200, "abc"),
            (
                "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
                404,
                "abc",
            ),
            ("HTTP/1.1 200 OK\r\n\r\nabc", 200, "abc"),
            ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ] {
            let answer = read_answer(&mut answer.as_bytes())?;
            assert_eq!((answer.status, answer.body.as_slice()), (status, body.as_bytes()));
        }
        Ok(())
    }

    #[test]
    fn what_is_cut_short_or_malformed_is_an_error() {
        for answer in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\ncontent-length: -4\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nab\r\n",
        ] {
            assert!(read_answer(&mut answer.as_bytes()).is_err(), "{answer:?}");
        }
    }

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(escape("a/../b c?#\r\n"), "a%2F..%2Fb%20c%3F%23%0D%0A");
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_reader_panic(bytes: Vec<u8>) {
            let answer = [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".as_slice(), &bytes].concat();
            let _ = read_answer(&mut answer.as_slice());
            let _ = read_answer(&mut bytes.as_slice());
        }
    }
}
