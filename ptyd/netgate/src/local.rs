//! The addresses of this machine, and that they change.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};

/// `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV4_ROUTE`, `RTMGRP_IPV6_IFADDR`, `RTMGRP_IPV6_ROUTE` (`rtnetlink(7)`).
const GROUPS: u32 = 0x10 | 0x40 | 0x100 | 0x400;

/// `RTF_LOCAL`, `linux/ipv6_route.h`.
const LOCAL: u32 = 0x8000_0000;

/// A listener looks around so often.
const LOOK: Duration = Duration::from_secs(1);

/// Prefixes (base and bits) of which every address is this machine's own; loopback is not among them.
///
/// # Errors
/// Where procfs does not tell.
pub(crate) fn prefixes() -> io::Result<Vec<(IpAddr, u8)>> {
    let mut all = four(&std::fs::read_to_string("/proc/thread-self/net/fib_trie")?);
    // A machine without IPv6 has no such file.
    if let Ok(text) = std::fs::read_to_string("/proc/thread-self/net/ipv6_route") {
        all.extend(six(&text));
    }
    all.retain(|(address, _)| !address.is_loopback());
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// Of `/proc/net/fib_trie`: a line with the address, then one with its bits and its kind.
fn four(text: &str) -> Vec<(IpAddr, u8)> {
    let mut address: Option<Ipv4Addr> = None;
    let mut all = Vec::new();
    for line in text.lines() {
        let line = line.trim_start();
        if let Some(base) = line.strip_prefix("|-- ") {
            address = base.parse().ok();
        } else if let (Some(base), Some(bits)) = (address, line.strip_suffix(" host LOCAL")) {
            let bits = bits.strip_prefix('/').and_then(|bits| bits.parse().ok());
            all.extend(bits.map(|bits| (base.into(), bits)));
        }
    }
    all
}

/// Of `/proc/net/ipv6_route`: the destination, its bits, and the flags in the ninth column.
fn six(text: &str) -> Vec<(IpAddr, u8)> {
    let one = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [base, bits, .., flags, _] = fields.as_slice() else {
            return None;
        };
        let local = u32::from_str_radix(flags, 16).ok()? & LOCAL != 0;
        let base = u128::from_str_radix(base, 16).ok()?;
        local.then_some((Ipv6Addr::from(base).into(), u8::from_str_radix(bits, 16).ok()?))
    };
    text.lines().filter_map(one).collect()
}

/// A descriptor on which changes of addresses and routes are told from now on.
///
/// # Errors
/// Where the kernel does not tell.
pub(crate) fn listen() -> io::Result<OwnedFd> {
    // Its protocol, `NETLINK_ROUTE`, is 0.
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(LOOK))?;
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
    Ok(socket)
}

/// Waits for a change, for a second at most; whether there was one.
///
/// # Errors
/// Those of the socket: nothing is told any more.
pub(crate) fn has_changed(socket: &OwnedFd) -> Result<bool, Errno> {
    match rustix::net::recv(socket, &mut [0; 4096], RecvFlags::empty()) {
        // What there was no room for is a change as well.
        Ok(_) | Err(Errno::NOBUFS) => Ok(true),
        Err(Errno::AGAIN | Errno::INTR) => Ok(false),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_routes_are_found_among_all() {
        let text = "Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
        |-- 192.0.2.0
           /24 link UNICAST
           /25 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
";
        assert_eq!(four(text), [(IpAddr::from([192, 0, 2, 0]), 25)]);
        let text = "20010db8000000000000000000000005 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001       lo
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000002 00000000 00000001     eth0
";
        let wanted = "2001:db8::5".parse().map(|address: IpAddr| (address, 128));
        assert_eq!(six(text).first().copied(), wanted.ok());
        assert_eq!(six(text).len(), 1);
    }
}
