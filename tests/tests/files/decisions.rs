//! Every call through every way to name its file, under every decision, by effect.

use std::collections::BTreeSet;
use std::fs;

use agentsh_tests::{Result, User, World, fail, record};
use serde_json::Value;

use crate::attempts::{self, BASE, inside, lay, look, natively, none};

/// A rule on the folders of the attempts.
fn rule(operations: &str, decision: &str) -> String {
    format!(
        "  - {{name: guard, paths: [\"{BASE}/guarded-*\", \"{BASE}/guarded-*/**\"], operations: [{operations}], {decision}}}"
    )
}

fn is_success(said: &Value) -> bool {
    said.as_str()
        .is_some_and(|text| text == "ok" || text.starts_with("read "))
}

#[test]
fn each_attempt_succeeds_without_a_session_so_that_a_refusal_proves_something() -> Result {
    let world = World::bare(User::agent())?;
    lay(&world, BASE)?;
    let tried = natively(&world, BASE)?;
    let failed = tried.iter().filter(|(_, said)| !is_success(said));
    none(
        failed.map(|(name, said)| format!("{name}: {said}")).collect(),
        tried.len(),
    )
}

#[test]
fn what_is_denied_is_neither_seen_nor_changed_and_each_denial_is_recorded() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        lay(&world, BASE)?;
        let before = look(&world, BASE)?;
        let session = attempts::session(&world, &rule("\"*\"", "decision: deny"), "")?;
        let tried = inside(&world, &session, BASE)?;
        let after = look(&world, BASE)?;
        let mut wrong = Vec::new();
        for (name, said) in &tried {
            if said != "EACCES" {
                wrong.push(format!("{name}: {said}"));
            }
            if before.get(name) != after.get(name) {
                wrong.push(format!("{name}: {:?}\nwas {:?}", after.get(name), before.get(name)));
            }
        }
        none(wrong, tried.len())?;
        world.agentsh(["session", "destroy", &session])?;
        let denied = record::events(&world)?
            .iter()
            .filter(|event| {
                event
                    .policy
                    .as_ref()
                    .is_some_and(|policy| policy.rule.as_deref() == Some("guard"))
            })
            .map(|event| event.count.max(1) as usize)
            .sum::<usize>();
        if denied < tried.len() {
            return Err(fail(format!("{denied} denials are recorded of {}", tried.len())));
        }
    }
    Ok(())
}

#[test]
fn what_nobody_can_be_asked_about_does_not_happen_and_is_recorded_as_asked() -> Result {
    let world = World::new(User::agent())?;
    lay(&world, BASE)?;
    let before = look(&world, BASE)?;
    let session = attempts::session(&world, &rule("\"*\"", "decision: approve"), "")?;
    let tried = inside(&world, &session, BASE)?;
    let after = look(&world, BASE)?;
    let wrong = tried
        .iter()
        .filter(|(name, said)| *said != "EACCES" || before.get(*name) != after.get(*name))
        .map(|(name, said)| format!("{name}: {said} {:?}", after.get(name)));
    none(wrong.collect(), tried.len())?;
    world.agentsh(["session", "destroy", &session])?;
    let asked = record::events(&world)?
        .iter()
        .filter_map(|event| Some((event.policy.as_ref()?, event.count.max(1) as usize)))
        .filter(|(policy, _)| policy.decision == "approve" && policy.effective.as_deref() == Some("deny"))
        .map(|(_, count)| count)
        .sum::<usize>();
    match asked >= tried.len() {
        true => Ok(()),
        false => Err(fail(format!("{asked} refusals are recorded of {}", tried.len()))),
    }
}

#[test]
fn what_is_allowed_and_audited_comes_out_as_without_a_session_and_is_recorded() -> Result {
    let world = World::new(User::agent())?;
    let native = "/tmp/native";
    lay(&world, BASE)?;
    lay(&world, native)?;
    let expected = natively(&world, native)?;
    let session = attempts::session(&world, &rule("\"*\"", "decision: audit"), "")?;
    let tried = inside(&world, &session, BASE)?;
    let (left, expected_left) = (look(&world, BASE)?, look(&world, native)?);
    let mut wrong = Vec::new();
    for (name, said) in &tried {
        if expected.get(name) != Some(said) || left.get(name) != expected_left.get(name) {
            let (left, native) = (left.get(name), expected_left.get(name));
            wrong.push(format!(
                "{name}: {said} {left:?}\nnatively {:?} {native:?}",
                expected.get(name)
            ));
        }
    }
    none(wrong, tried.len())?;
    world.agentsh(["session", "destroy", &session])?;
    let audited: BTreeSet<Vec<u8>> = record::events(&world)?
        .into_iter()
        .filter(|event| event.policy.as_ref().is_some_and(|policy| policy.decision == "audit"))
        .flat_map(|event| [event.path, event.path2])
        .flatten()
        .map(|path| path.0)
        .collect();
    let unseen = tried.keys().filter(|name| {
        let number = name.split(' ').next().unwrap_or_default();
        let folder = format!("{BASE}/guarded-{number}");
        !audited.iter().any(|path| {
            path.strip_prefix(folder.as_bytes())
                .is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
        })
    });
    none(
        unseen.map(|name| format!("{name}: not recorded")).collect(),
        tried.len(),
    )
}

/// Calls that cut or replace the content of `f`, or take its name away.
const LOSSES: [&str; 16] = [
    "openat truncating",
    "openat creating, truncating",
    "openat read only truncating",
    "creat",
    "unlink",
    "unlinkat",
    "rename over",
    "renameat over",
    "renameat2 over",
    "truncate",
    "ftruncate",
    "fallocate punch",
    "open new",
    "renameat2 exchange",
    "mkdir",
    "chmod",
];

/// Those at the end of the list lose nothing.
const HARMLESS: usize = 4;

#[test]
fn what_is_lost_softly_lies_in_the_trash_with_its_content_whatever_lost_it() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        lay(&world, BASE)?;
        let keep = rule("delete, rmdir, truncate", "decision: soft_delete");
        let session = attempts::session(&world, &keep, "")?;
        let tried = inside(&world, &session, BASE)?;
        let listed: Vec<Value> = world.agentsh(["trash", "list", "--json"])?.json()?;
        let mut wrong = Vec::new();
        for (name, said) in &tried {
            let (number, rest) = name.split_once(' ').ok_or_else(|| fail(name.as_str()))?;
            let call = rest.rsplit_once(", ").map_or(rest, |(call, _)| call);
            let Some(at) = LOSSES.iter().position(|loss| *loss == call) else {
                continue;
            };
            let path = format!("{BASE}/guarded-{number}/f");
            let kept = listed.iter().find(|entry| entry["original"] == path.as_str());
            let text = kept
                .and_then(|entry| entry["file"].as_str())
                .and_then(|file| fs::read_to_string(file).ok());
            let expected = (at < LOSSES.len() - HARMLESS).then(|| format!("precious {number}"));
            if !is_success(said) || text != expected {
                wrong.push(format!("{name}: {said}, kept {text:?} {kept:?}"));
            }
        }
        none(wrong, tried.len())?;
    }
    Ok(())
}
