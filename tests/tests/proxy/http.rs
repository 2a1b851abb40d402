//! Plain HTTP, tunnels and other protocols through the proxy.

use std::io::Write;
use std::time::Duration;

use agentsh_protocol::api::SessionInfo;
use agentsh_tests::record::await_event;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, User, World, session};

use super::fake::Fake;
use super::{check, configure, run};

/// A session with a proxy, in which this machine's addresses may be reached by the proxy; `localtest` and
/// `othername` are names of this machine.
pub fn begin(world: &World, rules: &str) -> Result<SessionInfo> {
    begin_under(world, "", rules)
}

/// The same under an engine of the network.
pub fn begin_under(world: &World, engine: &str, rules: &str) -> Result<SessionInfo> {
    configure("proxy: {providers: {ollama: 'http://127.0.0.1:9'}}\n")?;
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    std::fs::write(
        "/etc/hosts",
        format!("{hosts}\n127.0.0.1 localtest othername denied.example\n"),
    )?;
    let here = "  - {name: here, cidrs: [\"127.0.0.0/8\"], decision: allow}\n";
    session::with_rules(world, &format!("{engine}network_rules:\n{rules}{here}"))
}

fn plain(world: &World) -> Result<(Fake, SessionInfo)> {
    let fake = Fake::with_body("text/plain", b"from the server")?;
    let session = begin(
        world,
        "  - {name: no, domains: [denied.example], decision: deny, message: \"not {{.Host}}\"}\n",
    )?;
    Ok((fake, session))
}

#[test]
fn a_request_goes_where_it_says_and_policy_knows_the_name() -> Result {
    let world = World::new(User::agent())?;
    let (fake, session) = plain(&world)?;
    let port = fake.port;
    for (how, version) in [("", "1.1"), ("--proxytunnel", "1.1"), ("--http1.0", "1.1")] {
        let out = run(
            &world,
            &session,
            &format!("curl -sS {how} -H 'Proxy-Connection: keep-alive' http://localtest:{port}/a?b"),
        )?
        .out();
        check(out == "from the server", how, &out)?;
        let asked = fake.asked().pop();
        let head = asked
            .as_ref()
            .map(|asked| asked.head.to_lowercase())
            .unwrap_or_default();
        check(
            head.starts_with("get /a?b http/1.") && head.contains(&format!("host: localtest:{port}")),
            version,
            &head,
        )?;
        check(
            how == "--proxytunnel" || !head.contains("proxy-"),
            "nothing that was said to the proxy",
            &head,
        )?;
    }
    let before = fake.asked().len();
    for ask in [
        format!("http://denied.example:{port}/x"),
        format!("--proxytunnel http://denied.example:{port}/x"),
        format!("-H 'Host: othername' http://localtest:{port}/x"),
        "--proxytunnel http://localtest:53/x".to_owned(),
    ] {
        let out = run(
            &world,
            &session,
            &format!("curl -sS -w '%{{http_code}} %{{http_connect}}' {ask} 2>&1"),
        )?
        .out();
        check(out.contains("403") || out.contains("400"), &ask, &out)?;
    }
    check(fake.asked().len() == before, "nothing arrived", &fake.asked())?;
    let event = await_event(&world, "the denial", |event| event.is("http_request", "deny", "/x"))?;
    check(event.domain.as_deref() == Some("denied.example"), "the name", &event)?;
    let message = event.policy.and_then(|policy| policy.message);
    check(
        message.as_deref() == Some("not denied.example"),
        "the message",
        &message,
    )?;
    await_event(&world, "the tunnel", |event| {
        event.kind == "http_request" && event.operation.as_deref() == Some("CONNECT")
    })?;
    Ok(())
}

#[test]
fn what_a_rule_lets_a_connection_carry_holds_by_way_of_the_proxy() -> Result {
    let world = World::new(User::agent())?;
    let fake = Fake::with_body("text/plain", &[b'x'; 60_000])?;
    let port = fake.port;
    let session = begin(
        &world,
        &format!(
            "  - {{name: little, cidrs: [\"127.0.0.0/8\"], ports: [{port}], max_bytes: 20000, decision: allow}}\n"
        ),
    )?;
    for (count, how) in ["", "--proxytunnel"].into_iter().enumerate() {
        let ask = format!("curl -sS {how} http://localtest:{port}/ | wc -c; echo ${{PIPESTATUS[0]}}");
        let out = run(&world, &session, &ask)?.out();
        let numbers: Vec<u64> = out.lines().filter_map(|line| line.parse().ok()).collect();
        let cut = matches!(numbers.as_slice(), [got, exit] if *got < 20_000 && *exit != 0);
        check(cut, how, &out)?;
        check(fake.asked().len() == count + 1, "it was asked", &fake.asked())?;
    }
    let event = await_event(&world, "the limit", |event| event.kind == "limit_reached")?;
    check(
        event.remote == Some(format!("localtest:{port}"))
            && event.policy.and_then(|policy| policy.rule).as_deref() == Some("little"),
        "the rule",
        &event.remote,
    )
}

