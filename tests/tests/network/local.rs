//! Endpoints of this machine: the session's own are free, those of others need a rule.

use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use agentsh_tests::network::{Counter, NEAR};
use agentsh_tests::record::await_event;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Output, Result, Shell, User, fail};

use crate::{Engine, attempt, everywhere, expect, world, world_under};

#[test]
fn under_the_default_pack_servers_of_the_machine_are_out_of_reach() -> Result {
    for user in User::both() {
        let (world, far) = world(user, "")?;
        let host = Counter::serve(TcpListener::bind("0.0.0.0:5432")?)?;
        let debugger = Counter::serve(TcpListener::bind("127.0.0.1:9229")?)?;
        let six = Counter::serve(TcpListener::bind("[::1]:9230")?)?;
        let datagrams = Counter::echo(UdpSocket::bind("0.0.0.0:161")?)?;
        let outside = far.serve("203.0.113.10:443")?;
        let script = format!(
            "
for host in ['127.0.0.1','127.8.8.8','0.0.0.0','localhost','{NEAR}']: tcp(host,5432)
tcp('127.0.0.1',9229); tcp('::ffff:127.0.0.1',9229,F6); tcp('::1',9230,F6); tcp('::',9230,F6)
udp('127.0.0.1',161,connect=True)
tcp('127.0.0.1',1); tcp('203.0.113.10',443)"
        );
        let found = attempt(&world, &script)?;
        expect(
            &found,
            "EACCES EACCES EACCES EACCES EACCES EACCES EACCES EACCES EACCES EACCES ECONNREFUSED served",
        )?;
        let counts = [&host, &debugger, &six, &datagrams, &outside].map(Counter::count);
        expect(&format!("{counts:?}"), "[0, 0, 0, 0, 1]")?;
    }
    Ok(())
}

#[test]
fn what_goes_to_many_machines_is_judged_as_sent_to_this_one_if_somebody_listens_here() -> Result {
    for user in User::both() {
        let (world, _far) = world(user, "")?;
        let foreign = Counter::echo(UdpSocket::bind("0.0.0.0:161")?)?;
        let script = "
s=socket.socket(F4,U); s.setsockopt(socket.SOL_SOCKET,socket.SO_BROADCAST,1); s.settimeout(5)
own=socket.socket(F4,U); own.settimeout(5); own.bind(('',0)); port=own.getsockname()[1]
own.setsockopt(socket.IPPROTO_IP,socket.IP_ADD_MEMBERSHIP,socket.inet_aton('239.255.0.1')+socket.inet_aton('0.0.0.0'))
for host in ['239.255.0.1','224.0.0.1','255.255.255.255']:
    say(lambda: s.sendto(b'x',(host,9123)))
    say(lambda: s.sendto(b'x',(host,161)))
say(lambda: s.sendto(b'y',('239.255.0.1',port)))
say(lambda: own.recv(9).decode())";
        expect(&attempt(&world, script)?, "1 EACCES 1 EACCES 1 EACCES 1 y")?;
        expect(&foreign.count().to_string(), "0")?;
    }
    Ok(())
}

#[test]
fn where_the_network_is_closed_nothing_goes_to_many_machines() -> Result {
    let rules = "network_rules:\n  - {name: near, cidrs: [127.0.0.0/8], decision: allow}\n  - {name: ears, operations: [bind, listen], decision: allow}\n  - {name: rest, decision: deny}\n";
    for (user, engine) in everywhere("network-engines")? {
        let (world, _far) = world_under(user, engine, rules)?;
        let script = "
s=socket.socket(F4,U); s.setsockopt(socket.SOL_SOCKET,socket.SO_BROADCAST,1)
own=socket.socket(F4,U); own.bind(('',0)); port=own.getsockname()[1]
for host in ['239.255.0.1','224.0.0.1','255.255.255.255']:
    say(lambda: s.sendto(b'x',(host,9123)))
    say(lambda: s.sendto(b'x',(host,port)))
    say(lambda: s.connect((host,port)))";
        expect(&attempt(&world, script)?, &["EACCES"; 9].join(" "))?;
    }
    Ok(())
}

/// Listens in every way, says so, and serves one connection each.
const SERVER: &str = "import socket,select
T,U=socket.SOCK_STREAM,socket.SOCK_DGRAM
def bound(family, kind, at, listen=True):
    s=socket.socket(family,kind)
    if at: s.bind(at)
    if kind==T: s.listen(9)
    return s
a=bound(2,T,('127.0.0.1',0)); b=bound(10,T,('::',0)); c=bound(2,T,None); d=bound(2,U,('0.0.0.0',0))
open('ports.new','w').write(' '.join(str(s.getsockname()[1]) for s in (a,b,c,d)))
import os; os.rename('ports.new','ports')
while True:
    for s in select.select([a,b,c,d],[],[])[0]:
        if s is d: m,f=s.recvfrom(9); s.sendto(m,f)
        else: x,_=s.accept(); x.sendall(b'served x\\n'); x.close()
";

