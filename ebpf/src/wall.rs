//! A wall in the kernel: loaded, put around groups, told of names, listened to.

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use aya::maps::{Array, HashMap, LpmTrie, MapData, MapError, ProgramArray, RingBuf};
use aya::programs::{Program, ProgramError};
use aya::{Ebpf, EbpfError, EbpfLoader};

use crate::compile::Compiled;
use crate::event::Event;
use crate::sys::{self, Config, Mask, Octets, Place};
use crate::table::{Cidr, Operation, Table, TooMany, Transport};

/// The compiled programs.
const OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/wall.o"));

/// A place of a group at which a program is attached.
struct Hook {
    program: &'static str,
    /// `enum bpf_attach_type`.
    place: u32,
    /// The array by which it calls the program that judges, and that program.
    judge: Option<(&'static str, &'static str)>,
}

const fn hook(place: u32, program: &'static str, gate: &'static str, judge: &'static str) -> Hook {
    Hook {
        program,
        place,
        judge: Some((gate, judge)),
    }
}

/// All of them. What is received is not judged: an answer only gets back the address that was asked.
const HOOKS: [Hook; 9] = [
    hook(2, "sock_create", "GATE_SOCKET", "judge_sock_create"),
    hook(8, "bind4", "GATE_BIND4", "judge_bind4"),
    hook(9, "bind6", "GATE_BIND6", "judge_bind6"),
    hook(10, "connect4", "GATE_CONNECT4", "judge_connect4"),
    hook(11, "connect6", "GATE_CONNECT6", "judge_connect6"),
    hook(14, "sendmsg4", "GATE_SENDMSG4", "judge_sendmsg4"),
    hook(15, "sendmsg6", "GATE_SENDMSG6", "judge_sendmsg6"),
    Hook {
        program: "recvmsg4",
        place: 19,
        judge: None,
    },
    Hook {
        program: "recvmsg6",
        place: 20,
        judge: None,
    },
];

/// The program that sees the end of the exempt process, and the machine's tracepoint for it.
const TRACE: (&str, &str) = ("on_exit", "sched_process_exit");

