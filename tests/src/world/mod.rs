//! A private place for one test: mounts, people, the product's programs, and an end that leaves nothing behind.

pub mod mounts;
pub mod people;
pub mod processes;
mod product;
pub mod toolchain;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Result;
use crate::child::Child;
use crate::shell::{Outcome, Output, Shell, Subject};
use people::User;
use processes::Process;

pub use product::{HELPERS, PRODUCT, SHIMS, copy_helper};

/// A mount namespace that belongs to the calling thread, in which a user, a workspace and the product live.
///
/// Children started from this thread live in it; the other threads of the test program do not. Dropping it kills
/// whatever still runs in the namespace.
pub struct World {
    namespace: u64,
    user: User,
}

impl World {
    /// A world in which commands run as `user`, with the product's programs from `bin/`.
    pub fn new(user: User) -> Result<World> {
        let world = World::bare(user)?;
        product::install()?;
        Ok(world)
    }

    /// A world without the product: enough for the real shell and for stand-ins of the tests' own.
    pub fn bare(user: User) -> Result<World> {
        let namespace = mounts::enter()?;
        let world = World { namespace, user };
        people::install()?;
        product::install_helpers()?;
        let workspace = world.workspace();
        world.user.make_folder(&workspace)?;
        world.git(&["init", "-q", "-b", "main", "."])?;
        world.git(&["commit", "-q", "--allow-empty", "-m", "start"])?;
        Ok(world)
    }

    /// The user as whom commands run.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// Its mount namespace.
    pub(crate) fn namespace(&self) -> u64 {
        self.namespace
    }

    /// The git repository in which commands start: the session's workspace.
    pub fn workspace(&self) -> PathBuf {
        self.user.home.join("work/project")
    }

    /// The folder of the product's state for this user.
    pub fn state_dir(&self) -> PathBuf {
        match self.user.uid {
            0 => PathBuf::from("/var/lib/agentsh"),
            _ => self.user.home.join(".local/state/agentsh"),
        }
    }

    /// The path of the tests' own helper program `name`.
    pub fn helper(&self, name: &str) -> PathBuf {
        Path::new(HELPERS).join(name)
    }

    /// Runs `agentsh` as the world's user in the workspace.
    pub fn agentsh<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<Outcome> {
        Shell::program(format!("{PRODUCT}/agentsh")).args(args).run(self)
    }

    /// Runs a text in the stand-in bash.
    pub fn shimmed(&self, text: &str) -> Result<Outcome> {
        Shell::named("bash").args(["-c", text]).run_shimmed(self)
    }

    /// Starts a text in the stand-in bash, whose output nobody reads.
    pub fn in_background(&self, text: &str) -> Result<Child> {
        let shell = Shell::named("bash").args(["-c", text]);
        shell
            .stdout(Output::Null)
            .stderr(Output::Null)
            .spawn_with(self, &Subject::shims())
    }

    /// Runs git as the world's user in the workspace, outside of any session.
    pub fn git(&self, args: &[&str]) -> Result<Outcome> {
        let outcome = Shell::program("git").args(args).run(self)?;
        outcome.expect_success("git")?;
        Ok(outcome)
    }

    /// Everything that runs in this world now.
    pub fn processes(&self) -> Vec<Process> {
        processes::in_namespace(self.namespace)
    }

    /// Those of them that are brokers or supervisors.
    pub fn daemons(&self) -> Vec<Process> {
        let program = Path::new(PRODUCT).join("agentsh-ptyd");
        self.processes()
            .into_iter()
            .filter(|process| process.exe == program)
            .collect()
    }

    /// The brokers.
    pub fn brokers(&self) -> Vec<Process> {
        self.daemons()
            .into_iter()
            .filter(|daemon| daemon.role().is_empty())
            .collect()
    }

    /// The sessions' supervisors.
    pub fn supervisors(&self) -> Vec<Process> {
        self.daemons()
            .into_iter()
            .filter(|daemon| daemon.role() == "supervise")
            .collect()
    }

    /// Those of them that are not the product's daemons.
    pub fn strays(&self) -> Vec<Process> {
        let program = Path::new(PRODUCT).join("agentsh-ptyd");
        self.processes()
            .into_iter()
            .filter(|process| process.exe != program)
            .collect()
    }

    /// The first of them that has these arguments, once it runs.
    pub fn await_process(&self, line: &str) -> Result<Process> {
        let mut found = None;
        processes::wait_until(Duration::from_secs(30), || {
            found = self.strays().into_iter().find(|process| process.line == line);
            found.is_some()
        });
        found.ok_or_else(|| crate::fail(format!("{line} does not run: {:#?}", self.strays())))
    }

    /// Ends the brokers as an operator would and reports what stays alive after `patience`.
    pub fn close(self, patience: Duration) -> Result {
        for broker in self.brokers() {
            broker.signal(libc::SIGTERM);
        }
        let ended = processes::wait_until(patience, || self.processes().is_empty());
        match ended {
            true => Ok(()),
            false => Err(crate::fail(format!(
                "left over at the end of the world: {:#?}",
                self.processes()
            ))),
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        processes::kill_all(self.namespace);
        // A broker that was started in a sandbox of others.
        processes::namespaces_of_run().into_iter().for_each(processes::kill_all);
        // Nobody who would remove them is left.
        let sessions = crate::record::sessions(self).unwrap_or_default();
        let noted = sessions
            .iter()
            .filter_map(|folder| std::fs::read_to_string(folder.join("groups")).ok());
        let groups: Vec<String> = noted
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        for folder in groups.iter().map(Path::new) {
            processes::wait_until(Duration::from_secs(5), || {
                std::fs::remove_dir(folder).is_ok() || !folder.exists()
            });
        }
    }
}
