//! The loader against good, wrong and hostile input.

use std::path::Path;

use proptest::prelude::*;

use crate::{LoadError, Variables, parse, read};

fn failure(text: &str) -> String {
    parse(text, Path::new("p.yaml"))
        .err()
        .map_or_else(|| format!("accepted: {text}"), |error| error.to_string())
}

/// A policy with this behind its head.
fn body(text: &str) -> String {
    failure(&format!("version: 1\nname: t\n{text}"))
}

#[test]
fn an_error_shows_file_line_column_and_a_caret() {
    insta::assert_snapshot!(body("file_rules:\n  - {name: a, paths: [/x], decison: deny}\n"), @r"
    p.yaml:4:28: unknown key `decison`
      |
    4 |   - {name: a, paths: [/x], decison: deny}
      |                            ^^^^^^^
      expected: `name`, `description`, `decision`, `message`, `timeout`, `paths`, `operations`, `redirect_to`, `preserve_tree`, `errno`, `content`
      help: did you mean `decision`?
    ");
}

#[test]
fn each_mistake_is_said_with_what_would_be_right() {
    for (text, parts) in [
        (
            "file_rules:\n  - {name: a, paths: [/x], decision: alow}\n",
            vec!["unknown word `alow`", "did you mean `allow`"],
        ),
        (
            "file_rules:\n  - {name: a, paths: /x, decision: deny}\n",
            vec!["4:22", "a list is needed"],
        ),
        (
            "file_rules:\n  - {name: a, paths: [], decision: deny}\n",
            vec!["would never match"],
        ),
        (
            "file_rules:\n  - {name: a, paths: [x/y], decision: deny}\n",
            vec!["paths are absolute", "${PROJECT_ROOT}/x/y"],
        ),
        (
            "file_rules:\n  - {name: a, paths: [~/y], decision: deny}\n",
            vec!["${HOME}/y"],
        ),
        (
            "file_rules:\n  - {name: a, paths: [/x/../y], decision: deny}\n",
            vec!["no `.` and `..`"],
        ),
        (
            "file_rules:\n  - {name: a, paths: ['/x/{a'], decision: deny}\n",
            vec!["4:", "`{` is never closed"],
        ),
        (
            "file_rules:\n  - {name: a, paths: ['${HOEM}/x'], decision: deny}\n",
            vec!["`HOEM` is not defined", "did you mean `HOME`"],
        ),
        (
            "file_rules:\n  - {name: a, paths: [/x], operations: [raed], decision: deny}\n",
            vec!["did you mean `read`"],
        ),
        (
            "file_rules:\n  - {name: a, paths: [/x], decision: absorb}\n",
            vec!["makes no sense in `file_rules`"],
        ),
        (
            "file_rules:\n  - {name: a, paths: [/x], decision: redirect}\n",
            vec!["needs `redirect_to`"],
        ),
        (
            "file_rules:\n  - {name: a, paths: [/x], decision: deny, redirect_to: /y}\n",
            vec!["`redirect_to` has no effect"],
        ),
        (
            "file_rules:\n  - {name: a, paths: [/x], decision: soft_delete}\n",
            vec!["would cover reads"],
        ),
        (
            "file_rules:\n  - {name: a, paths: [/x], operations: [read], decision: soft_delete}\n",
            vec!["no sense for `read`"],
        ),
        (
            "file_rules:\n  - {name: a, paths: [/x], decision: deny, errno: EIO}\n",
            vec!["EACCES"],
        ),
        (
            "file_rules:\n  - {name: a, paths: [/x], decision: deny, message: '{{.Pth}}'}\n",
            vec!["`{{.Pth}}` is not known"],
        ),
        (
            "file_rules:\n  - {name: a, paths: [/x], decision: deny}\n  - {name: a, paths: [/y], decision: deny}\n",
            vec!["given twice in `file_rules`"],
        ),
        (
            "file_rules:\n  - {name: a, paths: [/x], decision: approve, timeout: 5}\n",
            vec!["a duration"],
        ),
        (
            "command_rules:\n  - {name: a, commands: [x], decision: soft_delete}\n",
            vec!["makes no sense in `command_rules`"],
        ),
        (
            "command_rules:\n  - {name: a, commands: [x], args_patterns: ['('], decision: deny}\n",
            vec!["not a regular expression"],
        ),
        (
            "command_rules:\n  - {name: a, commands: [x], args_patterns: ['(?=x)'], decision: deny}\n",
            vec!["not a regular expression"],
        ),
        (
            "command_rules:\n  - {name: a, commands: [x], args_patterns: ['(a{1000}){1000}'], decision: deny}\n",
            vec!["4:", "regular expression"],
        ),
        (
            "command_rules:\n  - {name: a, commands: [x], context: [drect], decision: deny}\n",
            vec!["did you mean `direct`"],
        ),
        (
            "command_rules:\n  - {name: a, commands: [x], context: {min: 1}, decision: deny}\n",
            vec!["unknown key `min`"],
        ),
        (
            "command_rules:\n  - {name: a, commands: [x], context: {min_depth: 3, max_depth: 1}, decision: deny}\n",
            vec!["never count"],
        ),
        (
            "network_rules:\n  - {name: a, decision: redirect}\n",
            vec!["connect_redirects"],
        ),
        (
            "network_rules:\n  - {name: a, cidrs: [10.0.0.0/99], decision: deny}\n",
            vec!["no address range"],
        ),
        (
            "network_rules:\n  - {name: a, ports: [70000], decision: deny}\n",
            vec!["whole number"],
        ),
        (
            "network_rules:\n  - {name: a, domains: ['https://x'], decision: deny}\n",
            vec!["no host name"],
        ),
        (
            "signal_rules:\n  - {name: a, signals: [SIGTREM], decision: deny}\n",
            vec!["did you mean `TERM`"],
        ),
        (
            "signal_rules:\n  - {name: a, signals: [99], decision: deny}\n",
            vec!["1 to 64"],
        ),
        (
            "signal_rules:\n  - {name: a, signals: [TERM], target: {type: process}, decision: deny}\n",
            vec!["needs a `pattern`"],
        ),
        (
            "signal_rules:\n  - {name: a, signals: [TERM], decision: redirect, redirect_to: '@fatal'}\n",
            vec!["one signal"],
        ),
        (
            "dns_redirects:\n  - {name: a, match: x, resolve_to: nope}\n",
            vec!["no address"],
        ),
        (
            "connect_redirects:\n  - {name: a, match: x, redirect_to: 'h:1', redirect_to_unix: /x}\n",
            vec!["only one of"],
        ),
        ("connect_redirects:\n  - {name: a, match: x}\n", vec!["leads nowhere"]),
        (
            "http_services:\n  - {name: a, upstream: 'http://x'}\n",
            vec!["no upstream"],
        ),
        ("defaults: {read: soft_delete}\n", vec!["makes no sense as a default"]),
        ("mcp_rules: 5\n", vec!["`mcp_rules` has another form"]),
        (
            "audit: {log_allowed: yes}\n",
            vec!["not a boolean", "`true` or `false`"],
        ),
        ("resource_limits: {pids_max: -1}\n", vec!["whole number"]),
        ("file_rules: []\nfile_rules: []\n", vec!["given twice"]),
        (
            "package_rules: [{match: {packages: [x]}, action: stop}]\n",
            vec!["unknown word `stop`"],
        ),
    ] {
        let told = body(text);
        for part in parts {
            assert!(told.contains(part), "{text}\nexpected {part:?} in\n{told}");
        }
    }
    assert!(failure("version: 2\nname: t\n").contains("version 2"));
    assert!(failure("name: t\n").contains("the key `version` is missing"));
    assert!(failure("version: 1\nname: a b\n").contains("no policy name"));
    assert!(failure("version: 1\nname: t\n---\nversion: 1\n").contains("document"));
    assert!(failure("").contains("p.yaml"));
}

#[test]
fn a_word_in_the_place_of_a_boolean_or_a_number_is_refused_with_its_place() {
    let whole = "a whole number that is not negative";
    for (text, place, expected) in [
        ("audit: {log_allowed: \"false\"}", "3:22", "`true` or `false`"),
        ("audit: {log_allowed: 'true'}", "3:22", "`true` or `false`"),
        ("audit: {log_allowed: 0}", "3:22", "`true` or `false`"),
        ("audit: {log_allowed: }", "3:", "`true` or `false`"),
        ("audit: {log_allowed: [true]}", "3:22", "`true` or `false`"),
        ("sandbox: {memfd_exec: \"true\"}", "3:23", "`true` or `false`"),
        (
            "file_rules: [{name: a, paths: [/x], decision: redirect, redirect_to: /y, preserve_tree: \"true\"}]",
            "3:89",
            "`true` or `false`",
        ),
        (
            "command_rules: [{name: a, commands: [x], decision: allow, env_block_iteration: \"true\"}]",
            "3:80",
            "`true` or `false`",
        ),
        ("audit: {retention_days: \"7\"}", "3:25", whole),
        ("audit: {retention_days: 7.5}", "3:25", whole),
        ("audit: {retention_days: true}", "3:25", whole),
        ("resource_limits: {pids_max: \"10\"}", "3:29", whole),
        ("checkpoints: {keep: '3'}", "3:21", whole),
        ("network: {forward: [\"80\"]}", "3:21", "1 to 65535"),
        (
            "network_rules: [{name: n, ports: [\"80\"], decision: deny}]",
            "3:35",
            "1 to 65535",
        ),
        ("filesystem: {trash: {max_size: \"4096\"}}", "3:32", "a size"),
        ("approvals: {timeout: \"0\"}", "3:22", "a duration"),
        ("approvals: {timeout: true}", "3:22", "a duration"),
        ("approvals: {timeout: [1s]}", "3:22", "a duration"),
        ("resource_limits: {command_timeout: 5x}", "3:36", "a duration"),
        ("transparent_commands: {add: [\"\"]}", "3:30", "base name"),
        ("transparent_commands: {remove: [env, \"\"]}", "3:38", "base name"),
        ("transparent_commands: {add: [/usr/bin/nice]}", "3:30", "base name"),
    ] {
        let told = body(&format!("{text}\n"));
        assert!(told.starts_with(&format!("p.yaml:{place}")), "{text}\n{told}");
        assert!(told.contains(expected), "{text}\n{told}");
    }
    let told = failure("version: \"1\"\nname: t\n");
    assert!(
        told.starts_with("p.yaml:1:10: ") && told.contains("write `1` without quotes"),
        "{told}"
    );
    let told = crate::config::parse("landlock: {enabled: \"false\"}\n", Path::new("c.yaml"));
    let told = told.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(told.starts_with("c.yaml:1:21: not a boolean"), "{told}");
    for good in [
        "audit: {log_allowed: false, retention_days: 7}",
        "filesystem: {trash: {max_size: 4096, max_age: 7d, version_size_limit: \"1MiB\"}}",
        "approvals: {timeout: 0}",
        "network_rules: [{name: n, ports: [80], decision: deny}]",
        "env_inject: {A: \"1\", B: 1}",
    ] {
        let told = body(&format!("{good}\n"));
        assert!(told.starts_with("accepted"), "{told}");
    }
}

#[test]
fn all_keys_of_the_format_load_and_later_ones_are_listed() -> Result<(), LoadError> {
    let text = include_str!("../tests/data/everything.yaml");
    let document = parse(text, Path::new("everything.yaml"))?;
    assert_eq!(document.file.later().len(), 11, "{:?}", document.file.later());
    let policy = document.resolve(&Variables {
        home: b"/home/u".to_vec(),
        ..Variables::default()
    })?;
    assert!(
        policy
            .settings()
            .is_some_and(|settings| settings.command_timeout.is_some())
    );
    assert!(policy.text().contains("# ${HOME} = /home/u"));
    assert!(policy.text().contains("/home/u/.ssh/**"));
    Ok(())
}

#[test]
fn bombs_and_giants_are_refused_quickly() {
    let mut bomb = String::from("version: 1\nname: t\nmcp_rules:\n  - a0: &a0 {x: y}\n");
    for level in 1..12 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("  - a{level}: &a{level} {{k: [{items}]}}\n"));
    }
    let giant = format!("#{}", "x".repeat(9 << 20));
    let nested = format!("version: 1\nname: t\nmcp_rules: {}", "[".repeat(100_000));
    for text in [bomb, nested, giant] {
        let begun = std::time::Instant::now();
        assert!(!failure(&text).starts_with("accepted"));
        assert!(
            begun.elapsed().as_secs() < 5,
            "{} took {:?}",
            &text[..40],
            begun.elapsed()
        );
    }
}

