//! A group of the test's own, from which commands come.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use agentsh_sandbox::cgroup::{Hierarchies, Version};
use agentsh_tests::world::SHIMS;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Outcome, Result, Shell, World, fail};

/// A v2 group below that of the test. Dropping it takes it away, once it is empty.
pub struct Above(PathBuf);

impl Above {
    pub fn new() -> Result<Above> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let own = std::process::id() as i32;
        let below = Hierarchies::mounted()?.group_of(own, Version::V2, "")?;
        let folder = below
            .ok_or_else(|| fail("no v2 hierarchy"))?
            .join(format!("tests-{own}-{number}"));
        fs::create_dir(&folder)?;
        Ok(Above(folder))
    }

    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Nobody can make a group in it.
    pub fn close(&self) -> Result {
        Ok(fs::write(self.0.join("cgroup.max.descendants"), "0")?)
    }

    /// A text for the stand-in bash, started by a process that is in the group.
    pub fn shell(&self, text: &str) -> Shell {
        let enter = format!(
            "echo 0 >'{}/cgroup.procs' && exec {SHIMS}/bash -c \"$1\"",
            self.0.display()
        );
        Shell::program("sh").args(["-c", &enter, "sh", text])
    }

    pub fn run(&self, world: &World, text: &str) -> Result<Outcome> {
        self.shell(text).run(world)
    }

    /// Whether whoever made it can take it away by now, as with no session around.
    pub fn goes(&self) -> bool {
        wait_until(Duration::from_secs(10), || fs::remove_dir(&self.0).is_ok())
    }
}

impl Drop for Above {
    fn drop(&mut self) {
        if self.0.exists() && !self.goes() {
            eprintln!("{} is left", self.0.display());
        }
    }
}
