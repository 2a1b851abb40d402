//! Addresses and routes of a private network (`rtnetlink(7)`): every address is one of its own.

use std::io;
use std::net::IpAddr;

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::netlink::{Attributes, CREATE, Messages};
use super::{OWN4, OWN6};

const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_PREFSRC: u16 = 7;
/// The loopback interface is the first of every network.
const LOOPBACK: u32 = 1;

/// Everything leads to loopback, and the network's own address is what connections come from.
pub(super) fn make(v6: bool) -> io::Result<()> {
    // The family's first protocol, `NETLINK_ROUTE`.
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    let mut messages = Messages::default();
    let up = libc::IFF_UP as u32;
    // struct ifinfomsg
    let link = [[0; 4], LOOPBACK.to_ne_bytes(), up.to_ne_bytes(), up.to_ne_bytes()].concat();
    messages.add(RTM_NEWLINK, 0, true, &link, &Attributes::default());
    address(&mut messages, OWN4.into());
    route(&mut messages, OWN4.into());
    if v6 {
        address(&mut messages, OWN6.into());
        route(&mut messages, OWN6.into());
    }
    messages.send(socket)
}

fn octets(address: IpAddr) -> (u8, u8, Vec<u8>) {
    match address {
        IpAddr::V4(v4) => (libc::AF_INET as u8, 32, v4.octets().to_vec()),
        IpAddr::V6(v6) => (libc::AF_INET6 as u8, 128, v6.octets().to_vec()),
    }
}

fn address(messages: &mut Messages, own: IpAddr) {
    /// Nobody else could have it.
    const IFA_F_NODAD: u8 = 2;
    let (family, bits, octets) = octets(own);
    // struct ifaddrmsg
    let body = [[family, bits, IFA_F_NODAD, 0], LOOPBACK.to_ne_bytes()].concat();
    let attributes = Attributes::default()
        .bytes(IFA_LOCAL, &octets)
        .bytes(IFA_ADDRESS, &octets);
    messages.add(RTM_NEWADDR, CREATE, true, &body, &attributes);
}

fn route(messages: &mut Messages, from: IpAddr) {
    const RTPROT_STATIC: u8 = 4;
    let (family, _, octets) = octets(from);
    // struct rtmsg: to everywhere
    let body = [
        [family, 0, 0, 0],
        [
            libc::RT_TABLE_LOCAL,
            RTPROT_STATIC,
            libc::RT_SCOPE_HOST,
            libc::RTN_LOCAL,
        ],
        [0; 4],
    ]
    .concat();
    let attributes = Attributes::default()
        .bytes(RTA_OIF, &LOOPBACK.to_ne_bytes())
        .bytes(RTA_PREFSRC, &octets);
    messages.add(RTM_NEWROUTE, CREATE, true, &body, &attributes);
}