#[test]
fn what_is_too_much_is_said_in_words() {
    let told = failure("version: 1\nname: t\n---\nversion: 1\n");
    assert!(told.contains("more than one document"), "{told}");
    let flow = format!(" {}{}", "[".repeat(40), "]".repeat(40));
    let block: String = (1..40).map(|depth| format!("\n{}- x:", "  ".repeat(depth))).collect();
    for nested in [flow, block] {
        let told = body(&format!("mcp_rules:{nested}\n"));
        assert!(told.contains("nested deeper than 32"), "{told}");
    }
    let item = vec!["x"; 3000].join(", ");
    let told = body(&format!("mcp_rules:\n  - &a [{item}]\n{}", "  - *a\n".repeat(20)));
    assert!(!told.contains("accepted") && !told.contains(" {"), "{told}");
    let anchors: String = (0..10).map(|at| format!("  - &a{at} [{item}]\n")).collect();
    let told = body(&format!("mcp_rules:\n{anchors}"));
    assert!(told.contains("aliases stand for too much"), "{told}");
    for port in ["70000", "\"80-90\""] {
        let told = body(&format!(
            "network_rules: [{{name: n, ports: [{port}], decision: deny}}]\n"
        ));
        assert!(told.contains("no port") && told.contains("1 to 65535"), "{told}");
    }
}

