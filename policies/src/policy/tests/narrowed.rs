//! A policy that another one narrows.

use super::*;

fn narrowed(base: &str, other: &str) -> Result<Policy, LoadError> {
    let other = parse(&format!("version: 1\nname: n\n{other}"), Path::new("n.yaml"))?;
    policy(base)?.narrowed_by(&other, &variables())
}

#[test]
fn what_narrows_takes_nothing_from_what_a_rule_says_beside_its_decision() -> Outcome {
    let base = "env_policy: {deny: [X]}
command_rules:
  - {name: npm, commands: [npm], env_deny: [NPM_TOKEN], env_max_keys: 3, decision: allow}
  - {name: ask, commands: [gh], decision: approve}
  - {name: rest, commands: ['*'], decision: allow}
network_rules:
  - {name: few, cidrs: [10.0.0.0/8], max_bytes: 100, max_per_minute: 2, decision: allow}
transparent_commands: {remove: [nice]}
";
    let other = "env_policy: {allow: [KEEP, LD_PRELOAD, '*']}
command_rules: [{name: all, commands: ['*'], env_deny: [Y], decision: audit}]
network_rules: [{name: most, max_per_minute: 5, max_bytes: 200, decision: audit}]
transparent_commands: {add: [nice, make]}
";
    let policy = narrowed(base, other)?;
    let npm = command(&policy, "/bin/npm", "npm", &[], 0);
    assert_eq!((npm.rule, npm.decision), (Some("all"), Decision::Audit));
    let own = policy.environment(&npm);
    for name in ["NPM_TOKEN", "X", "Y"] {
        assert_eq!(own.removes(name.as_bytes()), Some(Removed::Denied), "{name}");
    }
    assert_eq!(own.max_keys(), Some(3));
    // A variable is let through by the user's policy alone.
    let token = format!("KEEP=ghp_{}", "a1".repeat(20));
    assert_eq!(own.removes_entry(token.as_bytes(), false), Some(Removed::Secret));
    let asked = command(&policy, "/bin/gh", "gh", &[], 0);
    let asked = policy.environment(&asked);
    assert_eq!(asked.removes_entry(b"LD_PRELOAD=/x", true), Some(Removed::Injecting));
    let query = NetworkQuery {
        operation: NetOp::Connect,
        protocol: Protocol::Tcp,
        host: None,
        address: Some([10, 0, 0, 1].into()),
        port: 80,
    };
    let verdict = policy.network(&query);
    assert_eq!((verdict.decision, verdict.max_bytes), (Decision::Audit, Some(100)));
    let rates: Vec<(usize, u32)> = policy
        .rates(&verdict)
        .map(|(place, limit)| (place.layer, limit))
        .collect();
    assert_eq!(rates, [(0, 2), (1, 5)]);
    // What it calls a wrapper is judged as one, and as deep as it is.
    let wrappers = policy.wrappers();
    for (name, transparent) in [("nice", false), ("make", false), ("env", true)] {
        let argv: [&[u8]; 2] = [name.as_bytes(), b"rm"];
        assert!(
            wrappers.payload(name.as_bytes(), name.as_bytes(), &argv).is_some(),
            "{name}"
        );
        assert_eq!(
            wrappers.is_transparent(name.as_bytes(), name.as_bytes()),
            transparent,
            "{name}"
        );
    }
    Ok(())
}

#[test]
fn a_yes_to_what_narrows_leaves_what_the_policy_puts_in_its_place() -> Outcome {
    let policy = narrowed(
        "defaults: {write: allow, signal: absorb}
file_rules:
  - {name: soft, paths: [/w/**], operations: [delete], decision: soft_delete}
  - {name: led, paths: [/w/**], operations: [create], decision: redirect, redirect_to: /x}
command_rules:
  - {name: curl, commands: [curl], decision: redirect, redirect_to: {command: /bin/fetch}}
",
        "file_rules: [{name: ask, paths: ['/w/**'], operations: [delete, create], decision: approve}]
command_rules: [{name: ask, commands: ['*'], decision: approve}]
signal_rules: [{name: ask, signals: [TERM], decision: approve}]
",
    )?;
    let then = |verdict: &Verdict<'_>| policy.after_yes(verdict).map(|then| then.decision);
    let lost = policy.file(FileOp::Delete, b"/w/a");
    assert_eq!((lost.decision, policy.keeps(&lost)), (Decision::Approve, true));
    assert_eq!(then(&lost), Some(Decision::SoftDelete));
    assert_eq!(then(&policy.file(FileOp::Create, b"/w/a")), Some(Decision::Redirect));
    assert!(!policy.keeps(&policy.file(FileOp::Delete, b"/v/a")));
    let curl = command(&policy, "/bin/curl", "curl", &[], 0);
    assert_eq!(
        (curl.decision, then(&curl)),
        (Decision::Approve, Some(Decision::Redirect))
    );
    assert_eq!(then(&command(&policy, "/bin/ls", "ls", &[], 0)), None);
    let signal = policy.signal(&SignalQuery {
        signal: 15,
        target: Targets::of(TargetType::Session),
        program: b"/bin/x",
        pid: 7,
    });
    assert_eq!(
        (signal.decision, then(&signal)),
        (Decision::Approve, Some(Decision::Absorb))
    );
    Ok(())
}
