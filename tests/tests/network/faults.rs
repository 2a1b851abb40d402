//! Our own processes die, a connection hangs, a rule is used up, a connection is led elsewhere.

use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use agentsh_tests::network::Counter;
use agentsh_tests::record::await_event;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::{signal_all, wait_until};
use agentsh_tests::{Output, Result, Shell, User, fail};

use crate::{TRY, attempt, everywhere, expect, world, world_under};

const PATIENCE: Duration = Duration::from_secs(30);

const ALL: &str = "network_rules:\n  - {name: all, decision: allow}\n";

/// Connects and sends without end, in every way that does not need a program.
const FLOOD: &str = "
import threading
n=0
def go():
    global n
    while True:
        for w in (lambda: socket.socket(F4,T).connect(('203.0.113.10',443)), lambda: socket.socket(F4,U).sendto(b'x',('203.0.113.10',443)),
                  lambda: socket.socket(F4,U).sendmsg([b'x'],[],0,('203.0.113.10',443))):
            try: w()
            except OSError: pass
        n+=1
        if n==20: open('going','w').close()
for _ in range(3): threading.Thread(target=go).start()
";

/// What a server of the other side has counted, the test's own connection and datagram included, which come last.
fn came(server: &Counter, datagrams: &Counter) -> Result<(usize, usize)> {
    let mut line = String::new();
    std::io::Read::read_to_string(&mut TcpStream::connect("203.0.113.10:443")?, &mut line)?;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(b"x", "203.0.113.10:443")?;
    socket.recv(&mut [0; 9])?;
    Ok((server.count(), datagrams.count()))
}

/// The processor time that a process has used, in ticks; `None` if it is gone or a zombie.
fn ticks(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    (fields.first() != Some(&"Z")).then_some(number(11)? + number(12)?)
}

#[test]
fn without_supervisor_or_broker_no_packet_leaves() -> Result {
    for (user, engine) in everywhere("network-engines")? {
        for supervisors in [true, false] {
            let (world, far) = world_under(user.clone(), engine, ALL)?;
            let server = far.serve("203.0.113.10:443")?;
            let datagrams = far.echo("203.0.113.10:443")?;
            let path = world.workspace().join("flood.py");
            world.user().write_file(&path, format!("{TRY}{FLOOD}"), 0o644)?;
            let shell = Shell::named("bash").args(["-c", "exec python3 flood.py"]);
            let _child = shell
                .stdout(Output::Null)
                .stderr(Output::Null)
                .spawn_with(&world, &Subject::shims())?;
            let going = world.workspace().join("going");
            if !wait_until(PATIENCE, || going.exists()) {
                return Err(fail("the flood does not start"));
            }
            // Stopped first, so that none of them can react to the other's end.
            let victims = match supervisors {
                true => world.supervisors(),
                false => world.daemons(),
            };
            for signal in [libc::SIGSTOP, libc::SIGKILL] {
                signal_all(&victims, signal);
            }
            let ended = || {
                victims
                    .iter()
                    .all(|victim| !std::path::Path::new(&format!("/proc/{}/ns/net", victim.pid)).exists())
            };
            if !wait_until(PATIENCE, ended) {
                return Err(fail("they do not die"));
            }
            // What was on its way has come by the time that ours has.
            let before = came(&server, &datagrams)?;
            let floods: Vec<(i32, u64)> = world
                .strays()
                .iter()
                .filter_map(|process| Some((process.pid, ticks(process.pid)?)))
                .collect();
            let busy = |(pid, then): &(i32, u64)| ticks(*pid).is_none_or(|now| now > then + 20);
            if !wait_until(PATIENCE, || floods.iter().all(busy)) {
                return Err(fail("the flood neither goes on nor ends"));
            }
            let after = came(&server, &datagrams)?;
            expect(&format!("{after:?}"), &format!("{:?}", (before.0 + 1, before.1 + 1)))?;
            drop(world);
        }
    }
    Ok(())
}

