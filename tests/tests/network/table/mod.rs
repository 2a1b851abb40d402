//! Every line of the list of escapes that is about sockets and the network, tried in every way known, under every engine,
//! as root and as an ordinary user. What arrives is judged by what is there to receive it: a capture of all packets, the
//! machine's own servers, the name server, and the state of the machine's network.
//!
//! Each way is first tried outside of any session: one by which nothing would arrive anyway shows nothing.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use agentsh_tests::child::Child;
use agentsh_tests::network::dns::NameServer;
use agentsh_tests::network::{Counter, Far, Strays};
use agentsh_tests::record::await_event;
use agentsh_tests::world::SHIMS;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Output, Result, Shell, User, World, fail, session, skips};

use crate::{everywhere, expect};

const ATTEMPTS: &str = include_str!("attempts.py");

const RULES: &str = "network_rules:
  - {name: one, cidrs: [203.0.113.10, \"2001:db8:1::10\"], ports: [443], decision: allow}
  - {name: site, domains: [\"*.example.org\"], ports: [443], decision: allow}
  - {name: ears, operations: [bind, listen], decision: allow}
  - {name: rest, decision: deny}
unix_socket_rules:
  - {name: outside, paths: [\"/tmp/outside/**\", \"@outside\"], operations: [connect, sendto], decision: deny}
";

/// Where a session may send, and its resolver.
const KNOWN: [&str; 3] = ["203.0.113.10:443", "[2001:db8:1::10]:443", "198.51.100.53:53"];

/// What the list says, and the ways to try it.
const LINES: &[(&str, &[&str])] = &[
    (
        "built-ins: /dev/tcp, zsh/net/tcp; no exec happens at all",
        &["built_into_shells"],
    ),
    (
        "TOCTOU: the address is rewritten, or the number leads elsewhere, between check and use",
        &[
            "connect_in_a_race_of_threads",
            "connect_in_a_race_of_processes",
            "send_in_a_race_for_the_number",
        ],
    ),
    (
        "env -i, no proxy variables: the environment is not the wall",
        &["programs"],
    ),
    ("io_uring doing open, connect, send unseen", &["io_uring"]),
    (
        "userns and netns of one's own or another's; setns",
        &["a_network_of_ones_own", "the_network_of_another_process"],
    ),
    (
        "abstract sockets; descriptors passed by a process outside, or taken from it",
        &["a_socket_from_outside_by_message", "a_socket_of_another_process"],
    ),
    (
        "socket families netlink, packet, vsock, alg, bluetooth, and calls of other machines",
        &[
            "any_other_socket",
            "packet_sockets",
            "calls_of_other_machines",
            "changes_of_the_network",
            "settings_of_the_network",
        ],
    ),
    (
        "UDP, QUIC, ICMP, SCTP, and what else is not TCP",
        &[
            "datagrams_with_an_address",
            "datagrams_of_a_connected_socket",
            "datagrams_without_a_copy",
            "datagrams_of_a_socket_that_was_of_another_family",
            "datagrams_to_everybody",
            "datagrams_by_a_source_route",
            "datagrams_by_a_routing_header",
            "raw_sockets",
            "echo_requests",
            "sctp",
            "dccp",
            "udp_lite",
            "smc",
        ],
    ),
    (
        "connections by every call, family and option",
        &[
            "connect_v4",
            "connect_nonblocking",
            "connect_mapped",
            "connect_v6",
            "connect_v4_address_on_v6",
            "connect_with_zone",
            "connect_long_and_short_addresses",
            "connect_by_fast_open_option",
            "connect_bound_to_device",
            "connect_by_mptcp",
            "connect_repaired",
            "connect_transparently",
            "connect_marked",
            "connect_again_after_a_connection",
            "connect_a_listener_or_what_it_accepted",
            "connect_a_socket_that_was_handed_on",
            "data_that_opens_a_connection",
        ],
    ),
    (
        "DNS exfiltration: dig, ping, getent; DoH and DoT to a server of one's own",
        &["names_that_carry_something_out", "names_by_other_ports"],
    ),
    (
        "rebinding: a public name that leads to 127.0.0.1 or 169.254.169.254",
        &["a_public_name_that_leads_inside"],
    ),
    ("services of the host on loopback", &["connect_to_this_machine"]),
    (
        "inherited sockets",
        &["connect_an_inherited_socket", "datagrams_of_an_inherited_socket"],
    ),
];

/// Ways that lead nowhere on this machine's kernel, without any session: no such protocol, or no leave for anybody.
const NOT_HERE: &[&str] = &[
    "sctp",
    "dccp",
    "smc",
    "datagrams_of_a_socket_that_was_of_another_family",
];

/// Somebody outside who has a socket to where nobody may send, and hands it to whoever asks.
const HOLDER: &str = "
import os, socket, threading
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect(('203.0.113.12', 443)); os.dup2(u.fileno(), 9)
os.makedirs('/tmp/outside', exist_ok=True)
def serve(at):
    l = socket.socket(socket.AF_UNIX); l.bind(at); l.listen(9)
    if at[0] == '/': os.chmod(at, 0o777); open('/tmp/outside/pid', 'w').write(str(os.getpid()))
    while True: c, _ = l.accept(); socket.send_fds(c, [b'x'], [9]); c.close()
threading.Thread(target=serve, args=('\\0outside',)).start()
serve('/tmp/outside/socket')
";

/// Makes two sockets, starts the shell, and so the attempt.
const STARTER: &str = "
import os, socket, sys
t, u = socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM); os.dup2(t.fileno(), 7); os.dup2(u.fileno(), 8)
os.execv(sys.argv[1], ['bash', '-c', 'exec python3 /tmp/attempts.py ' + sys.argv[2]])
";

/// The networks, and who waits there.
struct Place {
    strays: Strays,
    host: [Counter; 2],
    names: NameServer,
    _far: Far,
    _holder: Child,
    holder: String,
    link: String,
}

impl Place {
    fn new(world: &World) -> Result<Place> {
        let far = Far::enter()?;
        std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647")?;
        // The last that the kernel does by itself once both ends are up.
        let local = |line: &String| line.contains("near") && line.contains("scope link") && !line.contains("tentative");
        if !wait_until(Duration::from_secs(30), || {
            state().is_ok_and(|state| state.iter().any(local))
        }) {
            return Err(fail("the way to the other side does not come up"));
        }
        let listen = |port: u16| Counter::serve(TcpListener::bind(("::", port))?);
        let host = [listen(5432)?, listen(443)?];
        for at in [
            KNOWN[0],
            KNOWN[1],
            "203.0.113.12:443",
            "203.0.113.12:53",
            "203.0.113.12:853",
            "[2001:db8:1::10]:80",
        ] {
            far.serve(at)?;
        }
        far.echo("203.0.113.12:443")?;
        let names = NameServer::start(&far)?;
        for (name, at) in [
            ("here", "127.0.0.1"),
            ("meta", "169.254.169.254"),
            ("mapped", "::ffff:127.0.0.1"),
        ] {
            names.set_addresses(&format!("{name}.example.org"), &[at]);
        }
        let link = far.run(|| {
            Command::new("/usr/sbin/ip")
                .args(["-o", "-6", "addr", "show", "dev", "far"])
                .output()
        })??;
        let link = String::from_utf8_lossy(&link.stdout).into_owned();
        let link = link
            .split(' ')
            .find_map(|word| word.strip_suffix("/64").filter(|word| word.starts_with("fe80")));
        let link = link
            .ok_or_else(|| fail("the other side has no address of the link"))?
            .to_owned();
        let pid = std::path::Path::new("/tmp/outside/pid");
        let _ = std::fs::remove_dir_all("/tmp/outside");
        let shell = Shell::program("python3").args(["-c", HOLDER]);
        let _holder = shell
            .stdout(Output::Null)
            .deadline(Duration::from_secs(600))
            .spawn(world)?;
        let ready = || std::fs::read_to_string(pid).is_ok_and(|text| !text.is_empty());
        if !wait_until(Duration::from_secs(30), ready) {
            return Err(fail("nobody holds a socket outside"));
        }
        let known = KNOWN.map(|at| at.parse());
        let known: Vec<_> = known.into_iter().collect::<std::result::Result<_, _>>()?;
        Ok(Place {
            strays: far.strays(&known)?,
            host,
            names,
            holder: std::fs::read_to_string(pid)?,
            link,
            _far: far,
            _holder,
        })
    }

    /// Tries one way by this shell; what came of it that nobody should see.
    fn try_one(&self, world: &World, shell: &str, way: &str) -> Result<Vec<String>> {
        let before = state()?;
        self.strays.take()?;
        let asked = self.names.asked().len();
        let counts = self.host.each_ref().map(Counter::count);
        let run = Shell::program("python3").args(["-c", STARTER, shell, way]);
        let run = run
            .env("HOLDER", &self.holder)
            .env("LINK", &self.link)
            .deadline(Duration::from_secs(120));
        let outcome = run.run(world)?;
        let told = outcome.out();
        let (said, then) = match told.rsplit_once("tried\n") {
            Some(parts) => parts,
            None => return Err(fail(format!("{way} is not tried: {outcome:?}"))),
        };
        // Where one may go the way still is.
        if shell.starts_with(SHIMS) && then != "served\n" {
            return Err(fail(format!("after {way} in {shell}: {then:?}")));
        }
        let mut came: Vec<String> = said.lines().map(str::to_owned).collect();
        let after = state()?;
        let other = |one: &[String], than: &[String]| -> Vec<String> {
            let lines = one.iter().filter(|line| !than.contains(line));
            lines.map(|line| format!("the network is another: {line}")).collect()
        };
        let changed = [other(&before, &after), other(&after, &before)].concat();
        if !changed.is_empty() {
            return Ok([came, changed].concat());
        }
        came.extend(self.strays.take()?);
        let names = self.names.asked();
        let evil = names.iter().skip(asked).filter(|name| name.contains("evil"));
        came.extend(evil.map(|name| format!("{name} is asked for")));
        for (counter, before) in self.host.iter().zip(counts) {
            for _ in before..counter.count() {
                came.push("a server of this machine is reached".into());
            }
        }
        Ok(came)
    }
}

/// What can be changed of the machine's network.
fn state() -> Result<Vec<String>> {
    let mut state = String::new();
    for arguments in [
        "-o addr",
        "route show table all",
        "-6 route show table all",
        "rule",
        "-o link",
        "netns",
    ] {
        let output = Command::new("/usr/sbin/ip").args(arguments.split(' ')).output()?;
        state += &String::from_utf8_lossy(&output.stdout);
    }
    for name in [
        "ip_forward",
        "conf/all/accept_source_route",
        "ip_unprivileged_port_start",
        "tcp_fastopen",
    ] {
        state += &std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"))?;
    }
    Ok(state.lines().map(str::to_owned).collect())
}

fn ways() -> impl Iterator<Item = &'static str> {
    LINES.iter().flat_map(|(_, ways)| ways.iter().copied())
}

#[test]
fn outside_of_a_session_each_way_leads_somewhere() -> Result {
    let world = World::new(User::root())?;
    std::fs::write("/tmp/attempts.py", ATTEMPTS)?;
    let mut nothing = Vec::new();
    for way in ways() {
        // One way may break the network for the next.
        let place = Place::new(&world)?;
        let came = place.try_one(&world, "/bin/bash", way)?;
        if came.is_empty() {
            nothing.push(way);
        }
    }
    for way in NOT_HERE.iter().filter(|way| nothing.contains(way)) {
        skips::skip("network-protocols", &format!("{way} leads nowhere on this kernel"))?;
    }
    match nothing.iter().all(|way| NOT_HERE.contains(way)) {
        true => Ok(()),
        false => Err(fail(format!("these show nothing: {nothing:?}"))),
    }
}

/// What a command brings along stays its own; the record says what that was.
#[test]
fn sockets_that_a_command_inherits_are_on_record() -> Result {
    for (user, engine) in everywhere("network-engines")? {
        let world = World::new(user)?;
        let _far = Far::enter()?;
        session::with_rules(&world, engine.key())?;
        std::fs::write(
            "/tmp/attempts.py",
            "import os; print(*(f'{n}={os.readlink(f\"/proc/self/fd/{n}\")}' for n in (7, 8)))",
        )?;
        let shell = format!("{SHIMS}/bash");
        let told = Shell::program("python3")
            .args(["-c", STARTER, &shell, "none"])
            .run(&world)?
            .out();
        let event = await_event(&world, "the command", |event| {
            event.kind == "command_started" && event.fields.contains_key("inherited_sockets")
        })?;
        let listed = event.fields["inherited_sockets"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let listed: Vec<&str> = listed.iter().filter_map(|one| one.as_str()).collect();
        expect(told.trim_end(), &listed.join(" "))?;
    }
    Ok(())
}

#[test]
fn from_a_session_nothing_arrives_by_any_way() -> Result {
    let mut wrong = Vec::new();
    for (user, engine) in everywhere("network-engines")? {
        let world = World::new(user)?;
        std::fs::write("/tmp/attempts.py", ATTEMPTS)?;
        let place = Place::new(&world)?;
        session::with_rules(&world, &format!("{}{RULES}", engine.key()))?;
        for (line, ways) in LINES {
            for way in *ways {
                let came = place.try_one(&world, &format!("{SHIMS}/bash"), way)?;
                if !came.is_empty() {
                    wrong.push(format!("{engine:?} {}: {line}: {way}: {came:?}", world.user().uid));
                }
            }
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(fail(wrong.join("\n"))),
    }
}
