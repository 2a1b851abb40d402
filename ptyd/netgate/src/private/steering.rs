//! What is sent out of a private network is handed to the relay with the address that it was sent to (`tproxy`, as nf_tables
//! knows it); what the relay does not take is dropped.

use std::io;
use std::net::IpAddr;

use rustix::net::{AddressFamily, SocketFlags, SocketType, netlink};

use super::netlink::{APPEND, Attributes, CREATE, Messages};
use super::{OWN4, OWN6};

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEWTABLE: u16 = SUBSYSTEM << 8;
const NEWCHAIN: u16 = SUBSYSTEM << 8 | 3;
const NEWRULE: u16 = SUBSYSTEM << 8 | 6;

const TABLE: &str = "agentsh";
const CHAIN: &str = "out";
/// The first thing that happens to a packet, where routing has yet to be done.
const PREROUTING: u32 = 0;
const PRIORITY: i32 = -150;
const REGISTER_VERDICT: u32 = 0;
const REGISTER: u32 = 1;
const DROP: u32 = 0;
const ACCEPT: u32 = 1;

/// Has everything that is not meant for the network itself handed to the relay at `port`.
pub(super) fn make(v6: bool, port: u16) -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::NETFILTER))?;
    let mut messages = Messages::default();
    let batch = [&[0, 0][..], &SUBSYSTEM.to_be_bytes()].concat();
    messages.add(BATCH_BEGIN, 0, false, &batch, &Attributes::default());
    family(
        &mut messages,
        libc::NFPROTO_IPV4 as u8,
        port,
        &[(16, vec![127]), destination(OWN4.into())],
    );
    if v6 {
        let loopback = destination(std::net::Ipv6Addr::LOCALHOST.into());
        family(
            &mut messages,
            libc::NFPROTO_IPV6 as u8,
            port,
            &[loopback, destination(OWN6.into())],
        );
    }
    messages.add(BATCH_END, 0, false, &batch, &Attributes::default());
    messages.send(socket)
}

/// Where an IP header has the destination, and what stands there.
fn destination(address: IpAddr) -> (u32, Vec<u8>) {
    match address {
        IpAddr::V4(v4) => (16, v4.octets().to_vec()),
        IpAddr::V6(v6) => (24, v6.octets().to_vec()),
    }
}

fn family(messages: &mut Messages, family: u8, port: u16, inside: &[(u32, Vec<u8>)]) {
    // struct nfgenmsg
    let body = [family, 0, 0, 0];
    let table = Attributes::default().text(1, TABLE);
    messages.add(NEWTABLE, CREATE, true, &body, &table);
    let hook = Attributes::default().number(1, PREROUTING).number(2, PRIORITY as u32);
    let chain = Attributes::default()
        .text(1, TABLE)
        .text(3, CHAIN)
        .nested(4, hook)
        .number(5, DROP)
        .text(7, "filter");
    messages.add(NEWCHAIN, CREATE, true, &body, &chain);
    let mut rule = |expressions: Attributes| {
        let rule = Attributes::default()
            .text(1, TABLE)
            .text(2, CHAIN)
            .nested(4, expressions);
        messages.add(NEWRULE, CREATE | APPEND, true, &body, &rule);
    };
    for (offset, octets) in inside {
        rule(verdict(compare(Attributes::default(), *offset, octets), ACCEPT));
    }
    rule(verdict(tproxy(Attributes::default(), family, port), ACCEPT));
}

/// One expression: `NFTA_EXPR_NAME`, `NFTA_EXPR_DATA`.
fn expression(list: Attributes, name: &str, data: Attributes) -> Attributes {
    list.nested(1, Attributes::default().text(1, name).nested(2, data))
}

/// `NFTA_DATA_VALUE`.
fn value(octets: &[u8]) -> Attributes {
    Attributes::default().bytes(1, octets)
}

fn compare(list: Attributes, offset: u32, octets: &[u8]) -> Attributes {
    const NETWORK_HEADER: u32 = 1;
    const EQUAL: u32 = 0;
    let load = Attributes::default()
        .number(1, REGISTER)
        .number(2, NETWORK_HEADER)
        .number(3, offset)
        .number(4, octets.len() as u32);
    let compare = Attributes::default()
        .number(1, REGISTER)
        .number(2, EQUAL)
        .nested(3, value(octets));
    expression(expression(list, "payload", load), "cmp", compare)
}

/// TCP and UDP; others go on to what follows.
fn tproxy(list: Attributes, family: u8, port: u16) -> Attributes {
    let load = Attributes::default()
        .number(1, REGISTER)
        .nested(2, value(&port.to_be_bytes()));
    // At no other address than the interface's own.
    let to = Attributes::default().number(1, family.into()).number(3, REGISTER);
    expression(expression(list, "immediate", load), "tproxy", to)
}

fn verdict(list: Attributes, code: u32) -> Attributes {
    let verdict = Attributes::default().nested(2, Attributes::default().number(1, code));
    let data = Attributes::default().number(1, REGISTER_VERDICT).nested(2, verdict);
    expression(list, "immediate", data)
}