#[test]
fn what_can_never_match_is_refused() {
    for (rule, part) in [
        (
            "file_rules: [{name: r, paths: ['{foo,bar}/x'], decision: deny}]",
            "paths are absolute",
        ),
        (
            "file_rules: [{name: r, paths: ['{/foo,bar}/x'], decision: deny}]",
            "paths are absolute",
        ),
        (
            "network_rules: [{name: r, domains: ['x.org '], decision: deny}]",
            "no host name",
        ),
        (
            "command_rules: [{name: r, commands: ['rm -rf'], decision: deny}]",
            "no name of a program",
        ),
        (
            "file_rules: [{name: r, paths: ['/x/[[:alpha:]]y'], decision: deny}]",
            "`[:name:]` is no class",
        ),
        (
            "http_services: [{name: s, upstream: 'https://x', default: allow, rules: [{name: r, paths: [admin/**], decision: deny}]}]",
            "write `/admin/**`",
        ),
        ("env_policy: {deny: ['A=*']}", "no name of a variable"),
        (
            "command_rules: [{name: r, commands: [x], env_deny: [''], decision: allow}]",
            "no name of a variable",
        ),
    ] {
        let told = body(rule);
        assert!(told.contains(part), "{told}");
    }
    for good in ["{/foo,**}/x", "{${HOME},/x}/y", "/{a,b c}/x"] {
        let told = body(&format!("file_rules: [{{name: r, paths: ['{good}'], decision: deny}}]"));
        assert!(told.starts_with("accepted"), "{told}");
    }
}

