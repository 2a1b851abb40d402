//! Programs that know of no proxy: their connections are led to it where it has something to look at.

use agentsh_tests::network::dns::NameServer;
use agentsh_tests::network::{Far, HOSTS};
use agentsh_tests::record::await_event;
use agentsh_tests::{Result, User, World, session};

use super::fake::Fake;
use super::intercept::address;
use super::streams::VENDORS;
use super::tls::Server;
use super::{check, configure, everywhere, proxy, run};

const BODY: &str = r#"{"model":"m","messages":[{"role":"user","content":"mail jo@example.org"}]}"#;

#[test]
fn a_shims_programs_talk_to_a_provider_through_the_proxy_unawares() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let (.., kind, stream, _, input, output) = VENDORS.last().copied().unwrap_or_default();
        let (fake, other) = (
            Fake::with_body(kind, stream.as_bytes())?,
            Fake::with_body("text/plain", b"x")?,
        );
        configure(&format!(
            "proxy: {{providers: {{ollama: 'http://localhost:{}', closed: 'http://127.0.0.1:{}'}}}}\n",
            fake.port, other.port
        ))?;
        let rules = format!(
            "network_rules: [{{name: model, cidrs: [\"127.0.0.0/8\"], ports: [{}], decision: allow}}, {{name: closed, ports: [{}], decision: deny}}]\n",
            fake.port, other.port
        );
        let session = session::with_rules(&world, &rules)?;
        let folder = world.workspace();
        world.user().write_file(&folder.join("body"), BODY, 0o644)?;
        let url = format!("http://127.0.0.1:{}/api/chat", fake.port);
        let asks = [
            format!("curl -sSN -d @body {url}"),
            format!("curl -sSN -d @body http://localhost:{}/api/chat", fake.port),
            format!("curl -sSN --http2-prior-knowledge -d @body {url}"),
            format!(
                "python3 -c \"import urllib.request as u; print(u.urlopen('{url}', open('body','rb').read()).read().decode(), end='')\""
            ),
            format!(
                "node -e \"fetch('{url}',{{method:'POST',body:require('fs').readFileSync('body')}}).then(r=>r.text()).then(t=>process.stdout.write(t))\""
            ),
        ];
        for ask in &asks {
            let outcome = world.shimmed(ask)?;
            check(outcome.out() == stream, ask, &outcome)?;
        }
        let asked = fake.asked();
        let clean = |one: &super::fake::Asked| String::from_utf8_lossy(&one.body).contains("mail [REDACTED:email]");
        check(
            asked.len() == asks.len() && asked.iter().all(clean),
            "what left",
            &asked,
        )?;
        let usage = proxy(&world, &session)?.usage;
        let sum = usage
            .first()
            .map(|one| (one.requests, one.input_tokens, one.output_tokens));
        let count = asks.len() as u64;
        check(sum == Some((count, count * input, count * output)), "the use", &usage)?;
        let request = await_event(&world, "the request", |event| {
            event.is("llm_request", "allow", "/api/chat")
        })?;
        check(
            request.command_id.is_some() && request.pid.is_some(),
            "who asked",
            &request,
        )?;
        let connect = await_event(&world, "the connection", |event| {
            event.is_connect(&format!("127.0.0.1:{}", fake.port))
        })?;
        let by_rule = connect
            .policy
            .as_ref()
            .is_some_and(|policy| policy.rule.as_deref() == Some("model") && policy.redirect.is_some());
        check(by_rule, "the rule that let it through", &connect)?;
        // What policy does not let through is not let through to a provider either.
        let denied = world.shimmed(&format!("curl -sS http://127.0.0.1:{}/api/chat; echo $?", other.port))?;
        check(denied.out() == "7\n" && other.asked().is_empty(), "no rule", &denied)?;
        let variables = world.shimmed("env | grep -ci -e base_url -e proxy -e ollama")?.out();
        check(variables == "0\n", "no variable", &variables)?;
    }
    Ok(())
}

#[test]
fn what_let_a_connection_to_a_provider_through_holds_for_all_that_is_asked_there() -> Result {
    let world = World::new(User::agent())?;
    let fake = Fake::with_body("text/plain", b"fine")?;
    let port = fake.port;
    configure(&format!(
        "proxy: {{providers: {{openai: 'http://localhost:{port}/v1'}}}}\n"
    ))?;
    // The name has an address more, which no rule lets anybody reach.
    std::fs::write("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")?;
    let rules = format!("network_rules: [{{name: model, cidrs: [127.0.0.1], ports: [{port}], decision: allow}}]\n");
    session::with_rules(&world, &rules)?;
    for path in ["/v1/models", "/health"] {
        let seen = world.shimmed(&format!("curl -sS http://localhost:{port}{path}"))?.out();
        check(seen == "fine", path, &seen)?;
    }
    let event = await_event(&world, "what is no model's", |event| {
        event.is("http_request", "allow", "/health")
    })?;
    let rule = event.policy.and_then(|policy| policy.rule);
    check(rule.as_deref() == Some("model"), "the rule", &rule)
}

