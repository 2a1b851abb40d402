//! What an address is: to everybody, and on this machine.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Metadata services that some clouds put among private addresses.
const METADATA4: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
const METADATA6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// The address inside `64:ff9b::/96` (RFC 6052): a translator on the way makes it that.
fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.octets() {
        [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => Some(Ipv4Addr::new(a, b, c, d)),
        _ => None,
    }
}

fn loopback_like(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    }
}

/// Whether packets to it come to this machine: loopback, the unspecified address (the kernel connects to
/// loopback then), an address of one of its interfaces, or one of many machines (multicast, broadcast).
pub fn is_machine(address: IpAddr) -> bool {
    let address = address.to_canonical();
    if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
        return true;
    }
    // Only addresses that the machine listens to can be bound. A failure for want of descriptors says "not": the address
    // is judged as what it is in any case.
    UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}

/// Whether packets to one of the machine's addresses leave it as well: nobody is asked for permission to broadcast
/// (`SO_BROADCAST`, `socket(7)`) to another.
fn is_broadcast(address: IpAddr) -> bool {
    let asked =
        UdpSocket::bind(SocketAddr::new(address, 0)).and_then(|socket| socket.connect(SocketAddr::new(address, 9)));
    asked.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

/// How long an answer of [`is_machine`] is believed: asking costs a socket.
const BELIEVED: Duration = Duration::from_secs(1);

/// So many answers are kept.
const KEPT: usize = 1024;

/// What was found out of addresses a moment ago.
#[derive(Default)]
pub(crate) struct Looked(Mutex<HashMap<IpAddr, (bool, Instant)>>);

impl Looked {
    fn is_machine(&self, address: IpAddr) -> bool {
        let (mut known, now) = (self.0.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
        if let Some((found, when)) = known.get(&address)
            && now.saturating_duration_since(*when) < BELIEVED
        {
            return *found;
        }
        if known.len() >= KEPT {
            known.clear();
        }
        let found = is_machine(address);
        known.insert(address, (found, now));
        found
    }

    /// Whether packets to it go to many machines, of which this is one.
    pub(crate) fn is_of_many(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let only_here = address.is_loopback() || address.is_unspecified();
        address.is_multicast() || (!only_here && self.is_machine(address) && is_broadcast(address))
    }

    /// All that an address has to be judged as.
    pub(crate) fn faces(&self, address: IpAddr) -> impl Iterator<Item = IpAddr> + Clone {
        let address = address.to_canonical();
        let inner = match address {
            IpAddr::V6(v6) => translated(v6).map(IpAddr::V4),
            IpAddr::V4(_) => None,
        };
        let other = !address.is_loopback() && !address.is_unspecified();
        let own = (other && self.is_machine(address)).then(|| loopback_like(address));
        [Some(address), inner, own].into_iter().flatten()
    }
}

/// Whether an address is none of the public internet's: private, shared, loopback, link-local, multicast and
/// reserved ranges (RFC 6890), which no public name should have. Those for documentation lead nowhere and count
/// as public.
pub fn is_special(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => special_v4(v4),
        IpAddr::V6(v6) => translated(v6).map_or_else(|| special_v6(v6), special_v4),
    }
}

/// Whether it is an address of a network of one's own: private or shared (RFC 1918, 4193, 6598), but neither
/// loopback nor link-local, where a machine's own services and a cloud's metadata are.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || (a == 100 && (64..128).contains(&b) && v4 != METADATA4)
        }
        IpAddr::V6(v6) => v6.segments()[0] & 0xfe00 == 0xfc00 && v6 != METADATA6,
    }
}

fn special_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_multicast()
        || v4.is_broadcast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
}

fn special_v6(v6: Ipv6Addr) -> bool {
    let [first, second, ..] = v6.segments();
    // Global unicast is 2000::/3; of that, 2001::/23 is for protocols and 2002::/16 carries a v4 address.
    let six_to_four = || {
        let [_, _, a, b, c, d, ..] = v6.octets();
        first == 0x2002 && special_v4(Ipv4Addr::new(a, b, c, d))
    };
    first & 0xe000 != 0x2000 || (first == 0x2001 && second < 0x200) || six_to_four()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap_or(IpAddr::V4(Ipv4Addr::BROADCAST))
    }

    #[test]
    fn what_no_public_name_has_is_special_in_every_dress() {
        for text in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:0:1::1",
        ] {
            assert!(is_special(ip(text)), "{text}");
        }
        for text in [
            "1.1.1.1",
            "203.0.113.7",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert!(!is_special(ip(text)), "{text}");
        }
    }

    #[test]
    fn a_translated_address_is_judged_as_what_it_becomes_too() {
        let looked = Looked::default();
        let found: Vec<IpAddr> = looked.faces(ip("64:ff9b::a9fe:a9fe")).collect();
        assert!(found.contains(&ip("169.254.169.254")) && found.len() == 2, "{found:?}");
        assert_eq!(
            looked.faces(ip("::ffff:127.0.0.1")).collect::<Vec<_>>(),
            [ip("127.0.0.1")]
        );
    }
}
