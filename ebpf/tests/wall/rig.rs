//! A thread with a network of its own that goes behind a wall.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use agentsh_ebpf::{Table, Wall};
use nix::sched::{CloneFlags, unshare};

pub type Done<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// A control group of threads below the hierarchy's top; removed when it is dropped.
pub struct Group {
    top: PathBuf,
    pub folder: PathBuf,
}

impl Group {
    /// `None`, and a line that says why, where this machine or user has none.
    pub fn new() -> Done<Option<Group>> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let top = mounts.lines().find_map(|line| {
            let (fields, kind) = line.split_once(" - ")?;
            kind.starts_with("cgroup2 ")
                .then(|| fields.split(' ').nth(4).map(PathBuf::from))?
        });
        let Some(top) = top.filter(|top| !top.join("cgroup.type").exists()) else {
            eprintln!("SKIPPED: the top of the v2 hierarchy is not mounted");
            return Ok(None);
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = top.join(format!("agentsh-wall-{}-{number}", std::process::id()));
        if let Err(error) = fs::create_dir(&folder) {
            eprintln!("SKIPPED: {}: {error}", folder.display());
            return Ok(None);
        }
        let group = Group { top, folder };
        fs::write(group.folder.join("cgroup.type"), "threaded")?;
        Ok(Some(group))
    }

    /// The calling thread goes in, with what it starts.
    pub fn join(&self) -> Done {
        Ok(fs::write(self.folder.join("cgroup.threads"), "0")?)
    }

    fn leave(&self) -> Done {
        Ok(fs::write(self.top.join("cgroup.threads"), "0")?)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Err(error) = self.leave().and_then(|()| Ok(fs::remove_dir(&self.folder)?)) {
            eprintln!("{}: {error}", self.folder.display());
        }
    }
}

/// On a thread with an empty network namespace: `prepare` outside of the wall, then `act` behind it.
pub fn behind<T: 'static>(
    table: Table,
    prepare: impl FnOnce() -> Done<T> + Send + 'static,
    act: impl FnOnce(&mut Wall, T) -> Done + Send + 'static,
) -> Done {
    in_a_network(move |group| {
        let prepared = prepare()?;
        let mut wall = Wall::load(&table)?;
        wall.enclose(&group.folder)?;
        group.join()?;
        act(&mut wall, prepared)
    })
}

/// On a thread with an empty network namespace and a group that it is not in yet.
pub fn in_a_network(act: impl FnOnce(&Group) -> Done + Send + 'static) -> Done {
    let thread = std::thread::spawn(move || -> Done {
        let Some(group) = Group::new()? else { return Ok(()) };
        unshare(CloneFlags::CLONE_NEWNET)?;
        for arguments in [
            "link set lo up",
            "address add 203.0.113.5/32 dev lo",
            "-6 address add 2001:db8::5/128 dev lo nodad",
        ] {
            let status = Command::new("ip")
                .args(arguments.split(' '))
                .stdout(Stdio::null())
                .status()?;
            if !status.success() {
                return Err(format!("ip {arguments}: {status}").into());
            }
        }
        act(&group)
    });
    thread.join().map_err(|_| "the test's thread panicked")?
}
