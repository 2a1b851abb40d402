use std::path::Path;

use super::*;
use crate::{LoadError, Variables, parse};

fn policy(body: &str) -> Result<Policy, LoadError> {
    let text = format!("version: 1\nname: t\n{body}");
    parse(&text, Path::new("t.yaml"))?.resolve(&Variables {
        home: b"/home/u".to_vec(),
        ..Variables::default()
    })
}

fn operation(words: &[&str]) -> Result<Operation, LoadError> {
    Operation::parse(words).map_err(|problem| LoadError::unreadable(Path::new("-"), problem))
}

const RULES: &str = "file_rules:\n  - {name: secret, paths: ['**/.env'], decision: deny, message: '{{.Path}}?'}\n  - {name: work, paths: ['/w/**'], decision: allow}\n";

#[test]
fn an_explanation_names_the_winner_and_who_would_have_won() -> Result<(), LoadError> {
    let policy = policy(RULES)?;
    let told = policy.explain(&operation(&["file", "read", "/w/.env"])?);
    assert_eq!((told.decision, told.rule.as_deref()), (Decision::Deny, Some("secret")));
    assert_eq!(told.message.as_deref(), Some("/w/.env?"));
    let rules: Vec<(&str, bool)> = told
        .matching
        .iter()
        .map(|found| (found.rule.as_str(), found.first))
        .collect();
    assert_eq!(rules, [("secret", true), ("work", false)]);
    assert!(
        told.would_change[0].contains("`work` would answer allow"),
        "{:?}",
        told.would_change
    );
    let default = policy.explain(&operation(&["file", "write", "/x"])?);
    assert!(default.would_change[0].contains("defaults.write"));
    Ok(())
}

#[test]
fn where_names_fold_the_rules_of_all_spellings_are_told() -> Result<(), LoadError> {
    let rules = format!(
        "{RULES}command_rules:\n  - {{name: no, commands: [tool], decision: deny}}\n\
        unix_socket_rules:\n  - {{name: ctl, paths: ['/w/ctl'], decision: deny}}\n"
    );
    let document = parse(&format!("version: 1\nname: t\n{rules}"), Path::new("t.yaml"))?;
    let policy = document.resolve(&Variables {
        folding: vec![b"/w".to_vec()],
        ..Variables::default()
    })?;
    for (words, rules) in [
        (&["file", "read", "/w/.ENV"][..], &["secret", "work"][..]),
        (&["command", "/w/TOOL"], &["no"]),
        (&["unix", "connect", "/w/CTL"], &["ctl"]),
    ] {
        let told = policy.explain(&operation(words)?);
        let found: Vec<&str> = told.matching.iter().map(|found| found.rule.as_str()).collect();
        assert_eq!((told.rule.as_deref(), found.as_slice()), (Some(rules[0]), rules));
    }
    Ok(())
}

#[test]
fn an_explanation_tells_which_policy_was_the_stricter() -> Result<(), LoadError> {
    let narrow = parse(
        "version: 1\nname: n\nfile_rules:\n  - {name: no, paths: ['/w/a'], decision: deny}\n",
        Path::new("n"),
    )?;
    let policy = policy(RULES)?.narrowed_by(&narrow, &Variables::default())?;
    let told = policy.explain(&operation(&["file", "write", "/w/a"])?);
    assert_eq!((told.decision, told.policy.as_str()), (Decision::Deny, "n"));
    assert!(
        told.would_change
            .iter()
            .any(|line| line.contains("`t` alone would answer allow")),
        "{:?}",
        told.would_change
    );
    Ok(())
}

#[test]
fn what_can_be_had_counts_where_it_is_asked_for() -> Result<(), LoadError> {
    let said = |rest: &str| -> Result<Vec<String>, LoadError> {
        let able = Held {
            network: true,
            network_bytes: true,
            command: true,
            private_network: true,
            ..Held::default()
        };
        Ok(policy(rest)?.not_held(&able))
    };
    let forward = ["t: network.forward: not held here".to_owned()];
    assert_eq!(said("network: {forward: [80]}\n")?, forward);
    assert!(said("network: {namespace: private, forward: [80]}\n")?.is_empty());
    let bytes = "network_rules:\n  - {name: n, decision: allow, max_bytes: 1MB}\n";
    assert!(said(bytes)?.iter().any(|line| line.contains("of datagrams")));
    assert!(said(&format!("{bytes}network: {{namespace: private}}\n"))?.is_empty());
    let listed = said("command_rules:\n  - {name: c, commands: [c], decision: allow, env_block_iteration: true}\n")?;
    assert!(
        listed.iter().any(|line| line.contains("env_block_iteration")),
        "{listed:?}"
    );
    Ok(())
}

