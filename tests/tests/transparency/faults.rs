//! The comparison notices: a stand-in without a fault passes the whole table, and one with any single fault does not.

use std::collections::BTreeMap;
use std::path::Path;

use agentsh_tests::shell::Subject;
use agentsh_tests::world::copy_helper;
use agentsh_tests::{Result, User, World, compare, fail};

use crate::{table, terminals};

/// Makes a folder with stand-ins that have `fault`.
fn stand_ins(fault: &str) -> Result<Subject> {
    let folder = Path::new("/usr/local/lib/agentsh-faults").join(fault);
    for shell in ["bash", "sh", "zsh", "dash", "rbash"] {
        copy_helper("stand_in", &folder.join(shell))?;
    }
    Ok(Subject::StandIns(folder))
}

fn faultless_passes(user: User) -> Result {
    let world = World::bare(user)?;
    let subject = stand_ins("none")?;
    let mut failed = Vec::new();
    for case in table().into_iter().flat_map(|(_, cases)| cases) {
        if case.is_possible()?
            && let Err(error) = compare::same(&case, &world, &subject)
        {
            failed.push(error.to_string());
        }
    }
    for dialogue in terminals::dialogues() {
        failed.extend(dialogue.same(&world, &subject).err().map(|error| error.to_string()));
    }
    failed.extend(
        terminals::hang_up_is_noticed(&world, &subject)
            .err()
            .map(|error| error.to_string()),
    );
    match failed.is_empty() {
        true => Ok(()),
        false => Err(fail(format!(
            "{} cases are not deterministic:\n{}",
            failed.len(),
            failed.join("\n")
        ))),
    }
}

#[test]
fn a_stand_in_without_a_fault_passes_the_whole_table_as_root() -> Result {
    faultless_passes(User::root())
}

#[test]
fn a_stand_in_without_a_fault_passes_the_whole_table_as_a_user() -> Result {
    faultless_passes(User::agent())
}

/// The faults, and the topic whose cases are the first to look at.
const FAULTS: [(&str, &str); 26] = [
    ("writes-stdout", "options"),
    ("writes-stderr", "options"),
    ("writes-fd-4", "agents"),
    ("reads-stdin", "stdin"),
    ("closes-fd-3", "descriptors"),
    ("leaks-fd", "descriptors"),
    ("opens-standard", "descriptors"),
    ("ignores-sigpipe", "ends"),
    ("resets-sighup", "state"),
    ("clears-mask", "state"),
    ("changes-umask", "state"),
    ("lowers-limit", "state"),
    ("changes-nice", "state"),
    ("new-session", "state"),
    ("new-group", "state"),
    ("drops-groups", "state"),
    ("changes-oom", "state"),
    ("goes-to-root", "state"),
    ("sets-nonblock", "descriptors"),
    ("adds-variable", "options"),
    ("drops-variable", "options"),
    ("makes-utf8", "options"),
    ("drops-argument", "options"),
    ("drops-dash", "login"),
    ("uses-path-as-name", "login"),
    ("stays-between", "state"),
];

#[test]
fn every_single_fault_is_noticed() -> Result {
    let world = World::bare(User::root())?;
    let topics: BTreeMap<_, _> = table().into_iter().collect();
    let mut unnoticed = Vec::new();
    for (fault, topic) in FAULTS {
        let subject = stand_ins(fault)?;
        let mut noticed = false;
        for case in &topics[topic] {
            if case.is_possible()? && compare::same(case, &world, &subject).is_err() {
                noticed = true;
                break;
            }
        }
        if !noticed {
            unnoticed.push(fault);
        }
    }
    match unnoticed.is_empty() {
        true => Ok(()),
        false => Err(fail(format!("nobody noticed: {unnoticed:?}"))),
    }
}
