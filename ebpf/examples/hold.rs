//! Puts the control groups that are named behind a wall and keeps it until it is killed, to try rules by hand:
//! `hold ALLOWED-ADDRESS FOLDER…`. Says `ready`, then every event.

use std::error::Error;
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::path::Path;

use agentsh_ebpf::{Cidr, Rule, Table, Verdict, Wall};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let allowed: IpAddr = arguments.next().ok_or("usage: hold ALLOWED-ADDRESS FOLDER…")?.parse()?;
    let rule = Rule::about(vec![Cidr::of(allowed)], Verdict::Audit);
    let mut wall = Wall::load(&Table::of(vec![rule]))?;
    for folder in arguments {
        wall.enclose(Path::new(&folder))?;
    }
    println!("ready");
    loop {
        poll(&mut [PollFd::new(wall.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
        while let Some(event) = wall.next_event() {
            println!("{event:?}");
        }
    }
}
