//! Connections that the kernel's own tables of the policy's rules let through (`network.engine: ebpf`).

use agentsh_tests::network::dns::NameServer;
use agentsh_tests::record::{Event, await_event, events};
use agentsh_tests::{Result, Shell, User, World, fail, skips};

use crate::{Engine, TRY, attempt, expect, world_under};

const RULES: &str = "network_rules:
  - {name: asked, cidrs: [203.0.113.11], ports: [444], decision: deny}
  - {name: range, cidrs: [203.0.113.8/30, \"2001:db8:1::/64\"], ports: [443, 444], protocol: tcp, decision: allow}
  - {name: watched, cidrs: [198.51.100.53], ports: [80], decision: audit}
  - {name: few, cidrs: [203.0.113.12], ports: [443], max_per_minute: 2, decision: allow}
  - {name: site, domains: [\"*.example.org\"], ports: [8443], decision: allow}
  - {name: ears, operations: [bind, listen], decision: allow}
  - {name: rest, decision: deny}
";

/// Whether root may have programs in the kernel here.
fn is_there() -> Result<bool> {
    let ebpf = agentsh_sandbox::probe::ebpf();
    match ebpf.works() {
        true => Ok(true),
        false => skips::skip("network-tables", ebpf.detail()).map(|()| false),
    }
}

/// Layer, rule and decision of the connect to this address.
fn told(world: &World, remote: &str) -> Result<String> {
    let event = await_event(world, remote, |event| event.is_connect(remote))?;
    Ok(words(&event))
}

fn words(event: &Event) -> String {
    let policy = event.policy.as_ref();
    let rule = policy.and_then(|policy| policy.rule.as_deref()).unwrap_or_default();
    let decision = policy.map_or("", |policy| policy.decision.as_str());
    format!("{} {rule} {decision}", event.layer.as_deref().unwrap_or_default())
}

#[test]
fn a_program_that_would_have_several_connections_is_told_to_have_one() -> Result {
    if !is_there()? {
        return Ok(());
    }
    for engine in [Engine::Ebpf, Engine::Auto] {
        let (world, _far) = world_under(User::root(), engine, RULES)?;
        let script = "for family in (F4,F6): say(lambda: socket.socket(family,T,262).close())";
        expect(&attempt(&world, script)?, "EPROTONOSUPPORT EPROTONOSUPPORT")?;
    }
    Ok(())
}

#[test]
fn what_rules_simply_allow_is_the_kernels_to_judge_and_all_else_the_supervisors() -> Result {
    if !is_there()? {
        return Ok(());
    }
    let (world, far) = world_under(User::root(), Engine::Ebpf, RULES)?;
    let servers = [
        "203.0.113.10:443",
        "[2001:db8:1::10]:444",
        "203.0.113.11:443",
        "198.51.100.53:80",
        "203.0.113.12:443",
    ];
    let _servers: Vec<_> = servers.iter().map(|at| far.serve(at)).collect::<Result<_>>()?;
    let denied = [far.serve("203.0.113.11:444")?, far.serve("203.0.113.12:80")?];
    let script = "
tcp('203.0.113.10',443); tcp('2001:db8:1::10',444,F6); tcp('::ffff:203.0.113.11',443,F6); tcp('198.51.100.53',80,block=False)
for _ in range(3): tcp('203.0.113.12',443)
tcp('203.0.113.11',444); tcp('203.0.113.12',80); udp('203.0.113.10',443); udp('203.0.113.10',443,connect=True)";
    expect(
        &attempt(&world, script)?,
        "served served served served served served EACCES EACCES EACCES EACCES EACCES",
    )?;
    for (remote, wanted) in [
        ("203.0.113.10:443", "ebpf range allow"),
        ("[2001:db8:1::10]:444", "ebpf range allow"),
        ("203.0.113.11:443", "ebpf range allow"),
        ("198.51.100.53:80", "ebpf watched audit"),
        ("203.0.113.12:443", "notify few allow"),
        ("203.0.113.11:444", "notify asked deny"),
        ("203.0.113.12:80", "notify rest deny"),
    ] {
        expect(&told(&world, remote)?, wanted)?;
    }
    for server in &denied {
        expect(&server.count().to_string(), "0")?;
    }
    let end = await_event(&world, "the end", |event| {
        event.kind == "net_close" && event.remote.as_deref() == Some("203.0.113.10:443")
    })?;
    let number = |name: &str| end.fields.get(name).and_then(serde_json::Value::as_u64);
    expect(&format!("{:?}", number("bytes_received")), "Some(25)")?;
    expect(&end.policy.and_then(|policy| policy.rule).unwrap_or_default(), "range")
}

#[test]
fn a_name_opens_its_addresses_in_the_kernel_too() -> Result {
    if !is_there()? {
        return Ok(());
    }
    let (world, far) = world_under(User::root(), Engine::Ebpf, RULES)?;
    let names = NameServer::start(&far)?;
    names.set_addresses("www.example.org", &["203.0.113.12"]);
    names.set_addresses("two.example.org", &["203.0.113.12"]);
    let server = far.serve("203.0.113.12:8443")?;
    let script = "
tcp('203.0.113.12',8443); tcp('www.example.org',8443); tcp('203.0.113.12',8443); tcp('203.0.113.12',8444)
tcp('two.example.org',8443)";
    expect(&attempt(&world, script)?, "EACCES served served EACCES served")?;
    expect(&server.count().to_string(), "3")?;
    let all = await_event(&world, "the last", |event| {
        event.is_connect("203.0.113.12:8443") && event.domain.as_deref() == Some("two.example.org")
    })
    .and_then(|_| events(&world))?;
    // What is the same again within a moment is one event with a count.
    let there = all.iter().filter(|event| event.is_connect("203.0.113.12:8443"));
    let layers = there.flat_map(|event| vec![words(event); event.count.max(1) as usize]);
    // With two names which is meant is not for a table to say. What the kernel tells comes in its own time.
    let mut layers: Vec<String> = layers.collect();
    layers.sort_unstable();
    expect(
        &layers.join(", "),
        "ebpf site allow, ebpf site allow, notify rest deny, notify site allow",
    )
}

/// Several threads, descriptors that are shared, sockets from outside: there the kernel could look at another socket.
#[test]
fn where_a_socket_could_be_exchanged_the_supervisor_connects() -> Result {
    if !is_there()? {
        return Ok(());
    }
    let (world, far) = world_under(User::root(), Engine::Ebpf, RULES)?;
    let servers = ["203.0.113.11:443", "203.0.113.10:443", "203.0.113.10:444"];
    let _servers: Vec<_> = servers.iter().map(|at| far.serve(at)).collect::<Result<_>>()?;
    let script = "
import os,threading
stop=threading.Event(); t=threading.Thread(target=stop.wait); t.start()
tcp('203.0.113.10',443); stop.set(); t.join()
while len(os.listdir('/proc/self/task'))>1: pass
s=socket.socket(fileno=7); say(lambda: s.connect(('203.0.113.11',443)))
tcp('203.0.113.10',444)";
    let user = world.user();
    user.write_file(&world.workspace().join("inside.py"), format!("{TRY}{script}"), 0o644)?;
    let outside = format!(
        "import socket,os\nt=socket.socket(); os.dup2(t.fileno(),7)\nos.execv('{}/bash',['bash','-c','exec python3 inside.py'])",
        agentsh_tests::world::SHIMS
    );
    user.write_file(&world.workspace().join("outside.py"), outside, 0o644)?;
    let outcome = Shell::program("python3").args(["outside.py"]).run(&world)?;
    expect(&outcome.out(), "served\ndone\nserved\n")?;
    expect(&told(&world, "203.0.113.10:443")?, "notify range allow")?;
    expect(&told(&world, "203.0.113.11:443")?, "notify range allow")?;
    expect(&told(&world, "203.0.113.10:444")?, "ebpf range allow")
}

/// The address is exchanged by another process, in memory that both share, between the look and the call.
#[test]
fn a_race_for_the_address_is_lost_in_the_kernel() -> Result {
    if !is_there()? {
        return Ok(());
    }
    let (world, far) = world_under(User::root(), Engine::Ebpf, RULES)?;
    let (allowed, denied) = (far.serve("203.0.113.10:443")?, far.serve("203.0.113.12:22")?);
    let packets = far.echo("203.0.113.12:22")?;
    let script = "
import ctypes, mmap, signal
libc=ctypes.CDLL(None, use_errno=True)
def made(host, port): return struct.pack('=HH', F4, socket.htons(port))+socket.inet_pton(F4,host)+bytes(8)
shared=mmap.mmap(-1,4096); place=ctypes.addressof(ctypes.c_char.from_buffer(shared))
good,bad=made('203.0.113.10',443),made('203.0.113.12',22)
child=os.fork()
if child==0:
    while True: shared[0:16]=bad; shared[0:16]=good
ways={}
for _ in range(3000):
    s=socket.socket(F4,T); r=libc.connect(s.fileno(),ctypes.c_void_p(place),16)
    e=errno.errorcode[ctypes.get_errno()] if r else 'in'; ways[e]=ways.get(e,0)+1; s.close()
os.kill(child,signal.SIGKILL); os.waitpid(child,0)
print(' '.join(sorted(ways)))";
    let found = attempt(&world, script)?;
    expect(&format!("{} {}", denied.count(), packets.count()), "0 0")?;
    // Refused by the supervisor, and by the kernel where the address was exchanged after the supervisor's look.
    if found != "EACCES EPERM in" || allowed.count() == 0 {
        return Err(fail(format!("the race proves nothing: {found}, {}", allowed.count())));
    }
    await_event(&world, "what the kernel stopped", |event| {
        event.is_connect("203.0.113.12:22") && event.layer.as_deref() == Some("ebpf")
    })
    .map(drop)
}