/// A world with a way to another network, in which several names have one address.
fn apart(user: User) -> Result<(World, Far, NameServer)> {
    let world = World::new(user)?;
    let far = Far::enter()?;
    let server = NameServer::start(&far)?;
    for name in ["one", "two", "models"] {
        server.set_addresses(&format!("{name}.example.org"), &[HOSTS[0]]);
    }
    Ok((world, far, server))
}

const APART: &str = "network_rules:
  - {name: one, domains: [one.example.org], ports: [8080, 8443], decision: allow}
  - {name: two, domains: [two.example.org], ports: [9090], decision: allow}
  - {name: rest, decision: deny}
";

#[test]
fn names_of_one_address_are_told_apart_by_what_tls_and_http_ask_for() -> Result {
    everywhere()?
        .into_iter()
        .try_for_each(|(user, engine)| told_apart(user, engine))
}

fn told_apart(user: User, engine: &str) -> Result {
    let (world, far, _server) = apart(user)?;
    configure("{}\n")?;
    session::with_rules(&world, &format!("{engine}{APART}"))?;
    let listener = far.run(|| std::net::TcpListener::bind((HOSTS[0], 8080)))??;
    let plain = Fake::on_with_body(listener, "text/plain", b"from the server")?;
    let secure = far.serve(&format!("{}:8443", HOSTS[0]))?;
    let ask = |text: &str| -> Result<String> { Ok(world.shimmed(&format!("{text} 2>&1"))?.out()) };
    ask("getent ahostsv4 one.example.org; getent ahostsv4 two.example.org")?;
    for (text, wanted) in [
        ("curl -sS http://one.example.org:8080/a", "from the server"),
        (
            "curl -sS -o /dev/null -w '%{http_code}' http://two.example.org:8080/b",
            "403",
        ),
        (
            "curl -sS -o /dev/null -w '%{http_code}' -H 'Host: two.example.org:8080' http://one.example.org:8080/c",
            "403",
        ),
        (
            "curl -sS -o /dev/null -w '%{http_code}' -H 'Host: three.example.org' http://one.example.org:8080/d",
            "421",
        ),
        (
            "curl -sS -o /dev/null -w '%{http_code}' http://203.0.113.10:8080/e",
            "421",
        ),
        (
            "printf 'SSH-2.0-x\\r\\n\\r\\n' | nc -w 5 one.example.org 8080 | head -1 | cut -c-12",
            "HTTP/1.1 400\n",
        ),
    ] {
        let seen = ask(text)?;
        check(seen == wanted, text, &seen)?;
    }
    let asked = plain.asked();
    check(
        asked.len() == 1
            && asked[0].head.starts_with("GET /a ")
            && asked[0].field("host") == Some("one.example.org:8080"),
        "what arrived",
        &asked,
    )?;
    // TLS: the server of the suite speaks none, and counts.
    for (host, count) in [("two.example.org", 0), ("three.example.org", 0), ("one.example.org", 1)] {
        ask(&format!(
            "curl -sSk -m 20 --connect-to ::{}:8443 https://{host}:8443/",
            HOSTS[0]
        ))?;
        let arrived =
            agentsh_tests::world::processes::wait_until(std::time::Duration::from_secs(10), || secure.count() >= count);
        check(arrived && secure.count() == count, host, &secure.count())?;
    }
    for (decision, host) in [("deny", "two.example.org"), ("allow", "one.example.org")] {
        let event = await_event(&world, host, |event| {
            event.kind == "http_request"
                && event.domain.as_deref() == Some(host)
                && event.policy.as_ref().and_then(|policy| policy.effective.as_deref()) == Some(decision)
        })?;
        check(event.command_id.is_some() && event.pid.is_some(), "who asked", &event)?;
    }
    Ok(())
}

