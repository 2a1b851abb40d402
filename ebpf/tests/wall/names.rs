//! Names: pinned addresses, and questions that go to the session's resolver.

use std::net::{SocketAddr, TcpStream, UdpSocket};

use agentsh_ebpf::{Cidr, Operation, Rule, Table, Verdict};

use crate::reach::{Listeners, ip};
use crate::rig::{Done, behind};

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
        wall.pin(ip("203.0.113.5"), [1])?;
        // A name that points where an earlier rule denies opens nothing.
        wall.pin(ip("127.0.0.2"), [1])?;
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
