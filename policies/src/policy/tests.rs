use std::path::Path;

use super::*;
use crate::words::{Decision, Errno, NetOp, Protocol, TargetType};
use crate::{LoadError, Variables, parse};

mod environment;
mod narrowed;

type Outcome = Result<(), LoadError>;

pub(crate) fn variables() -> Variables {
    Variables {
        project_root: Some(b"/work".to_vec()),
        git_root: Some(b"/work".to_vec()),
        home: b"/home/u".to_vec(),
        user: b"u".to_vec(),
        tmpdir: b"/tmp".to_vec(),
        links: vec![(b"/bin".to_vec(), b"/usr/bin".to_vec())],
        folding: Vec::new(),
        leads: Vec::new(),
    }
}

fn policy(body: &str) -> Result<Policy, LoadError> {
    parse(&format!("version: 1\nname: t\n{body}"), Path::new("t.yaml"))?.resolve(&variables())
}

const TINY: &str = r#"
file_rules:
  - {name: secrets, paths: ["${HOME}/.ssh/**", "**/.env"], operations: ["*"], decision: deny, message: "{{.Path}} holds secrets", errno: ENOENT}
  - {name: delete, paths: ["${PROJECT_ROOT}/**"], operations: [delete, rmdir], decision: soft_delete}
  - {name: work, paths: ["${PROJECT_ROOT}", "${PROJECT_ROOT}/**", "/tmp/**", "/dev/null"], operations: ["*"], decision: allow}
  - {name: rest, paths: ["/**"], operations: [write, create, delete, rename, chmod, chown], decision: deny}
command_rules:
  - {name: publish, commands: [npm, cargo], args_patterns: ["^publish\\b"], decision: approve, timeout: 2m}
  - {name: all, commands: ["*"], decision: allow}
"#;

#[test]
fn the_first_rule_that_matches_wins() -> Outcome {
    let policy = policy(TINY)?;
    let secret = policy.file(FileOp::Read, b"/work/a/.env");
    assert_eq!(
        (secret.decision, secret.rule, secret.errno),
        (Decision::Deny, Some("secrets"), Errno::NoEnt)
    );
    let subject = crate::Subject {
        path: b"/work/.env",
        ..Default::default()
    };
    assert_eq!(secret.message(&subject).as_deref(), Some("/work/.env holds secrets"));
    assert_eq!(policy.file(FileOp::Delete, b"/work/a").decision, Decision::SoftDelete);
    assert_eq!(policy.file(FileOp::Write, b"/work/a").rule, Some("work"));
    assert_eq!(policy.file(FileOp::Xattr, b"/etc/passwd").rule, Some("rest"));
    assert_eq!(policy.file(FileOp::Mknod, b"/etc/x").rule, None);
    assert_eq!(policy.file(FileOp::Read, b"/etc/passwd").decision, Decision::Allow);
    Ok(())
}

fn command<'p>(policy: &'p Policy, program: &str, called: &str, args: &[&[u8]], depth: u32) -> Verdict<'p> {
    policy.command(&CommandQuery {
        program: program.as_bytes(),
        called: called.as_bytes(),
        args,
        depth,
    })
}

#[test]
fn arguments_and_depth_narrow_a_command_rule() -> Outcome {
    let tiny = policy(TINY)?;
    let publish = command(&tiny, "/usr/bin/npm", "npm", &[b"publish", b"."], 0);
    assert_eq!(
        (publish.decision, publish.timeout.map(|time| time.as_secs())),
        (Decision::Approve, Some(120))
    );
    assert_eq!(
        command(&tiny, "/usr/bin/npm", "npm", &[b"published"], 0).decision,
        Decision::Allow
    );
    let depth = policy(
        "command_rules:\n  - {name: direct, commands: [x], context: [direct], decision: allow}\n  - {name: nested, commands: [x], context: {min_depth: 2}, decision: audit}\n",
    )?;
    let decide = |depth_of| command(&depth, "/x", "x", &[], depth_of).decision;
    assert_eq!(
        [decide(0), decide(1), decide(2)],
        [Decision::Allow, Decision::Deny, Decision::Audit]
    );
    Ok(())
}

