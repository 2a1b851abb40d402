//! Services of the policy: a secret that the agent never holds, rules by method and path.

use agentsh_protocol::api::SessionInfo;
use agentsh_tests::record::await_event;
use agentsh_tests::{Result, User, World, session};

use super::tls::Server;
use super::{check, is_kept, proxy, run};

const SECRET: &str = "ghp_theSecretThatNobodyInsideKnows0123456";

fn begin(world: &World, server: &Server, more: &str) -> Result<SessionInfo> {
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
      - {{name: ask, methods: [POST], paths: ["/repos/*/issues"], decision: approve, timeout: 1s}}
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
    let world = World::new(User::agent())?;
    let server = Server::start(&world, "127.0.0.1:0")?;
    let session = begin(
        &world,
        &server,
        "network_rules: [{name: here, cidrs: [\"127.0.0.0/8\", \"::1/128\"], decision: allow}]\n",
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