#[test]
fn a_signal_is_for_all_that_its_target_is_and_a_datagram_is_no_stream() -> Result<(), LoadError> {
    let policy = policy(
        "signal_rules:\n  - {name: ours, signals: [USR1], target: {type: session}, decision: deny}\nnetwork_rules:\n  - {name: names, protocol: udp, ports: [53], decision: allow}\n",
    )?;
    for (words, decision) in [
        (&["signal", "USR1", "self"][..], Decision::Deny),
        (&["signal", "USR1", "children"], Decision::Deny),
        (&["signal", "USR1", "external+user"], Decision::Deny),
        (&["signal", "USR2", "self"], Decision::Allow),
        (&["network", "send", "10.0.0.1:53"], Decision::Allow),
        (&["network", "10.0.0.1:53/udp"], Decision::Allow),
        (&["network", "10.0.0.1:53"], Decision::Deny),
    ] {
        assert_eq!(policy.judge(&operation(words)?).decision, decision, "{words:?}");
    }
    assert!(Operation::parse(&["network", "x:1/icmp"]).is_err());
    Ok(())
}

#[test]
fn what_is_not_held_is_said_line_by_line() -> Result<(), LoadError> {
    let policy = policy(&format!(
        "{RULES}resource_limits: {{pids_max: 5}}\nmcp_rules: [{{a: 1}}]\npackage_rules: [{{match: {{packages: [x]}}, action: block}}]\nunix_socket_rules:\n  - {{name: s, paths: ['**'], decision: approve}}\n"
    ))?;
    let none = policy.not_held(&Held::default());
    for expected in [
        "`secret`: not judged here",
        "pids_max",
        "mcp_rules",
        "package_rules",
        "unix socket rule `s`",
    ] {
        assert!(none.iter().any(|line| line.contains(expected)), "{expected}: {none:?}");
    }
    let most = Held {
        file_read: true,
        file_names: true,
        file_open_path: true,
        file_write: true,
        pids: Hold::Fully,
        unix_sockets: true,
        approve: true,
        ..Held::default()
    };
    let left = policy.not_held(&most);
    assert_eq!(left.len(), 2, "{left:?}");
    Ok(())
}

#[test]
fn keys_that_change_nothing_are_said_whatever_a_host_can_hold() -> Result<(), LoadError> {
    let policy = policy(
        "audit: {include_stdout: true, include_file_content: true, retention_days: 7}
dns_redirects: [{name: d, match: x, resolve_to: 127.0.0.1, visibility: silent}]
connect_redirects: [{name: c, match: x, redirect_to: 'y:1', visibility: warn}, {name: e, match: z, redirect_to: 'y:1'}]
",
    )?;
    let told = policy.not_held(&Held {
        dns_redirects: true,
        connect_redirects: true,
        ..Held::default()
    });
    let begin = |line: &String| line.split(": ").nth(1).unwrap_or_default().to_owned();
    let expected = [
        "audit.include_stdout",
        "audit.include_file_content",
        "audit.retention_days",
    ];
    let redirects = ["dns redirect `d`", "connect redirect `c`"];
    let all: Vec<String> = expected
        .iter()
        .chain(&redirects)
        .map(|word| (*word).to_owned())
        .collect();
    assert_eq!(told.iter().map(begin).collect::<Vec<_>>(), all, "{told:?}");
    Ok(())
}

#[test]
fn a_narrowing_policy_is_told_what_it_may_not_say() -> Result<(), LoadError> {
    let narrow = parse(
        "version: 1\nname: n\nenv_inject: {A: b}\nrecord: {pipes: full}\naudit: {log_allowed: false}\napprovals: {timeout: 1s}\n",
        Path::new("n"),
    )?;
    let policy = policy(RULES)?.narrowed_by(&narrow, &Variables::default())?;
    let told = policy.not_held(&Held::default());
    for key in ["env_inject", "record", "audit.log_allowed", "approvals"] {
        let begin = format!("n: {key}: a policy that narrows");
        assert!(told.iter().any(|line| line.starts_with(&begin)), "{key}: {told:?}");
    }
    let filter = policy.environment(&policy.judge(&operation(&["command", "/bin/ls"])?));
    assert_eq!(filter.inject().count(), 0);
    Ok(())
}