#[test]
fn a_connection_that_hangs_keeps_nobody_waiting_and_dies_with_its_caller() -> Result {
    let (world, far) = world(User::agent(), ALL)?;
    let server = far.serve("203.0.113.10:443")?;
    // Nobody has this address: packets to it are lost.
    far.run(|| {
        std::process::Command::new("/usr/sbin/ip")
            .args(["route", "add", "blackhole", "203.0.113.99/32"])
            .status()
    })??;
    let script = "
import threading, signal, time
def hang():
    try: socket.socket(F4,T).connect(('203.0.113.99',443))
    except OSError as e: print(errno.errorcode[e.errno])
threads=[threading.Thread(target=hang,daemon=True) for _ in range(20)]
for t in threads: t.start()
for _ in range(10): tcp('203.0.113.10',443)
class Hit(Exception): pass
def hit(*_): raise Hit()
signal.signal(signal.SIGALRM,hit); signal.setitimer(signal.ITIMER_REAL,0.2)
try: socket.socket(F4,T).connect(('203.0.113.99',443)); print('in')
except Hit: print('hit')
sys.stdout.flush(); os.kill(os.getpid(),9)";
    let path = world.workspace().join("hang.py");
    world.user().write_file(&path, format!("{TRY}{script}"), 0o644)?;
    let outcome = world.shimmed("python3 hang.py")?;
    expect(
        &outcome.out().trim_end().replace('\n', " "),
        &format!("{} hit", ["served"; 10].join(" ")),
    )?;
    expect(&server.count().to_string(), "10")?;
    let strays = || {
        !world
            .processes()
            .iter()
            .any(|process| process.exe.to_string_lossy().contains("python"))
    };
    match wait_until(PATIENCE, strays) {
        true => Ok(()),
        false => Err(fail("somebody still hangs")),
    }
}

#[test]
fn an_end_is_told_with_what_went_both_ways() -> Result {
    for (user, engine) in everywhere("network-engines")? {
        let (world, far) = world_under(user, engine, ALL)?;
        let _server = far.serve("203.0.113.10:443")?;
        let script = "
s=socket.socket(F4,T); s.connect(('203.0.113.10',443)); s.sendall(bytes(4321)); s.shutdown(1); print(len(s.makefile('rb').read()))";
        expect(&attempt(&world, script)?, "24")?;
        let event = await_event(&world, "the end", |event| event.kind == "net_close")?;
        let number = |name: &str| event.fields.get(name).and_then(serde_json::Value::as_u64);
        let found = format!(
            "{:?} {:?} {:?}",
            event.remote,
            number("bytes_sent"),
            number("bytes_received")
        );
        // The end of the stream counts as a byte of it.
        expect(&found, "Some(\"203.0.113.10:443\") Some(4321) Some(25)")?;
        let rule = event.policy.and_then(|policy| policy.rule);
        expect(&format!("{rule:?}"), "Some(\"all\")")?;
    }
    Ok(())
}

#[test]
fn a_rule_is_used_up_for_the_minute() -> Result {
    let rules = "network_rules:\n  - {name: few, cidrs: [203.0.113.10], max_per_minute: 3, decision: allow}\n  - {name: rest, decision: deny}\n";
    let (world, far) = world(User::agent(), rules)?;
    let server = far.serve("203.0.113.10:443")?;
    let found = attempt(&world, "for _ in range(5): tcp('203.0.113.10',443)")?;
    expect(&found, "served served served EACCES EACCES")?;
    expect(&server.count().to_string(), "3")
}

