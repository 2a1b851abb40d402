//! Callers under somebody else's sandbox are never lifted out of it.

use std::fs;

use agentsh_tests::shell::Subject;
use agentsh_tests::{Ended, Outcome, Output, Result, Shell, User, World, enforced, fail, skips};

const PROBE: &str = "/usr/local/lib/agentsh-tests/probe";

/// A sandbox: name, program, arguments before the shell's path, a text that must not get through, and the trace it would
/// leave on its output.
struct Cage {
    name: &'static str,
    needs: &'static [&'static str],
    wrap: &'static [&'static str],
    text: &'static str,
    /// What a refusal names.
    named: &'static str,
    root_only: bool,
}

const CAGES: [Cage; 8] = [
    Cage {
        name: "bubblewrap that hides a folder",
        needs: &["bwrap"],
        wrap: &["bwrap", "--dev-bind", "/", "/", "--tmpfs", "HIDDEN"],
        text: "cat HIDDEN/file",
        named: "its mnt namespace",
        root_only: false,
    },
    Cage {
        name: "bubblewrap with a read-only tree",
        needs: &["bwrap"],
        wrap: &["bwrap", "--ro-bind", "/", "/", "--dev", "/dev"],
        text: "echo x > made && echo got-through",
        named: "its mnt namespace",
        root_only: false,
    },
    Cage {
        name: "bubblewrap with a pid namespace",
        needs: &["bwrap"],
        wrap: &["bwrap", "--dev-bind", "/", "/", "--unshare-pid", "--tmpfs", "HIDDEN"],
        text: "cat HIDDEN/file",
        named: "in another pid namespace",
        root_only: false,
    },
    Cage {
        name: "a network namespace",
        needs: &["unshare"],
        wrap: &["unshare", "-n"],
        text: "readlink /proc/self/ns/net | grep -qxF OUTER && echo got-through",
        named: "net namespace",
        root_only: true,
    },
    Cage {
        name: "a mount namespace",
        needs: &["unshare"],
        wrap: &[
            "unshare",
            "-m",
            "sh",
            "-c",
            "mount -t tmpfs none HIDDEN && exec \"$@\"",
            "sh",
        ],
        text: "cat HIDDEN/file",
        named: "mnt namespace",
        root_only: true,
    },
    Cage {
        name: "a user namespace",
        needs: &["unshare"],
        wrap: &[
            "unshare",
            "-Um",
            "-r",
            "sh",
            "-c",
            "mount -t tmpfs none HIDDEN && exec \"$@\"",
            "sh",
        ],
        text: "cat HIDDEN/file",
        // A user's is root there, and finds no broker of root's that it could start.
        named: "a",
        root_only: false,
    },
    Cage {
        name: "a landlock domain",
        needs: &[],
        wrap: &[PROBE, "under-landlock"],
        text: "mkdir made && echo got-through; echo x > file && echo got-through; mv readable moved && echo got-through; rm -f readable; test -e readable || echo got-through",
        named: "Landlock domain",
        root_only: false,
    },
    Cage {
        name: "a filter that refuses folders",
        needs: &[],
        wrap: &[PROBE, "under-filter"],
        text: "mkdir made && echo got-through",
        named: "seccomp filters",
        root_only: false,
    },
];

fn run(world: &World, cage: &Cage, subject: &Subject) -> Result<Outcome> {
    let hidden = world.workspace().join("hidden");
    let outer = fs::read_link("/proc/thread-self/ns/net")?;
    let fill = |text: &str| {
        text.replace("HIDDEN", &hidden.to_string_lossy())
            .replace("PROBE", PROBE)
            .replace("OUTER", &outer.to_string_lossy())
    };
    world.user().write_file(&hidden.join("file"), "got-through\n", 0o644)?;
    world
        .user()
        .write_file(&world.workspace().join("readable"), "x", 0o644)?;
    let words: Vec<String> = cage.wrap.iter().map(|word| fill(word)).collect();
    // A file, not a pipe: a namespace that a daemon keeps alive holds the ends of its founder's pipes.
    Shell::program(&words[0])
        .stdout(Output::Appended)
        .stderr(Output::Appended)
        .args(&words[1..])
        .args(["@bash@", "-c", &fill(cage.text)])
        .run_with(world, subject)
}

#[test]
fn every_sandbox_holds_the_real_shell() -> Result {
    for user in User::both() {
        for cage in &CAGES {
            if cage.root_only && user.uid != 0 || !skips::has_programs(cage.name, cage.needs)? {
                continue;
            }
            let world = World::bare(user.clone())?;
            let caged = run(&world, cage, &Subject::Real)?;
            if caged.out().contains("got-through") || matches!(caged.ended, Ended::Exit(125..=127)) {
                return Err(fail(format!(
                    "{} does not hold here, or does not start: {caged:?}",
                    cage.name
                )));
            }
            let free = Cage {
                wrap: &["env"],
                ..*cage
            };
            let outcome = run(&world, &free, &Subject::Real)?;
            if !outcome.out().contains("got-through") {
                return Err(fail(format!(
                    "{}: nothing to hold, it proves nothing: {outcome:?}",
                    cage.name
                )));
            }
        }
    }
    Ok(())
}

/// With a broker outside, and with none yet: then the one that would start inside must not serve.
fn nobody_is_lifted_out(user: User, warm: bool) -> Result {
    let mut lifted = Vec::new();
    for cage in &CAGES {
        if cage.root_only && user.uid != 0 || !skips::has_programs(cage.name, cage.needs)? {
            continue;
        }
        let world = World::new(user.clone())?;
        if warm {
            world.shimmed("true")?.expect_success("outside")?;
        }
        let outcome = run(&world, cage, &Subject::shims())?;
        if outcome.out().contains("got-through") || world.workspace().join("made").exists() {
            lifted.push(format!("{}: {outcome:?}", cage.name));
        }
        if warm && outcome.ended == Ended::Exit(126) && !outcome.out().contains(cage.named) {
            lifted.push(format!("{} is not named: {outcome:?}", cage.name));
        }
        // Refused is an answer, and so is a run that the sandbox holds; a hang or a crash is none.
        if !matches!(outcome.ended, Ended::Exit(_)) {
            lifted.push(format!("{}: {outcome:?}", cage.name));
        }
        let outside = world.shimmed("echo outside")?;
        // A broker that began in there may refuse whoever is outside of it; it may not serve them unjudged.
        let refused = !warm
            && outside.ended == Ended::Exit(126)
            && outside.stdout.is_empty()
            && outside.err().lines().count() == 1;
        if outside.out() == "outside\n" {
            enforced::prove(&world)?;
        } else if !refused {
            lifted.push(format!(
                "{}: nobody outside is served afterwards: {outside:?}",
                cage.name
            ));
        }
    }
    match lifted.is_empty() {
        true => Ok(()),
        false => Err(fail(lifted.join("\n"))),
    }
}

#[test]
fn a_running_broker_lifts_root_out_of_no_sandbox() -> Result {
    nobody_is_lifted_out(User::root(), true)
}

#[test]
fn a_running_broker_lifts_a_user_out_of_no_sandbox() -> Result {
    nobody_is_lifted_out(User::agent(), true)
}

#[test]
fn a_broker_that_starts_in_a_sandbox_of_roots_serves_nobody_outside() -> Result {
    nobody_is_lifted_out(User::root(), false)
}

#[test]
fn a_broker_that_starts_in_a_sandbox_of_a_users_serves_nobody_outside() -> Result {
    nobody_is_lifted_out(User::agent(), false)
}
