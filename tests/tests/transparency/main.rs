//! A caller cannot tell the stand-in from the real shell: every way in which agents and systems start one, with the real
//! shell as the oracle and enforcement proven on in the same session.
//!
//! The comparison itself is tested first (`faults`): stand-ins with one fault each must all be noticed.

mod agents;
mod contract;
mod debuggers;
mod descriptors;
mod ends;
mod errors;
mod faults;
mod launchers;
mod limits;
mod login;
mod manners;
mod names;
mod options;
mod processes;
mod random;
mod sshd;
mod state;
mod stdin;
mod streams;
mod terminals;
mod ttys;
mod whole;

use agentsh_tests::{Case, Shell};

/// The probe's path in every world.
const PROBE: &str = "/usr/local/lib/agentsh-tests/probe";

/// The whole table, by topic.
fn table() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("agents", agents::cases()),
        ("debuggers", debuggers::cases()),
        ("descriptors", descriptors::cases()),
        ("ends", ends::cases()),
        ("errors", errors::cases()),
        ("launchers", launchers::cases()),
        ("limits", limits::cases()),
        ("login", login::cases()),
        ("manners", manners::cases()),
        ("names", names::cases()),
        ("options", options::cases()),
        ("processes", processes::cases()),
        ("state", state::cases()),
        ("stdin", stdin::cases()),
        ("streams", streams::cases()),
    ]
}

/// `bash -c TEXT` as a case.
fn text(name: &'static str, text: &str) -> Case {
    Case::new(name, Shell::named("bash").args(["-c", text]))
}

/// A shell with arguments as a case.
fn shell(name: &'static str, shell: &str, args: &[&str]) -> Case {
    Case::new(name, Shell::named(shell).args(args))
}

/// Python changes something about itself and becomes `bash -c TEXT`.
fn by_python(name: &'static str, change: &str, text: &str) -> Case {
    let program = format!(
        "import ctypes, fcntl, os, resource, signal, socket, sys\n{change}\nos.execv(sys.argv[1], ['bash', '-c', sys.argv[2]])"
    );
    Case::new(name, Shell::program("python3").args(["-c", &program, "@bash@", text])).needs(&["python3"])
}

/// The text with `PROBE` replaced by the probe's path.
fn probing(text: &str) -> String {
    text.replace("PROBE", PROBE)
}
