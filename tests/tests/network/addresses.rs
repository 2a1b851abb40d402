//! Rules on addresses and ports, for every way to an address.

use agentsh_tests::record::await_event;
use agentsh_tests::{Result, User};

use crate::{Engine, attempt, everywhere, expect, world, world_under};

const ONE: &str = "network_rules:
  - {name: one, cidrs: [203.0.113.10, \"2001:db8:1::10\"], ports: [443], operations: [connect, send], decision: allow}
  - {name: audited, cidrs: [203.0.113.11], ports: [443], decision: audit}
  - {name: own, operations: [bind, listen], decision: allow}
  - {name: rest, decision: deny, message: \"{{.Host}} is not for you\"}
";

#[test]
fn only_what_a_rule_allows_is_connected_to() -> Result {
    for (user, engine) in everywhere("network-engines")? {
        let (world, far) = world_under(user, engine, ONE)?;
        let allowed = far.serve("203.0.113.10:443")?;
        let allowed6 = far.serve("[2001:db8:1::10]:443")?;
        let audited = far.serve("203.0.113.11:443")?;
        let denied = [
            far.serve("203.0.113.10:80")?,
            far.serve("203.0.113.12:443")?,
            far.serve("169.254.169.254:80")?,
        ];
        let script = "
tcp('203.0.113.10',443); tcp('203.0.113.10',443,block=False); tcp('::ffff:203.0.113.10',443,F6); tcp('2001:db8:1::10',443,F6)
tcp('203.0.113.11',443)
tcp('203.0.113.10',80); tcp('203.0.113.12',443); tcp('203.0.113.12',443,block=False); tcp('::ffff:203.0.113.12',443,F6)
tcp('169.254.169.254',80); tcp('::ffff:169.254.169.254',80,F6)";
        expect(
            &attempt(&world, script)?,
            "served served served served served EACCES EACCES EACCES EACCES EACCES EACCES",
        )?;
        expect(
            &format!("{} {} {}", allowed.count(), allowed6.count(), audited.count()),
            "3 1 1",
        )?;
        for server in &denied {
            expect(&server.count().to_string(), "0")?;
        }
        let event = await_event(&world, "the denial", |event| {
            event.kind == "net_connect" && event.remote.as_deref() == Some("203.0.113.12:443")
        })?;
        let policy = event.policy.as_ref();
        let told = policy.map(|policy| {
            (
                policy.decision.as_str(),
                policy.rule.as_deref(),
                policy.message.as_deref(),
            )
        });
        let wanted = Some(("deny", Some("rest"), Some("203.0.113.12 is not for you")));
        expect(&format!("{told:?}"), &format!("{wanted:?}"))?;
        await_event(&world, "the audited connect", |event| {
            let audited = |policy: &agentsh_tests::record::Policy| policy.rule.as_deref() == Some("audited");
            event.kind == "net_connect" && event.policy.as_ref().is_some_and(audited)
        })?;
    }
    Ok(())
}

#[test]
fn builtins_and_clients_are_stopped_like_everybody() -> Result {
    let (world, far) = world(User::agent(), ONE)?;
    let allowed = far.serve("203.0.113.10:443")?;
    let denied = far.serve("203.0.113.12:443")?;
    let packets = far.capture()?;
    let texts = [
        "exec 3<>/dev/tcp/203.0.113.12/443",
        "echo x >/dev/udp/203.0.113.12/443",
        "curl -s --max-time 10 http://203.0.113.12:443/",
        "socat -u TCP:203.0.113.12:443 -",
        "socat -u - UDP:203.0.113.12:443 </dev/null; echo x | socat -u - UDP-SENDTO:203.0.113.12:443",
        "ssh -o BatchMode=yes -o ConnectTimeout=10 -p 443 203.0.113.12 true",
        "git clone -q http://203.0.113.12:443/x.git",
        "node -e \"fetch('http://203.0.113.12:443/').catch(()=>process.exit(1))\"",
        "python3 -c \"import urllib.request as u; u.urlopen('http://203.0.113.12:443/')\"",
        "busybox wget -T 5 -q http://203.0.113.12:443/",
    ];
    for text in texts {
        let outcome = world.shimmed(text)?;
        if outcome.ended == agentsh_tests::Ended::Exit(0) {
            return Err(agentsh_tests::fail(format!("{text}: {outcome:?}")));
        }
    }
    expect(&format!("{} {}", denied.count(), packets.count()), "0 0")?;
    let outcome =
        world.shimmed("socat -u TCP:203.0.113.10:443 -; read -r line </dev/tcp/203.0.113.10/443; echo \"$line\"")?;
    expect(&outcome.out(), "served 203.0.113.10:443\nserved 203.0.113.10:443\n")?;
    expect(&allowed.count().to_string(), "2")
}

#[test]
fn families_and_protocols_that_no_rule_knows_do_not_exist() -> Result {
    for (user, engine) in everywhere("network-engines")? {
        let (world, far) = world_under(user, engine, "network_rules:\n  - {name: all, decision: allow}\n")?;
        let packets = far.capture()?;
        let script = "
for family,kind,protocol in [(F4,socket.SOCK_RAW,1),(F4,socket.SOCK_RAW,255),(F6,socket.SOCK_RAW,58),(F4,T,132),(F4,socket.SOCK_SEQPACKET,132),
    (F4,U,136),(F4,6,33),(17,U,0),(17,socket.SOCK_RAW,3),(40,T,0),(38,5,0),(31,T,3),(16,socket.SOCK_RAW,16),(2|256,T,0),
    (30,T,0),(41,5,0),(42,U,0),(43,T,0),(44,socket.SOCK_RAW,0),(29,socket.SOCK_RAW,1),(39,T,0),(15,socket.SOCK_RAW,2),(16,socket.SOCK_RAW,31)]:
    say(lambda: socket.socket(family,kind,protocol).close())
s=socket.socket(F6,U)
for option in [5,6,57]: say(lambda: s.setsockopt(socket.IPPROTO_IPV6, option, struct.pack('BBBBI16s', 0, 2, 2, 1, 0, socket.inet_pton(F6,'2001:db8:1::10'))))
say(lambda: s.setsockopt(socket.IPPROTO_IPV6, 32, struct.pack('=16sIBBHHHI', socket.inet_pton(F6,'::1'), socket.htonl(0x12345), 0, 255, 1, 6, 0, 0)))";
        let found = attempt(&world, script)?;
        let wanted = "EPERM EPROTONOSUPPORT EPERM EPROTONOSUPPORT EPROTONOSUPPORT EPROTONOSUPPORT EPROTONOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EPROTONOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EPROTONOSUPPORT EPERM EPERM EPERM EPERM";
        expect(&found, wanted)?;
        expect(&packets.count().to_string(), "0")?;
    }
    Ok(())
}

#[test]
fn echo_requests_follow_rules_that_are_not_about_ports() -> Result {
    for (user, engine) in everywhere("network-engines")? {
        let rules = "network_rules:
  - {name: web, cidrs: [203.0.113.12], ports: [443], decision: allow}
  - {name: tcp, cidrs: [203.0.113.12], protocol: tcp, decision: allow}
  - {name: one, cidrs: [203.0.113.10], decision: allow}
  - {name: rest, decision: deny}
";
        let (world, far) = world_under(user, engine, rules)?;
        std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647")?;
        let packets = far.capture()?;
        let (refused, answered) = match engine {
            Engine::Notify | Engine::Auto => ("EACCES EACCES", "echo echo"),
            // What answered there would be the network itself.
            Engine::Private => ("EACCES EACCES", "EACCES EACCES"),
            // A wall that is asked for lets no such socket be made.
            Engine::Ebpf => ("EPERM EPERM", "EPERM EPERM"),
        };
        let script = "
def ping(host, connect):
    def go():
        s=socket.socket(F4,U,socket.IPPROTO_ICMP); s.settimeout(10); request=struct.pack('BBHHH',8,0,0,0,1)+b'echo'
        if connect: s.connect((host,0)); s.send(request)
        else: s.sendto(request,(host,0))
        return s.recv(99)[-4:].decode()
    say(go)
";
        expect(
            &attempt(
                &world,
                &format!("{script}ping('203.0.113.12',True); ping('203.0.113.12',False)"),
            )?,
            refused,
        )?;
        expect(&packets.count().to_string(), "0")?;
        expect(
            &attempt(
                &world,
                &format!("{script}ping('203.0.113.10',True); ping('203.0.113.10',False)"),
            )?,
            answered,
        )?;
    }
    Ok(())
}