#[test]
fn what_could_only_fail_in_a_session_is_refused() {
    let service = |rest: &str| format!("http_services: [{{name: s, {rest}}}]");
    for (text, part) in [
        (service("upstream: 'https://x:99999'"), "no upstream"),
        (service("upstream: 'https://u:p@x'"), "no upstream"),
        (service("upstream: 'https://x/?q'"), "no upstream"),
        (service("upstream: 'https://:1'"), "no upstream"),
        (service("upstream: 'https://x', aliases: [a/b]"), "part of an address"),
        (service("upstream: 'https://x', expose_as: 1A"), "environment variable"),
        (service("upstream: 'https://x', scrub_response: true"), "needs `secret`"),
        (
            service("upstream: 'https://x', rules: [{name: r, methods: ['G T'], decision: deny}]"),
            "no method",
        ),
        (
            service("upstream: 'https://x', secret: {ref: k}, inject: {header: {name: A, template: x}}"),
            "no `{{secret}}`",
        ),
        (
            service("upstream: 'https://x', secret: {ref: k}, inject: {header: {name: A B, template: '{{secret}}'}}"),
            "name of a header",
        ),
        ("network: {namespace: private, forward: [0]}".to_owned(), "0 is no port"),
        ("approvals: {notify: {command: ' '}}".to_owned(), "`command` is empty"),
        ("approvals: {notify: {webhook: x}}".to_owned(), "no address of the web"),
    ] {
        let told = body(&text);
        assert!(told.contains(part), "{told}");
    }
    let good = service(
        "upstream: 'https://[::1]:8443/api', expose_as: S_URL, aliases: [s.v2], secret: {ref: k}, scrub_response: true, inject: {header: {name: Authorization, template: 'Bearer {{secret}}'}}",
    );
    let told = body(&good);
    assert!(told.starts_with("accepted"), "{told}");
}

