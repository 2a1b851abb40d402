//! What each pack's page promises to allow and to refuse, by effect: texts that end with 0 exactly if the act was done.
//! Nobody is there to be asked, so that a question is a refusal, and a refusal is on record.

use std::os::unix::net::UnixListener;
use std::time::Duration;

use agentsh_tests::child::Child;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::people::SECRET;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Ended, Result, Shell, User, World, fail, record, session};

use crate::run;

/// What surrounds a session: secrets, a server, sockets and a process of somebody else's.
pub struct Around {
    port: u16,
    other: i32,
    _held: (std::net::TcpListener, Vec<UnixListener>, Child),
}

/// Refused by every pack that protects anything.
pub const GUARDED: [&str; 9] = [
    "cat ~/.ssh/id_ed25519",
    "cat /proc/self/root$HOME/.ssh/id_ed25519",
    "python3 -c 'import os; os.link(os.path.expanduser(\"~/.ssh/id_ed25519\"), \"linked\")'",
    "cat ~/.aws/credentials",
    "cat ~/.npmrc",
    "cat ~/.local/state/agentsh/sessions/*/events.jsonl /var/lib/agentsh/sessions/*/events.jsonl",
    "echo evil > ~/.config/agentsh/config.yaml",
    "kill $OTHER",
    "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"/run/docker.sock\")'",
];

/// What makes somebody else execute something later, and other programs of the machine: refused or asked in all packs for
/// work.
pub const STEERING: [&str; 10] = [
    "echo evil >> ~/.bashrc",
    "mkdir -p ~/.config/autostart && echo evil > ~/.config/autostart/x.desktop",
    "mkdir -p ~/.claude && echo evil > ~/.claude/settings.json",
    "mkdir -p .vscode && echo evil > .vscode/tasks.json",
    "echo evil > .git/hooks/pre-commit",
    "git config core.hooksPath /tmp/evil",
    "git config alias.x '!evil'",
    "mkdir -p ~/.local/bin && echo evil > ~/.local/bin/tool",
    "python3 -c 'import socket, os; socket.create_connection((\"127.0.0.1\", int(os.environ[\"PORT\"])))'",
    "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"/tmp/other/service\")'",
];

/// Free in every pack for work.
pub const WORK: [&str; 7] = [
    "cat /etc/passwd >/dev/null && ls /usr >/dev/null && ps >/dev/null",
    "echo x > made && cp made other && mv other third && rm third && grep -q x made",
    "f=$(mktemp) && echo x > $f && rm $f && echo x > /dev/null",
    "git init -q r && cd r && git commit -q --allow-empty -m x && git switch -qc b && git remote add o /x && git config user.name Me",
    "sleep 50 & p=$!; until grep -q sleep /proc/$p/comm; do :; done; kill $p; wait $p; test $? = 143",
    "python3 -c 'import socket; a = socket.socket(); a.bind((\"127.0.0.1\", 0)); a.listen(); socket.create_connection(a.getsockname())'",
    "python3 -c 'import socket; a = socket.socket(socket.AF_UNIX); a.bind(\"own.sock\"); a.listen(); socket.socket(socket.AF_UNIX).connect(\"own.sock\")'",
];

/// Readable although it lies among credentials, in packs that leave the home to be read.
const READABLE: &str = "cat ~/.gitconfig ~/.ssh/known_hosts ~/.ssh/config >/dev/null";

impl Around {
    pub fn of(world: &World) -> Result<Around> {
        let user = world.user();
        let home = &user.home;
        for name in [".aws/credentials", ".npmrc"] {
            user.write_file(&home.join(name), SECRET, 0o600)?;
        }
        for name in [".ssh/known_hosts", ".ssh/config"] {
            user.write_file(&home.join(name), "# plain\n", 0o600)?;
        }
        user.write_file(&world.workspace().join(".env"), SECRET, 0o600)?;
        user.write_file(&home.join(".config/agentsh/config.yaml"), "log: {level: info}\n", 0o600)?;
        user.make_folder(&home.join(".claude"))?;
        user.write_file(&home.join("x/program"), std::fs::read("/bin/true")?, 0o755)?;
        user.make_folder("/tmp/other".as_ref())?;
        let listen = |path: &str| -> Result<UnixListener> {
            let listener = UnixListener::bind(path)?;
            user.own(path.as_ref())?;
            Ok(listener)
        };
        let sockets = vec![listen("/run/docker.sock")?, listen("/tmp/other/service")?];
        let server = std::net::TcpListener::bind("127.0.0.1:0")?;
        let port = server.local_addr()?.port();
        let process = Shell::program("sleep")
            .args(["7401"])
            .spawn_with(world, &Subject::Real)?;
        let mut other = None;
        wait_until(Duration::from_secs(30), || {
            other = world.strays().into_iter().find(|process| process.line == "sleep 7401");
            other.is_some()
        });
        Ok(Around {
            port,
            other: other.ok_or_else(|| fail("no process outside"))?.pid,
            _held: (server, sockets, process),
        })
    }