#[test]
fn a_name_that_leads_inside_needs_a_rule_on_addresses() -> Result {
    let world = World::new(User::agent())?;
    let fake = Fake::with_body("text/plain", b"inside")?;
    configure("proxy: {providers: {ollama: 'http://127.0.0.1:9'}}\n")?;
    std::fs::write("/etc/hosts", "127.0.0.1 public.example\n")?;
    let session = session::with_rules(
        &world,
        "network_rules: [{name: names, domains: [\"*.example\"], decision: allow}]\n",
    )?;
    let out = run(
        &world,
        &session,
        &format!("curl -sS http://public.example:{}/", fake.port),
    )?
    .out();
    check(out.contains("inner address"), "the answer", &out)?;
    check(fake.asked().is_empty(), "nothing arrived", &fake.asked())
}

#[test]
fn http_2_is_spoken_to_the_proxy() -> Result {
    let world = World::new(User::agent())?;
    let fake = Fake::with_body("application/json", b"{\"models\":[]}")?;
    configure(&format!("proxy: {{providers: {{ollama: '{}'}}}}\n", fake.base()))?;
    let session = session::with_rules(&world, "network_rules: [{name: closed, decision: deny}]\n")?;
    let ask = "curl -sS --http2-prior-knowledge -w ' %{http_version} %{http_code}' $OLLAMA_HOST/api/tags";
    let out = run(&world, &session, ask)?.out();
    check(out == "{\"models\":[]} 2 200", "the answer", &out)?;
    let out = run(
        &world,
        &session,
        &ask.replace("-sS", "-sS -H 'Host: elsewhere.example'"),
    )?
    .out();
    check(out.ends_with("2 403"), "another host", &out)?;
    check(fake.asked().len() == 1, "one request arrived", &fake.asked())
}

#[test]
fn a_tunnel_carries_the_tls_of_its_own_host() -> Result {
    let world = World::new(User::agent())?;
    let session = begin(&world, "  - {name: no, domains: [denied.example], decision: deny}\n")?;
    // What arrives is kept: the first bytes of a client's TLS.
    let arrived = std::sync::Arc::new(std::sync::Mutex::new(0usize));
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let count = std::sync::Arc::clone(&arrived);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut piece = [0; 64];
            if std::io::Read::read(&mut stream, &mut piece).is_ok_and(|length| length > 0)
                && let Ok(mut count) = count.lock()
            {
                *count += 1;
            }
        }
    });
    let arrived = || arrived.lock().map(|count| *count).unwrap_or(usize::MAX);
    let ask = |to: &str| format!("curl -sSk --noproxy '' --connect-to {to} -m 20 https://localtest:{port}/ 2>&1; true");
    run(&world, &session, &ask("::localtest:"))?;
    check(
        wait_until(Duration::from_secs(10), || arrived() == 1),
        "its own name arrives",
        &arrived(),
    )?;
    run(&world, &session, &ask("::othername:"))?;
    await_event(&world, "another name is refused", |event| {
        let message = event.policy.as_ref().and_then(|policy| policy.message.clone());
        event.kind == "http_request" && message.as_deref() == Some("TLS asks for localtest")
    })?;
    // To an address goes TLS for a name that policy allows, and for no other.
    run(&world, &session, &ask("::127.0.0.1:"))?;
    check(
        wait_until(Duration::from_secs(10), || arrived() == 2),
        "a name at its address arrives",
        &arrived(),
    )?;
    run(
        &world,
        &session,
        &ask("::127.0.0.1:").replace("localtest", "denied.example"),
    )?;
    await_event(&world, "a denied name at an address", |event| {
        let message = event.policy.as_ref().and_then(|policy| policy.message.clone());
        message.as_deref() == Some("TLS asks for denied.example")
    })?;
    check(arrived() == 2, "nothing of the others arrived", &arrived())
}

#[test]
fn http_in_a_tunnel_asks_for_the_tunnels_host_and_other_protocols_pass() -> Result {
    let world = World::new(User::agent())?;
    let (fake, session) = plain(&world)?;
    let port = fake.port;
    let code = "curl -sS --noproxy '' --proxytunnel -o /dev/null -w '%{http_code}'";
    for (ask, wanted) in [
        (format!("http://localtest:{port}/one"), "200"),
        (
            format!("-H 'Host: othername:{port}' http://localtest:{port}/two"),
            "421",
        ),
        (format!("-H 'Host: localtest' http://127.0.0.1:{port}/three"), "200"),
        (format!("-H 'Host: denied.example' http://127.0.0.1:{port}/four"), "421"),
        (
            format!("-H 'Content-Length: 1' -H 'Content-Length: 2' http://localtest:{port}/five"),
            "400",
        ),
    ] {
        let out = run(&world, &session, &format!("{code} {ask}"))?.out();
        check(out == wanted, &ask, &out)?;
    }
    let heads: Vec<String> = fake.asked().into_iter().map(|asked| asked.head).collect();
    check(
        heads.len() == 2 && heads[0].starts_with("GET /one ") && heads[1].starts_with("GET /three "),
        "what arrived",
        &heads,
    )?;
    await_event(&world, "the path", |event| event.is("http_request", "allow", "/one"))?;
    // Who speaks first, and in what words, is no matter.
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for (turn, mut stream) in listener.incoming().flatten().enumerate() {
            let mut said = [0; 6];
            if turn % 2 == 0 {
                let _ = stream.write_all(b"hello\n");
            }
            let _ = std::io::Read::read_exact(&mut stream, &mut said);
            let _ = stream.write_all(&said);
        }
    });
    let client = format!(
        r#"import os, socket
host, port = os.environ["http_proxy"].split("//")[1].split(":")
def tunnel():
    s = socket.create_connection((host, int(port))); s.settimeout(20)
    s.sendall(b"CONNECT localtest:{port} HTTP/1.1\r\nHost: localtest:{port}\r\n\r\n"); head = b""
    while b"\r\n\r\n" not in head: head += s.recv(1)
    return s
def read(s, count):
    out = b""
    while len(out) < count: out += s.recv(count - len(out))
    return out.decode()
s = tunnel(); print(read(s, 6), end=""); s.sendall(b"GET / "); print(read(s, 6))
s = tunnel(); s.sendall(b"say it"[:3]); s.sendall(b" x\n"); print(read(s, 6), end="")"#
    );
    world
        .user()
        .write_file(&world.workspace().join("talk.py"), client, 0o644)?;
    let outcome = run(&world, &session, "python3 talk.py")?;
    check(outcome.out() == "hello\nGET / \nsay x\n", "the talk", &outcome)
}

