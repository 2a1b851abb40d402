//! A wall in the kernel: loaded, put around groups, told of names, listened to.

use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use aya::maps::{Array, HashMap, LpmTrie, MapData, MapError, ProgramArray, RingBuf};
use aya::programs::{Program, ProgramError};
use aya::{Ebpf, EbpfError, EbpfLoader};

use crate::compile::Compiled;
use crate::event::Event;
use crate::sys::{self, Config, Mask, Octets};
use crate::table::{Cidr, Table, TooMany};

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

/// Programs on tracepoints of the machine.
const TRACES: [(&str, &str); 2] = [("on_exec", "sched_process_exec"), ("on_exit", "sched_process_exit")];

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
    addresses: LpmTrie<MapData, Octets, Mask>,
    groups: HashMap<MapData, u64, u32>,
    lost: Array<MapData, u64>,
    events: RingBuf<MapData>,
    /// As long as they are open the walls judge.
    _gates: Vec<ProgramArray<MapData>>,
}

impl Wall {
    /// Loads the programs with a table. Nothing is behind the wall yet.
    pub fn load(table: &Table) -> Result<Wall, WallError> {
        let compiled = Compiled::new(table)?;
        let mut ebpf = EbpfLoader::new().btf(None).load(OBJECT)?;
        let mut addresses: LpmTrie<MapData, Octets, Mask> = LpmTrie::try_from(take(&mut ebpf, "ADDRESSES")?)?;
        for (key, mask) in compiled.addresses() {
            addresses.insert(&key, mask, 0)?;
        }
        let mut ports: HashMap<MapData, u32, Mask> = HashMap::try_from(take(&mut ebpf, "PORTS")?)?;
        for (port, mask) in &compiled.ports {
            ports.insert(port, mask, 0)?;
        }
        let mut config: Array<MapData, Config> = Array::try_from(take(&mut ebpf, "CONFIG")?)?;
        config.set(0, compiled.config, 0)?;
        let gates = gates(&mut ebpf)?;
        for (name, tracepoint) in TRACES {
            let wrong = |source| WallError::Program { name, source };
            if let Some(Program::RawTracePoint(program)) = ebpf.program_mut(name) {
                program.load().map_err(wrong)?;
                program.attach(tracepoint).map_err(wrong)?;
            } else {
                return Err(WallError::Missing(name));
            }
        }
        Ok(Wall {
            groups: HashMap::try_from(take(&mut ebpf, "GROUPS")?)?,
            lost: Array::try_from(take(&mut ebpf, "LOST")?)?,
            events: RingBuf::try_from(take(&mut ebpf, "EVENTS")?)?,
            ebpf,
            compiled,
            addresses,
            _gates: gates,
        })
    }

    /// Puts the group with this folder, of the v2 hierarchy, behind the wall: every socket that a process in
    /// it makes from now on. It stays there until the folder is removed, whatever becomes of this process.
    pub fn enclose(&mut self, folder: &Path) -> Result<(), WallError> {
        let failed = |source| WallError::Group {
            path: folder.to_owned(),
            source,
        };
        let group = File::open(folder).map_err(failed)?;
        let number = group.metadata().map_err(failed)?.ino();
        for hook in HOOKS {
            let program = program(&self.ebpf, hook.program)?;
            sys::attach(program, group.as_fd(), hook.place).map_err(failed)?;
        }
        Ok(self.groups.insert(number, 0, 0)?)
    }

    /// Forgets a group before it is removed.
    pub fn forget(&mut self, folder: &Path) -> Result<(), WallError> {
        let number = fs::metadata(folder).map_err(|source| WallError::Group {
            path: folder.to_owned(),
            source,
        })?;
        Ok(self.groups.remove(&number.ino())?)
    }

    /// An address was answered for a name: the rules with these numbers match it too.
    pub fn pin(&mut self, address: IpAddr, rules: impl IntoIterator<Item = usize>) -> Result<(), WallError> {
        let at = Cidr::of(address);
        let mut mask = Mask::default();
        rules.into_iter().for_each(|rule| mask.set(rule));
        Ok(self
            .addresses
            .insert(&sys::key(&at), self.compiled.at(&at).joined(mask), 0)?)
    }

    /// The address belongs to no name any more.
    pub fn unpin(&mut self, address: IpAddr) -> Result<(), WallError> {
        let at = Cidr::of(address);
        match self.compiled.names(&at) {
            true => Ok(self.addresses.insert(&sys::key(&at), self.compiled.at(&at), 0)?),
            false => Ok(self.addresses.remove(&sys::key(&at))?),
        }
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