    fn text(&self, text: &str) -> String {
        format!("export PORT={} OTHER={}; {text}", self.port, self.other)
    }

    pub fn passes(&self, world: &World, text: &str) -> Result {
        let outcome = run(world, &self.text(text))?;
        match outcome.ended == Ended::Exit(0) {
            true => Ok(()),
            false => Err(fail(format!("{text}: {outcome:?}"))),
        }
    }

    pub fn is_refused(&self, world: &World, text: &str) -> Result {
        let refusals = || {
            let events = record::events(world).unwrap_or_default();
            let refused = |event: &&record::Event| {
                event
                    .policy
                    .as_ref()
                    .is_some_and(|policy| policy.effective.as_deref() == Some("deny"))
            };
            events.iter().filter(refused).map(|event| event.count).sum::<u64>()
        };
        let before = refusals();
        let outcome = run(world, &self.text(text))?;
        if outcome.ended == Ended::Exit(0) || outcome.out().contains(SECRET.trim_end()) {
            return Err(fail(format!("{text}: {outcome:?}")));
        }
        match wait_until(Duration::from_secs(15), || refusals() > before) {
            true => Ok(()),
            false => Err(fail(format!("{text}: no refusal is on record: {outcome:?}"))),
        }
    }
}

/// A session of this pack for each user, in which these pass and those are refused.
fn intent(pack: &str, passes: &[&[&str]], refused: &[&[&str]]) -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        session::create(&world, &["--policy", pack])?;
        let around = Around::of(&world)?;
        for text in passes.iter().copied().flatten() {
            around
                .passes(&world, text)
                .map_err(|error| fail(format!("{pack}: {error}")))?;
        }
        for text in refused.iter().copied().flatten() {
            around
                .is_refused(&world, text)
                .map_err(|error| fail(format!("{pack}: {error}")))?;
        }
    }
    Ok(())
}

#[test]
fn default_keeps_its_page() -> Result {
    let own = ["cat .env >/dev/null", "mkdir -p ~/.cache/x && echo x > ~/.cache/x/y"];
    let refused = ["echo x > ~/elsewhere", "npm publish --dry-run"];
    intent("default", &[&WORK, &[READABLE], &own], &[&GUARDED, &STEERING, &refused])
}

#[test]
fn dev_safe_keeps_its_page() -> Result {
    let refused = [
        "cat .env",
        "echo x >> .env",
        "git reset --hard",
        "git clean -fd",
        "python3 -c 'import socket; socket.create_connection((\"192.0.2.7\", 443), 3)'",
        "echo x > /etc/changed",
        "echo x > /usr/lib/changed",
    ];
    intent("dev-safe", &[&WORK, &[READABLE]], &[&GUARDED, &STEERING, &refused])
}

#[test]
fn ci_strict_keeps_its_page() -> Result {
    let own = ["printf '#!/bin/sh\\necho ran\\n' > tool && chmod +x tool && test $(./tool) = ran"];
    let refused = [
        "~/x/program",
        "unshare true",
        "chroot / true",
        "su nobody -s /bin/true",
        "python3 -c 'import socket; socket.create_connection((\"192.0.2.7\", 443), 3)'",
        "echo x > /etc/changed",
    ];
    intent(
        "ci-strict",
        &[&WORK, &[READABLE], &own],
        &[&GUARDED, &STEERING, &refused],
    )
}

#[test]
fn agent_default_keeps_its_page() -> Result {
    let own = [
        "mkdir -p ~/.claude/projects && echo x > ~/.claude/projects/log.jsonl && echo x > ~/.claude/.credentials.json && cat ~/.claude/.credentials.json >/dev/null",
        "cat .env >/dev/null",
    ];
    intent("agent-default", &[&WORK, &[READABLE], &own], &[&GUARDED, &STEERING])
}