#[test]
fn a_websocket_passes_both_ways() -> Result {
    let world = World::new(User::agent())?;
    let fake = Fake::start(|asked, stream| {
        let upgrade = asked.field("upgrade").unwrap_or_default().to_owned();
        write!(
            stream,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: {upgrade}\r\nConnection: Upgrade\r\n\r\n"
        )?;
        let mut piece = [0; 64];
        let length = std::io::Read::read(stream, &mut piece)?;
        stream.write_all(b"you said ")?;
        stream.write_all(&piece[..length])
    })?;
    let session = begin(&world, "")?;
    let client = format!(
        r#"import os, socket
host, port = os.environ["http_proxy"].split("//")[1].split(":")
s = socket.create_connection((host, int(port)))
s.sendall(b"GET http://localtest:{port}/ws HTTP/1.1\r\nHost: localtest:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
head = b""
while b"\r\n\r\n" not in head: head += s.recv(1)
print(head.split(b"\r\n")[0].decode()); s.sendall(b"hello"); out = b""
while piece := s.recv(100): out += piece
print(out.decode())"#,
        port = fake.port
    );
    world
        .user()
        .write_file(&world.workspace().join("ws.py"), client, 0o644)?;
    let outcome = run(&world, &session, "python3 ws.py")?;
    check(
        outcome.out() == "HTTP/1.1 101 Switching Protocols\nyou said hello\n",
        "the talk",
        &outcome,
    )
}

#[test]
fn what_a_policy_says_of_connections_holds_through_the_proxy() -> Result {
    let world = World::new(User::agent())?;
    let fake = Fake::with_body("text/plain", b"from the server")?;
    configure("proxy: {providers: {ollama: 'http://127.0.0.1:9'}}\n")?;
    std::fs::write(
        "/etc/hosts",
        "127.0.0.1 led.example lost.example often.example socket.example\n",
    )?;
    let mirror = std::os::unix::net::UnixListener::bind("/run/mirror.sock")?;
    std::fs::set_permissions("/run/mirror.sock", std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
    std::thread::spawn(move || {
        for mut stream in mirror.incoming().flatten() {
            let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nfrom inside");
        }
    });
    let rules = format!(
        r#"network_rules:
  - {{name: often, domains: [often.example], cidrs: ["127.0.0.0/8"], max_per_minute: 2, decision: allow}}
  - {{name: here, cidrs: ["127.0.0.0/8"], decision: allow}}
connect_redirects:
  - {{name: led, match: "^led\\.example:80$", redirect_to: "127.0.0.1:{port}"}}
  - {{name: socket, match: "^socket\\.example:80$", redirect_to_unix: /run/mirror.sock}}
  - {{name: lost, match: "^lost\\.example:80$", redirect_to_unix: /tmp/none}}
"#,
        port = fake.port
    );
    let session = session::with_rules(&world, &rules)?;
    let out = run(
        &world,
        &session,
        "curl -sS http://led.example/; curl -sS http://lost.example/",
    )?
    .out();
    check(
        out.starts_with("from the server") && out.contains("`lost` cannot be done"),
        "led elsewhere",
        &out,
    )?;
    check(
        fake.only()?.field("host") == Some("led.example"),
        "the host that was meant",
        &fake.asked(),
    )?;
    for how in ["", "--proxytunnel"] {
        let out = run(&world, &session, &format!("curl -sS {how} http://socket.example/"))?.out();
        check(out == "from inside", how, &out)?;
    }
    let ask = format!(
        "for i in 1 2 3; do curl -sS -o /dev/null -w '%{{http_code}} ' http://often.example:{}/; done",
        fake.port
    );
    let out = run(&world, &session, &ask)?.out();
    check(out == "200 200 403 ", "so often in a minute", &out)
}
