//! A wall whose loader dies.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::reach::Listeners;
use crate::rig::{Done, in_a_network};

/// `target/…/examples/hold`, beside the folder of this program.
fn holder() -> Done<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.ancestors().nth(2).ok_or("no folder")?;
    Ok(folder.join("examples/hold"))
}

#[test]
fn with_its_loader_killed_a_wall_denies_what_it_allowed_before() -> Done {
    in_a_network(|group| {
        let listeners = Listeners::at("127.0.0.1", 0)?;
        let mut holder = Command::new(holder()?)
            .arg("127.0.0.1")
            .arg(&group.folder)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut ready = String::new();
        BufReader::new(holder.stdout.take().ok_or("no stdout")?).read_line(&mut ready)?;
        assert_eq!(ready, "ready\n");
        group.join()?;
        let to = listeners.address()?;
        assert!(TcpStream::connect(to).is_ok());
        assert_eq!(listeners.arrived()?, (1, 0));
        holder.kill()?;
        holder.wait()?;
        assert!(TcpStream::connect(to).is_err());
        assert!(std::net::UdpSocket::bind("127.0.0.1:0").is_err());
        assert_eq!(listeners.arrived()?, (0, 0));
        Ok(())
    })
}
