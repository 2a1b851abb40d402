//! A network of the session's own.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

use agentsh_tests::network::Counter;
use agentsh_tests::record::await_event;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::{signal_all, wait_until};
use agentsh_tests::{Output, Result, Shell, User, fail};

use crate::{Engine, attempt, expect, world_under};

const PATIENCE: Duration = Duration::from_secs(60);
const ALL: &str = "network_rules:\n  - {name: all, decision: allow}\n";

#[test]
fn its_network_is_another_one_and_its_user_the_same() -> Result {
    let own = std::fs::read_link("/proc/self/ns/net")?;
    for user in User::both() {
        let (world, _far) = world_under(user, Engine::Private, ALL)?;
        let script = "
print(os.readlink('/proc/self/ns/net')); print(os.getuid(),os.getgid()); print(os.getcwd())
print([l.split()[1] for l in open('/proc/self/status') if l.startswith('CapEff')][0]=='0000000000000000' or os.getuid()==0)";
        let found = attempt(&world, script)?;
        let there: Vec<&str> = found.split(' ').collect();
        let account = world.user();
        let wanted = format!("{} {} {} True", account.uid, account.gid, world.workspace().display());
        expect(&there.get(1..).unwrap_or_default().join(" "), &wanted)?;
        // The world of the test has a network of its own as well, and the session is not in that either.
        let host = std::fs::read_link("/proc/self/ns/net")?;
        let inside = there.first().copied().unwrap_or_default();
        if inside == host.to_string_lossy() || inside == own.to_string_lossy() {
            return Err(fail(format!("not a network of its own: {found}")));
        }
    }
    Ok(())
}

#[test]
fn a_connection_fails_as_it_would_outside() -> Result {
    for user in User::both() {
        let (world, _far) = world_under(user, Engine::Private, ALL)?;
        // The way there is closed on the host's own network.
        std::process::Command::new("/usr/sbin/ip")
            .args(["route", "add", "unreachable", "203.0.113.99/32"])
            .status()?;
        let script = "
tcp('203.0.113.10',1); tcp('2001:db8:1::10',1,F6); tcp('203.0.113.99',443)
s=socket.socket(F4,T); s.setblocking(False)
import select
def slow():
    try: s.connect(('203.0.113.10',1))
    except BlockingIOError: select.select([],[s],[],10)
    s.setblocking(True); return s.recv(1).decode()
say(slow)";
        let found = attempt(&world, script)?;
        // Who does not wait is connected before it shows that nobody is there.
        let wanted = "ECONNREFUSED ECONNREFUSED EHOSTUNREACH";
        if found != format!("{wanted} ECONNRESET") && found != format!("{wanted} ECONNREFUSED") {
            return Err(fail(found));
        }
    }
    Ok(())
}

#[test]
fn peers_are_called_what_they_were_called() -> Result {
    for user in User::both() {
        let (world, far) = world_under(user, Engine::Private, ALL)?;
        let _server = far.serve("203.0.113.10:443")?;
        let _echo = far.echo("203.0.113.10:53535")?;
        let script = "
s=socket.create_connection(('203.0.113.10',443)); print(s.getpeername()[0],s.getpeername()[1],s.getsockname()[0])
u=socket.socket(F4,U); u.settimeout(10); u.sendto(b'one',('203.0.113.10',53535)); m,f=u.recvfrom(9); print(m.decode(),f[0],f[1])
print(len(u.sendto(bytes(60_000),('203.0.113.10',53535)) and u.recv(65_535)))";
        expect(
            &attempt(&world, script)?,
            "203.0.113.10 443 192.0.0.4 one 203.0.113.10 53535 60000",
        )?;
    }
    Ok(())
}