#[test]
fn an_allowed_base_name_warns_where_the_session_can_write_a_file_of_that_name() -> Result<(), LoadError> {
    let strict = policy(
        "file_rules:\n  - {name: tmp, paths: ['/tmp/**'], decision: allow}\ncommand_rules:\n  - {name: tools, commands: [git, make, /usr/bin/ls], decision: allow}\n  - {name: no, commands: ['*'], decision: deny}\n  - {name: late, commands: [x], decision: allow}\n",
    )?;
    let warnings = strict.warnings();
    assert!(
        warnings
            .iter()
            .any(|line| line.contains("`tools` allows `git`, `make` by base name")),
        "{warnings:?}"
    );
    assert!(warnings.iter().any(|line| line.contains("`late` is never reached")));
    let open = policy(
        "file_rules:\n  - {name: tmp, paths: ['/tmp/**'], decision: allow}\ncommand_rules:\n  - {name: all, commands: ['*'], decision: allow}\n",
    )?;
    assert!(open.warnings().is_empty(), "{:?}", open.warnings());
    Ok(())
}

#[test]
fn a_request_to_a_service_is_explained_by_the_service_s_rules() -> Result<(), LoadError> {
    let policy = policy(
        "http_services:\n  - {name: gh, upstream: 'https://api.example.org', aliases: [hub], rules: [{name: get, methods: [get], paths: ['/repos/**'], decision: allow}, {name: ask, paths: ['/repos/x'], decision: approve}]}\n",
    )?;
    let explained = policy.explain(&operation(&["http", "GET", "hub", "/repos/x"])?);
    assert_eq!(
        (explained.decision, explained.rule.as_deref()),
        (Decision::Allow, Some("get"))
    );
    assert_eq!(
        explained.would_change[0],
        "Without `get` the rule `ask` would answer approve."
    );
    for (method, service, path) in [("POST", "gh", "/user"), ("GET", "other", "/repos/x")] {
        let explained = policy.explain(&operation(&["http", method, service, path])?);
        assert_eq!((explained.decision, explained.rule), (Decision::Deny, None));
    }
    Ok(())
}

#[test]
fn operations_are_read_from_words_with_suggestions() {
    assert!(Operation::parse(&["file", "raed", "/x"]).is_err_and(|problem| problem.contains("`read`")));
    assert!(Operation::parse(&["fil", "read", "/x"]).is_err_and(|problem| problem.contains("`file`")));
    assert!(Operation::parse(&["file", "read", "x"]).is_err_and(|problem| problem.contains("not absolute")));
    assert!(
        Operation::parse(&["network", "[::1]:80"]).is_ok_and(|operation| operation.to_string() == "connect ::1:80")
    );
    assert!(
        Operation::parse(&["http", "GET", "api", "/x"]).is_ok_and(|operation| operation.to_string() == "GET /x of api")
    );
    assert!(Operation::parse(&["http", "GET", "api", "x"]).is_err());
    assert!(Operation::parse(&["signal", "TERM", "external"]).is_ok());
    assert!(Operation::parse::<&str>(&[]).is_err());
}

#[test]
fn of_all_that_an_operation_stands_for_the_strictest_answer_is_told() -> Result<(), Box<dyn std::error::Error>> {
    let text = "version: 1\nname: t\ndefaults: {signal: allow, network: allow}\n\
        signal_rules: [{name: abort, signals: [TERM], target: {type: children}, decision: deny}]\n\
        network_rules: [{name: inner, cidrs: [127.0.0.0/8, '::1'], decision: deny}]\n";
    let policy = parse(text, Path::new("t.yaml"))?.resolve(&Variables::default())?;
    for (words, rule) in [
        (["signal", "@fatal", "children"].as_slice(), Some("abort")),
        (&["signal", "QUIT", "children"], None),
        (&["network", "0.0.0.0:80"], Some("inner")),
        (&["network", "[::]:80"], Some("inner")),
        (&["network", "listen", "0.0.0.0:80"], None),
    ] {
        let told = policy.explain(&Operation::parse(words)?);
        assert_eq!(told.rule.as_deref(), rule, "{words:?}");
        assert_eq!(told.matching.len(), usize::from(rule.is_some()), "{words:?}");
    }
    Ok(())
}
