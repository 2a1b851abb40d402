//! Services of the policy: a secret that the agent never holds, rules by method and path.

use std::time::Duration;

use agentsh_protocol::api::SessionInfo;
use agentsh_protocol::approvals::Approval;
use agentsh_tests::record::await_event;
use agentsh_tests::world::PRODUCT;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Output, Result, Shell, User, World, fail, session};

use super::tls::Server;
use super::{bash, check, everywhere, is_kept, proxy, run};

const PATIENCE: Duration = Duration::from_secs(300);

const SECRET: &str = "ghp_theSecretThatNobodyInsideKnows0123456";

fn begin(world: &World, server: &Server, more: &str) -> Result<SessionInfo> {
    begin_asking(world, server, "1s", more)
}

/// The same; questions wait for so long.
fn begin_asking(world: &World, server: &Server, wait: &str, more: &str) -> Result<SessionInfo> {
    let secrets = world.user().home.join(".config/agentsh/secrets");
    world.user().make_folder(&secrets)?;
    world
        .user()
        .write_file(&secrets.join("github"), format!("{SECRET}\n"), 0o600)?;
    let rules = format!(
        r#"http_services:
  - name: github
    aliases: [gh]
    upstream: https://localhost:{}/api
    expose_as: GITHUB_API
    secret: {{ref: github, format: "ghp_{{rand:37}}"}}
    inject: {{header: {{name: Authorization, template: "Bearer {{{{secret}}}}"}}}}
    scrub_response: true
    rules:
      - {{name: read, methods: [GET], paths: ["/repos/**"], decision: allow}}
      - {{name: ask, methods: [POST], paths: ["/repos/*/issues"], decision: approve, timeout: {wait}}}
      - {{name: never, methods: [DELETE], decision: deny, message: "nothing is deleted"}}
{more}"#,
        server.port
    );
    session::with_rules(world, &rules)
}

#[test]
fn a_service_gets_its_secret_and_the_agent_never_sees_it() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let server = Server::start(&world, "127.0.0.1:0")?;
        let session = begin(&world, &server, "")?;
        let seen = run(
            &world,
            &session,
            "curl -sSi -H 'Authorization: mine' $GITHUB_API/repos/x?page=2; env",
        )?
        .out();
        let asked = server.asked();
        check(
            asked == format!("[\"GET\", \"/api/repos/x?page=2\", \"Bearer {SECRET}\"]\n"),
            "the server has it",
            &(&asked, &seen),
        )?;
        check(
            seen.contains("got [REDACTED] and ") && seen.contains("stays"),
            "the answer",
            &seen,
        )?;
        check(
            !seen.contains(SECRET) && !seen.contains("X-Echo") && !seen.contains("x-echo"),
            "the agent has it not",
            &seen,
        )?;
        check(
            !seen.contains("dGhlU2Vj") && !seen.contains("VGhlU2Vj"),
            "nor in another form",
            &seen,
        )?;
        let reads = run(&world, &session, "cat ~/.config/agentsh/secrets/github")?;
        check(reads.out().is_empty(), "the file is out of reach", &reads)?;
        check(!is_kept(&world, SECRET)?, "the secret is not kept", &"it is")?;
        let event = await_event(&world, "the request", |event| {
            event.is("http_request", "allow", "/repos/x")
        })?;
        check(
            event.fields["service"] == "github" && event.operation.as_deref() == Some("GET"),
            "the event",
            &event,
        )?;
        check(
            event.policy.as_ref().and_then(|policy| policy.rule.as_deref()) == Some("read"),
            "the rule",
            &event,
        )?;
        check(
            proxy(&world, &session)?.services == ["github"],
            "the status",
            &"services",
        )?;
        server.stop()?;
    }
    Ok(())
}

#[test]
fn a_service_takes_only_what_its_rules_say() -> Result {
    everywhere()?
        .into_iter()
        .try_for_each(|(user, engine)| takes_only(user, engine))
}

