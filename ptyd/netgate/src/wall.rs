//! The wall in the kernel: around a session's control groups a wall that lets through what was judged, and
//! nothing else.
//!
//! It knows the supervisor, which carries out what it has judged; and it has the session's rules on TCP connections in
//! tables of its own, as far as tables can say them: by address, port, and name of an address. A connection that they
//! let through is the caller's own. Whatever else comes from anybody in a group was not judged, by whichever way
//! it went around the notification, and does not leave; with the supervisor dead nothing does.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agentsh_ebpf::{Cidr, RULES, Rule, Table, Transport, WallError};
pub use agentsh_ebpf::{Event, Operation, Verdict, What};
use agentsh_policy::Policy;

use crate::local;

/// Rules of our own that stand before those of the policy: addresses that are not only what they seem, and names.
const OWN: usize = 2;

/// Translated addresses (RFC 6052): they are judged as what is inside as well.
const TRANSLATED: (IpAddr, u8) = (IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0)), 96);

/// Whoever is asked for names there, the session's resolver answers.
const NAMES: u16 = 53;

/// Names of an address, and how long they hold.
pub(crate) type Names = Vec<(Arc<str>, Duration)>;

/// Whether the kernel can hold the policy's rules on connections by itself.
pub fn holds_rules(policy: &Policy) -> bool {
    policy.connect_table().is_some_and(|rules| rules.len() + OWN <= RULES)
}

/// A session's wall.
pub(crate) struct Wall(Mutex<State>);

struct State {
    wall: agentsh_ebpf::Wall,
    /// Whether sockets for echo requests are left to the judge.
    echo: bool,
    /// The policy whose rules are in the tables; `None`: the tables let nothing pass.
    policy: Option<Arc<Policy>>,
    /// Its rules, in the order of the table: their names, and whether they are there to be recorded.
    rules: Vec<(Option<Arc<str>>, bool)>,
}

impl Wall {
    /// Loads it; the calling process is the one that judges. `echo`: sockets for echo requests are left to it alone,
    /// whose datagrams the kernel asks nobody about.
    ///
    /// # Errors
    /// Where the kernel or the user's rights do not allow it.
    pub fn raise(echo: bool) -> Result<Wall, WallError> {
        let wall = agentsh_ebpf::Wall::load(&closed(echo))?;
        Ok(Wall(Mutex::new(State {
            wall,
            echo,
            policy: None,
            rules: Vec::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the kernel hold the policy's rules on connections; where it cannot, it lets no connection pass, and each is
    /// judged by the supervisor.
    ///
    /// # Errors
    /// Where the kernel fails; nothing passes then.
    pub fn feed(&self, policy: Option<&Arc<Policy>>, pinned: Vec<(IpAddr, Names)>) -> Result<(), WallError> {
        let mut state = self.lock();
        state.policy = None;
        let policy = policy.filter(|policy| holds_rules(policy));
        let echo = state.echo;
        let table = policy.and_then(|policy| table(policy, echo).ok().flatten());
        let open = table.is_some();
        state.wall.apply(&table.unwrap_or_else(|| closed(echo)))?;
        state.policy = policy.filter(|_| open).cloned();
        let rules = state.policy.as_ref().and_then(|policy| policy.connect_table());
        let rules = rules.iter().flatten();
        state.rules = rules.map(|rule| (rule.name.map(Arc::from), rule.audits)).collect();
        for (address, names) in pinned {
            state.pin(address, &names)?;
        }
        Ok(())
    }

    /// An address has these names from now on.
    ///
    /// # Errors
    /// Where the kernel fails; the address is then judged by what it was.
    pub fn pin(&self, address: IpAddr, names: &Names) -> Result<(), WallError> {
        self.lock().pin(address, names)
    }

    /// Forgets addresses whose names do not hold any more.
    pub fn forget_expired(&self) -> Result<(), WallError> {
        self.lock().wall.forget_expired()
    }

    /// Whether a TCP connection of the socket with this cookie would pass now.
    pub fn lets_pass(&self, address: IpAddr, port: u16, cookie: u64) -> bool {
        let kind = (Operation::Connect, Transport::Tcp);
        self.lock().wall.passes(kind, address, port, cookie)
    }

    /// The policy's rule behind one of the table, if it has a name, and whether it audits.
    pub fn rule(&self, number: Option<usize>) -> (Option<Arc<str>>, bool) {
        let place = number.and_then(|number| number.checked_sub(OWN));
        let found = place.and_then(|place| self.lock().rules.get(place).cloned());
        found.unwrap_or_default()
    }

    /// Puts it around a group of the v2 hierarchy, before anybody is in it.
    ///
    /// # Errors
    /// The group is not behind the wall then.
    pub fn enclose(&self, folder: &Path) -> Result<(), WallError> {
        self.lock().wall.enclose(folder)
    }

    /// The next event, if there is one.
    pub fn next_event(&self) -> Option<Event> {
        self.lock().wall.next_event()
    }

    /// How many events were lost since the beginning.
    pub fn lost(&self) -> u64 {
        self.lock().wall.lost().unwrap_or(0)
    }

    /// A descriptor that can be read when something was stopped or let through.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn notice(&self) -> io::Result<OwnedFd> {
        self.lock().wall.as_fd().try_clone_to_owned()
    }
}

impl State {
    fn pin(&mut self, address: IpAddr, names: &Names) -> Result<(), WallError> {
        let Some(policy) = &self.policy else { return Ok(()) };
        let rules = match names.as_slice() {
            [] => Vec::new(),
            [(name, _)] => policy
                .named_rules(name, address)
                .iter()
                .map(|rule| rule + OWN)
                .collect(),
            // Which of them is meant is not for a table to say.
            _ => vec![0],
        };
        let time = names.iter().map(|(_, time)| *time).max();
        match time.filter(|_| !rules.is_empty()) {
            Some(time) => self.wall.pin(address, rules, time),
            None => self.wall.unpin(address),
        }
    }
}

fn closed(echo: bool) -> Table {
    Table {
        exempt: Some(std::process::id()),
        echo_sockets: echo,
        ..Table::closed()
    }
}

/// The policy's rules on TCP connections. Those that do more than let pass are the supervisor's: the table stops them.
fn table(policy: &Policy, echo: bool) -> io::Result<Option<Table>> {
    let Some(rules) = policy.connect_table() else {
        return Ok(None);
    };
    let range = |(base, bits): &(IpAddr, u8)| Cidr::new(*base, *bits);
    let one = |cidrs: Vec<Cidr>, verdict| Rule {
        operations: vec![Operation::Connect],
        transports: vec![Transport::Tcp],
        ..Rule::about(cidrs, verdict)
    };
    // What is this machine's own is loopback as well.
    let mut odd: Vec<Cidr> = local::prefixes()?.iter().map(range).collect();
    odd.push(range(&TRANSLATED));
    let names = Rule {
        ports: vec![NAMES],
        ..one(Vec::new(), Verdict::Deny)
    };
    let mut all = vec![one(odd, Verdict::Deny), names];
    all.extend(rules.iter().map(|rule| {
        let cidrs = rule.cidrs.iter().map(range).collect();
        let verdict = if rule.passes { Verdict::Audit } else { Verdict::Deny };
        let mut as_table = one(cidrs, verdict);
        as_table.named = rule.named;
        as_table.ports = rule.ports.to_vec();
        if !rule.applies {
            as_table.operations.clear();
        }
        as_table
    }));
    Ok(Some(Table {
        rules: all,
        ..closed(echo)
    }))
}
