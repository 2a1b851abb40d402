//! What is allowed, in the words of a policy's network rules.

use std::net::{IpAddr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Deny,
    Allow,
    /// Allowed, and always told.
    Audit,
}

/// What is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Connect,
    Bind,
    /// A datagram to an address of its own (`sendto(2)`).
    Send,
}

impl Operation {
    pub const ALL: [Operation; 3] = [Operation::Connect, Operation::Bind, Operation::Send];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    pub const ALL: [Transport; 2] = [Transport::Tcp, Transport::Udp];
}

/// Addresses with the same first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    address: u128,
    bits: u32,
}

impl Cidr {
    /// `bits` are counted as the address's own family counts them; more than it has are all of them.
    pub fn new(address: IpAddr, bits: u8) -> Cidr {
        let (before, all) = match address {
            IpAddr::V4(_) => (96, 32),
            IpAddr::V6(_) => (0, 128),
        };
        let bits = before + u32::from(bits).min(all);
        Cidr {
            address: number(address) & mask(bits),
            bits,
        }
    }

    /// Every address of IPv6.
    pub(crate) const V6: Cidr = Cidr { address: 0, bits: 0 };
    /// Every address of IPv4.
    pub(crate) const V4: Cidr = Cidr {
        address: 0xffff << 32,
        bits: 96,
    };

    fn is_v4(&self) -> bool {
        self.bits >= Cidr::V4.bits && self.address & mask(Cidr::V4.bits) == Cidr::V4.address
    }

    /// Whether every address of `other` is one of these; those of IPv4 are none of IPv6.
    pub fn covers(&self, other: &Cidr) -> bool {
        self.is_v4() == other.is_v4() && self.bits <= other.bits && other.address & mask(self.bits) == self.address
    }

    /// The single address.
    pub fn of(address: IpAddr) -> Cidr {
        Cidr {
            address: number(address),
            bits: 128,
        }
    }

    pub(crate) fn bits(&self) -> u32 {
        self.bits
    }

    pub(crate) fn octets(&self) -> [u8; 16] {
        self.address.to_be_bytes()
    }
}

fn mask(bits: u32) -> u128 {
    u128::MAX.checked_shl(128 - bits).unwrap_or(0)
}

fn number(address: IpAddr) -> u128 {
    let address = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    u128::from(address)
}

pub(crate) fn address(octets: [u8; 16]) -> IpAddr {
    let address = Ipv6Addr::from(octets);
    address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4)
}

/// One rule: all that is given must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// None is any address.
    pub cidrs: Vec<Cidr>,
    /// Only addresses that are pinned to it ([`crate::Wall::pin`]).
    pub named: bool,
    /// None is any port.
    pub ports: Vec<u16>,
    pub operations: Vec<Operation>,
    pub transports: Vec<Transport>,
    pub verdict: Verdict,
}

/// The rules of a session; the first that matches decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub rules: Vec<Rule>,
    /// What happens when none matched.
    pub otherwise: Verdict,
    /// The process whose calls are judged already: it acts on the session's sockets.
    pub exempt: Option<u32>,
    /// Whether sockets for echo requests (ICMP) may be made beside those of TCP and UDP. What they send to a given address
    /// is not judged here; connecting them is denied.
    pub echo_sockets: bool,
    /// To whom everything goes that is sent to port 53.
    pub resolver4: Option<SocketAddrV4>,
    pub resolver6: Option<SocketAddrV6>,
}

impl Table {
    /// A table that denies everything.
    pub fn closed() -> Table {
        Table {
            rules: Vec::new(),
            otherwise: Verdict::Deny,
            exempt: None,
            echo_sockets: false,
            resolver4: None,
            resolver6: None,
        }
    }

    /// A table with these rules, in which everything else is denied.
    pub fn of(rules: Vec<Rule>) -> Table {
        Table {
            rules,
            ..Table::closed()
        }
    }
}

impl Rule {
    /// A rule for every operation and transport at any port.
    pub fn about(cidrs: Vec<Cidr>, verdict: Verdict) -> Rule {
        Rule {
            cidrs,
            named: false,
            ports: Vec::new(),
            operations: Operation::ALL.to_vec(),
            transports: Transport::ALL.to_vec(),
            verdict,
        }
    }
}

/// The table has more rules than the programs can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} network rules are more than the programs of the kernel tell apart ({max})", max = crate::RULES)]
pub struct TooMany(pub usize);