#[test]
fn a_server_of_the_session_is_free_for_its_other_commands() -> Result {
    let rules = "network_rules:\n  - {name: ears, operations: [bind, listen], decision: allow}\n  - {name: rest, decision: deny}\n";
    for (user, engine) in everywhere("network-engines")? {
        let (world, _far) = world_under(user, engine, rules)?;
        world
            .user()
            .write_file(&world.workspace().join("server.py"), SERVER, 0o644)?;
        let shell = Shell::named("bash").args(["-c", "exec python3 server.py"]);
        let server = shell.stdout(Output::Null).spawn_with(&world, &Subject::shims())?;
        let ports = world.workspace().join("ports");
        if !wait_until(Duration::from_secs(30), || ports.exists()) {
            return Err(fail("the server does not listen"));
        }
        let script = "
a,b,c,d=map(int,open('ports').read().split())
tcp('127.0.0.1',a); tcp('localhost',a); tcp('::1',b,F6); tcp('127.0.0.1',b); tcp('127.0.0.1',c); udp('127.0.0.1',d); udp('127.0.0.1',d,connect=True)";
        expect(&attempt(&world, script)?, "served served served served served x x")?;
        await_event(&world, "the listener", |event| event.kind == "net_listen")?;
        await_event(&world, "the end of a connection to it", |event| {
            let number = |name: &str| event.fields.get(name).and_then(serde_json::Value::as_u64);
            let incoming = event.fields.get("incoming").and_then(serde_json::Value::as_bool) == Some(true);
            event.kind == "net_close" && incoming && number("bytes_sent") == Some(9)
        })?;
        await_event(&world, "the connection", |event| {
            let own = |policy: &agentsh_tests::record::Policy| policy.rule.as_deref() == Some("own-endpoint");
            event.kind == "net_connect" && event.policy.as_ref().is_some_and(own)
        })?;
        drop(server);
        std::fs::remove_file(ports)?;
    }
    Ok(())
}

#[test]
fn a_low_port_and_a_mark_are_for_who_has_the_right() -> Result {
    let rules = "network_rules:\n  - {name: all, decision: allow}\n";
    for (user, engine) in everywhere("network-engines")? {
        let root = user.uid == 0;
        let (world, far) = world_under(user, engine, rules)?;
        let _echo = far.echo("203.0.113.10:443")?;
        let script = "
for kind in (T,U): say(lambda: socket.socket(F4,kind).bind(('127.0.0.1',1011))); say(lambda: socket.socket(F6,kind).bind(('::',1012)))
u=socket.socket(F4,U); say(lambda: u.sendmsg([b'x'],[(1,36,struct.pack('I',7))],0,('203.0.113.10',443)))";
        let bound = if root { "done" } else { "EACCES" };
        expect(&attempt(&world, script)?, &format!("{} EPERM", [bound; 4].join(" ")))?;
    }
    Ok(())
}

#[test]
fn an_address_of_ones_own_needs_a_rule_where_rules_say_so() -> Result {
    let rules = "network_rules:\n  - {name: high, ports: [8080], operations: [bind], decision: allow}\n  - {name: no-ears, operations: [bind, listen], decision: deny}\n";
    for (user, engine) in everywhere("network-engines")? {
        let (world, _far) = world_under(user, engine, rules)?;
        let script = "
def bind(port, family=F4, kind=T, listen=False):
    s=socket.socket(family,kind)
    def go():
        if port is not None: s.bind(('',port))
        if listen: s.listen()
    say(go)
bind(8080); bind(8081); bind(8081,F6); bind(8081,kind=U); bind(8080,listen=True); bind(None,listen=True)";
        expect(&attempt(&world, script)?, "done EACCES EACCES EACCES EACCES EACCES")?;
        await_event(&world, "the denial", |event| {
            event.kind == "net_bind" && event.remote.as_deref() == Some("0.0.0.0:8081")
        })?;
    }
    Ok(())
}

#[test]
fn no_address_is_judged_as_the_one_that_it_stands_for() -> Result {
    let loopback =
        "network_rules:\n  - {name: here, cidrs: [127.0.0.0/8], decision: allow}\n  - {name: rest, decision: deny}\n";
    let engines = everywhere("no address")?
        .into_iter()
        .filter(|(_, engine)| *engine != Engine::Private);
    let mut worlds: Vec<_> = engines.map(|(user, engine)| (user, Some(engine))).collect();
    worlds.extend(User::both().map(|user| (user, None)));
    for (user, engine) in worlds {
        let (world, _far) = match engine {
            Some(engine) => world_under(user, engine, loopback)?,
            None => world(user, "")?,
        };
        let host = Counter::serve(TcpListener::bind((NEAR, 5432))?)?;
        let datagrams = Counter::echo(UdpSocket::bind((NEAR, 1610))?)?;
        let script = format!(
            "
own=socket.socket(F4); own.bind(('127.0.0.1',5432)); own.listen()
heard=socket.socket(F4,U); heard.bind(('127.0.0.1',1610)); heard.settimeout(5)
def sent(family,kind,bound,to,port):
    s=socket.socket(family,kind); s.settimeout(5)
    if bound: s.bind((bound,0))
    if kind==U: say(lambda: s.sendto(b'x',(to,port)))
    say(lambda: s.connect((to,port))); say(lambda: s.getpeername()[0])
for kind,port in (T,5432),(U,1610):
    sent(F4,kind,None,'0.0.0.0',port); sent(F4,kind,'127.0.0.1','0.0.0.0',port)
    sent(F4,kind,'{NEAR}','0.0.0.0',port); sent(F6,kind,'::ffff:{NEAR}','::ffff:0.0.0.0',port)
say(lambda: heard.recv(9).decode())"
        );
        let found = attempt(&world, &script)?;
        expect(
            &found,
            "done 127.0.0.1 done 127.0.0.1 EACCES ENOTCONN EACCES ENOTCONN \
             1 done 127.0.0.1 1 done 127.0.0.1 EACCES EACCES ENOTCONN EACCES EACCES ENOTCONN x",
        )?;
        expect(&format!("{:?}", [&host, &datagrams].map(Counter::count)), "[0, 0]")?;
    }
    Ok(())
}
