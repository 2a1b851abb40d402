//! `agentsh doctor`: looks at everything that a session needs, one check after the other.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use agentsh_protocol::api;
use agentsh_protocol::places::{self, BROKER_PROGRAM};
use agentsh_sandbox::probe::Host;
use clap::Args;
use serde::Serialize;

use super::config;
use super::detect::Detected;
use super::shim::{Installed, State};
use crate::client::{self, beside_us};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::record;
use crate::render::{self, Style};

/// Check everything that sessions need on this host, and say what to do about what is wrong
#[derive(Debug, Args)]
pub struct Doctor {
    /// Print JSON: a list of checks
    #[arg(long)]
    json: bool,
}

/// The outcome of one check.
#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    state: Health,
    detail: String,
    /// What to do about it.
    fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Health {
    Good,
    /// Sessions work, something else does not.
    Warning,
    /// Sessions do not work.
    Bad,
}

impl Doctor {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let found = Host::probe();
        let checks = [
            program("command program", places::SHIM_PROGRAM),
            program("broker program", BROKER_PROGRAM),
            host(&found),
            limits(&found),
            wall(&found),
            configuration(context),
            runtime_folder(context),
            broker(context),
            switched_off(),
            state_folder(context),
            records(context),
            stand_ins(),
        ];
        match self.json {
            true => render::json(context, &checks)?,
            false => render::print(&checks.iter().map(|check| check.text(context.out)).collect::<String>())?,
        }
        Ok(Exit::ok_if(checks.iter().all(|check| check.state != Health::Bad)))
    }
}

impl Check {
    fn good(check: &'static str, detail: impl Into<String>) -> Check {
        Check {
            check,
            state: Health::Good,
            detail: detail.into(),
            fix: None,
        }
    }

    fn warning(check: &'static str, detail: impl Into<String>, fix: &str) -> Check {
        Check {
            check,
            state: Health::Warning,
            detail: detail.into(),
            fix: Some(fix.to_owned()),
        }
    }

    fn bad(check: &'static str, detail: impl Into<String>, fix: &str) -> Check {
        Check {
            check,
            state: Health::Bad,
            detail: detail.into(),
            fix: Some(fix.to_owned()),
        }
    }

    fn text(&self, style: Style) -> String {
        let word = match self.state {
            Health::Good => style.green("good"),
            Health::Warning => style.yellow("warn"),
            Health::Bad => style.red("BAD "),
        };
        let fix = self
            .fix
            .as_ref()
            .map(|fix| format!("{:24}{}\n", "", style.dim(fix)))
            .unwrap_or_default();
        format!("{word}  {:<16}  {}\n{fix}", self.check, render::visible(&self.detail))
    }
}

