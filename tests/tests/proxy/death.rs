//! Proxy and resolver die with their supervisor: nothing goes through them any more, and nothing around them.

use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agentsh_tests::network::dns::NameServer;
use agentsh_tests::network::{Far, HOSTS};
use agentsh_tests::world::processes::{signal_all, wait_until};
use agentsh_tests::{Result, World, fail, session};

use super::{configure, everywhere};

const PATIENCE: Duration = Duration::from_secs(60);

const SITE: &str = "network_rules:
  - {name: site, domains: [\"*.example.org\"], ports: [8080], decision: allow}
  - {name: rest, decision: deny}
";

/// Sends through an open tunnel, makes new ones, and asks for names, without end.
const CLIENT: &str = r#"import os, socket, sys, threading, time
to = os.environ["http_proxy"].split("//")[1].split(":"); proxy = (to[0], int(to[1]))
def tunnel():
    s = socket.create_connection(proxy); s.settimeout(10); s.sendall(b"CONNECT www.example.org:8080 HTTP/1.1\r\nHost: www.example.org:8080\r\n\r\n")
    assert s.recv(12) == b"HTTP/1.1 200"; return s
counts, failed, going = [0, 0, 0], [None] * 3, []
def forever(place, do):
    while True:
        try:
            do()
            counts[place] += 1
            # Nothing can be opened any more once the supervisor is dead.
            if min(counts) >= 20 and not going: open("going", "w").close(); going.append(True)
        except (OSError, AssertionError) as error: failed[place] = error
def patient():
    for _ in range(5):
        try: return tunnel()
        except (OSError, AssertionError) as error: failed[0] = error
    sys.exit(str(failed))
held = patient()
def names(): socket.getaddrinfo("www.example.org", 8080); socket.create_connection(("www.example.org", 8080)).close()
for place, do in enumerate((lambda: held.send(b"x"), lambda: tunnel().send(b"y"), names)): threading.Thread(target=forever, args=(place, do)).start()
time.sleep(60)
if not going: print(counts, failed, flush=True); os._exit(1)
"#;

/// The processor time that a process has used, in ticks; `None` if it is gone.
fn ticks(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(number(11)? + number(12)?)
}

/// How long nothing comes before everything has.
const QUIET: Duration = Duration::from_millis(500);

#[test]
fn with_proxy_and_resolver_dead_nothing_is_sent_and_nothing_asked() -> Result {
    for (user, engine) in everywhere()? {
        let world = World::new(user)?;
        let far = Far::enter()?;
        let names = NameServer::start(&far)?;
        names.set_addresses("www.example.org", &[HOSTS[0]]);
        let (came, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let listener = far.run(|| TcpListener::bind((HOSTS[0], 8080)))??;
        let (counted, opened) = (Arc::clone(&came), Arc::clone(&open));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (came, open) = (Arc::clone(&counted), Arc::clone(&opened));
                came.fetch_add(1, Ordering::AcqRel);
                open.fetch_add(1, Ordering::AcqRel);
                std::thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    while let Ok(length @ 1..) = stream.read(&mut bytes) {
                        came.fetch_add(length, Ordering::AcqRel);
                    }
                    open.fetch_sub(1, Ordering::AcqRel);
                });
            }
        });
        configure("proxy: {providers: {ollama: 'http://127.0.0.1:9'}}\n")?;
        let session = session::with_rules(&world, &format!("{engine}{SITE}"))?;
        world
            .user()
            .write_file(&world.workspace().join("client.py"), CLIENT, 0o644)?;
        let run = session::exec(&session.id, &[], &["python3", "client.py"]);
        let mut child = run.deadline(Duration::from_secs(300)).spawn(&world)?;
        let going = world.workspace().join("going");
        if !wait_until(PATIENCE, || going.exists()) {
            let ended = child.wait(Duration::from_secs(10));
            return Err(fail(format!("{engine}: the client does not get going: {ended:?}")));
        }
        // The broker, which would end the session, is kept from it.
        signal_all(&world.brokers(), libc::SIGSTOP);
        signal_all(&world.supervisors(), libc::SIGKILL);
        if !wait_until(PATIENCE, || world.supervisors().is_empty()) {
            return Err(fail("the supervisor lives"));
        }
        // What was on its way has come once every connection has ended, and none is left that nobody has accepted yet.
        let ended = || {
            let then = came.load(Ordering::Acquire);
            std::thread::sleep(QUIET);
            open.load(Ordering::Acquire) == 0 && came.load(Ordering::Acquire) == then
        };
        if !wait_until(PATIENCE, ended) {
            return Err(fail(format!("{engine}: connections through the proxy live on")));
        }
        let before = (came.load(Ordering::Acquire), names.asked().len());
        let clients: Vec<(i32, u64)> = world
            .strays()
            .iter()
            .filter(|process| process.line.ends_with("client.py"))
            .filter_map(|process| Some((process.pid, ticks(process.pid)?)))
            .collect();
        let busy = |(pid, then): &(i32, u64)| ticks(*pid).is_none_or(|now| now > then + 20);
        if clients.is_empty() || !wait_until(PATIENCE, || clients.iter().any(busy)) {
            let ended = child.wait(Duration::from_secs(1));
            return Err(fail(format!(
                "{engine}: the client does not go on: {clients:?} {ended:?}"
            )));
        }
        let after = (came.load(Ordering::Acquire), names.asked().len());
        if before != after {
            return Err(fail(format!("{engine}: {before:?} became {after:?}")));
        }
    }
    Ok(())
}
