//! Connections to another network: how many, how long each takes, and how fast an open one is.

use std::io::Read;
use std::net::TcpListener;

use agentsh_tests::bench::{Limit, Measured};
use agentsh_tests::network::Far;
use agentsh_tests::shell::Subject;
use agentsh_tests::{Result, Shell, User, World, fail};

use crate::pairs::{PAIRS, ratio};

/// A world with a way out, and a server that swallows what it is sent.
fn reach() -> Result<(World, Far)> {
    let world = World::new(User::agent())?;
    let far = Far::enter()?;
    let listener = far.run(|| TcpListener::bind("203.0.113.10:443"))??;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut buffer = vec![0; 1 << 20];
                while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
            });
        }
    });
    Ok((world, far))
}

/// A direct connection that policy allows is the kernel's own from then on.
pub fn bulk() -> Result<Vec<Measured>> {
    let (world, _far) = reach()?;
    let limit = Limit {
        work: "1 GiB into an open connection",
        at_most: 1.05,
        unit: "×",
    };
    let text = "head -c 1073741824 /dev/zero > /dev/tcp/203.0.113.10/443";
    Ok(vec![ratio(&world, limit, 1, text)?])
}

/// Few enough that all runs together leave ports free: those of closed connections rest for a minute.
const CONNECTS: &str = "import socket,time
t=[]
for _ in range(500):
    s=socket.socket(); a=time.perf_counter_ns(); s.connect(('203.0.113.10',443)); t.append(time.perf_counter_ns()-a); s.close()
t.sort(); print(t[250]/1e3, t[495]/1e3)";

/// One caller that connects again and again.
pub fn connects() -> Result<Vec<Measured>> {
    let (world, _far) = reach()?;
    let (mut middle, mut slow) = (Vec::new(), Vec::new());
    let path = world.workspace().join("connects.py");
    world.user().write_file(&path, CONNECTS, 0o644)?;
    for _ in 0..PAIRS {
        let one = |subject: &Subject| -> Result<[f64; 2]> {
            let shell = Shell::named("bash").args(["-c", "exec python3 connects.py"]);
            let outcome = shell.run_with(&world, subject)?;
            let numbers: Vec<f64> = outcome
                .out()
                .split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect();
            numbers.try_into().map_err(|_| fail(format!("{outcome:?}")))
        };
        let (native, ours) = (one(&Subject::Real)?, one(&Subject::shims())?);
        middle.push(ours[0] - native[0]);
        slow.push(ours[1] - native[1]);
    }
    let limit = |work, at_most, unit| Limit { work, at_most, unit };
    Ok(vec![
        Measured::of(limit("a judged connect, added at p50", 40.0, "µs"), &middle),
        Measured::of(limit("a judged connect, added at p99", 250.0, "µs"), &slow),
    ])
}
