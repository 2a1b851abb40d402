//! Which addresses are reached, by which kinds of sockets and calls.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use agentsh_ebpf::{Cidr, Operation, Rule, Table, Transport, Verdict};
use rustix::net::{AddressFamily, SendFlags, SocketType, sendto, socket};

use crate::rig::{Done, behind};
use crate::sys;

/// Everything of the network of the tests.
const ADDRESSES: [&str; 5] = ["127.0.0.1", "127.0.0.2", "203.0.113.5", "::1", "2001:db8::5"];

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))
}

/// Listeners for both transports at one address.
pub struct Listeners {
    pub tcp: TcpListener,
    pub udp: UdpSocket,
}

impl Listeners {
    pub fn at(address: &str, port: u16) -> Done<Listeners> {
        let tcp = TcpListener::bind((ip(address), port))?;
        let udp = UdpSocket::bind(tcp.local_addr()?)?;
        tcp.set_nonblocking(true)?;
        udp.set_nonblocking(true)?;
        Ok(Listeners { tcp, udp })
    }

    pub fn address(&self) -> Done<SocketAddr> {
        Ok(self.tcp.local_addr()?)
    }

    /// How many connections and datagrams have arrived: on loopback they are there when the call returns.
    pub fn arrived(&self) -> Done<(usize, usize)> {
        let mut found = (0, 0);
        loop {
            match self.tcp.accept() {
                Ok(_) => found.0 += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        loop {
            match self.udp.recv(&mut [0; 64]) {
                Ok(_) => found.1 += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }
}

/// Every way to send something there, and how many worked.
fn try_all(to: SocketAddr) -> Done<(usize, usize)> {
    let own: SocketAddr = if to.is_ipv4() {
        "0.0.0.0:0".parse()?
    } else {
        "[::]:0".parse()?
    };
    let tcp = usize::from(TcpStream::connect(to).is_ok()) + usize::from(fast_open(to)?);
    // Unconnected, connected, and connected to nobody before it names its receiver.
    let unconnected = UdpSocket::bind(own)?.send_to(b"x", to).is_ok();
    let connected = UdpSocket::bind(own)
        .and_then(|socket| socket.connect(to).and_then(|()| socket.send(b"x")))
        .is_ok();
    Ok((tcp, usize::from(unconnected) + usize::from(connected)))
}

/// Data in the first segment, without `connect(2)`.
fn fast_open(to: SocketAddr) -> Done<bool> {
    let family = if to.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let socket = socket(family, SocketType::STREAM, None)?;
    Ok(sendto(
        &socket,
        b"x",
        SendFlags::from_bits_retain(libc::MSG_FASTOPEN as u32),
        &to,
    )
    .is_ok())
}

fn bind_anywhere() -> Rule {
    Rule {
        operations: vec![Operation::Bind],
        ..Rule::about(Vec::new(), Verdict::Allow)
    }
}

/// As an address of an IPv6 socket.
fn mapped(to: SocketAddr) -> SocketAddr {
    match to.ip() {
        IpAddr::V4(address) => SocketAddr::new(address.to_ipv6_mapped().into(), to.port()),
        IpAddr::V6(_) => to,
    }
}

#[test]
fn only_what_a_rule_allows_arrives() -> Done {
    for allowed in ADDRESSES {
        let table = Table::of(vec![
            bind_anywhere(),
            Rule::about(vec![Cidr::of(ip(allowed))], Verdict::Allow),
        ]);
        let prepare = || {
            ADDRESSES
                .into_iter()
                .map(|address| Listeners::at(address, 0))
                .collect::<Done<Vec<_>>>()
        };
        behind(table, prepare, move |_, listeners| {
            for (address, listeners) in ADDRESSES.into_iter().zip(listeners) {
                let to = listeners.address()?;
                for to in [to, mapped(to)] {
                    let worked = try_all(to)?;
                    let expected = if address == allowed { (2, 2) } else { (0, 0) };
                    assert_eq!(worked, expected, "{to} with {allowed} allowed");
                    assert_eq!(listeners.arrived()?, expected, "{to} with {allowed} allowed");
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn the_first_rule_decides_by_prefix_port_and_transport() -> Done {
    let deny_port = Rule {
        ports: vec![4001],
        ..Rule::about(vec![Cidr::new(ip("127.0.0.0"), 8)], Verdict::Deny)
    };
    let tcp_only = Rule {
        transports: vec![Transport::Tcp],
        ..Rule::about(vec![Cidr::new(ip("127.0.0.0"), 30)], Verdict::Allow)
    };
    let table = Table::of(vec![bind_anywhere(), deny_port, tcp_only]);
    let prepare = || Ok([Listeners::at("127.0.0.1", 4001)?, Listeners::at("127.0.0.1", 4002)?]);
    behind(table, prepare, |_, [denied, allowed]| {
        try_all(denied.address()?)?;
        try_all(allowed.address()?)?;
        assert_eq!(denied.arrived()?, (0, 0));
        assert_eq!(allowed.arrived()?, (2, 0));
        Ok(())
    })
}

#[test]
fn an_unspecified_address_is_this_machine() -> Done {
    let table = Table::of(vec![
        bind_anywhere(),
        Rule::about(vec![Cidr::of(ip("203.0.113.5"))], Verdict::Allow),
    ]);
    let prepare = || Ok((Listeners::at("127.0.0.1", 0)?, Listeners::at("::1", 0)?));
    behind(table, prepare, |_, (four, six)| {
        for (listeners, address) in [(&four, "0.0.0.0"), (&four, "::ffff:0.0.0.0"), (&six, "::")] {
            let to = SocketAddr::new(ip(address), listeners.address()?.port());
            assert_eq!(try_all(to)?, (0, 0), "{to}");
        }
        assert_eq!((four.arrived()?, six.arrived()?), ((0, 0), (0, 0)));
        Ok(())
    })
}

#[test]
fn a_port_is_taken_only_where_a_rule_says_so() -> Done {
    let rule = Rule {
        operations: vec![Operation::Bind],
        ports: vec![4010],
        ..Rule::about(vec![Cidr::of(ip("127.0.0.1"))], Verdict::Allow)
    };
    behind(
        Table::of(vec![rule]),
        || Ok(()),
        |_, ()| {
            assert!(TcpListener::bind(("127.0.0.1", 4010)).is_ok());
            for denied in [("127.0.0.1", 4011), ("0.0.0.0", 4010), ("::1", 4010), ("::", 4010)] {
                let refused = TcpListener::bind(denied).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
                assert!(refused, "{denied:?}");
            }
            Ok(())
        },
    )
}

#[test]
fn sockets_that_nobody_judges_are_not_made() -> Done {
    let all = Table::of(vec![Rule::about(Vec::new(), Verdict::Allow)]);
    behind(
        all,
        || Ok(()),
        |_, ()| {
            for family in [libc::AF_INET, libc::AF_INET6] {
                for (kind, protocol) in [
                    (libc::SOCK_RAW, libc::IPPROTO_ICMP),
                    (libc::SOCK_RAW, libc::IPPROTO_RAW),
                    (libc::SOCK_STREAM, libc::IPPROTO_MPTCP),
                ] {
                    assert_eq!(
                        sys::socket(family, kind, protocol),
                        Some(libc::EPERM),
                        "{family} {kind} {protocol}"
                    );
                }
            }
            for family in [libc::AF_INET, libc::AF_INET6] {
                assert_eq!(sys::socket(family, libc::SOCK_STREAM, 0), None);
                assert_eq!(sys::socket(family, libc::SOCK_DGRAM, 0), None);
            }
            Ok(())
        },
    )
}
