//! The first look at a connection's bytes: a head that two readers could frame, or understand, in two ways
//! is refused before anything reads it.
//!
//! RFC 9112 lets a recipient repair much of this; here nothing is repaired. One connection carries one
//! request of HTTP/1, so that there is no second head whose beginning could be argued about.

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::host::Authority;

/// Most bytes of a head.
pub(super) const MAX_HEAD: usize = 64 << 10;

/// Most header fields.
pub(super) const MAX_FIELDS: usize = 128;

/// How a connection of HTTP/2 begins (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the connection speaks, and its bytes so far.
pub(super) enum Spoken {
    /// A head that stood the test, and what came behind it.
    One(Vec<u8>),
    /// The beginning of HTTP/2.
    Two(Vec<u8>),
}

/// Why a connection is not served.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Unserved {
    /// It ended, or failed, before it said anything whole.
    #[error("the connection ended within the head")]
    Ended,
    /// It is answered with this status and reason.
    #[error("{1}")]
    Refused(u16, &'static str),
}

const TOO_LARGE: Unserved = Unserved::Refused(431, "the head of the request is too large");

/// Reads up to the end of the first head.
pub(super) async fn screen(io: &mut (impl AsyncRead + Unpin)) -> Result<Spoken, Unserved> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        let length = bytes.len().min(PREFACE.len());
        if bytes.len() >= PREFACE.len() && bytes.starts_with(PREFACE) {
            return Ok(Spoken::Two(bytes));
        }
        let may_be_two = bytes[..length] == PREFACE[..length];
        if !may_be_two && let Some(end) = end_of_head(&bytes)? {
            if end > MAX_HEAD {
                return Err(TOO_LARGE);
            }
            check(&bytes[..end])?;
            return Ok(Spoken::One(escaped(&bytes)));
        }
        if bytes.len() > MAX_HEAD {
            return Err(TOO_LARGE);
        }
        match io.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return Err(Unserved::Ended),
            Ok(_) => {}
        }
    }
}

/// Where the head ends, if it does; a line end without its carriage return, or a lone one, ends all.
fn end_of_head(bytes: &[u8]) -> Result<Option<usize>, Unserved> {
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' if at == 0 || bytes[at - 1] != b'\r' => return Err(refused("a line ends without carriage return")),
            b'\r' if bytes.get(at + 1).is_some_and(|next| *next != b'\n') => {
                return Err(refused("a carriage return stands alone"));
            }
            0 => return Err(refused("a zero byte in the head")),
            b'\n' if at < 2 => return Err(refused("the head begins with an empty line")),
            b'\n' if at >= 3 && bytes[at - 2] == b'\n' => return Ok(Some(at + 1)),
            _ => {}
        }
    }
    Ok(None)
}

fn refused(why: &'static str) -> Unserved {
    Unserved::Refused(400, why)
}

/// Bytes that stand in queries though they should not, and that what reads the head after this does not take.
fn is_odd(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>') || !byte.is_ascii()
}

/// Where the query of a target begins.
fn query(target: &[u8]) -> usize {
    target.iter().position(|byte| *byte == b'?').unwrap_or(target.len())
}