#[test]
fn a_connection_is_led_elsewhere() -> Result {
    let rules = "network_rules:\n  - {name: rest, decision: deny}
connect_redirects:
  - {name: mirror, match: \"^203[.]0[.]113[.]12:443$\", redirect_to: \"203.0.113.10:8443\", message: to the mirror}
  - {name: inner, match: \"^203[.]0[.]113[.]12:80$\", redirect_to_unix: /run/mirror.sock}
  - {name: gone, match: \"^203[.]0[.]113[.]12:81$\", redirect_to_unix: /run/nobody.sock}
  - {name: sni, match: \"^203[.]0[.]113[.]12:82$\", redirect_to: \"203.0.113.10:8443\", tls: {mode: rewrite_sni, sni: x.example}}
";
    for (user, engine) in everywhere("network-engines")? {
        let (world, far) = world_under(user, engine, rules)?;
        let (original, mirror) = (far.serve("203.0.113.12:443")?, far.serve("203.0.113.10:8443")?);
        let socket = std::os::unix::net::UnixListener::bind("/run/mirror.sock")?;
        std::fs::set_permissions("/run/mirror.sock", std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
        std::thread::spawn(move || {
            use std::io::{Read, Write};
            for mut stream in socket.incoming().flatten() {
                let mut bytes = [0; 4];
                let _ = stream.read_exact(&mut bytes);
                let _ = stream.write_all(&bytes);
            }
        });
        let script = "
tcp('203.0.113.12',443); tcp('203.0.113.12',443,block=False)
def unix():
    s=socket.socket(F4,T); s.connect(('203.0.113.12',80)); s.sendall(b'ping'); return s.makefile().read()
say(unix); tcp('203.0.113.12',81); tcp('203.0.113.12',82)";
        expect(&attempt(&world, script)?, "served served ping EACCES EACCES")?;
        expect(&format!("{} {}", original.count(), mirror.count()), "0 2")?;
        let event = await_event(&world, "the redirect", |event| {
            let mirror = |policy: &agentsh_tests::record::Policy| policy.rule.as_deref() == Some("mirror");
            event.kind == "net_connect" && event.policy.as_ref().is_some_and(mirror)
        })?;
        let message = event.policy.as_ref().and_then(|policy| policy.message.clone());
        expect(&format!("{message:?}"), "Some(\"to the mirror\")")?;
        let redirect = event.policy.and_then(|policy| policy.redirect);
        expect(&format!("{redirect:?}"), "Some(String(\"203.0.113.10:8443\"))")?;
        std::fs::remove_file("/run/mirror.sock")?;
    }
    Ok(())
}

#[test]
fn a_connection_that_has_carried_enough_is_cut() -> Result {
    let rules = "network_rules:\n  - {name: little, cidrs: [203.0.113.10], max_bytes: 100000, decision: allow}\n  - {name: rest, decision: deny}\n";
    for (user, engine) in everywhere("network-engines")? {
        let (world, far) = world_under(user, engine, rules)?;
        let _server = far.serve("203.0.113.10:443")?;
        // Sent with breaks until it is cut: it would go on for minutes.
        let script = "
import select
s=socket.socket(F4,T); s.connect(('203.0.113.10',443)); n=0
def go():
    global n
    while n<30_000_000: n+=s.send(bytes(5000)); select.select([],[],[],0.01)
say(go); print(n<30_000_000)
tcp('203.0.113.10',443)";
        let found = attempt(&world, script)?;
        if found != "EPIPE True served" && found != "ECONNRESET True served" {
            return Err(fail(found));
        }
        await_event(&world, "the limit", |event| {
            event.kind == "limit_reached" && event.remote.as_deref() == Some("203.0.113.10:443")
        })?;
    }
    Ok(())
}

#[test]
fn datagrams_that_go_with_an_address_are_counted() -> Result {
    let rules = "network_rules:\n  - {name: little, cidrs: [203.0.113.10], max_bytes: 2500, decision: allow}\n  - {name: rest, decision: deny}\n";
    for user in User::both() {
        let (world, far) = world(user, rules)?;
        let datagrams = far.echo("203.0.113.10:443")?;
        let script = "
s=socket.socket(F4,U); s.settimeout(10)
for _ in range(5): say(lambda: (s.sendto(bytes(1000),('203.0.113.10',443)), len(s.recv(2000)))[1])
say(lambda: socket.socket(F4,U).sendmsg([bytes(1000)],[],0,('203.0.113.10',443)))";
        expect(&attempt(&world, script)?, "1000 1000 1000 EACCES EACCES 1000")?;
        expect(&datagrams.count().to_string(), "4")?;
    }
    Ok(())
}
