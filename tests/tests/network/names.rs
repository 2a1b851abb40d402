//! The session's resolver, by what reaches the name server of the test and by what can be connected to.

use agentsh_tests::network::Counter;
use agentsh_tests::network::dns::{Known, NameServer};
use agentsh_tests::record::await_event;
use agentsh_tests::{Result, User, fail};

use crate::{Engine, attempt, everywhere, expect, world, world_under};

const NAMES: &str = "network_rules:
  - {name: bad, domains: [bad.open.example], decision: deny}
  - {name: site, domains: [\"*.example.org\", example.org], ports: [443], decision: allow}
  - {name: inner, domains: [db.example.com], cidrs: [10.9.8.0/24], decision: allow}
  - {name: open, domains: [\"*.open.example\"], ports: [443], decision: allow}
  - {name: rest, decision: deny}
dns_redirects:
  - {name: moved, match: \"^old\\\\.example$\", resolve_to: 203.0.113.11}
";

/// Prints addresses of names, and connects.
const LOOK: &str = "
def look(name, family=F4):
    def go():
        try: return ','.join(sorted({a[4][0] for a in socket.getaddrinfo(name,443,family,T)}))
        except socket.gaierror as e: return {-2:'unknown',-3:'again',-5:'nodata'}.get(e.errno,str(e))
    say(go)
";

#[test]
fn a_name_opens_its_addresses_and_nothing_else() -> Result {
    for (user, engine) in everywhere("network-engines")? {
        let (world, far) = world_under(user, engine, NAMES)?;
        let server = NameServer::start(&far)?;
        server.set_addresses("www.example.org", &["203.0.113.10", "2001:db8:1::10"]);
        server.set("example.org", Known::Alias("www.example.org".into()));
        server.set_addresses("evil.example.net", &["203.0.113.12"]);
        let (allowed, six) = (far.serve("203.0.113.10:443")?, far.serve("[2001:db8:1::10]:443")?);
        let denied = far.serve("203.0.113.10:80")?;
        let moved = far.serve("203.0.113.11:443")?;
        let script = format!(
            "{LOOK}
tcp('203.0.113.10',443)
look('evil.example.net'); look('bad.open.example'); look('a.b.example.org'); look('nothing.example.org')
look('WWW.Example.ORG'); look('www.example.org',F6); tcp('203.0.113.10',443); tcp('2001:db8:1::10',443,F6); tcp('203.0.113.10',80)
look('example.org'); tcp('example.org',443); look('old.example'); look('localhost')"
        );
        let found = attempt(&world, &script)?;
        expect(
            &found,
            "EACCES again again again unknown 203.0.113.10 2001:db8:1::10 served served EACCES 203.0.113.10 served 203.0.113.11 127.0.0.1",
        )?;
        expect(
            &format!(
                "{} {} {} {}",
                allowed.count(),
                six.count(),
                denied.count(),
                moved.count()
            ),
            "2 1 0 0",
        )?;
        let mut asked = server.asked();
        asked.sort();
        asked.dedup();
        expect(&asked.join(" "), "example.org nothing.example.org www.example.org")?;
        let event = await_event(&world, "the query", |event| {
            event.kind == "dns_query" && event.domain.as_deref() == Some("www.example.org")
        })?;
        let rule = event.policy.and_then(|policy| policy.rule);
        expect(
            &format!("{rule:?} {}", event.command_id.is_some() && event.pid.is_some()),
            "Some(\"site\") true",
        )?;
        await_event(&world, "the refused query", |event| {
            event.kind == "dns_query"
                && event.domain.as_deref() == Some("evil.example.net")
                && event.policy.as_ref().is_some_and(|policy| policy.decision == "deny")
        })?;
        await_event(&world, "the connection by its name", |event| {
            event.kind == "net_connect" && event.domain.as_deref() == Some("example.org")
        })?;
    }
    Ok(())
}

#[test]
fn whatever_server_is_named_the_session_s_own_answers() -> Result {
    for (user, engine) in everywhere("network-engines")? {
        let (world, far) = world_under(user, engine, NAMES)?;
        let server = NameServer::start(&far)?;
        server.set_addresses("www.example.org", &["203.0.113.10"]);
        server.set("big.example.org", Known::Text(3000));
        server.set("keys.example.org", Known::Text(20));
        let elsewhere = far.echo("203.0.113.12:53")?;
        let elsewhere_tcp = far.serve("203.0.113.12:53")?;
        let tls = far.serve("203.0.113.12:853")?;
        let host = Counter::echo(std::net::UdpSocket::bind("127.0.0.1:53")?)?;
        let dig = |arguments: &str| -> Result<String> {
            let outcome = world.shimmed(&format!("dig +time=5 +tries=1 +short {arguments}"))?;
            Ok(outcome.out().trim_end().to_owned())
        };
        for at in [
            "@203.0.113.12",
            "@127.0.0.1",
            "@::1",
            "@2001:db8:1::10",
            "@203.0.113.12 +tcp",
            "@::1 +tcp",
        ] {
            expect(&dig(&format!("{at} www.example.org"))?, "203.0.113.10")
                .map_err(|error| fail(format!("{at}: {error}")))?;
            expect(&dig(&format!("{at} $(id -u).evil.example.net"))?, "")?;
        }
        let text = dig("big.example.org TXT")?;
        if text.len() < 3000 {
            return Err(fail(format!("a long answer is cut: {text}")));
        }
        for (kind, data) in [
            ("SSHFP", "20 120 7878"),
            ("TLSA", "20 120 120 7878"),
            ("URI", "5240 30840"),
        ] {
            let found = dig(&format!("keys.example.org {kind}"))?;
            if !found.starts_with(data) {
                return Err(fail(format!("{kind}: {found}")));
            }
        }
        for kind in ["HTTPS", "ANY", "NULL"] {
            expect(&dig(&format!("www.example.org {kind}"))?, "")?;
        }
        world.shimmed("nc -w 3 203.0.113.12 853 </dev/null; echo x | nc -u -w 1 203.0.113.12 53")?;
        let counts = [&elsewhere, &elsewhere_tcp, &tls, &host].map(Counter::count);
        expect(&format!("{counts:?}"), "[0, 0, 0, 0]")?;
        let stray = server.asked().into_iter().find(|name| !name.ends_with(".example.org"));
        expect(&format!("{stray:?}"), "None")?;
    }
    Ok(())
}

#[test]
fn a_public_name_does_not_lead_inside() -> Result {
    let (world, far) = world(User::agent(), NAMES)?;
    let server = NameServer::start(&far)?;
    for (name, address) in [
        ("meta.example.org", "169.254.169.254"),
        ("local.example.org", "127.0.0.1"),
        ("inner.example.org", "10.9.8.7"),
        ("db.example.com", "10.9.8.7"),
        ("mapped.example.org", "::ffff:127.0.0.1"),
    ] {
        server.set_addresses(name, &[address]);
    }
    server.set_addresses("both.example.org", &["203.0.113.10", "127.0.0.1"]);
    let inside = Counter::serve(std::net::TcpListener::bind("127.0.0.1:443")?)?;
    let (metadata, database) = (far.serve("169.254.169.254:443")?, far.serve("10.9.8.7:443")?);
    let script = format!(
        "{LOOK}
for name in ['meta','local','inner','both']: look(name+'.example.org')
look('mapped.example.org',F6); look('db.example.com'); tcp('10.9.8.7',443); tcp('169.254.169.254',443); tcp('127.0.0.1',443)"
    );
    let found = attempt(&world, &script)?;
    expect(
        &found,
        "nodata nodata nodata 203.0.113.10 nodata 10.9.8.7 served EACCES EACCES",
    )?;
    expect(
        &format!("{} {} {}", inside.count(), metadata.count(), database.count()),
        "0 0 1",
    )?;
    // What it means changes after it was looked up: the address that is connected to is judged.
    server.set_addresses("meta.example.org", &["203.0.113.10"]);
    let script = format!("{LOOK}\nlook('meta.example.org'); tcp('169.254.169.254',443)");
    expect(&attempt(&world, &script)?, "203.0.113.10 EACCES")?;
    await_event(&world, "the refused answer", |event| {
        event.kind == "dns_query"
            && event.domain.as_deref() == Some("local.example.org")
            && event
                .policy
                .as_ref()
                .is_some_and(|policy| policy.effective.as_deref() == Some("deny"))
    })
    .map(drop)
}

#[test]
fn odd_questions_reach_no_server() -> Result {
    let (world, far) = world(User::agent(), NAMES)?;
    let server = NameServer::start(&far)?;
    server.set_addresses("www.example.org", &["203.0.113.10"]);
    let script = "
def question(labels, kind=1, cls=1): return b''.join(bytes([len(l)])+l for l in labels)+b'\\0'+struct.pack('>HH',kind,cls)
def ask(questions, count=1, flags=0x100, wait=60):
    def go():
        s=socket.socket(F4,U); s.settimeout(wait); s.connect(('198.51.100.53',53))
        s.send(struct.pack('>HHHHHH',7,flags,count,0,0,0)+questions); r=s.recv(4096); return '%d/%d' % (r[3]&15, r[7])
    say(go)
at=[b'example',b'org']
ask(question([b'WwW',b'eXaMpLe',b'ORG'])); ask(question([b'www']+at,65))
ask(question([b'w\\0w']+at)); ask(question([b'a.b']+at)); ask(question([b'a b']+at)); ask(question([b'\\xff\\xfe']+at))
ask(question([b'www']+at,1,3)); ask(question([b'www']+at)+question([b'www']+at),2); ask(question([b'www']+at),1,0x2900)
ask(b'\\xc0\\x0c\\0\\1\\0\\1',wait=2); ask(b'',wait=2); ask(question([b'x'*63]*4+at),wait=2)";
    expect(
        &attempt(&world, script)?,
        "0/1 0/0 5/0 5/0 5/0 5/0 1/0 1/0 4/0 timeout timeout timeout",
    )?;
    let stray = server.asked().into_iter().find(|name| name != "www.example.org");
    expect(&format!("{stray:?}"), "None")
}

#[test]
fn an_answer_comes_from_the_server_that_was_asked() -> Result {
    for (user, engine) in everywhere("network-engines")? {
        let makes_packets = user == User::root() || engine == Engine::Private;
        let (world, far) = world_under(user, engine, NAMES)?;
        let server = NameServer::start(&far)?;
        server.set_addresses("www.example.org", &["203.0.113.10"]);
        // Without a peer, as musl's resolver does it; each asks another server, none of which there is.
        let script = "
query=struct.pack('>HHHHHH',7,0x100,1,0,0,0)+b''.join(bytes([len(l)])+l for l in [b'www',b'example',b'org'])+b'\\0\\0\\1\\0\\1'
for family,to in [(F4,'198.51.100.53'),(F6,'2001:db8:1::53'),(F6,'::ffff:198.51.100.54')]:
    s=socket.socket(family,U); s.settimeout(10)
    s.sendto(query,(to,53)); answer,source=s.recvfrom(999)
    print(answer[-4:]==bytes([203,0,113,10]) and source[:2]==(to,53))
    s.connect((to,53)); s.send(query); print(s.recv(999)[-4:]==bytes([203,0,113,10]))";
        let found = attempt(&world, script)?;
        let from_there = if makes_packets { "True" } else { "False" };
        let wanted = [from_there, "True"].repeat(3).join(" ");
        expect(&found, &wanted).map_err(|error| fail(format!("{engine:?}: {error}")))?;
    }
    Ok(())
}

/// Names of others are answered at once meanwhile, and for each of these there is an answer in the end.
#[test]
fn a_name_server_that_stalls_breaks_off_or_talks_nonsense_keeps_nobody_waiting() -> Result {
    let (world, far) = world(User::agent(), NAMES)?;
    let server = NameServer::start(&far)?;
    server.set_addresses("www.example.org", &["203.0.113.10"]);
    for number in 0..5 {
        server.set(&format!("silent{number}.example.org"), Known::Silent);
        server.set(&format!("nonsense{number}.example.org"), Known::Nonsense);
        server.set(&format!("half{number}.example.org"), Known::Half(3000));
        server.set(&format!("drips{number}.example.org"), Known::Drips(3000));
    }
    let script = r"
s=socket.socket(F4,U); s.connect(('198.51.100.53',53)); s.settimeout(60)
def query(n,name): s.send(struct.pack('>HHHHHH',n,0x100,1,0,0,0)+b''.join(bytes([len(l)])+l for l in name.encode().split(b'.'))+b'\0\0\1\0\1')
for n in range(5):
    for k,kind in enumerate(('silent','nonsense','half','drips')): query(1+4*n+k,f'{kind}{n}.example.org')
query(99,'www.example.org')
came=[struct.unpack_from('>HH',s.recv(4096)) for _ in range(21)]
first=[n for n,f in came].index(99)
print(first <= 5, sorted(n for n,f in came)==[*range(1,21),99], {f&15 for n,f in came if n!=99})";
    // Those that were broken off may be faster.
    expect(&attempt(&world, script)?, "True True {2}")
}

#[test]
fn ten_thousand_names_carry_nothing_out() -> Result {
    for (user, engine) in everywhere("network-engines")? {
        let (world, far) = world_under(user, engine, NAMES)?;
        let server = NameServer::start(&far)?;
        server.set_addresses("www.example.org", &["203.0.113.10"]);
        // A query as it lies on the wire: waiting for each answer would take the test's time, not the resolver's.
        let script = format!(
        "{LOOK}
s=socket.socket(F4,U); s.connect(('198.51.100.53',53)); s.setblocking(False)
def query(n):
    name=b'%032x' % n
    return struct.pack('>HHHHHH',n&0xffff,0x100,1,0,0,0)+b''.join(bytes([len(l)])+l for l in [name,b'open',b'example'])+b'\\0\\0\\1\\0\\1'
answers=0
import select
for n in range(10000):
    select.select([],[s],[]); s.send(query(n))
    while True:
        try: s.recv(999); answers+=1
        except BlockingIOError: break
    if n%50==49:
        while select.select([s],[],[],0.05)[0]: s.recv(999); answers+=1
print(answers>5000)
for _ in range(100):
    try: socket.getaddrinfo('www.example.org',443,F4,T); break
    except socket.gaierror: pass
look('www.example.org')
def again():
    for _ in range(100): socket.getaddrinfo('www.example.org',443,F4,T)
    return 'answered'
say(again)"
    );
        expect(&attempt(&world, &script)?, "True 203.0.113.10 answered")?;
        let out = server
            .asked()
            .iter()
            .filter(|name| name.ends_with(".open.example"))
            .count();
        if !(1..100).contains(&out) {
            return Err(fail(format!("{engine:?}: {out} names went out")));
        }
    }
    Ok(())
}

#[test]
fn other_resolvers_of_the_host_are_out_of_reach() -> Result {
    let (world, _far) = world(User::agent(), NAMES)?;
    let mut listeners = Vec::new();
    for path in [
        "/run/nscd/socket",
        "/run/systemd/resolve/io.systemd.Resolve",
        "/run/avahi-daemon/socket",
    ] {
        std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap_or(std::path::Path::new("/")))?;
        let listener = std::os::unix::net::UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
        listener.set_nonblocking(true)?;
        listeners.push(listener);
    }
    let script = "
for p in ['/run/nscd/socket','/run/systemd/resolve/io.systemd.Resolve','/run/avahi-daemon/socket']: say(lambda: socket.socket(socket.AF_UNIX).connect(p))";
    expect(&attempt(&world, script)?, "EACCES EACCES EACCES")?;
    match listeners.iter().any(|listener| listener.accept().is_ok()) {
        true => Err(fail("somebody was connected to")),
        false => Ok(()),
    }
}

#[test]
fn the_server_of_a_service_is_reached_as_the_service_only() -> Result {
    let rules = "network_rules:
  - {name: all, decision: allow}
http_services:
  - {name: api, upstream: \"https://api.example.org\", default: deny, rules: [{name: get, methods: [GET], paths: [\"/ok\"], decision: allow}]}
  - {name: free, upstream: \"https://free.example.org\", allow_direct: true, default: deny, rules: [{name: get, methods: [GET], paths: [\"/ok\"], decision: allow}]}
";
    let (world, far) = world(User::agent(), rules)?;
    let server = NameServer::start(&far)?;
    server.set_addresses("api.example.org", &["203.0.113.10"]);
    server.set_addresses("free.example.org", &["203.0.113.11"]);
    let (reserved, free) = (far.serve("203.0.113.10:443")?, far.serve("203.0.113.11:443")?);
    let found = attempt(
        &world,
        "tcp('api.example.org',443); tcp('203.0.113.10',443); tcp('free.example.org',443)",
    )?;
    expect(&found, "EACCES EACCES served")?;
    expect(&format!("{} {}", reserved.count(), free.count()), "0 1")
}