#[test]
fn a_provider_with_a_name_is_known_by_it() -> Result {
    let (world, far, _server) = apart(User::agent())?;
    configure("proxy: {providers: {openai: 'http://models.example.org:8080/v1'}}\n")?;
    let session = session::with_rules(
        &world,
        "network_rules: [{name: models, domains: [models.example.org], ports: [8080], decision: allow}, {name: rest, decision: deny}]\n",
    )?;
    let listener = far.run(|| std::net::TcpListener::bind((HOSTS[0], 8080)))??;
    let fake = Fake::on_with_body(
        listener,
        "application/json",
        b"{\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}",
    )?;
    let out = world.shimmed(&format!(
        "curl -sS -d '{BODY}' http://models.example.org:8080/v1/chat/completions; curl -sS http://models.example.org:8080/health"
    ))?;
    check(out.out().matches("prompt_tokens").count() == 2, "the answers", &out)?;
    let asked = fake.asked();
    let heads: Vec<&str> = asked.iter().filter_map(|one| one.head.lines().next()).collect();
    check(
        heads == ["POST /v1/chat/completions HTTP/1.1", "GET /health HTTP/1.1"],
        "what arrived",
        &heads,
    )?;
    check(
        asked
            .first()
            .is_some_and(|one| !String::from_utf8_lossy(&one.body).contains("jo@")),
        "searched",
        &asked,
    )?;
    let usage = proxy(&world, &session)?.usage;
    check(
        usage.iter().map(|one| (one.requests, one.output_tokens)).eq([(1, 4)]),
        "the use",
        &usage,
    )?;
    await_event(&world, "what is no model's", |event| {
        event.is("http_request", "allow", "/health")
    })
    .map(drop)
}

#[test]
fn tls_that_a_program_starts_itself_is_opened_where_it_trusts_who_opens_it() -> Result {
    let world = World::new(User::agent())?;
    let at = address();
    let server = Server::start(&world, &format!("{at}:443"))?;
    configure("proxy: {providers: {openai: 'https://models.example/v1'}, tls_intercept: true}\n")?;
    // The proxy's own way to a provider is the host's; the other names are known to the session alone.
    std::fs::write("/etc/hosts", format!("127.0.0.1 localhost\n{at} models.example\n"))?;
    let rules = format!(
        r#"network_rules: [{{name: here, cidrs: ["127.0.0.0/8"], decision: allow}}]
dns_redirects: [{{name: there, match: "^front[.]example$", resolve_to: {at}}}]
connect_redirects: [{{name: front, match: "^front[.]example:443$", redirect_to: "{at}:443", tls: {{mode: rewrite_sni, sni: plain.example}}}}]
"#
    );
    let session = session::with_rules(&world, &rules)?;
    let ask = "{\\\"content\\\":\\\"mail jo@example.org\\\"}";
    let url = "https://models.example/v1/chat/completions";
    for text in [
        format!("curl -sS --noproxy '*' -d \"{ask}\" {url}"),
        format!(
            "node -e 'fetch(\"{url}\",{{method:\"POST\",body:\"{ask}\"}}).then(r=>r.text()).then(t=>process.stdout.write(t))'"
        ),
    ] {
        let before = server.asked();
        let seen = run(&world, &session, &text)?;
        check(seen.out().starts_with("got "), &text, &seen)?;
        let asked = server.asked();
        let new = asked.strip_prefix(before.as_str()).unwrap_or_default();
        check(
            new.contains("mail [REDACTED:email]") && !new.contains("jo@"),
            "what left",
            &asked,
        )?;
    }
    // Another name in TLS than the program asked for, with and without the proxy's variables.
    for how in ["--noproxy '*'", ""] {
        let seen = run(&world, &session, &format!("curl -sS {how} https://front.example/x"))?;
        check(seen.out().starts_with("got "), how, &seen)?;
    }
    let named = server.named();
    check(
        named.ends_with("plain.example\nplain.example\n") && !named.contains("front"),
        "the name that TLS asked for",
        &named,
    )?;
    // What a shim starts is told of no authority: what cannot be done then is not done.
    let before = server.named();
    let seen = world.shimmed("curl -sSk https://front.example/; echo $?")?;
    check(
        seen.out() == "7\n" && server.named() == before,
        "a shim, another name",
        &seen,
    )?;
    await_event(&world, "why", |event| {
        let message = event.policy.as_ref().and_then(|policy| policy.message.clone());
        event.kind == "net_connect" && message.is_some_and(|message| message.contains("proxy.tls_intercept"))
    })?;
    let status = world.agentsh(["proxy", "status", &session.id])?.out();
    check(
        status.contains("what a shim starts is told of no authority"),
        "the status",
        &status,
    )?;
    server.stop()
}
