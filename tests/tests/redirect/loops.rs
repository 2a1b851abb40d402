//! Redirects that would never end.

use agentsh_tests::{Result, User, World, fail, record, session};

const RULES: &str = r#"command_rules:
  - {name: there, commands: [md5sum], decision: redirect, redirect_to: {command: /usr/bin/sha1sum}}
  - {name: back, commands: [sha1sum], decision: redirect, redirect_to: {command: /usr/bin/md5sum}}
  - {name: on, commands: [cksum], decision: redirect, redirect_to: {command: /usr/bin/sum}}
  - {name: further, commands: [sum], decision: redirect, redirect_to: {command: /usr/bin/sha256sum}}
  - name: wrapped
    commands: [factor]
    decision: redirect
    redirect_to: {command: "${PROJECT_ROOT}/wrapper"}
  - {name: rest, commands: ["*"], decision: allow}
"#;

#[test]
fn rules_that_lead_to_each_other_refuse() -> Result {
    let world = World::new(User::agent())?;
    session::with_rules(&world, RULES)?;
    let outcome = world.shimmed("echo x | md5sum; echo $?; echo -n x | cksum")?;
    let sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    if outcome.out() != format!("126\n{sha256}  -\n") {
        return Err(fail(format!("{outcome:?}")));
    }
    record::await_event(&world, "the refusal", |event| {
        let policy = event.policy.as_ref();
        policy.is_some_and(|policy| {
            let message = policy.message.as_deref().unwrap_or_default();
            policy.decision == "redirect" && message.contains("may not lead to itself")
        })
    })?;
    Ok(())
}

#[test]
fn a_target_that_starts_what_it_stands_for_is_stopped_at_once() -> Result {
    let world = World::new(User::agent())?;
    let path = world.workspace().join("wrapper");
    let script = "#!/bin/sh\necho once \"$@\"\nfactor \"$@\"\necho $?\n";
    world.user().write_file(&path, script, 0o755)?;
    session::with_rules(&world, RULES)?;
    let outcome = world.shimmed("factor 7")?;
    match outcome.out() == "once 7\n126\n" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}