#[test]
fn a_link_named_like_an_allowed_program_opens_no_door() -> Outcome {
    let policy = policy(
        "command_rules:\n  - {name: ok, commands: [git, python], decision: allow}\n  - {name: no, commands: [curl, /tmp/**], decision: deny}\n  - {name: rest, commands: ['*'], decision: deny}\n",
    )?;
    assert_eq!(command(&policy, "/usr/bin/curl", "/work/git", &[], 0).rule, Some("no"));
    assert_eq!(command(&policy, "/tmp/evil", "git", &[], 0).rule, Some("no"));
    assert_eq!(
        command(&policy, "/usr/bin/python3.11", "/usr/bin/python", &[], 0).rule,
        Some("ok")
    );
    assert_eq!(command(&policy, "/usr/bin/git", "/work/curl", &[], 0).rule, Some("ok"));
    Ok(())
}

#[test]
fn a_byte_that_is_no_text_hides_no_argument() -> Outcome {
    let policy = policy(
        "command_rules:\n  - {name: no, commands: [x], args_patterns: ['^a.*b$'], decision: deny}\n  - {name: rest, commands: ['*'], decision: allow}\n",
    )?;
    assert_eq!(
        command(&policy, "/x", "x", &[b"a", b"\xff\n", b"b"], 0).rule,
        Some("no")
    );
    Ok(())
}

#[test]
fn a_rule_under_a_link_counts_for_its_target() -> Outcome {
    let policy = policy(
        "command_rules:\n  - {name: no, commands: [/bin/sh], decision: deny}\n  - {name: rest, commands: ['*'], decision: allow}\n",
    )?;
    assert_eq!(command(&policy, "/usr/bin/sh", "sh", &[], 0).rule, Some("no"));
    Ok(())
}

#[test]
fn without_a_workspace_its_rules_match_nothing_and_the_rest_holds() -> Outcome {
    let document = parse(&format!("version: 1\nname: t\n{TINY}"), Path::new("t.yaml"))?;
    let policy = document.resolve(&Variables {
        project_root: None,
        git_root: None,
        ..variables()
    })?;
    assert_eq!(policy.file(FileOp::Write, b"/work/a").rule, Some("rest"));
    assert_eq!(policy.file(FileOp::Write, b"/tmp/a").rule, Some("work"));
    assert_eq!(policy.file(FileOp::Read, b"/home/u/.ssh/id").rule, Some("secrets"));
    Ok(())
}

#[test]
fn a_redirect_without_a_target_in_this_session_is_a_denial() -> Outcome {
    let text = "version: 1\nname: t\nfile_rules:\n  - {name: r, paths: [/x/**], decision: redirect, redirect_to: '${PROJECT_ROOT}/x', preserve_tree: true}\n";
    let document = parse(text, Path::new("t.yaml"))?;
    let with = document.resolve(&variables())?;
    let verdict = with.file(FileOp::Write, b"/x/a/b");
    assert_eq!(
        verdict.redirect.file_target(b"/x/a/b").as_deref(),
        Some(&b"/work/x/x/a/b"[..])
    );
    let without = document.resolve(&Variables {
        project_root: None,
        ..variables()
    })?;
    assert_eq!(without.file(FileOp::Write, b"/x/a/b").decision, Decision::Deny);
    Ok(())
}

#[test]
fn network_rules_match_all_selectors_that_are_given() -> Outcome {
    let policy = policy(
        "network_rules:\n  - {name: registry, domains: ['*.example.org', example.org], ports: [443], decision: allow}\n  - {name: metadata, cidrs: ['169.254.0.0/16'], decision: deny}\n  - {name: local, domains: [127.0.0.1], protocol: tcp, operations: [connect], decision: audit}\n  - {name: ask, decision: approve}\n",
    )?;
    let query = |host, address: &str, port| NetworkQuery {
        operation: NetOp::Connect,
        protocol: Protocol::Tcp,
        host,
        address: address.parse().ok(),
        port,
    };
    let rule = |query: NetworkQuery<'_>| policy.network(&query).rule.map(str::to_owned);
    assert_eq!(
        rule(query(Some("A.Example.ORG."), "1.2.3.4", 443)).as_deref(),
        Some("registry")
    );
    assert_eq!(
        rule(query(Some("a.b.example.org"), "1.2.3.4", 443)).as_deref(),
        Some("ask")
    );
    assert_eq!(rule(query(Some("example.org"), "1.2.3.4", 80)).as_deref(), Some("ask"));
    assert_eq!(
        rule(query(None, "::ffff:169.254.169.254", 80)).as_deref(),
        Some("metadata")
    );
    assert_eq!(rule(query(None, "127.0.0.1", 80)).as_deref(), Some("local"));
    assert_eq!(
        rule(query(Some(&"a.".repeat(200)), "1.2.3.4", 443)).as_deref(),
        Some("ask")
    );
    Ok(())
}