#[test]
fn the_hosts_loopback_is_not_the_sessions() -> Result {
    for user in User::both() {
        let (world, _far) = world_under(user, Engine::Private, ALL)?;
        let database = Counter::serve(TcpListener::bind("0.0.0.0:5432")?)?;
        let datagrams = Counter::echo(UdpSocket::bind("127.0.0.1:161")?)?;
        let hidden = SocketAddr::from_abstract_name("display")?;
        let _display = UnixListener::bind_addr(&hidden)?;
        let script = "
for host in ['127.0.0.1','0.0.0.0','localhost','192.0.0.4']: tcp(host,5432)
tcp('::1',5432,F6); udp('127.0.0.1',161,connect=True)
say(lambda: socket.socket(socket.AF_UNIX,T).connect('\\0display'))
a=socket.socket(socket.AF_UNIX,T); a.bind('\\0own'); a.listen(); say(lambda: socket.socket(socket.AF_UNIX,T).connect('\\0own'))
b=socket.socket(socket.AF_UNIX,T); b.bind('own.sock'); b.listen(); say(lambda: socket.socket(socket.AF_UNIX,T).connect('own.sock')); os.unlink('own.sock')
say(lambda: socket.socket(F4,T).bind(('203.0.113.10',0)))";
        expect(
            &attempt(&world, script)?,
            "ECONNREFUSED ECONNREFUSED ECONNREFUSED ECONNREFUSED ECONNREFUSED ECONNREFUSED ECONNREFUSED done done EADDRNOTAVAIL",
        )?;
        expect(&format!("{} {}", database.count(), datagrams.count()), "0 0")?;
    }
    Ok(())
}

#[test]
fn an_inherited_socket_of_the_hosts_network_connects_nowhere() -> Result {
    for user in User::both() {
        let (world, far) = world_under(user, Engine::Private, ALL)?;
        let server = far.serve("203.0.113.10:443")?;
        // Outside of the session a program makes the sockets and starts the stand-in shell with them.
        let script = "
import socket,os
t=socket.socket(); u=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); os.dup2(t.fileno(),7); os.dup2(u.fileno(),8)
os.execv('@SHIM@',['bash','-c','exec python3 inside.py'])";
        let inside = "
import socket,errno
t,u=socket.socket(fileno=7),socket.socket(fileno=8)
for go in (lambda: t.connect(('203.0.113.10',443)), lambda: u.sendto(b'x',('203.0.113.10',443)), lambda: t.bind(('127.0.0.1',0))):
    try: go(); print('done')
    except OSError as e: print(errno.errorcode[e.errno])";
        let shim = format!("{}/bash", agentsh_tests::world::SHIMS);
        let user = world.user();
        user.write_file(
            &world.workspace().join("outside.py"),
            script.replace("@SHIM@", &shim),
            0o644,
        )?;
        user.write_file(&world.workspace().join("inside.py"), inside, 0o644)?;
        let packets = far.capture()?;
        let outcome = Shell::program("python3").args(["outside.py"]).run(&world)?;
        expect(&outcome.out(), "EACCES\nEACCES\nEACCES\n")?;
        expect(&format!("{} {}", server.count(), packets.count()), "0 0")?;
    }
    Ok(())
}

#[test]
fn a_server_of_the_session_is_reached_by_a_forwarded_port_only() -> Result {
    let rules = "network: {namespace: private, forward: [3456]}\n";
    for user in User::both() {
        let (world, _far) = crate::world(user, rules)?;
        let script = "
import socket
a=socket.socket(); a.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); a.bind(('0.0.0.0',3456)); a.listen()
b=socket.socket(); b.bind(('0.0.0.0',3457)); b.listen(); open('listens','w').close()
while True: x,_=a.accept(); x.sendall(b'hello'); x.close()";
        world
            .user()
            .write_file(&world.workspace().join("server.py"), script, 0o644)?;
        let shell = Shell::named("bash").args(["-c", "exec python3 server.py"]);
        let _server = shell.stdout(Output::Null).spawn_with(&world, &Subject::shims())?;
        let listens = world.workspace().join("listens");
        if !wait_until(PATIENCE, || listens.exists()) {
            return Err(fail("the server does not listen"));
        }
        let mut text = String::new();
        TcpStream::connect("127.0.0.1:3456")?.read_to_string(&mut text)?;
        expect(&text, "hello")?;
        if TcpStream::connect("127.0.0.1:3457").is_ok() {
            return Err(fail("a port that is not forwarded is reached"));
        }
        std::fs::remove_file(listens)?;
    }
    Ok(())
}

