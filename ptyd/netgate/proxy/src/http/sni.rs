//! The name that a TLS client asks for (RFC 8446 section 4.1.2, RFC 6066 section 3), read before anything
//! is passed on.

/// Most bytes of a first message.
pub(super) const MAX_HELLO: usize = 64 << 10;

/// What the first bytes of a client are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hello {
    /// Not decided yet.
    More,
    /// No TLS.
    Plain,
    /// TLS, for this name; `None`: for none.
    Tls(Option<String>),
    /// TLS that cannot be understood.
    Broken,
}

/// Looks at the first bytes of a client.
pub(super) fn look(bytes: &[u8]) -> Hello {
    match bytes {
        [] => return Hello::More,
        [0x16] => return Hello::More,
        [0x16, 3, ..] => {}
        _ => return Hello::Plain,
    }
    // A message may be cut into several records.
    let (mut message, mut at) = (Vec::new(), 0);
    while let Some(head) = bytes.get(at..at + 5) {
        if head[0] != 0x16 {
            return Hello::Broken;
        }
        let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
        if length == 0 {
            return Hello::Broken;
        }
        let whole = bytes.get(at + 5..at + 5 + length);
        message.extend_from_slice(whole.unwrap_or(&bytes[at + 5..]));
        if let Some(hello) = hello(&message) {
            return hello;
        }
        if whole.is_none() {
            break;
        }
        at += 5 + length;
    }
    if bytes.len() > MAX_HELLO {
        Hello::Broken
    } else {
        Hello::More
    }
}

/// Reads a handshake message, if it is whole.
fn hello(message: &[u8]) -> Option<Hello> {
    let head = message.get(..4)?;
    if head[0] != 1 {
        return Some(Hello::Broken);
    }
    let length = usize::from(head[1]) << 16 | usize::from(head[2]) << 8 | usize::from(head[3]);
    if length > MAX_HELLO {
        return Some(Hello::Broken);
    }
    let body = message.get(4..4 + length)?;
    Some(names(body).map_or(Hello::Broken, Hello::Tls))
}

/// Takes `length` bytes off the front, their count being written in the first `size` bytes.
fn take<'a>(bytes: &mut &'a [u8], size: usize) -> Option<&'a [u8]> {
    let (count, rest) = bytes.split_at_checked(size)?;
    let count = count.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let (taken, rest) = rest.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

/// The name in a ClientHello; the outer `None`: it is malformed.
fn names(mut body: &[u8]) -> Option<Option<String>> {
    body = body.get(34..)?;
    take(&mut body, 1)?;
    take(&mut body, 2)?;
    take(&mut body, 1)?;
    if body.is_empty() {
        return Some(None);
    }
    let mut extensions = take(&mut body, 2)?;
    let mut found = None;
    while !extensions.is_empty() {
        let (kind, rest) = extensions.split_at_checked(2)?;
        extensions = rest;
        let mut value = take(&mut extensions, 2)?;
        if kind == [0, 0] {
            let mut list = take(&mut value, 2)?;
            while !list.is_empty() {
                let (kind, rest) = list.split_first()?;
                list = rest;
                let name = take(&mut list, 2)?;
                if *kind == 0 {
                    let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
                    // Two names are one too many.
                    if found.replace(name).is_some() {
                        return None;
                    }
                }
            }
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ClientHello as rustls writes it.
    fn client_hello(name: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let roots = rustls::RootCertStore::empty();
        let config = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = rustls::pki_types::ServerName::try_from(name.to_owned())?;
        let mut client = rustls::ClientConnection::new(std::sync::Arc::new(config), name)?;
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn the_name_is_read_however_the_bytes_come() -> Result<(), Box<dyn std::error::Error>> {
        let bytes = client_hello("api.Example.org")?;
        for end in 0..bytes.len() {
            assert_eq!(look(&bytes[..end]), Hello::More, "{end}");
        }
        assert_eq!(look(&bytes), Hello::Tls(Some("api.example.org".to_owned())));
        assert_eq!(look(&client_hello("192.0.2.1")?), Hello::Tls(None));
        // The same message in records of ten bytes.
        let mut cut = Vec::new();
        for part in bytes[5..].chunks(10) {
            cut.extend_from_slice(&[0x16, 3, 1, 0, part.len() as u8]);
            cut.extend_from_slice(part);
        }
        assert_eq!(look(&cut), Hello::Tls(Some("api.example.org".to_owned())));
        Ok(())
    }

    #[test]
    fn other_protocols_are_plain_and_nonsense_is_broken() {
        assert_eq!(look(b"SSH-2.0-x"), Hello::Plain);
        assert_eq!(look(b"GET / HTTP/1.1\r\n"), Hello::Plain);
        assert_eq!(look(b"\x16\x03\x01\0\0"), Hello::Broken);
        assert_eq!(look(b"\x16\x03\x01\0\x04\x02\0\0\0"), Hello::Broken);
        assert_eq!(look(b"\x16\x03\x01\0\x05\x01\0\0\x01\0"), Hello::Broken);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let _ = look(&[b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc".as_slice(), &bytes].concat());
            let _ = look(&bytes);
        }
    }
}