#[test]
fn localhost_is_where_it_always_is() -> Outcome {
    let policy = policy("network_rules: [{name: me, domains: [LocalHost], ports: [80], decision: allow}]")?;
    for (host, address, decision) in [
        (Some("localhost"), None, Decision::Allow),
        (None, Some([127, 0, 0, 1].into()), Decision::Allow),
        (None, Some(std::net::Ipv6Addr::LOCALHOST.into()), Decision::Allow),
        (None, Some([127, 0, 0, 2].into()), Decision::Deny),
        (Some("other"), None, Decision::Deny),
    ] {
        let verdict = policy.network(&NetworkQuery {
            operation: NetOp::Connect,
            protocol: Protocol::Tcp,
            host,
            address,
            port: 80,
        });
        assert_eq!(verdict.decision, decision, "{host:?} {address:?}");
    }
    Ok(())
}

#[test]
fn abstract_sockets_are_named_by_an_at_sign() -> Outcome {
    let policy = policy(
        "unix_socket_rules:\n  - {name: x, paths: ['@/tmp/.X11-unix/*'], decision: deny}\n  - {name: d, paths: [/run/docker.sock], operations: [connect], decision: deny}\n  - {name: all, paths: ['**', '@**'], decision: allow}\n",
    )?;
    let rule = |op, address| policy.unix_socket(op, address).rule;
    assert_eq!(
        rule(UnixOp::Connect, UnixAddress::Abstract(b"/tmp/.X11-unix/X0")),
        Some("x")
    );
    assert_eq!(
        rule(UnixOp::Connect, UnixAddress::Path(b"/tmp/.X11-unix/X0")),
        Some("all")
    );
    assert_eq!(rule(UnixOp::Connect, UnixAddress::Path(b"/run/docker.sock")), Some("d"));
    assert_eq!(rule(UnixOp::Bind, UnixAddress::Path(b"/run/docker.sock")), Some("all"));
    Ok(())
}

#[test]
fn signals_to_the_session_pass_and_others_do_not_unless_a_rule_says_so() -> Outcome {
    let plain = policy("")?;
    let rules = policy(
        "signal_rules:\n  - {name: soft, signals: [KILL], target: {type: external}, decision: redirect, redirect_to: TERM, fallback: absorb}\n  - {name: by-name, signals: ['@all'], target: {type: process, pattern: sshd}, decision: absorb}\n  - {name: low, signals: ['@all'], target: {type: pid_range, max: 100}, decision: deny}\n",
    )?;
    let query = |signal, kind, program: &'static str, pid| SignalQuery {
        signal,
        target: Targets::of(kind),
        program: program.as_bytes(),
        pid,
    };
    assert_eq!(
        plain.signal(&query(15, TargetType::Session, "", 500)).decision,
        Decision::Allow
    );
    assert_eq!(
        plain.signal(&query(15, TargetType::External, "", 500)).decision,
        Decision::Deny
    );
    assert_eq!(
        plain.signal(&query(0, TargetType::External, "", 500)).decision,
        Decision::Allow
    );
    let killed = rules.signal(&query(9, TargetType::External, "/usr/sbin/sshd", 500));
    assert_eq!(
        killed.redirect,
        Redirect::Signal {
            signal: 15,
            fallback: Decision::Absorb
        }
    );
    assert_eq!(
        rules
            .signal(&query(15, TargetType::External, "/usr/sbin/sshd", 500))
            .rule,
        Some("by-name")
    );
    assert_eq!(rules.signal(&query(15, TargetType::Session, "/x", 7)).rule, Some("low"));
    Ok(())
}

