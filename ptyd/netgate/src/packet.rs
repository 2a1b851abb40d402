//! Datagrams with a sender of one's choice (RFC 768, 791, 8200).

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

const UDP: u8 = 17;
const HOPS: u8 = 64;

/// A packet from `from` to `to`, which are of one family, else nothing.
pub(crate) fn datagram(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Option<Vec<u8>> {
    // More does not fit into a datagram.
    let length = u16::try_from(payload.len() + 8).ok()?;
    match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => v4(from, to, length, payload),
        (SocketAddr::V6(from), SocketAddr::V6(to)) => Some(v6(from, to, length, payload)),
        _ => None,
    }
}

fn udp(from: u16, to: u16, length: u16) -> [u8; 8] {
    let [a, b] = from.to_be_bytes();
    let [c, d] = to.to_be_bytes();
    let [e, f] = length.to_be_bytes();
    [a, b, c, d, e, f, 0, 0]
}

/// The kernel fills in length and checksum of the header; in IPv4 a datagram needs no checksum of its own.
fn v4(from: SocketAddrV4, to: SocketAddrV4, length: u16, payload: &[u8]) -> Option<Vec<u8>> {
    let [high, low] = length.checked_add(20)?.to_be_bytes();
    let mut packet = vec![0x45, 0, high, low, 0, 0, 0, 0, HOPS, UDP, 0, 0];
    packet.extend_from_slice(&from.ip().octets());
    packet.extend_from_slice(&to.ip().octets());
    packet.extend_from_slice(&udp(from.port(), to.port(), length));
    packet.extend_from_slice(payload);
    Some(packet)
}

fn v6(from: SocketAddrV6, to: SocketAddrV6, length: u16, payload: &[u8]) -> Vec<u8> {
    let [high, low] = length.to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, high, low, UDP, HOPS];
    packet.extend_from_slice(&from.ip().octets());
    packet.extend_from_slice(&to.ip().octets());
    let mut header = udp(from.port(), to.port(), length);
    let sum = checksum(from.ip(), to.ip(), length, &[&header, payload].concat());
    header[6..].copy_from_slice(&sum.to_be_bytes());
    packet.extend_from_slice(&header);
    packet.extend_from_slice(payload);
    packet
}

fn checksum(from: &Ipv6Addr, to: &Ipv6Addr, length: u16, datagram: &[u8]) -> u16 {
    let words = |bytes: &[u8]| -> u32 {
        let word = |pair: &[u8]| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
        bytes.chunks(2).map(word).sum()
    };
    let mut sum = words(&from.octets()) + words(&to.octets()) + u32::from(length) + u32::from(UDP) + words(datagram);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    // Zero would say that there is none.
    match !(sum as u16) {
        0 => 0xffff,
        sum => sum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_makes_the_sum_all_ones() -> Result<(), Box<dyn std::error::Error>> {
        for payload in [&b""[..], b"x", b"ab", b"a longer one"] {
            let (from, to) = ("[2001:db8::1]:53".parse()?, "[fd00::2]:4000".parse()?);
            let packet = datagram(from, to, payload).ok_or("no packet")?;
            let length = u16::try_from(payload.len() + 8)?;
            let (SocketAddr::V6(from), SocketAddr::V6(to)) = (from, to) else {
                return Err("not of IPv6".into());
            };
            // With its own checksum in it, what is left is nothing.
            assert_eq!(checksum(from.ip(), to.ip(), length, &packet[40..]), 0xffff);
        }
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_no_packet() -> Result<(), Box<dyn std::error::Error>> {
        let (from, to) = ("203.0.113.1:53".parse()?, "192.0.0.4:4000".parse()?);
        assert_eq!(
            datagram(from, to, &[0; 65_507]).map(|packet| packet.len()),
            Some(65_535)
        );
        assert!(datagram(from, to, &[0; 65_508]).is_none());
        assert!(datagram(from, "[::1]:1".parse()?, b"x").is_none());
        Ok(())
    }
}
