//! `agentsh why`: an agent learns from inside what was denied, a person from outside also what would change it.

use agentsh_tests::record::await_event;
use agentsh_tests::world::PRODUCT;
use agentsh_tests::{Outcome, Result, User, fail, session};
use serde_json::Value;

fn says(outcome: &Outcome, words: &[&str], but: &[&str]) -> Result {
    let text = outcome.out() + &outcome.err();
    let missing = words.iter().find(|word| !text.contains(**word));
    let wrong = but.iter().find(|word| text.contains(**word));
    match missing.or(wrong) {
        None => Ok(()),
        Some(word) => Err(fail(format!("{word}: {outcome:?}"))),
    }
}

#[test]
fn from_inside_the_last_denial_is_told_however_deep_the_asker_is() -> Result {
    for user in User::both() {
        let (world, _) = crate::world(user)?;
        let why = format!("{PRODUCT}/agentsh why");
        for ask in [
            format!("{why} --last"),
            why.clone(),
            format!("sh -c 'bash -c \"env {why}\"'"),
            format!("python3 -c 'import subprocess; subprocess.run([\"{PRODUCT}/agentsh\", \"why\"])'"),
            format!("({why} &) | cat"),
        ] {
            let outcome = world.shimmed(&format!("cat ~/.ssh/id_ed25519; md5sum x; {ask}"))?;
            let said = outcome.out();
            if !["md5sum x", "banned", "deny"].iter().all(|word| said.contains(word)) || said.contains("id_ed25519") {
                return Err(fail(format!("{ask}: {outcome:?}")));
            }
        }
        // With nothing denied to the asking command, what was denied to the one before is told.
        says(&world.shimmed(&why)?, &["md5sum x", "banned"], &[])?;
    }
    Ok(())
}

#[test]
fn from_inside_events_and_commands_are_named_by_the_beginning_of_their_ids() -> Result {
    let (world, _) = crate::world(User::agent())?;
    world.shimmed("md5sum first; true")?;
    let first = await_event(&world, "the first denial", |event| event.line() == "md5sum first")?;
    let command = first.command_id.clone().unwrap_or_default();
    for word in [&first.id, &command, &first.id[..first.id.len() - 2].to_owned()] {
        // The asker has denials of its own, and asks about another's.
        let outcome = world.shimmed(&format!("md5sum second; {PRODUCT}/agentsh why {word}"))?;
        let said = outcome.out();
        if !said.contains("md5sum first") || said.contains("md5sum second") {
            return Err(fail(format!("{word}: {outcome:?}")));
        }
    }
    let outcome = world.shimmed(&format!("{PRODUCT}/agentsh why --json {}", first.id))?;
    let events: Vec<Value> = outcome.json()?;
    if events.len() != 1 || events[0]["id"] != first.id.as_str() {
        return Err(fail(format!("{outcome:?}")));
    }
    let outcome = world.shimmed(&format!("{PRODUCT}/agentsh why nothing-like-it; echo $?"))?;
    match outcome.out() == "1\n" && outcome.err().contains("no event and no denial") {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn a_person_asks_about_an_event_or_a_command_and_is_told_what_would_change_it() -> Result {
    let (world, id) = crate::world(User::agent())?;
    world.shimmed("md5sum one; md5sum two; true")?;
    let two = await_event(&world, "the denial", |event| event.line() == "md5sum two")?;
    let command = two.command_id.clone().unwrap_or_default();
    let one = world.agentsh(["why", &two.id])?;
    says(
        &one,
        &["md5sum two", "RULES THAT MATCH", "held by", "to change it"],
        &["md5sum one"],
    )?;
    says(&world.agentsh(["why", &command])?, &["md5sum one", "md5sum two"], &[])?;
    world.agentsh(["why", "zz"])?.expect_exit(1, "an unknown word")?;
    // A text for a shell is told with what it seems to run.
    let text = "uname; md5sum x | sha1sum";
    let outcome = session::run(&world, &id, &["bash", "-c", text])?;
    outcome.expect_exit(0, text)?;
    let explained = world.agentsh(["policy", "explain", "--session", &id, "command", "bash", "-c", text])?;
    says(
        &explained,
        &[
            "ITS TEXT SEEMS TO RUN",
            "md5sum x",
            "deny",
            "banned",
            "uname",
            "sha1sum",
        ],
        &[],
    )?;
    let json = world.agentsh([
        "policy",
        "explain",
        "--json",
        "--session",
        &id,
        "command",
        "bash",
        "-c",
        text,
    ])?;
    let inside = json.json::<Value>()?["inside"].clone();
    if inside[1]["command"] != serde_json::json!(["md5sum", "x"])
        || inside[1]["decision"] != "deny"
        || inside[1]["rule"] != "banned"
    {
        return Err(fail(inside.to_string()));
    }
    // A text that nobody can read is explained without.
    let malformed = world.agentsh(["policy", "explain", "--session", &id, "command", "bash", "-c", "if ((("])?;
    malformed.expect_success("malformed")?;
    says(&malformed, &["decision"], &["ITS TEXT"])
}