#[test]
fn redirects_of_names_connections_and_requests_are_found() -> Outcome {
    let policy = policy(
        "dns_redirects:\n  - {name: d, match: '^api\\.', resolve_to: 127.0.0.1}\nconnect_redirects:\n  - {name: c, match: ':443$', redirect_to: 'proxy:8443', tls: {mode: rewrite_sni, sni: x.example}}\nhttp_services:\n  - {name: gh, upstream: 'https://api.github.com', aliases: [github], rules: [{name: get, methods: [get], paths: ['/repos/*/*'], decision: allow}]}\n",
    )?;
    assert!(
        policy
            .dns_redirect("API.example.org.")
            .is_some_and(|target| target.resolve_to.is_loopback())
    );
    assert!(
        policy
            .connect_redirect("h:443")
            .is_some_and(|target| target.to == ConnectTo::Host("proxy:8443".into()))
    );
    assert!(policy.connect_redirect("h:80").is_none());
    let service = policy.service("github");
    let decide = |method, path| service.map(|service| service.request(method, path).decision);
    assert_eq!(decide("GET", "/repos/a/b"), Some(Decision::Allow));
    assert_eq!(decide("POST", "/repos/a/b"), Some(Decision::Deny));
    Ok(())
}

#[test]
fn what_looks_absent_is_found_by_no_call_and_the_way_to_work_by_any() -> Outcome {
    let text = "version: 1\nname: t\ndefaults: {read: deny}\nfile_rules:\n  - {name: gone, paths: ['/work/.env'], operations: [read], decision: deny, errno: ENOENT}\n  - {name: work, paths: ['/work/**'], decision: allow}\n";
    let variables = Variables {
        project_root: Some(b"/home/u/work".to_vec()),
        ..variables()
    };
    let policy = parse(&text.replace("/work", "${PROJECT_ROOT}"), Path::new("t.yaml"))?.resolve(&variables)?;
    for op in [
        FileOp::Read,
        FileOp::Open,
        FileOp::Stat,
        FileOp::Access,
        FileOp::Readlink,
    ] {
        let verdict = policy.file(op, b"/home/u/work/.env");
        assert_eq!(
            (verdict.decision, verdict.errno),
            (Decision::Deny, Errno::NoEnt),
            "{op:?}"
        );
    }
    assert_eq!(
        policy.file(FileOp::Create, b"/home/u/work/.env").decision,
        Decision::Allow
    );
    for (op, path, decision) in [
        (FileOp::Stat, &b"/home/u"[..], Decision::Allow),
        (FileOp::Readlink, b"/home", Decision::Allow),
        (FileOp::Stat, b"/", Decision::Allow),
        (FileOp::List, b"/home/u", Decision::Deny),
        (FileOp::Stat, b"/home/u/wo", Decision::Deny),
        (FileOp::Stat, b"/home/u/other", Decision::Deny),
    ] {
        assert_eq!(
            policy.file(op, path).decision,
            decision,
            "{op:?} {}",
            String::from_utf8_lossy(path)
        );
    }
    Ok(())
}