/// The bytes with what is odd in the query of the first line behind percent signs, which says the same to every server.
fn escaped(bytes: &[u8]) -> Vec<u8> {
    let line = bytes.iter().position(|byte| *byte == b'\r').unwrap_or(bytes.len());
    let from = query(&bytes[..line]);
    let escape = |byte: &u8| match is_odd(*byte) {
        true => format!("%{byte:02X}").into_bytes(),
        false => vec![*byte],
    };
    let query: Vec<u8> = bytes[from..line].iter().flat_map(escape).collect();
    [&bytes[..from], &query, &bytes[line..]].concat()
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// Judges one whole head.
pub(super) fn check(head: &[u8]) -> Result<(), Unserved> {
    let text = head
        .strip_suffix(b"\r\n\r\n")
        .ok_or_else(|| refused("the head has no end"))?;
    let mut lines = text
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let line = lines.next().unwrap_or_default();
    let parts: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let [method, target, version] = parts.as_slice() else {
        return Err(refused("the request line has not three parts"));
    };
    if !is_token(method) {
        return Err(refused("the method is no token"));
    }
    let (path, asked) = target.split_at(query(target));
    let plain = |byte: &u8| byte.is_ascii_graphic();
    if target.is_empty() || !path.iter().all(plain) || !asked.iter().all(|byte| plain(byte) || is_odd(*byte)) {
        return Err(refused("odd bytes in the target"));
    }
    // What would be refused later would be refused without a word.
    if hyper::Uri::try_from(escaped(target)).is_err() {
        return Err(refused("the target is no URI"));
    }
    let old = match *version {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        _ => return Err(Unserved::Refused(505, "this version of HTTP is not spoken")),
    };
    let fields = Fields::read(lines)?;
    if fields.count > MAX_FIELDS {
        return Err(Unserved::Refused(431, "too many header fields"));
    }
    framing(&fields, old)?;
    host(method, target, &fields, old)
}

/// The fields that matter here.
#[derive(Default)]
struct Fields<'a> {
    count: usize,
    lengths: Vec<&'a [u8]>,
    codings: Vec<&'a [u8]>,
    hosts: Vec<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn read(lines: impl Iterator<Item = &'a [u8]>) -> Result<Fields<'a>, Unserved> {
        let mut fields = Fields::default();
        for line in lines {
            if line.starts_with(b" ") || line.starts_with(b"\t") {
                return Err(refused("a header field is folded"));
            }
            let colon = line
                .iter()
                .position(|byte| *byte == b':')
                .ok_or_else(|| refused("a header line without colon"))?;
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if !is_token(name) {
                return Err(refused("a header field's name is no token"));
            }
            if value
                .iter()
                .any(|byte| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f)
            {
                return Err(refused("a control character in a header field"));
            }
            fields.count += 1;
            match name.to_ascii_lowercase().as_slice() {
                b"content-length" => fields.lengths.push(value),
                b"transfer-encoding" => fields.codings.push(value),
                b"host" => fields.hosts.push(value),
                // What some servers read as one of the above (`Content_Length`).
                other if [b"content_length".as_slice(), b"transfer_encoding"].contains(&other) => {
                    return Err(refused("a header field that looks like one of framing"));
                }
                _ => {}
            }
        }
        Ok(fields)
    }
}

fn framing(fields: &Fields<'_>, old: bool) -> Result<(), Unserved> {
    match (fields.lengths.as_slice(), fields.codings.as_slice()) {
        ([], []) => Ok(()),
        ([_, ..], [_, ..]) => Err(refused("both Content-Length and Transfer-Encoding")),
        ([length], []) => {
            let plain = !length.is_empty() && length.len() <= 18 && length.iter().all(u8::is_ascii_digit);
            plain
                .then_some(())
                .ok_or_else(|| refused("Content-Length is no number"))
        }
        (_, []) => Err(refused("Content-Length more than once")),
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") && !old => Ok(()),
        ([], [_]) if old => Err(refused("Transfer-Encoding in HTTP/1.0")),
        ([], [_]) => Err(Unserved::Refused(501, "only `Transfer-Encoding: chunked` is taken")),
        ([], _) => Err(refused("Transfer-Encoding more than once")),
    }
}

fn authority(text: &[u8]) -> Option<Authority> {
    Authority::parse(std::str::from_utf8(text).ok()?)
}

/// The host is named once, plainly, and everywhere the same.
fn host(method: &[u8], target: &[u8], fields: &Fields<'_>, old: bool) -> Result<(), Unserved> {
    let named = match fields.hosts.as_slice() {
        [] if old => None,
        [] => return Err(refused("no Host")),
        [host] => Some(authority(host).ok_or_else(|| refused("Host is no plain name of a host"))?),
        _ => return Err(refused("Host more than once")),
    };
    let (aimed, default) = if method == b"CONNECT" {
        let aim = authority(target).filter(|aim| aim.port.is_some());
        (aim.ok_or_else(|| refused("CONNECT needs host:port"))?, 0)
    } else if target.starts_with(b"/") {
        return match named {
            Some(_) => Ok(()),
            None => Err(refused("no Host")),
        };
    } else if target == b"*" {
        return Err(refused("a request for the whole server"));
    } else {
        let rest = target
            .get(..7)
            .filter(|scheme| scheme.eq_ignore_ascii_case(b"http://"))
            .map(|_| &target[7..])
            .ok_or_else(|| refused("the target is neither a path nor http://"))?;
        let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
        (
            authority(&rest[..end]).ok_or_else(|| refused("the target names no plain host"))?,
            80,
        )
    };
    match named {
        Some(named) if default == 0 => {
            // Of CONNECT the Host may leave the port out (RFC 9110 says the same as the target; clients differ).
            let same = named.host == aimed.host && named.port.is_none_or(|port| Some(port) == aimed.port);
            same.then_some(()).ok_or_else(|| refused("Host and target differ"))
        }
        Some(named) if (&named.host, named.port_or(default)) != (&aimed.host, aimed.port_or(default)) => {
            Err(refused("Host and target differ"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "screen_tests.rs"]
mod tests;
