//! Answers of our own.

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use super::body::{Body, full};

/// What a request is answered.
pub(crate) type Answer = Response<Body>;

/// A refusal: one line that says what and why.
pub(crate) fn refuse(status: StatusCode, why: &str) -> Answer {
    let mut answer = Response::new(full(format!("agentsh: {why}\n")));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

/// A refusal in the bytes of HTTP/1.1, for a connection that is not read any further.
pub(super) fn raw(status: u16, why: &str) -> Vec<u8> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let body = format!("agentsh: {why}\n");
    let head = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        body.len()
    );
    (head + &body).into_bytes()
}
