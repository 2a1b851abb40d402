//! Socket addresses as they lie in memory, `unix(7)`, `ip(7)`, `ipv6(7)`.

use std::ffi::CString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::io::Errno;

/// The longest address that the kernel takes (`sizeof(struct sockaddr_storage)`).
pub const MAX_ADDRESS: usize = 128;

/// The longest `sun_path`.
const SUN_PATH: usize = 108;

/// What an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket with a path, as written.
    Path(CString),
    /// A Unix socket with an abstract name, without its leading NUL.
    Abstract(Vec<u8>),
    /// A Unix address without a name: the kernel picks one (bind), or refuses.
    Unnamed,
    /// An internet address; a v4 address in v6 clothes is given as what it is.
    Internet(SocketAddr),
    /// `AF_UNSPEC`: dissolves an association.
    Unspecified,
    /// Another family, or an address that is too short for its own.
    Other(u16),
}

impl Address {
    /// As [`Address::parse`], for an IPv4 socket: where it is to bind or to send, the kernel takes an address
    /// of no family for one of its own.
    pub fn parse_v4(bytes: &[u8]) -> Address {
        match Address::parse(bytes) {
            Address::Unspecified => internet(&bytes[2..]).map_or(Address::Unspecified, Address::Internet),
            other => other,
        }
    }

    /// Understands `bytes`, of which the kernel would get just as many.
    pub fn parse(bytes: &[u8]) -> Address {
        let Some((family, rest)) = bytes.split_first_chunk::<2>() else {
            return Address::Other(0);
        };
        let family = u16::from_ne_bytes(*family);
        match i32::from(family) {
            libc::AF_UNIX => unix(rest),
            libc::AF_INET => internet(rest).map_or(Address::Other(family), Address::Internet),
            libc::AF_INET6 => internet6(rest).map_or(Address::Other(family), Address::Internet),
            libc::AF_UNSPEC => Address::Unspecified,
            _ => Address::Other(family),
        }
    }
}

/// `address` as the kernel takes it for a socket of the IPv6 family (`v6`), or of the IPv4 family.
///
/// # Errors
/// `EAFNOSUPPORT` for an IPv6 address on an IPv4 socket.
pub fn encode(address: SocketAddr, v6: bool) -> Result<Vec<u8>, Errno> {
    let port = address.port().to_be_bytes();
    let mut bytes = Vec::with_capacity(28);
    match (address.ip(), v6) {
        (IpAddr::V4(ip), false) => {
            bytes.extend_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
            bytes.extend_from_slice(&port);
            bytes.extend_from_slice(&ip.octets());
            bytes.extend_from_slice(&[0; 8]);
        }
        (IpAddr::V6(_), false) => return Err(Errno::AFNOSUPPORT),
        (ip, true) => {
            let ip = match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            };
            bytes.extend_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
            bytes.extend_from_slice(&port);
            bytes.extend_from_slice(&[0; 4]);
            bytes.extend_from_slice(&ip.octets());
            bytes.extend_from_slice(&[0; 4]);
        }
    }
    Ok(bytes)
}

fn unix(name: &[u8]) -> Address {
    match name.first() {
        None => Address::Unnamed,
        Some(0) => Address::Abstract(name[1..].to_vec()),
        Some(_) => {
            let path = &name[..name.len().min(SUN_PATH)];
            let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
            CString::new(&path[..end]).map_or(Address::Unnamed, Address::Path)
        }
    }
}

fn port(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.first_chunk()?))
}

fn internet(rest: &[u8]) -> Option<SocketAddr> {
    let ip: [u8; 4] = *rest.get(2..)?.first_chunk()?;
    // The kernel wants all sixteen bytes of the structure.
    (rest.len() >= 14).then_some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(ip)), port(rest)?))
}

fn internet6(rest: &[u8]) -> Option<SocketAddr> {
    let ip: [u8; 16] = *rest.get(6..)?.first_chunk()?;
    Some(SocketAddr::new(Ipv6Addr::from(ip).to_canonical(), port(rest)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(family: i32, rest: &[u8]) -> Address {
        Address::parse(&[&(family as u16).to_ne_bytes()[..], rest].concat())
    }

    #[test]
    fn unix_names_end_where_the_kernel_ends_them() {
        assert_eq!(of(libc::AF_UNIX, b"/run/x\0junk"), Address::Path(c"/run/x".into()));
        assert_eq!(of(libc::AF_UNIX, b"/run/x"), Address::Path(c"/run/x".into()));
        assert_eq!(of(libc::AF_UNIX, b"\0a\0b"), Address::Abstract(b"a\0b".to_vec()));
        assert_eq!(of(libc::AF_UNIX, b""), Address::Unnamed);
    }

    #[test]
    fn internet_addresses_are_read_in_network_order() {
        let v4 = [&[1, 187, 203, 0, 113, 7][..], &[0; 8]].concat();
        assert_eq!(
            of(libc::AF_INET, &v4),
            Address::Internet(SocketAddr::from(([203, 0, 113, 7], 443)))
        );
        let mapped = [
            &[0, 80, 0, 0, 0, 0][..],
            &Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets(),
            &[0; 4],
        ]
        .concat();
        assert_eq!(
            of(libc::AF_INET6, &mapped),
            Address::Internet(SocketAddr::from(([127, 0, 0, 1], 80)))
        );
        assert_eq!(of(libc::AF_INET, &v4[..13]), Address::Other(libc::AF_INET as u16));
        assert_eq!(of(libc::AF_UNSPEC, b""), Address::Unspecified);
    }

    #[test]
    fn an_address_of_no_family_is_one_where_the_kernel_takes_it_so() {
        let v4 = [&[0, 80, 203, 0, 113, 7][..], &[0; 8]].concat();
        let bytes = [&(libc::AF_UNSPEC as u16).to_ne_bytes()[..], &v4].concat();
        assert_eq!(Address::parse(&bytes), Address::Unspecified);
        assert_eq!(
            Address::parse_v4(&bytes),
            Address::Internet(SocketAddr::from(([203, 0, 113, 7], 80)))
        );
        assert_eq!(Address::parse_v4(&bytes[..4]), Address::Unspecified);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..MAX_ADDRESS)) {
            let _ = Address::parse(&bytes);
            let _ = Address::parse_v4(&bytes);
        }

        #[test]
        fn what_is_encoded_reads_as_it_was(ip: u32, ip6: u128, port: u16, v6: bool) {
            let v4 = SocketAddr::new(Ipv4Addr::from(ip).into(), port);
            prop_assert_eq!(Address::parse(&encode(v4, v6).unwrap_or_default()), Address::Internet(v4));
            let v6 = SocketAddr::new(Ipv6Addr::from(ip6).to_canonical(), port);
            prop_assert_eq!(Address::parse(&encode(v6, true).unwrap_or_default()), Address::Internet(v6));
        }
    }
}
