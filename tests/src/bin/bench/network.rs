//! Connections to another network: how many, how long each takes, and how fast an open one is.

use std::io::Read;
use std::net::{TcpListener, TcpStream};

use agentsh_tests::bench::{Limit, Measured};
use agentsh_tests::network::Far;
use agentsh_tests::shell::Subject;
use agentsh_tests::{Result, Shell, User, World, fail, session, skips};

use crate::pairs::{PAIRS, ratio};

/// A world with a way out, and a server there that does this with whoever connects.
fn reach(user: User, serve: fn(TcpStream)) -> Result<(World, Far)> {
    let world = World::new(user)?;
    let far = Far::enter()?;
    let listener = far.run(|| TcpListener::bind("203.0.113.10:443"))??;
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    Ok((world, far))
}

/// Swallows what is sent.
fn swallow(mut stream: TcpStream) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 20];
        while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
    });
}

/// A direct connection that policy allows is the kernel's own from then on.
pub fn bulk() -> Result<Vec<Measured>> {
    let (world, _far) = reach(User::agent(), swallow)?;
    let limit = Limit {
        work: "1 GiB into an open connection",
        at_most: 1.05,
        unit: "×",
    };
    let text = "head -c 1073741824 /dev/zero > /dev/tcp/203.0.113.10/443";
    Ok(vec![ratio(&world, limit, 1, text)?])
}

/// Few enough that all runs together leave ports free: those of closed connections rest for a minute. The server hangs
/// up at once: one that falls behind would be waited for.
const CONNECTS: &str = "import socket,time
t=[]; begun=time.perf_counter_ns()
for _ in range(500):
    s=socket.socket(); a=time.perf_counter_ns(); s.connect(('203.0.113.10',443)); t.append(time.perf_counter_ns()-a); s.close()
whole=time.perf_counter_ns()-begun; t.sort(); print(t[250]/1e3, t[495]/1e3, 500e9/whole)";

/// One caller that connects again and again, judged by the supervisor.
pub fn connects() -> Result<Vec<Measured>> {
    let (world, _far) = reach(User::agent(), drop)?;
    measure(
        &world,
        [
            "a judged connect, added at p50",
            "a judged connect, added at p99",
            "connections a second, judged",
        ],
    )
}

/// The same, judged by the kernel.
pub fn connects_held() -> Result<Vec<Measured>> {
    let ebpf = agentsh_sandbox::probe::ebpf();
    if !ebpf.works() {
        return skips::skip("bench of connects that the kernel judges", ebpf.detail()).map(|()| Vec::new());
    }
    let (world, _far) = reach(User::root(), drop)?;
    session::with_rules(
        &world,
        "network: {engine: ebpf}\nnetwork_rules:\n  - {name: one, cidrs: [203.0.113.0/24], decision: allow}\n",
    )?;
    measure(
        &world,
        [
            "a connect that the kernel judges, added at p50",
            "a connect that the kernel judges, added at p99",
            "connections a second, judged by the kernel",
        ],
    )
}

fn measure(world: &World, names: [&'static str; 3]) -> Result<Vec<Measured>> {
    let (mut middle, mut slow, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    let path = world.workspace().join("connects.py");
    world.user().write_file(&path, CONNECTS, 0o644)?;
    let one = |subject: &Subject| -> Result<[f64; 3]> {
        let shell = Shell::named("bash").args(["-c", "exec python3 connects.py"]);
        let outcome = shell.run_with(world, subject)?;
        let numbers: Vec<f64> = outcome
            .out()
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        numbers.try_into().map_err(|_| fail(format!("{outcome:?}")))
    };
    // The first makes the session, or finds it.
    one(&Subject::shims())?;
    for _ in 0..PAIRS {
        let (native, ours) = (one(&Subject::Real)?, one(&Subject::shims())?);
        middle.push(ours[0] - native[0]);
        slow.push(ours[1] - native[1]);
        rates.push(ours[2]);
    }
    let limit = |work, at_most, unit| Limit { work, at_most, unit };
    Ok(vec![
        Measured::of(limit(names[0], 40.0, "µs"), &middle),
        Measured::of(limit(names[1], 250.0, "µs"), &slow),
        Measured::of(limit(names[2], f64::INFINITY, "/s"), &rates),
    ])
}
