//! A wall whose loader dies.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use agentsh_ebpf::{Cidr, Rule, Table, Verdict, Wall};

use crate::reach::Listeners;
use crate::rig::{Done, in_a_network};

/// The group that another process of this program is to put behind a wall.
const FOLDER: &str = "WALL_OF_FOLDER";

/// Starts this program once more, as the loader of a wall around `folder` that lets 127.0.0.1 be reached.
fn holder(folder: &Path) -> Done<Child> {
    let holder = Command::new(std::env::current_exe()?)
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "death::holds_a_wall_until_it_is_killed",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()?;
    Ok(holder)
}

#[test]
#[ignore = "the loader that another test starts and kills"]
fn holds_a_wall_until_it_is_killed() -> Done {
    let folder = std::env::var_os(FOLDER).ok_or("for another test only")?;
    let rule = Rule::about(vec![Cidr::of("127.0.0.1".parse()?)], Verdict::Audit);
    let mut wall = Wall::load(&Table {
        exempt: Some(std::process::id()),
        ..Table::of(vec![rule])
    })?;
    wall.enclose(Path::new(&folder))?;
    println!("\nready");
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

#[test]
fn with_its_loader_killed_a_wall_denies_what_it_allowed_before() -> Done {
    in_a_network(|group| {
        let listeners = Listeners::at("127.0.0.1", 0)?;
        let mut holder = holder(Path::new(&group.folder))?;
        let said = BufReader::new(holder.stdout.take().ok_or("no stdout")?);
        let ready = said.lines().map_while(Result::ok).any(|line| line == "ready");
        assert!(ready, "the wall stands");
        group.join()?;
        let to = listeners.address()?;
        assert!(TcpStream::connect(to).is_ok());
        assert_eq!(listeners.arrived()?, (1, 0));
        holder.kill()?;
        holder.wait()?;
        // At once: the gates may still be open.
        assert!(TcpStream::connect(to).is_err());
        assert!(std::net::UdpSocket::bind("127.0.0.1:0").is_err());
        assert_eq!(listeners.arrived()?, (0, 0));
        Ok(())
    })
}