#[test]
fn datagrams_count_towards_what_a_rule_lets_through() -> Result {
    let rules = "network_rules:\n  - {name: little, cidrs: [203.0.113.10], max_bytes: 5000, decision: allow}\n  - {name: rest, decision: deny}\n";
    for user in User::both() {
        let (world, far) = world_under(user, Engine::Private, rules)?;
        let datagrams = far.echo("203.0.113.10:443")?;
        let script = "
s=socket.socket(F4,U); s.settimeout(2); s.connect(('203.0.113.10',443)); n=0
def go():
    global n
    for _ in range(9): s.send(bytes(1000)); s.recv(2000); n+=1
say(go); print(n)";
        let found = attempt(&world, script)?;
        // The third answer would be too much.
        if !found.ends_with(" 2") || datagrams.count() != 3 {
            return Err(fail(format!("{found} {}", datagrams.count())));
        }
        await_event(&world, "the limit", |event| {
            event.kind == "limit_reached" && event.remote.as_deref() == Some("203.0.113.10:443")
        })?;
    }
    Ok(())
}

/// Whoever gets around the notification has nowhere to go: a process that is in the network and under no filter.
#[test]
fn what_was_not_judged_does_not_leave_and_is_told() -> Result {
    let (world, far) = world_under(User::root(), Engine::Private, ALL)?;
    let (server, datagrams) = (far.serve("203.0.113.10:443")?, far.echo("203.0.113.10:443")?);
    let packets = far.capture()?;
    let shell = Shell::named("bash").args(["-c", "sleep 1000; :"]);
    let _child = shell.stdout(Output::Null).spawn_with(&world, &Subject::shims())?;
    let event = await_event(&world, "the command", |event| {
        event.kind == "command_started" && event.pid.is_some()
    })?;
    let text = format!(
        "nsenter --net=/proc/{}/ns/net python3 -c '
import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    s=socket.socket(socket.AF_INET, kind); s.settimeout(2)
    try: s.connect((\"203.0.113.10\",443)); s.send(b\"x\"); print(len(s.recv(9)))
    except OSError as e: print(type(e).__name__)
r=socket.socket(socket.AF_INET,socket.SOCK_RAW,1); r.sendto(bytes([8,0,247,255,0,0,0,0]),(\"203.0.113.10\",0))'",
        event.pid.unwrap_or_default()
    );
    let outcome = Shell::program("sh").args(["-c", &text]).run(&world)?;
    if outcome
        .out()
        .lines()
        .any(|line| line.parse::<usize>().is_ok_and(|read| read > 0))
    {
        return Err(fail(format!("{outcome:?}")));
    }
    expect(
        &format!("{} {} {}", server.count(), datagrams.count(), packets.count()),
        "0 0 0",
    )?;
    for kind in ["net_connect", "net_send"] {
        await_event(&world, "what was stopped", |event| {
            let unjudged = |policy: &agentsh_tests::record::Policy| policy.rule.as_deref() == Some("unjudged");
            event.kind == kind && event.policy.as_ref().is_some_and(unjudged)
        })?;
    }
    Ok(())
}

/// The process that made the network is not needed for the walls of what runs in it.
#[test]
fn without_the_process_that_holds_the_network_nothing_unjudged_leaves() -> Result {
    for user in User::both() {
        let rules = "network_rules:\n  - {name: one, cidrs: [203.0.113.10], decision: allow}\n  - {name: rest, decision: deny}\n";
        let (world, far) = world_under(user, Engine::Private, rules)?;
        let (allowed, denied) = (far.serve("203.0.113.10:443")?, far.serve("203.0.113.12:443")?);
        let packets = far.echo("203.0.113.12:443")?;
        expect(
            &attempt(&world, "tcp('203.0.113.10',443); tcp('203.0.113.12',443)")?,
            "served EACCES",
        )?;
        let holders = || -> Vec<_> {
            world
                .daemons()
                .into_iter()
                .filter(|one| one.role() == "hold-network")
                .collect()
        };
        let found = holders();
        expect(&found.len().to_string(), "1")?;
        signal_all(&found, libc::SIGKILL);
        if !wait_until(PATIENCE, || holders().is_empty()) {
            return Err(fail("the holder lives"));
        }
        let script = "tcp('203.0.113.12',443); udp('203.0.113.12',443); tcp('203.0.113.10',443)";
        let after = attempt(&world, script)?;
        if !after.starts_with("EACCES EACCES ") {
            return Err(fail(after));
        }
        let reached = if after.ends_with(" served") { 2 } else { 1 };
        expect(
            &format!("{} {} {}", allowed.count(), denied.count(), packets.count()),
            &format!("{reached} 0 0"),
        )?;
    }
    Ok(())
}
