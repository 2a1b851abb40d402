//! Header fields and paths.

use hyper::HeaderMap;
use hyper::header::{CONNECTION, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};

/// Fields that concern one connection alone (RFC 9110, section 7.6.1) and what is said to a proxy.
const HOPS: [HeaderName; 5] = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
const TO_PROXY: [&str; 4] = [
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
];

/// Removes what concerns one connection alone; true if the fields ask for another protocol.
pub(crate) fn strip_hops(headers: &mut HeaderMap) -> bool {
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let upgrades = listed.contains(&UPGRADE)
        && headers
            .get(UPGRADE)
            .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
    for name in listed.iter().chain(&HOPS) {
        headers.remove(name);
    }
    for name in TO_PROXY {
        headers.remove(name);
    }
    upgrades
}

/// A path as policy knows it: percent signs read once, nothing in it that a server could read as another
/// path. `None`: it has such things.
pub(crate) fn plain_path(path: &str) -> Option<String> {
    let bytes = path.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'%' {
            let digits = std::str::from_utf8(bytes.get(at + 1..at + 3)?).ok()?;
            let byte = u8::from_str_radix(digits, 16)
                .ok()
                .filter(|_| !digits.starts_with('+'))?;
            // What stands for a separator or for another percent sign would be read differently twice.
            if matches!(byte, b'/' | b'\\' | b'%' | b'?' | b'#' | b';') {
                return None;
            }
            plain.push(byte);
            at += 3;
        } else {
            plain.push(*byte);
            at += 1;
        }
    }
    let plain = String::from_utf8(plain).ok()?;
    let odd = plain
        .chars()
        .any(|char| char.is_control() || char == '\\' || char == ';');
    let segments = plain.strip_prefix('/')?.split('/');
    let last = segments.clone().count();
    let dots = segments
        .enumerate()
        .any(|(place, segment)| segment == "." || segment == ".." || (segment.is_empty() && place + 1 < last));
    (!odd && !dots).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_can_be_read_in_one_way_only_are_taken() {
        for (path, plain) in [
            ("/", "/"),
            ("/a/b%20c/", "/a/b c/"),
            ("/a.b/..c", "/a.b/..c"),
            ("/%C3%A9", "/é"),
        ] {
            assert_eq!(plain_path(path).as_deref(), Some(plain));
        }
        for path in [
            "",
            "a",
            "//a",
            "/a//b",
            "/./a",
            "/a/..",
            "/a/../b",
            "/%2e%2e/b",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/%252e",
            "/a%00",
            "/a%0d%0a",
            "/a%",
            "/a%2",
            "/a%+1",
            "/a%ff",
            "/a;x/b",
            "/a%3bx",
            "/a%3fx",
        ] {
            assert_eq!(plain_path(path), None, "{path}");
        }
    }

    #[test]
    fn what_concerns_one_connection_does_not_pass() -> Result<(), Box<dyn std::error::Error>> {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "X-Mine, keep-alive"),
            ("x-mine", "1"),
            ("te", "trailers"),
            ("proxy-authorization", "Basic eA=="),
            ("x-api-key", "k"),
        ] {
            headers.append(name, value.parse()?);
        }
        assert!(!strip_hops(&mut headers));
        assert_eq!(
            headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["x-api-key"]
        );
        headers.insert("connection", "Upgrade".parse()?);
        headers.insert("upgrade", "WebSocket".parse()?);
        assert!(strip_hops(&mut headers));
        Ok(())
    }
}