#[test]
fn agent_strict_keeps_its_page() -> Result {
    let own = ["test ! -e ~/.aws/credentials && ! stat .env 2>/dev/null"];
    let refused = [
        "cat .env",
        "curl --version",
        "cp /bin/true /tmp/program; /tmp/program",
        "~/x/program",
        "python3 -c 'import socket; socket.create_connection((\"192.0.2.7\", 443), 3)'",
        "echo x > /etc/changed",
    ];
    intent(
        "agent-strict",
        &[&WORK, &[READABLE], &own],
        &[&GUARDED, &STEERING, &refused],
    )
}

#[test]
fn agent_sandbox_keeps_its_page() -> Result {
    let own = [
        "test ! -e ~/.ssh && cat ~/.gitconfig >/dev/null",
        "test -z \"$MY_TEST_TOKEN\"",
    ];
    let refused = [
        "cat ~/.bashrc",
        "cat .env",
        "python3 -c 'import socket; socket.create_connection((\"192.0.2.7\", 443), 3)'",
        "mkdir ~/made",
        "echo x > /etc/changed",
    ];
    // git reads its identity from the environment there as everywhere; the rest of the home is not there.
    intent("agent-sandbox", &[&WORK, &own], &[&GUARDED, &STEERING, &refused])
}

#[test]
fn system_readonly_keeps_its_page() -> Result {
    let passes = [
        WORK[0],
        WORK[2],
        WORK[4],
        WORK[5],
        READABLE,
        "cat .env >/dev/null",
        "cat ~/.bashrc >/dev/null",
    ];
    let refused = [
        "echo x > made",
        "echo x > ~/made",
        "rm .env",
        "apt-get install nothing",
        "systemctl restart nothing",
        "python3 -c 'import socket; socket.create_connection((\"192.0.2.7\", 443), 3)'",
        "echo x > /etc/changed",
    ];
    intent(
        "system-readonly",
        &[&passes],
        &[&GUARDED, &STEERING[..8], &STEERING[9..], &refused],
    )
}

#[test]
fn agent_observe_keeps_its_page() -> Result {
    let seen = [
        "cat ~/.ssh/id_ed25519 >/dev/null",
        "echo x > ~/elsewhere",
        "python3 -c 'import socket, os; socket.create_connection((\"127.0.0.1\", int(os.environ[\"PORT\"])))'",
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"/tmp/other/service\")'",
        "kill $OTHER",
    ];
    let refused = [GUARDED[5], GUARDED[6]];
    intent("agent-observe", &[&WORK, &seen], &[&refused])?;
    let world = World::new(User::agent())?;
    session::create(&world, &["--policy", "agent-observe"])?;
    let around = Around::of(&world)?;
    for text in seen {
        around.passes(&world, text)?;
    }
    for kind in [
        "process_exec",
        "file_create",
        "net_connect",
        "unix_connect",
        "signal_send",
    ] {
        record::await_event(&world, kind, |event| event.kind == kind)?;
    }
    Ok(())
}

#[test]
fn signal_strict_keeps_its_page() -> Result {
    let other = "{ trap 'echo ended > term; exit' TERM; touch up; while :; do sleep 0.1; done; }";
    for user in User::both() {
        let world = World::new(user)?;
        session::create(&world, &["--policy", "signal-strict"])?;
        let around = Around::of(&world)?;
        let server = Shell::named("bash").args(["-c", other]);
        let mut server = server.spawn_with(&world, &Subject::shims())?;
        let up = world.workspace().join("up");
        if !wait_until(Duration::from_secs(30), || up.exists()) {
            return Err(fail("the other command does not run"));
        }
        for text in WORK.into_iter().chain([
            "sleep 50 & p=$!; until grep -q sleep /proc/$p/comm; do :; done; kill -9 $p; wait $p; test $? = 137",
            "set -m; sleep 50 & kill -STOP %1; kill -CONT %1; kill %1; wait; true",
            // Told that it was done, and it was not.
            "kill -HUP $OTHER && kill -0 $OTHER",
            "pkill -9 -f 'touch u[p]'; true",
        ]) {
            around.passes(&world, text)?;
        }
        for text in [
            "kill -9 $OTHER",
            "kill -TERM $OTHER",
            "kill -STOP $OTHER",
            "kill -INT $OTHER",
        ] {
            around.is_refused(&world, text)?;
        }
        // KILL became TERM: the other command ended in order.
        server.wait(Duration::from_secs(30))?;
        if !world.workspace().join("term").exists() {
            return Err(fail("the other command did not end in order"));
        }
    }
    Ok(())
}
