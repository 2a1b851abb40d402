//! Control groups that belong to the user of a world, as a login manager would give them.

use std::fs;
use std::path::{Path, PathBuf};

use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, User};

use crate::PATIENCE;

/// The calling thread, and what it starts, is in groups that the user may make others in. Dropping it goes back.
pub struct Delegated {
    own: Vec<PathBuf>,
    given: Vec<PathBuf>,
}

impl Delegated {
    /// Gives groups of these v1 controllers; `None` where this machine has one of them not in v1.
    pub fn to(user: &User, controllers: &[&str]) -> Result<Option<Delegated>> {
        let mut found = Delegated {
            own: Vec::new(),
            given: Vec::new(),
        };
        for controller in controllers {
            let Some(own) = own_group(controller)? else {
                return Ok(None);
            };
            let thread = nix::unistd::gettid();
            let given = own.join(format!("tests-{thread}"));
            fs::create_dir(&given)?;
            found.own.push(own);
            found.given.push(given.clone());
            user.own(&given)?;
            for file in ["tasks", "cgroup.procs"] {
                user.own(&given.join(file))?;
            }
            fs::write(given.join("tasks"), "0")?;
        }
        Ok(Some(found))
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        for (own, given) in self.own.iter().zip(&self.given) {
            let gone = || {
                fs::write(own.join("tasks"), "0")
                    .and_then(|()| fs::remove_dir(given))
                    .is_ok()
            };
            if !wait_until(PATIENCE, gone) {
                eprintln!("{} is left", given.display());
            }
        }
    }
}

/// The folder of the calling process's group in a v1 hierarchy.
fn own_group(controller: &str) -> Result<Option<PathBuf>> {
    let mount = Path::new("/sys/fs/cgroup").join(controller);
    if !mount.join("tasks").exists() {
        return Ok(None);
    }
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let path = groups.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers.split(',').any(|name| name == controller).then_some(path)
    });
    Ok(path.map(|path| mount.join(path.trim_start_matches('/'))))
}
