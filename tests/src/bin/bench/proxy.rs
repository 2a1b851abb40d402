//! The session's proxy against the same talk without it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use agentsh_protocol::api::SessionInfo;
use agentsh_tests::bench::{Limit, Measured};
use agentsh_tests::{Result, User, World, fail, session};

/// Bytes of the bulk.
const BULK: usize = 256 << 20;

/// Idle connections.
const IDLE: usize = 1000;

/// Measures from inside of the session: `first` and `bulk` print a pair of seconds a line, direct and led;
/// `idle` holds connections until its input ends.
const CLIENT: &str = r#"import os, socket, sys, time
what, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
to = os.environ["http_proxy"].split("//")[1].split(":")
proxy = (to[0], int(to[1])); server = ("127.0.0.1", port)
def ask(at, text):
    s = socket.create_connection(at); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1); s.sendall(text.encode()); return s
def first(at, path):
    body = '{"stream":true}'
    start = time.perf_counter()
    s = ask(at, f"POST {path} HTTP/1.1\r\nHost: {at[0]}:{at[1]}\r\nContent-Length: {len(body)}\r\n\r\n{body}")
    seen = b""
    while b"data:" not in seen:
        got = s.recv(4096); seen += got
        assert got, seen
    took = time.perf_counter() - start; s.close(); return took
def tunnel():
    s = ask(proxy, f"CONNECT {server[0]}:{port} HTTP/1.1\r\nHost: {server[0]}:{port}\r\n\r\n")
    seen = b""
    while b"\r\n\r\n" not in seen:
        got = s.recv(1); seen += got
        assert got, seen
    assert seen.startswith(b"HTTP/1.1 200"), seen
    return s
def bulk(s):
    buffer, left = bytearray(1 << 20), int(sys.argv[4])
    start = time.perf_counter()
    s.sendall(b"BULK\r\n")
    while left > 0:
        got = s.recv_into(buffer); left -= got
        assert got, "the connection ended early"
    took = time.perf_counter() - start; s.close(); return took
if what == "first":
    for _ in range(count): print(first(server, "/first"), first(proxy, "/llm/openai/first"))
elif what == "bulk":
    for _ in range(count): print(bulk(socket.create_connection(server)), bulk(tunnel()))
else:
    held = [tunnel() for _ in range(count)]; print("held", flush=True); sys.stdin.read()
"#;

fn serve() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let builder = std::thread::Builder::new().stack_size(256 << 10);
            let _ = builder.spawn(move || answer(stream));
        }
    });
    Ok(port)
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = [0; 4096];
    loop {
        let length = stream.read(&mut head)?;
        if length == 0 {
            return Ok(());
        }
        if head[..length].starts_with(b"BULK") {
            let piece = vec![b'x'; 1 << 20];
            for _ in 0..BULK >> 20 {
                stream.write_all(&piece)?;
            }
        } else {
            let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"One. \"}}]}\n\n";
            let text = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{event}\r\n0\r\n\r\n",
                event.len()
            );
            stream.write_all(text.as_bytes())?;
        }
    }
}

struct Rig {
    world: World,
    session: SessionInfo,
    /// Of a server that is no provider: whoever connects to a provider in the clear is led to the proxy.
    port: u16,
}

impl Rig {
    fn new() -> Result<Rig> {
        let world = World::new(User::agent())?;
        let (provider, port) = (serve()?, serve()?);
        std::fs::create_dir_all("/etc/agentsh")?;
        let config = format!("proxy: {{providers: {{openai: 'http://127.0.0.1:{provider}'}}}}\n");
        std::fs::write("/etc/agentsh/config.yaml", config)?;
        let rules = "network_rules: [{name: here, cidrs: [\"127.0.0.0/8\"], decision: allow}]\n";
        let session = session::with_rules(&world, rules)?;
        world
            .user()
            .write_file(&world.workspace().join("client.py"), CLIENT, 0o644)?;
        Ok(Rig { world, session, port })
    }

    fn argv(&self, what: &str, count: usize) -> Vec<String> {
        let words = ["/usr/bin/python3", "client.py", what];
        let numbers = [self.port as usize, count, BULK].map(|number| number.to_string());
        words.map(str::to_owned).into_iter().chain(numbers).collect()
    }

    /// Seconds without and with the proxy.
    fn pairs(&self, what: &str, count: usize) -> Result<Vec<(f64, f64)>> {
        let argv = self.argv(what, count);
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        let run = session::exec(&self.session.id, &[], &argv).deadline(std::time::Duration::from_secs(300));
        let outcome = run.run(&self.world)?;
        outcome.expect_success(what)?;
        let pair = |line: &str| -> Option<(f64, f64)> {
            let (direct, led) = line.split_once(' ')?;
            Some((direct.parse().ok()?, led.parse().ok()?))
        };
        let pairs: Option<Vec<_>> = outcome.out().lines().map(pair).collect();
        pairs
            .filter(|pairs| pairs.len() == count)
            .ok_or_else(|| fail(format!("{outcome:?}")))
    }
}

/// What the proxy adds to the first token, search included; and what bulk costs through a tunnel.
pub fn talk() -> Result<Vec<Measured>> {
    let rig = Rig::new()?;
    let first = Limit {
        work: "proxy: added to the first token",
        at_most: 5.0,
        unit: "ms",
    };
    let added: Vec<f64> = rig
        .pairs("first", 100)?
        .iter()
        .map(|(direct, led)| (led - direct) * 1e3)
        .collect();
    let bulk = Limit {
        work: "proxy: 256 MiB through a tunnel, against direct",
        at_most: 2.0,
        unit: "×",
    };
    let ratios: Vec<f64> = rig
        .pairs("bulk", 15)?
        .iter()
        .map(|(direct, led)| led / direct)
        .collect();
    Ok(vec![Measured::of(first, &added), Measured::of(bulk, &ratios)])
}

/// What 1,000 idle tunnels take of the supervisor's own memory.
pub fn idle() -> Result<Vec<Measured>> {
    let rig = Rig::new()?;
    let private = || -> Result<f64> {
        let supervisors = rig.world.supervisors();
        let one = supervisors.first().ok_or_else(|| fail("no supervisor"))?;
        let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", one.pid))?;
        let kib = |line: &str| {
            line.split_whitespace()
                .nth(1)
                .and_then(|number| number.parse::<f64>().ok())
        };
        let own = text.lines().filter(|line| line.starts_with("Private_"));
        Ok(own.filter_map(kib).sum::<f64>() / 1024.0)
    };
    // The proxy runs.
    rig.pairs("first", 1)?;
    let before = private()?;
    let argv = rig.argv("idle", IDLE);
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let run = session::exec(&rig.session.id, &[], &argv).stdin(agentsh_tests::Input::Open);
    let mut child = run.spawn(&rig.world)?;
    let held =
        || std::fs::read_dir(format!("/proc/{}/fd", rig.world.supervisors()[0].pid)).map_or(0, |fds| fds.count());
    let enough =
        agentsh_tests::world::processes::wait_until(std::time::Duration::from_secs(120), || held() >= 2 * IDLE);
    let after = private()?;
    child.signal(libc::SIGKILL)?;
    child.wait(std::time::Duration::from_secs(20))?;
    if !enough {
        return Err(fail("the connections are not all there"));
    }
    let limit = Limit {
        work: "proxy: 1,000 idle tunnels, memory of the supervisor",
        at_most: 64.0,
        unit: "MiB",
    };
    Ok(vec![Measured::of(limit, &[after - before])])
}