#[test]
fn where_names_fold_a_rule_holds_for_every_spelling() -> Outcome {
    let rules = r#"
file_rules:
  - {name: hooks, paths: ["**/.git/hooks/**"], operations: [write, create, rename], decision: deny}
  - {name: work, paths: ["/mnt/Share/**", "/w/**"], operations: ["*"], decision: allow}
command_rules:
  - {name: no, commands: [nc], decision: deny}
  - {name: all, commands: ["*"], decision: allow}
unix_socket_rules:
  - {name: ctl, paths: ["/mnt/Share/ctl.sock"], decision: deny}
  - {name: others, paths: ["/mnt/Share/**"], decision: allow}
"#;
    let document = parse(&format!("version: 1\nname: t\n{rules}"), Path::new("t.yaml"))?;
    let policy = document.resolve(&Variables {
        folding: vec![b"/mnt/Share".to_vec()],
        ..variables()
    })?;
    let create = |path: &str| policy.file(FileOp::Create, path.as_bytes());
    for path in [
        "/mnt/Share/.git/hooks/x",
        "/mnt/Share/.GIT/Hooks/x",
        "/mnt/Share/sub/.g\u{200c}it/hooks./x",
    ] {
        assert_eq!(
            (create(path).decision, create(path).rule),
            (Decision::Deny, Some("hooks")),
            "{path}"
        );
    }
    assert_eq!(create("/mnt/Share/src/x").rule, Some("work"));
    // What a short name stands for nobody can tell.
    assert_eq!(create("/mnt/Share/GIT~1/hooks/x").rule, Some("hooks"));
    assert_eq!(create("/w/GIT~1/hooks/x").rule, Some("work"));
    let delete = policy.file(FileOp::Delete, b"/mnt/Share/PROGRA~1/x");
    assert_eq!(delete.rule, Some("work"), "no rule keeps anything there");
    assert_eq!(create("/w/.GIT/hooks/x").rule, Some("work"), "there it is another name");
    // Rules that allow are for the name as it is written.
    assert_eq!(create("/mnt/share/x").decision, Decision::Deny);
    let start = |program: &str| command(&policy, program, program, &[], 0).decision;
    assert_eq!(
        (start("/mnt/Share/NC"), start("/w/NC")),
        (Decision::Deny, Decision::Allow)
    );
    let connect = |path: &str| {
        policy
            .unix_socket(UnixOp::Connect, UnixAddress::Path(path.as_bytes()))
            .decision
    };
    assert_eq!(connect("/mnt/Share/CTL.sock"), Decision::Deny);
    assert_eq!(connect("/mnt/Share/other.sock"), Decision::Allow);
    assert_eq!(policy.program(b"/mnt/Share/Make"), crate::ProgramOutlook::Sometimes);
    Ok(())
}

#[test]
fn the_text_of_a_policy_is_one_document_however_it_was_written() -> Outcome {
    let body = "name: t\nversion: 1\nfile_rules: [{name: k, paths: ['${PROJECT_ROOT}/k'], decision: deny}]\n";
    let variables = Variables {
        project_root: Some(b"/w/a\n---\nb: [".to_vec()),
        ..variables()
    };
    for (head, tail) in [
        ("---\n", ""),
        ("--- # begin\r\n", "...\n"),
        ("%YAML 1.2\n---\n", "---\n"),
        ("\u{feff}---\n", ""),
    ] {
        let document = parse(&format!("{head}{body}"), Path::new("a\nb.yaml"))?;
        let text = document.resolve(&variables)?.text() + tail.trim_end_matches("---\n");
        assert_eq!(text.split("\n---\n").count(), 1, "{text}");
        let again = parse(&text, Path::new("again.yaml"))?.resolve(&variables)?;
        assert_eq!(again.file(FileOp::Read, b"/w/a\n---\nb: [/k").decision, Decision::Deny);
    }
    Ok(())
}

#[test]
fn variables_are_replaced_in_all_of_a_command_redirect() -> Outcome {
    let rule = |target: &str| {
        policy(&format!(
            "command_rules: [{{name: r, commands: [wc], decision: redirect, redirect_to: {{command: /bin/echo, {target}}}}}]"
        ))
    };
    let wc = CommandQuery {
        program: b"/usr/bin/wc",
        called: b"wc",
        ..CommandQuery::default()
    };
    let policy = rule("args: ['${HOME}'], args_append: ['x-${USER}'], environment: {AT: '${PROJECT_ROOT}'}")?;
    let Redirect::Command(target) = policy.command(&wc).redirect else {
        panic!("no redirect");
    };
    assert_eq!(
        (target.args[0].as_str(), target.args_append[0].as_str()),
        ("/home/u", "x-u")
    );
    assert_eq!(target.environment.get("AT").map(String::as_str), Some("/work"));
    for wrong in [
        "args: ['${NOPE}']",
        "args_append: ['${NOPE}']",
        "environment: {A: '${NOPE}'}",
    ] {
        assert!(
            rule(wrong).is_err_and(|error| error.to_string().contains("`NOPE` is not defined")),
            "{wrong}"
        );
    }
    Ok(())
}
