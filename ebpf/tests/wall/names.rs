//! Names: pinned addresses, and questions that go to the session's resolver.

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use agentsh_ebpf::{Cidr, Operation, Rule, Table, Transport, Verdict};
use rustix::net::sockopt::socket_cookie;
use rustix::net::{AddressFamily, SocketType, socket};

use crate::reach::{Listeners, ip};
use crate::rig::{Done, behind};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_name_opens_an_address_only_while_it_is_pinned() -> Done {
    let denied = Rule::about(vec![Cidr::of(ip("127.0.0.2"))], Verdict::Deny);
    let named = Rule {
        named: true,
        ..Rule::about(Vec::new(), Verdict::Allow)
    };
    let prepare = || Ok([Listeners::at("203.0.113.5", 0)?, Listeners::at("127.0.0.2", 0)?]);
    behind(Table::of(vec![denied, named]), prepare, |wall, [plain, denied]| {
        assert!(TcpStream::connect(plain.address()?).is_err());
        wall.pin(ip("203.0.113.5"), [1], HOUR)?;
        // A name that points where an earlier rule denies opens nothing.
        wall.pin(ip("127.0.0.2"), [1], HOUR)?;
        assert!(TcpStream::connect(plain.address()?).is_ok());
        assert!(TcpStream::connect(denied.address()?).is_err());
        wall.unpin(ip("203.0.113.5"))?;
        wall.unpin(ip("127.0.0.2"))?;
        assert!(TcpStream::connect(plain.address()?).is_err());
        assert!(TcpStream::connect(denied.address()?).is_err());
        assert_eq!((plain.arrived()?, denied.arrived()?), ((1, 0), (0, 0)));
        Ok(())
    })
}

/// What the loader says before and the kernel does is the same.
fn agree(wall: &agentsh_ebpf::Wall, to: SocketAddr) -> Done<bool> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    let said = wall.passes(
        (Operation::Connect, Transport::Tcp),
        to.ip(),
        to.port(),
        socket_cookie(&socket)?,
    );
    let passed = rustix::net::connect(&socket, &to).is_ok();
    assert_eq!(said, passed, "{to}");
    Ok(passed)
}

#[test]
fn a_pin_ends_with_its_time_and_with_the_table() -> Done {
    let named = Rule {
        named: true,
        ..Rule::about(Vec::new(), Verdict::Allow)
    };
    let all = Table::of(vec![Rule::about(Vec::new(), Verdict::Allow)]);
    behind(
        Table::of(vec![named.clone()]),
        || Listeners::at("203.0.113.5", 0),
        move |wall, listeners| {
            let to = listeners.address()?;
            wall.pin(ip("203.0.113.5"), [0], HOUR)?;
            assert!(agree(wall, to)?);
            wall.apply(&Table::of(vec![named]))?;
            assert!(!agree(wall, to)?);
            wall.pin(ip("203.0.113.5"), [0], Duration::from_millis(50))?;
            let limit = Instant::now() + Duration::from_secs(20);
            while TcpStream::connect(to).is_ok() {
                listeners.arrived()?;
                assert!(Instant::now() < limit, "the pin does not end");
            }
            wall.forget_expired()?;
            assert!(!agree(wall, to)?);
            wall.apply(&all)?;
            assert!(agree(wall, to)?);
            Ok(())
        },
    )
}

#[test]
fn of_a_socket_from_outside_the_wall_says_nothing() -> Done {
    let all = Table::of(vec![Rule::about(Vec::new(), Verdict::Allow)]);
    let outside = || {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        Ok((socket, Listeners::at("127.0.0.1", 0)?))
    };
    behind(all, outside, |wall, (socket, listeners)| {
        let to = listeners.address()?;
        let kind = (Operation::Connect, Transport::Tcp);
        assert!(!wall.passes(kind, to.ip(), to.port(), socket_cookie(&socket)?));
        assert!(agree(wall, to)?);
        Ok(())
    })
}

#[test]
fn whoever_is_asked_at_port_53_the_resolver_answers_in_its_name() -> Done {
    let resolver: SocketAddr = "127.0.0.1:5300".parse()?;
    let mut table = Table::of(vec![Rule {
        operations: vec![Operation::Bind],
        ..Rule::about(Vec::new(), Verdict::Allow)
    }]);
    if let SocketAddr::V4(resolver) = resolver {
        table.resolver4 = Some(resolver);
    }
    let prepare = || {
        let real = Listeners::at("203.0.113.5", 53)?;
        Ok((real, Listeners::at("127.0.0.1", 5300)?))
    };
    behind(table, prepare, |_, (real, resolver)| {
        let asked: SocketAddr = "203.0.113.5:53".parse()?;
        for connected in [false, true] {
            let client = UdpSocket::bind("0.0.0.0:0")?;
            client.set_read_timeout(Some(std::time::Duration::from_secs(20)))?;
            match connected {
                true => client.connect(asked).and_then(|()| client.send(b"who?"))?,
                false => client.send_to(b"who?", asked)?,
            };
            let mut question = [0; 16];
            let (length, from) = resolver.udp.recv_from(&mut question)?;
            assert_eq!(&question[..length], b"who?");
            resolver.udp.send_to(b"me", from)?;
            let (length, answerer) = client.recv_from(&mut question)?;
            assert_eq!(
                (&question[..length], answerer),
                (&b"me"[..], asked),
                "connected: {connected}"
            );
        }
        assert!(TcpStream::connect(asked).is_ok());
        assert_eq!((resolver.arrived()?, real.arrived()?), ((1, 0), (0, 0)));
        Ok(())
    })
}