/// Why there is no wall.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WallError {
    #[error("loading the programs: {0}")]
    Load(#[from] EbpfError),
    #[error("program {name}: {source}")]
    Program { name: &'static str, source: ProgramError },
    #[error("map: {0}")]
    Map(#[from] MapError),
    #[error("the programs have no {0}")]
    Missing(&'static str),
    #[error("{path}: {source}")]
    Group { path: PathBuf, source: io::Error },
    #[error(transparent)]
    TooMany(#[from] TooMany),
}

/// A wall. Dropping it leaves its groups denied everything.
pub struct Wall {
    ebpf: Ebpf,
    compiled: Compiled,
    /// Addresses that belong to names, with what is in the trie for them.
    pins: std::collections::HashMap<IpAddr, Place>,
    addresses: LpmTrie<MapData, Octets, Place>,
    ports: HashMap<MapData, u32, Mask>,
    config: Array<MapData, Config>,
    made: HashMap<MapData, u64, u32>,
    lost: Array<MapData, u64>,
    events: RingBuf<MapData>,
    /// As long as they are open the walls judge.
    _gates: Vec<ProgramArray<MapData>>,
}

impl Wall {
    /// Loads the programs with a table. Nothing is behind the wall yet.
    pub fn load(table: &Table) -> Result<Wall, WallError> {
        let compiled = Compiled::new(&Table::closed())?;
        let mut ebpf = loader().load(OBJECT)?;
        let gates = gates(&mut ebpf)?;
        let (name, tracepoint) = TRACE;
        let wrong = |source| WallError::Program { name, source };
        let Some(Program::RawTracePoint(program)) = ebpf.program_mut(name) else {
            return Err(WallError::Missing(name));
        };
        program.load().map_err(wrong)?;
        program.attach(tracepoint).map_err(wrong)?;
        let mut wall = Wall {
            addresses: LpmTrie::try_from(take(&mut ebpf, "ADDRESSES")?)?,
            ports: HashMap::try_from(take(&mut ebpf, "PORTS")?)?,
            config: Array::try_from(take(&mut ebpf, "CONFIG")?)?,
            made: HashMap::try_from(take(&mut ebpf, "MADE")?)?,
            pins: std::collections::HashMap::new(),
            lost: Array::try_from(take(&mut ebpf, "LOST")?)?,
            events: RingBuf::try_from(take(&mut ebpf, "EVENTS")?)?,
            ebpf,
            compiled,
            _gates: gates,
        };
        wall.apply(table)?;
        Ok(wall)
    }

    /// Puts another table in the place of the one in force. Nothing passes on the way from one to the other but what the
    /// exempt process does; pinned addresses are forgotten.
    ///
    /// # Errors
    /// What the new table is too much for: the old one stays. Where the kernel fails: nothing passes from then on.
    pub fn apply(&mut self, table: &Table) -> Result<(), WallError> {
        let new = Compiled::new(table)?;
        let closed = Compiled::new(&Table {
            exempt: table.exempt,
            ..Table::closed()
        })?;
        self.config.set(0, closed.config, 0)?;
        for key in self.addresses.keys().collect::<Result<Vec<_>, _>>()? {
            self.addresses.remove(&key)?;
        }
        for port in self.ports.keys().collect::<Result<Vec<_>, _>>()? {
            self.ports.remove(&port)?;
        }
        self.pins.clear();
        self.compiled = closed;
        for (key, place) in new.addresses() {
            self.addresses.insert(&key, place, 0)?;
        }
        for (port, mask) in &new.ports {
            self.ports.insert(port, mask, 0)?;
        }
        self.config.set(0, new.config, 0)?;
        self.compiled = new;
        Ok(())
    }

    /// Whether the programs would let it pass now, and would judge it at all: the socket with this cookie (`SO_COOKIE`)
    /// was made behind the wall.
    pub fn passes(&self, kind: (Operation, Transport), address: IpAddr, port: u16, cookie: u64) -> bool {
        let at = Cidr::of(address);
        let mut matching = self.compiled.at(&at);
        if let Some(pin) = self
            .pins
            .get(&address.to_canonical())
            .filter(|pin| pin.until > sys::now())
        {
            matching = matching.joined(pin.named);
        }
        let kind = kind.0 as usize * Transport::ALL.len() + kind.1 as usize;
        self.compiled.decide(kind, &matching, port).1 != 0 && self.made.get(&cookie, 0).is_ok()
    }

    /// Puts the group with this folder, of the v2 hierarchy, behind the wall: every socket that a process in
    /// it makes from now on. It stays there until the folder is removed, whatever becomes of this process.
    pub fn enclose(&mut self, folder: &Path) -> Result<(), WallError> {
        let failed = |source| WallError::Group {
            path: folder.to_owned(),
            source,
        };
        let group = File::open(folder).map_err(failed)?;
        for hook in HOOKS {
            let program = program(&self.ebpf, hook.program)?;
            sys::attach(program, group.as_fd(), hook.place).map_err(failed)?;
        }
        Ok(())
    }

    /// An address was answered for a name: the rules with these numbers match it too, for so long.
    pub fn pin(
        &mut self,
        address: IpAddr,
        rules: impl IntoIterator<Item = usize>,
        time: Duration,
    ) -> Result<(), WallError> {
        let at = Cidr::of(address);
        let mut named = Mask::default();
        rules.into_iter().for_each(|rule| named.set(rule));
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let place = Place {
            always: self.compiled.at(&at),
            named,
            until: sys::now().saturating_add(time),
        };
        self.pins.insert(address.to_canonical(), place);
        Ok(self.addresses.insert(&sys::key(&at), place, 0)?)
    }

    /// The address belongs to no name any more.
    pub fn unpin(&mut self, address: IpAddr) -> Result<(), WallError> {
        if self.pins.remove(&address.to_canonical()).is_none() {
            return Ok(());
        }
        let at = Cidr::of(address);
        let place = Place {
            always: self.compiled.at(&at),
            ..Place::default()
        };
        match self.compiled.names(&at) {
            true => Ok(self.addresses.insert(&sys::key(&at), place, 0)?),
            false => Ok(self.addresses.remove(&sys::key(&at))?),
        }
    }

    /// Addresses that are pinned: those whose time is over are forgotten.
    pub fn forget_expired(&mut self) -> Result<(), WallError> {
        let now = sys::now();
        let over = self.pins.iter().filter(|(_, pin)| pin.until <= now);
        for address in over.map(|(address, _)| *address).collect::<Vec<_>>() {
            self.unpin(address)?;
        }
        Ok(())
    }

    /// The next event, if there is one. The wall's own descriptor ([`AsFd`]) is readable when one comes.
    pub fn next_event(&mut self) -> Option<Event> {
        while let Some(item) = self.events.next() {
            if let Some(event) = Event::read(&item) {
                return Some(event);
            }
        }
        None
    }

    /// How many events there was no room for, since the beginning. Nothing passed because of that.
    pub fn lost(&self) -> Result<u64, WallError> {
        Ok(self.lost.get(&0, 0)?)
    }
}

impl AsFd for Wall {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}

/// A loader that knows nothing of the kernel's types, which these programs do not need. A new one reads and keeps five
/// megabytes of them before it can be told so, in 50 ms: on a thread that does not see the file it does not.
fn loader() -> EbpfLoader<'static> {
    let apart = || {
        // Where this may not be it takes longer.
        let _ = sys::see_little();
        EbpfLoader::new()
    };
    let made = thread::Builder::new().spawn(apart).map(JoinHandle::join);
    let mut loader = match made {
        Ok(Ok(loader)) => loader,
        _ => EbpfLoader::new(),
    };
    loader.btf(None);
    loader
}

fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<aya::maps::Map, WallError> {
    ebpf.take_map(name).ok_or(WallError::Missing(name))
}

fn program<'a>(ebpf: &'a Ebpf, name: &'static str) -> Result<BorrowedFd<'a>, WallError> {
    let program = ebpf.program(name).ok_or(WallError::Missing(name))?;
    let fd = program.fd().map_err(|source| WallError::Program { name, source })?;
    Ok(fd.as_fd())
}

/// Loads the programs of all hooks and opens the gates between them.
fn gates(ebpf: &mut Ebpf) -> Result<Vec<ProgramArray<MapData>>, WallError> {
    let mut gates = Vec::new();
    for hook in HOOKS {
        load(ebpf, hook.program)?;
        let Some((gate, judge)) = hook.judge else { continue };
        load(ebpf, judge)?;
        let mut array: ProgramArray<MapData> = ProgramArray::try_from(take(ebpf, gate)?)?;
        let program = ebpf.program(judge).ok_or(WallError::Missing(judge))?;
        let fd = program
            .fd()
            .map_err(|source| WallError::Program { name: judge, source })?;
        array.set(0, fd, 0)?;
        gates.push(array);
    }
    Ok(gates)
}

fn load(ebpf: &mut Ebpf, name: &'static str) -> Result<(), WallError> {
    let loaded = match ebpf.program_mut(name) {
        Some(Program::CgroupSockAddr(program)) => program.load(),
        Some(Program::CgroupSock(program)) => program.load(),
        _ => return Err(WallError::Missing(name)),
    };
    loaded.map_err(|source| WallError::Program { name, source })
}