#[test]
fn what_is_no_readable_text_is_refused() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("p.yaml");
    std::fs::write(&path, b"version: 1\nname: \xff\n")?;
    let told = read(&path).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(told.contains(":2:7: not UTF-8"), "{told}");
    assert!(read(folder.path()).is_err_and(|error| error.to_string().contains("not a regular file")));
    assert!(read(&folder.path().join("none")).is_err_and(|error| error.line == 0));
    Ok(())
}

fn snippet() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "version: 1\n",
        "name: t\n",
        "file_rules:\n",
        "  - {name: a, paths: [/x], decision: deny}\n",
        "  - name: b\n",
        "    paths: ['**/.env', \"${HOME}/x\"]\n",
        "    decision: allow\n",
        "command_rules:\n",
        "    commands: [\"*\"]\n",
        "&a ",
        "*a",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ": ",
        ", ",
        "\n",
        "\t",
        "'",
        "\"",
        "!!binary ",
        "|\n",
        ">\n",
        "---\n",
        "<<: ",
        "\u{feff}",
        "é",
        "\0",
        "~",
        "1e999",
        "signal_rules: [{name: s, signals: [9], decision: deny}]\n",
        "${",
        "{{.Path}}",
        "(",
        "\\",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(text in snippet()) {
        if let Err(error) = parse(&text, Path::new("p")) {
            let shown = error.to_string();
            prop_assert!(shown.starts_with("p:"));
            prop_assert!(error.source_text.get(error.span.clone()).is_some());
        }
        let _ = crate::config::parse(&text, Path::new("c"));
    }

    #[test]
    fn no_bytes_make_the_loader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = parse(&text, Path::new("p"));
        let _ = parse(&format!("version: 1\nname: t\nfile_rules:\n  - {{name: a, decision: deny, paths: [\"/{text}\"]}}\n"), Path::new("p"));
    }
}
