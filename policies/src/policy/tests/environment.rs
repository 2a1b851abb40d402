//! What variables a program gets.

use super::*;

#[test]
fn denied_variables_beat_allowed_ones_and_a_rule_has_its_own_list() -> Outcome {
    let policy = policy(
        "env_policy: {allow: [PATH, 'AWS_*'], deny: ['*_SECRET'], max_keys: 10}\nenv_inject: {A: '${HOME}/x'}\ncommand_rules:\n  - {name: npm, commands: [npm], env_allow: ['NPM_*'], env_deny: [NPM_TOKEN], env_max_keys: 3, decision: allow}\n  - {name: rest, commands: ['*'], decision: allow}\n",
    )?;
    let verdict = command(&policy, "/bin/ls", "ls", &[], 0);
    let general = policy.environment(&verdict);
    assert_eq!(general.removes(b"PATH"), None);
    assert_eq!(general.removes(b"AWS_SECRET"), Some(Removed::Denied));
    assert_eq!(general.removes(b"HOME"), Some(Removed::NotAllowed));
    assert_eq!(general.inject().collect::<Vec<_>>(), [("A", &b"/home/u/x"[..])]);
    // What the operator sets stays, and takes no room.
    let entries = ["A=/home/u/x", "A=other", "PATH=/bin"].map(str::as_bytes);
    assert_eq!(general.removed(&entries, true), [(1, Removed::NotAllowed)]);
    let verdict = command(&policy, "/bin/npm", "npm", &[], 0);
    let npm = policy.environment(&verdict);
    assert_eq!(
        (npm.removes(b"NPM_X"), npm.removes(b"NPM_TOKEN")),
        (None, Some(Removed::Denied))
    );
    assert_eq!(
        (npm.removes(b"PATH"), npm.max_keys()),
        (Some(Removed::NotAllowed), Some(3))
    );
    Ok(())
}

#[test]
fn values_code_and_numbers_are_reasons_to_remove_too() -> Outcome {
    let policy = policy(
        "env_policy: {deny: [X], max_keys: 2, max_bytes: 60}\ncommand_rules:\n  - {name: npm, commands: [npm], env_allow: ['*', KEEP, LD_LIBRARY_PATH], decision: approve}\n  - {name: rest, commands: ['*'], decision: allow}\n",
    )?;
    let (plain, npm) = (
        command(&policy, "/bin/ls", "ls", &[], 0),
        command(&policy, "/bin/npm", "npm", &[], 0),
    );
    assert_eq!((plain.guards(), npm.guards()), (false, true));
    let token = format!("KEEP=ghp_{}", "a1".repeat(20));
    let general = policy.environment(&plain);
    assert_eq!(general.removes_entry(token.as_bytes(), false), Some(Removed::Secret));
    assert_eq!(general.removes_entry(b"LD_PRELOAD=/x", false), None);
    let own = policy.environment(&npm);
    assert_eq!(own.removes_entry(token.as_bytes(), true), None);
    assert_eq!(own.removes_entry(b"LD_PRELOAD=/x", true), Some(Removed::Injecting));
    assert_eq!(own.removes_entry(b"LD_LIBRARY_PATH=/x", true), None);
    let long = format!("L={}", "x".repeat(60));
    let removed = general.removed(&["X=1", "A=1", &long, "B=1", "C=1"], false);
    assert_eq!(
        removed,
        [(0, Removed::Denied), (2, Removed::OverLimit), (4, Removed::OverLimit)]
    );
    Ok(())
}
