//! What is told, and what cannot be.

use std::net::{TcpStream, UdpSocket};

use agentsh_ebpf::{Cidr, Event, Operation, RULES, Rule, Table, Verdict, Wall, What};

use crate::reach::{Listeners, ip};
use crate::rig::{Done, behind};

fn all(wall: &mut Wall) -> Vec<Event> {
    std::iter::from_fn(|| wall.next_event()).collect()
}

fn bind_and(rule: Rule) -> Table {
    let bind = Rule {
        operations: vec![Operation::Bind],
        ..Rule::about(Vec::new(), Verdict::Allow)
    };
    Table::of(vec![bind, rule])
}

#[test]
fn denials_and_audited_operations_are_told_with_their_rule() -> Done {
    let audited = Rule::about(vec![Cidr::of(ip("127.0.0.1"))], Verdict::Audit);
    behind(
        bind_and(audited),
        || Listeners::at("127.0.0.1", 0),
        |wall, listeners| {
            let port = listeners.address()?.port();
            TcpStream::connect(("127.0.0.1", port))?;
            let _ = TcpStream::connect(("127.0.0.2", port));
            let seen = all(wall).into_iter().filter(|event| event.tgid == std::process::id());
            let seen = seen.filter_map(|event| match event.what {
                What::Address {
                    operation,
                    verdict,
                    address,
                    port: to,
                    rule,
                    ..
                } => Some((operation, verdict, address, to, rule)),
                _ => None,
            });
            let seen: Vec<_> = seen.collect();
            assert_eq!(
                seen,
                [
                    (Operation::Connect, Verdict::Audit, ip("127.0.0.1"), port, Some(1)),
                    (Operation::Connect, Verdict::Deny, ip("127.0.0.2"), port, None),
                ]
            );
            Ok(())
        },
    )
}

#[test]
fn of_all_rules_that_match_the_first_is_found_wherever_it_stands() -> Done {
    const FIRST: u16 = 20_000;
    const ALL: u16 = RULES as u16;
    // Rule N matches every multiple of what is left behind it: the first one for a number is that of the number itself.
    let rules = (0..ALL).map(|rule| Rule {
        ports: (0..ALL)
            .filter(|number| number % (ALL - rule) == 0)
            .map(|number| FIRST + number)
            .collect(),
        ..Rule::about(Vec::new(), Verdict::Audit)
    });
    behind(
        Table::of(rules.collect()),
        || Ok(()),
        |wall, ()| {
            for number in 0..ALL {
                let _ = TcpStream::connect(("127.0.0.1", FIRST + number));
                let found: Vec<_> = all(wall)
                    .into_iter()
                    .filter_map(|event| match event.what {
                        What::Address { port, rule, .. } => Some((port, rule)),
                        What::Socket { .. } => None,
                    })
                    .collect();
                let wanted = if number == 0 { 0 } else { ALL - number };
                assert_eq!(found, [(FIRST + number, Some(usize::from(wanted)))]);
            }
            Ok(())
        },
    )
}

#[test]
fn a_flood_is_counted_where_it_cannot_be_told_and_nothing_passes() -> Done {
    let nothing = Rule::about(vec![Cidr::of(ip("192.0.2.1"))], Verdict::Allow);
    behind(
        bind_and(nothing),
        || Listeners::at("127.0.0.1", 0),
        |wall, listeners| {
            let (socket, to) = (UdpSocket::bind("127.0.0.1:0")?, listeners.address()?);
            const FLOOD: usize = 20_000;
            for _ in 0..FLOOD {
                assert!(socket.send_to(b"x", to).is_err());
            }
            assert_eq!(listeners.arrived()?, (0, 0));
            let told = all(wall).len();
            assert!(told < FLOOD);
            assert_eq!(told + wall.lost()? as usize, FLOOD);
            Ok(())
        },
    )
}