fn takes_only(user: User, engine: &str) -> Result {
    let world = World::new(user)?;
    let server = Server::start(&world, "127.0.0.1:0")?;
    let session = begin(
        &world,
        &server,
        &format!("network_rules: [{{name: here, cidrs: [\"127.0.0.0/8\", \"::1/128\"], decision: allow}}]\n{engine}"),
    )?;
    let base = "${GITHUB_API%/svc/*}";
    for (what, ask) in [
        ("a method without a rule", "-X PUT $GITHUB_API/repos/x".to_owned()),
        ("a path without a rule", "$GITHUB_API/user".to_owned()),
        ("a denied method", "-X DELETE $GITHUB_API/repos/x".to_owned()),
        (
            "a question that nobody answers",
            "-X POST -d x $GITHUB_API/repos/x/issues".to_owned(),
        ),
        ("dots", "--path-as-is $GITHUB_API/repos/../user".to_owned()),
        ("dots in disguise", "$GITHUB_API/repos/%2e%2e/user".to_owned()),
        ("a slash in disguise", "$GITHUB_API/repos/..%2fuser".to_owned()),
        (
            "a method in the query",
            "\"$GITHUB_API/repos/x?_method=DELETE\"".to_owned(),
        ),
        (
            "a path in a header",
            "-H 'X-Original-URL: /user' $GITHUB_API/repos/x".to_owned(),
        ),
        ("an unknown service", format!("{base}/svc/other/repos/x")),
        (
            "another host on the way",
            format!("-H 'Host: localhost' {base}/svc/github/repos/x"),
        ),
        (
            "past the proxy's service",
            format!("--noproxy '' -x {base} https://localhost:{}/api/repos/x", server.port),
        ),
    ] {
        let out = run(
            &world,
            &session,
            &format!("curl -sSk -o answer -w '%{{http_code}}' {ask}; cat answer; rm -f answer"),
        )?
        .out();
        let status = out.get(..3).unwrap_or_default();
        check(matches!(status, "400" | "403" | "404" | "421" | "000"), what, &out)?;
        check(server.asked().is_empty(), what, &server.asked())?;
    }
    let by_alias = run(&world, &session, &format!("curl -sS {base}/svc/gh/repos/y/z"))?.out();
    check(by_alias.starts_with("got "), "by its other name", &by_alias)?;
    let denied = await_event(&world, "the denial", |event| {
        event.is("http_request", "deny", "/repos/x") && event.operation.as_deref() == Some("DELETE")
    })?;
    let message = denied.policy.and_then(|policy| policy.message);
    check(
        message.as_deref() == Some("nothing is deleted"),
        "the message",
        &message,
    )?;
    server.stop()
}

/// Two requests on one connection; how many answers come back, and the first one's status.
const TWICE: &str = r#"import os, socket
host, port = os.environ["http_proxy"].split("//")[1].split(":")
def ask(repository): return f"POST /svc/github/repos/{repository}/issues HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 1\r\n\r\nx".encode()
s = socket.create_connection((host, int(port))); s.sendall(ask("x") + ask("y"))
out = b""
try:
    while piece := s.recv(4096): out += piece
except OSError: pass
print(out.count(b"HTTP/1.1 "), out[9:12].decode())
"#;

#[test]
fn a_request_that_a_person_agreed_to_passes_and_none_behind_it() -> Result {
    let world = World::new(User::agent())?;
    let server = Server::start(&world, "127.0.0.1:0")?;
    let session = begin_asking(&world, &server, "5m", "")?;
    world
        .user()
        .write_file(&world.workspace().join("twice.py"), TWICE, 0o644)?;
    let mut watcher = Shell::program(format!("{PRODUCT}/agentsh"))
        .args(["approve", "--watch", "--json"])
        .stdout(Output::Null)
        .deadline(PATIENCE)
        .spawn(&world)?;
    let listed = || -> Vec<Approval> {
        let listed = world.agentsh(["approve", "list", "--json"]);
        listed.and_then(|outcome| outcome.json()).unwrap_or_default()
    };
    let known = || {
        let info = world.agentsh(["session", "info", "--json", &session.id]);
        info.is_ok_and(|outcome| !outcome.out().contains("nobody can be asked"))
    };
    check(
        wait_until(PATIENCE, known),
        "the session does not learn of the watcher",
        &"",
    )?;
    let child = bash(&session, "python3 twice.py").deadline(PATIENCE).spawn(&world)?;
    let asked = wait_until(PATIENCE, || listed().len() == 1);
    let question = listed().pop().filter(|_| asked).ok_or_else(|| fail("no question"))?;
    check(
        question.operation == "http POST" && server.asked().is_empty(),
        "the question",
        &question,
    )?;
    world
        .agentsh(["approve", "allow", &question.id])?
        .expect_success("approve")?;
    let outcome = child.finish(PATIENCE)?;
    check(outcome.out() == "1 200\n", "one answer", &outcome)?;
    let asked = server.asked();
    check(
        asked.lines().count() == 1 && asked.contains("/api/repos/x/issues"),
        "what arrived",
        &asked,
    )?;
    watcher.signal(libc::SIGTERM)?;
    watcher.wait(PATIENCE)?;
    server.stop()
}

#[test]
fn a_secret_that_is_not_kept_safe_is_not_used() -> Result {
    let world = World::new(User::agent())?;
    let server = Server::start(&world, "127.0.0.1:0")?;
    let session = begin(&world, &server, "")?;
    let secret = world.user().home.join(".config/agentsh/secrets/github");
    for (content, mode, why) in [
        (SECRET, 0o644, "not its owner's alone"),
        ("ghp_short", 0o600, "does not look as"),
        ("", 0o600, "is empty"),
    ] {
        std::fs::remove_file(&secret)?;
        world.user().write_file(&secret, content, mode)?;
        let out = run(&world, &session, "curl -sS -w '%{http_code}' $GITHUB_API/repos/x")?.out();
        check(out.contains(why) && out.ends_with("502"), why, &out)?;
    }
    check(server.asked().is_empty(), "nothing was sent", &server.asked())?;
    server.stop()
}