fn program(check: &'static str, name: &str) -> Check {
    let path = match beside_us(name) {
        Ok(path) => path,
        Err(error) => return Check::bad(check, format!("/proc/self/exe: {error}"), "mount /proc"),
    };
    let executable =
        std::fs::metadata(&path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    match executable {
        true => Check::good(check, path.display().to_string()),
        false => Check::bad(
            check,
            format!("{} is missing", path.display()),
            "install all three programs in one folder",
        ),
    }
}

fn host(found: &Host) -> Check {
    let found = Detected::on(found);
    match found.mode {
        Some(mode) => Check::good("host", format!("mode {mode}, {} of 100", found.score)),
        None => Check::bad(
            "host",
            "no security mode can be used",
            "`agentsh detect` says what is missing",
        ),
    }
}

/// Control groups: without them limits are those of processes and users.
fn limits(found: &Host) -> Check {
    match found.cgroup.works() {
        true => Check::good("limits", found.cgroup.detail()),
        false => Check::warning(
            "limits",
            found.cgroup.detail(),
            "have a control group delegated to this user; `agentsh policy explain` says what is held without",
        ),
    }
}

/// What `network.engine: auto` takes where it is there.
fn wall(found: &Host) -> Check {
    match found.ebpf.works() {
        true => Check::good("kernel wall", found.ebpf.detail()),
        false => Check::warning(
            "kernel wall",
            found.ebpf.detail(),
            "connections are held by judged calls alone, and policies with `network.engine: ebpf` are refused: it needs root, or CAP_BPF and CAP_NET_ADMIN, and a v2 hierarchy",
        ),
    }
}

fn configuration(context: &Context) -> Check {
    match config::load(context) {
        Ok(loaded) if loaded.files.is_empty() => Check::good("configuration", "the defaults"),
        Ok(loaded) => Check::good(
            "configuration",
            match loaded.files.len() {
                1 => "1 file is good".to_owned(),
                many => format!("{many} files are good"),
            },
        ),
        Err(error) => Check::bad(
            "configuration",
            error.to_string(),
            "`agentsh config validate` shows the place",
        ),
    }
}

fn runtime_folder(context: &Context) -> Check {
    let folder = places::run_dir(context.uid);
    match (folder.exists(), places::check_run_dir(context.uid)) {
        (true, Err(problem)) => Check::bad(
            "runtime folder",
            problem.to_string(),
            "remove it; the next broker makes it anew",
        ),
        (true, Ok(folder)) => Check::good("runtime folder", folder.display().to_string()),
        (false, _) if context.uid == 0 || can_be_made(&folder) => {
            Check::good("runtime folder", format!("{} is made by the broker", folder.display()))
        }
        (false, _) => Check::bad(
            "runtime folder",
            format!("{} cannot be made", folder.display()),
            "as root: install -d -m 1777 /run/agentsh (a package does this at each boot)",
        ),
    }
}

/// Whether the parent is the login manager's folder of this user, or the common one in which all may make theirs.
fn can_be_made(folder: &Path) -> bool {
    let parent = folder.parent().and_then(|parent| std::fs::metadata(parent).ok());
    parent.is_some_and(|parent| parent.is_dir() && (parent.mode() & 0o1002 == 0o1002 || parent.mode() & 0o077 == 0))
}

fn broker(context: &Context) -> Check {
    let status = context.running_broker().and_then(|broker| {
        Ok(broker
            .map(|broker| broker.get::<api::Status>(&client::path(&["status"])))
            .transpose()?)
    });
    match status {
        Err(error) => Check::bad("broker", error.to_string(), "`agentsh logs` says what the broker does"),
        Ok(None) => Check::good("broker", "none runs; the next session or shim starts one"),
        Ok(Some(status)) if status.killed => Check::bad(
            "broker",
            "the kill switch is on",
            "`agentsh kill --lift` lets new commands start",
        ),
        Ok(Some(status)) if status.version != env!("CARGO_PKG_VERSION") => Check::warning(
            "broker",
            format!("version {} runs, this is {}", status.version, env!("CARGO_PKG_VERSION")),
            "`agentsh broker stop` ends it with its sessions; the next start is of this version",
        ),
        Ok(Some(status)) => Check::good(
            "broker",
            format!("process {}, {}", status.pid, render::count(status.sessions, "session")),
        ),
    }
}

fn switched_off() -> Check {
    match Path::new(places::DISABLED).exists() {
        true => Check::bad(
            "switch",
            format!("{} is there: shims start the real shell", places::DISABLED),
            "remove it",
        ),
        false => Check::good("switch", "shims are on"),
    }
}

fn state_folder(context: &Context) -> Check {
    let folder = context.account().state_dir();
    let existing = folder
        .ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("/"));
    let writable = existing.is_dir() && rustix::fs::access(existing, rustix::fs::Access::WRITE_OK).is_ok();
    if writable && rustix::fs::statvfs(existing).is_ok_and(|room| room.f_blocks > 0 && room.f_bavail == 0) {
        return Check::bad(
            "state folder",
            format!("{} has no room: no session begins", folder.display()),
            "`agentsh gc` and `agentsh trash purge` make some",
        );
    }
    let private = std::fs::metadata(&folder).is_ok_and(|meta| meta.uid() == context.uid && meta.mode() & 0o022 == 0);
    match (writable, existing != folder || private) {
        (true, true) => Check::good("state folder", folder.display().to_string()),
        (false, _) => Check::bad(
            "state folder",
            format!("{} cannot be written", existing.display()),
            "make it yours",
        ),
        (true, false) => Check::bad(
            "state folder",
            format!("{} is another user's, or others may write it", folder.display()),
            "chown it to yourself, and chmod 700",
        ),
    }
}

fn records(context: &Context) -> Check {
    match record::store(context).list() {
        Err(error) => Check::bad("records", error.to_string(), "see that the state folder can be read"),
        Ok(listing) => match listing.problems.first() {
            None => Check::good("records", render::count(listing.sessions.len(), "session")),
            Some(problem) => Check::warning(
                "records",
                problem.to_string(),
                "the session's other files are still there",
            ),
        },
    }
}

fn stand_ins() -> Check {
    let found = Installed::look();
    let ready = found
        .shims
        .iter()
        .filter(|shim| shim.state == State::Ready)
        .map(|shim| shim.shell);
    let ready = ready.collect::<Vec<_>>().join(", ");
    match ready.is_empty() {
        false => Check::good("stand-ins", format!("{ready} in {}", found.folder.display())),
        true => Check::warning(
            "stand-ins",
            format!("none in {}", found.folder.display()),
            "`make install` puts them there; `agentsh exec` works without",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_fails_says_what_to_do() {
        let check = Check::bad("runtime folder", "/run/agentsh/1\u{1b}[2J", "remove it");
        insta::assert_snapshot!(check.text(Style::new(false)), @r"
        BAD   runtime folder    /run/agentsh/1\x1b[2J
                                remove it
        ");
    }

    #[test]
    fn a_program_that_is_not_beside_us_is_missed() {
        assert_eq!(program("broker program", "no-such-program").state, Health::Bad);
    }
}
