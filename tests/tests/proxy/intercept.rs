//! TLS that is opened, where the operator wants it.

use std::sync::atomic::{AtomicU8, Ordering};

use agentsh_tests::record::await_event;
use agentsh_tests::{Result, Shell, User, World, session};

use super::tls::Server;
use super::{check, configure, is_kept, run};

/// A loopback address that no other test has, and no other run of it.
pub fn address() -> String {
    static COUNT: AtomicU8 = AtomicU8::new(77);
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("127.{}.{high}.{low}", COUNT.fetch_add(1, Ordering::Relaxed))
}

#[test]
fn what_is_inside_is_judged_searched_and_recorded_and_pinned_hosts_pass() -> Result {
    let world = World::new(User::agent())?;
    let at = address();
    let server = Server::start(&world, &format!("{at}:443"))?;
    std::fs::write(
        "/etc/hosts",
        format!("{at} models.example plain.example pinned.example sub.pinned.example\n"),
    )?;
    configure(
        "proxy: {providers: {openai: 'https://models.example/v1'}, tls_intercept: true, pinned: [pinned.example, '*.pinned.example']}\n",
    )?;
    let session = session::with_rules(
        &world,
        "network_rules: [{name: here, cidrs: [\"127.0.0.0/8\"], decision: allow}]\n",
    )?;
    // A provider without its variable: known by its host.
    let ask = "curl -sS -d '{\"content\":\"mail jo@example.org\"}' https://models.example/v1/chat/completions";
    let seen = run(&world, &session, ask)?;
    check(seen.out().starts_with("got "), "the answer", &seen)?;
    let asked = server.asked();
    check(
        asked.contains("mail [REDACTED:email]") && !asked.contains("jo@"),
        "what left",
        &asked,
    )?;
    await_event(&world, "the request", |event| {
        event.is("llm_request", "allow", "/chat/completions")
    })?;
    // Another host: its paths are known, over both versions.
    for (version, shown) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let out = run(
            &world,
            &session,
            &format!("curl -sS {version} -w '%{{http_version}}' https://plain.example/some/path"),
        )?;
        check(
            out.out().starts_with("got ") && out.out().ends_with(shown),
            version,
            &out,
        )?;
    }
    let event = await_event(&world, "the path", |event| {
        event.is("http_request", "allow", "/some/path")
    })?;
    check(
        event.domain.as_deref() == Some("plain.example") && event.operation.as_deref() == Some("GET"),
        "the event",
        &event,
    )?;
    // The host that is asked for inside is the one of the TLS.
    let before = server.asked();
    let other = run(
        &world,
        &session,
        "curl -sS -w '%{http_code}' -H 'Host: models.example' https://plain.example/x",
    )?
    .out();
    check(
        other.ends_with("421") && server.asked() == before,
        "another host inside",
        &other,
    )?;
    // Who issued the certificate that a program sees.
    for (host, issuer) in [
        ("plain.example", "agentsh session"),
        ("pinned.example", "suite"),
        ("sub.pinned.example", "suite"),
    ] {
        let seen = run(
            &world,
            &session,
            &format!("curl -sSv -o /dev/null https://{host}/ 2>&1 | grep issuer:"),
        )?
        .out();
        check(seen.trim_end().ends_with(&format!("CN={issuer}")), host, &seen)?;
    }
    // The authority is the session's alone: what the host trusts does not trust it, and its key is nowhere.
    let host = run(
        &world,
        &session,
        "curl -sS --cacert /etc/ssl/certs/ca-certificates.crt https://plain.example/ 2>&1",
    )?;
    check(host.expect_success("curl").is_err(), "the host's trust", &host)?;
    check(!is_kept(&world, "PRIVATE KEY")?, "the key is not kept", &"it is")?;
    let shim = Shell::named("bash")
        .args(["-c", "env | grep -c -e SSL_CERT_FILE -e proxy"])
        .run_shimmed(&world)?;
    check(shim.out() == "0\n", "a shim has neither", &shim)?;
    server.stop()
}

#[test]
fn a_server_of_http_2_alone_is_spoken_to_as_programs_speak() -> Result {
    let world = World::new(User::agent())?;
    let at = address();
    let server = Server::start(&world, &format!("{at}:8443"))?;
    let two = Server::start_of_two(&world, &format!("{at}:443"))?;
    std::fs::write("/etc/hosts", format!("{at} plain.example\n"))?;
    configure("proxy: {providers: {ollama: 'http://127.0.0.1:9'}, tls_intercept: true}\n")?;
    let rules = "network_rules: [{name: here, cidrs: [\"127.0.0.0/8\"], decision: allow}]\n";
    let session = session::with_rules(&world, rules)?;
    let ask = |how: &str| -> Result<String> {
        let text =
            format!("curl -sS {how} --suppress-connect-headers -D - -H 'te: trailers' https://plain.example/some/path");
        Ok(run(&world, &session, &text)?.out())
    };
    let seen = ask("--http2")?;
    check(
        seen.contains("plain.example /some/path  trailers") && seen.contains("grpc-status: 0"),
        "the answer and what comes behind it",
        &seen,
    )?;
    let clear = r#"
const to = new URL(process.env.http_proxy), path = "plain.example:8080";
const tunnel = { host: to.hostname, port: to.port, method: "CONNECT", path, headers: { host: path } };
require("http").request(tunnel).on("connect", (answer, socket) => {
    const server = require("http2").connect("http://plain.example:8080", { createConnection: () => socket });
    const ask = (path, then) => server.request({ ":path": path }).on("data", (text) => console.log(String(text))).on("end", then);
    ask("/a", () => ask("/b", () => server.close()));
}).end();"#;
    world
        .user()
        .write_file(&world.workspace().join("clear.js"), clear, 0o644)?;
    let seen = run(&world, &session, "node clear.js")?;
    check(
        seen.out() == "plain.example:8080 /a  trailers\nplain.example:8080 /b  trailers\n",
        "in the clear",
        &seen,
    )?;
    // Who speaks the older version gets no further than it would by itself.
    let seen = ask("--http1.1")?;
    check(seen.starts_with("HTTP/1.1 502"), "the older version", &seen)?;
    two.stop()?;
    server.stop()
}
