//! Names of hosts as requests write them.

use std::net::{IpAddr, Ipv6Addr};

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Authority {
    /// In lower case, without brackets and without a dot at the end.
    pub host: String,
    /// The port, if one was written.
    pub port: Option<u16>,
}

impl Authority {
    /// Reads `host`, `host:port`, `[v6]` and `[v6]:port`; `None` for all that a second reader could take
    /// for something else: user information, odd characters, numbers that are nearly addresses.
    pub fn parse(text: &str) -> Option<Authority> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (inside, after) = rest.split_once(']')?;
                let address: Ipv6Addr = inside.parse().ok()?;
                (address.to_string(), after)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                (name(&text[..end])?, &text[end..])
            }
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => Some(number(digits)?),
            None if port.is_empty() => None,
            None => return None,
        };
        Some(Authority { host, port })
    }

    /// The port, or `default`.
    pub fn port_or(&self, default: u16) -> u16 {
        self.port.unwrap_or(default)
    }

    /// The host as an address, if it is written as one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Whether it names this machine's own loopback.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self
                .address()
                .is_some_and(|address| address.to_canonical().is_loopback())
    }
}

impl std::fmt::Display for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn number(digits: &str) -> Option<u16> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port > 0)
}

/// A name of RFC 1123, underscores allowed, or an address in four decimal numbers.
fn name(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() > 253 || !text.split('.').all(label) {
        return None;
    }
    // `0x7f.1`, `2130706433`, `127.1`: what inet_aton(3) reads as an address and others as a name.
    let last = text.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") || last.starts_with("0X");
    if numeric && text.parse::<std::net::Ipv4Addr>().is_err() {
        return None;
    }
    Some(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_and_addresses_are_read() {
        for (text, host, port) in [
            ("Example.ORG", "example.org", None),
            ("example.org.:443", "example.org", Some(443)),
            ("127.0.0.1:8080", "127.0.0.1", Some(8080)),
            ("[::1]:80", "::1", Some(80)),
            ("[2001:DB8::1]", "2001:db8::1", None),
            ("a_b.local", "a_b.local", None),
        ] {
            let expected = Authority {
                host: host.to_owned(),
                port,
            };
            assert_eq!(Authority::parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_is_none() {
        for text in [
            "",
            ".",
            "a..b",
            "a b",
            "user@example.org",
            "example.org:",
            "example.org:0",
            "example.org:+1",
            "example.org:99999",
            "example.org:80:80",
            "::1",
            "[::1",
            "[::1]x",
            "[fe80::1%eth0]",
            "[127.0.0.1]",
            "0x7f.1",
            "127.1",
            "2130706433",
            "127.0.0.1.0x1",
            "010.0.0.256",
            "exa\0mple.org",
            "exämple.org",
            "-a.org",
            "example.org/x",
            "example.org?x",
            "example.org#x",
            "example.org\\x",
            "a%00.org",
            "*.org",
        ] {
            assert_eq!(Authority::parse(text), None, "{text:?}");
        }
    }
}
