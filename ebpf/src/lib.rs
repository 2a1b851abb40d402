//! The wall around what control groups send: programs in the kernel (`programs/wall.bpf.c`) that judge every
//! connect, bind and datagram on the kernel's own copy of the address, and their loader.
//!
//! Promises: the first rule that matches an operation decides it, as in the policy; what no table answers is
//! denied; a wall whose loader has died denies everything, for as long as its group is there; events that
//! could not be told are counted.
//!
//! It knows no names: whoever resolves a name for the session pins its addresses to the rules that name it. It
//! judges no sockets but TCP and UDP, and lets no others be made. It needs CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON
//! and the v2 hierarchy; where it cannot be loaded, that is an error and never a wall with holes.

mod compile;
mod event;
mod sys;
mod table;
mod wall;

pub use event::{Event, What};
pub use table::{Cidr, Operation, Rule, Table, TooMany, Transport, Verdict};
pub use wall::{Wall, WallError};

/// How many rules a table may have.
pub const RULES: usize = 256;
