//! Whether a program's first bytes are a request of HTTP, as the most lenient server would take them for one.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::screen::MAX_HEAD;

/// No method is longer.
const MAX_METHOD: usize = 32;

/// Reads until it is known whether HTTP begins; `bytes` is what was read.
pub(super) async fn begins(from: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> io::Result<bool> {
    loop {
        if let Some(is_request) = is_request(bytes) {
            return Ok(is_request);
        }
        if from.read_buf(bytes).await? == 0 {
            return Ok(false);
        }
    }
}

/// Whether a server's first bytes are the frame that it begins HTTP/2 with, which waits for nobody (RFC 9113, section
/// 3.4).
pub(super) fn is_settings(bytes: &[u8]) -> bool {
    bytes.get(3..9) == Some(&[4, 0, 0, 0, 0, 0])
}

/// `None`: more of them will tell.
fn is_request(bytes: &[u8]) -> Option<bool> {
    // Many servers skip empty lines, and what stands before a method.
    let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace());
    let (start, more) = (start.unwrap_or(bytes.len()), bytes.len() < MAX_HEAD);
    let line = &bytes[start..];
    let end = line.iter().position(|byte| *byte == b'\n');
    let line = &line[..end.unwrap_or(line.len())];
    let blank = line.iter().position(|byte| matches!(byte, b' ' | b'\t'));
    let method = &line[..blank.unwrap_or(line.len())];
    if method.len() > MAX_METHOD || !method.iter().all(|byte| is_token(*byte)) {
        return Some(false);
    }
    let is_odd = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\r');
    if line.iter().any(is_odd) {
        return Some(false);
    }
    if end.is_none() {
        // A line without an end is too long for every server.
        return (!more).then_some(blank.is_some());
    }
    let rest = blank.map_or(&[][..], |blank| &line[blank..]);
    let version = rest.windows(5).any(|word| word.eq_ignore_ascii_case(b"http/"));
    // A line without a version is one of HTTP/0.9.
    let old = method == b"GET" && rest.trim_ascii_start().starts_with(b"/");
    Some(version || old)
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_could_take_for_a_request_is_one() {
        for request in [
            b"GET / HTTP/1.1\r\n".as_slice(),
            b"\r\n\r\nGET / HTTP/1.1\r\n",
            b"get http://a/ http/1.0\n",
            b"M-SEARCH\t*\tHTTP/1.1\r\n",
            b"GET /caf\xc3\xa9 HTTP/1.1\r\n",
            b"GET /\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ] {
            let end = request.iter().rposition(|byte| *byte == b'\n').unwrap_or_default();
            let first = request.trim_ascii_start().iter().position(|byte| *byte == b'\n');
            let begin = request.len() - request.trim_ascii_start().len();
            assert_eq!(is_request(request), Some(true), "{}", request.escape_ascii());
            for cut in 0..begin + first.unwrap_or(end) {
                assert_eq!(is_request(&request[..cut]), None, "{}", request[..cut].escape_ascii());
            }
        }
    }

    #[test]
    fn other_protocols_are_known_by_their_first_line() {
        for other in [
            b"SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13\r\n".as_slice(),
            b"EHLO a.example\r\n",
            b"OPTIONS rtsp://a/ RTSP/1.0\r\n",
            b"get key\r\n",
            b"GET key\r\n",
            b"PING\r\n",
            b"{\"jsonrpc\":\"2.0\"}",
            b"0032git-upload-pack /a\0host=b\0",
            b"\x16\x03\x01",
            b"\0\0\0\x08\x04\xd2\x16\x2f",
            b"x\0",
        ] {
            assert_eq!(is_request(other), Some(false), "{}", other.escape_ascii());
        }
        assert_eq!(is_request(&[b'a'; MAX_METHOD + 1]), Some(false));
        assert_eq!(is_request(&[b' '; MAX_HEAD]), Some(false));
        assert_eq!(
            is_request(format!("GET /{}", "a".repeat(MAX_HEAD)).as_bytes()),
            Some(true)
        );
    }
}
