//! What the wall in the kernel adds to a start.

use agentsh_tests::bench::{Limit, Measured};
use agentsh_tests::shell::Subject;
use agentsh_tests::{Result, Shell, User, World, fail, session, skips};

/// The quicker quarter of so many starts of each stands for a pair: the difference is small beside what else the
/// machine does. They alternate, so that a drift favours neither.
const STARTS: usize = 40;
const PAIRS: usize = 20;

/// Microseconds that `bash -c true` through the stand-in takes longer behind the wall, sessions warm.
pub fn start() -> Result<Vec<Measured>> {
    let ebpf = agentsh_sandbox::probe::ebpf();
    if !ebpf.works() {
        return skips::skip("bench of starts behind the wall", ebpf.detail()).map(|()| Vec::new());
    }
    let world = World::new(User::root())?;
    let folders = ["notify", "ebpf"].map(|engine| (engine, world.user().home.join("work").join(engine)));
    for (engine, folder) in &folders {
        world.user().make_folder(folder)?;
        let text = format!("{}network: {{engine: {engine}}}\n", session::BASE);
        let policy = session::write_policy(&world, engine, &text)?;
        let (folder, policy) = (folder.to_string_lossy(), policy.to_string_lossy());
        let outcome = world.agentsh(["session", "create", "--workspace", &*folder, "--policy", &*policy])?;
        outcome.expect_success("session create")?;
    }
    let time = |at: usize| -> Result<f64> {
        let shell = Shell::program(world.helper("probe"))
            .args(["time", "1", "@bash@", "-c", "true"])
            .cwd(&folders[at].1);
        let outcome = shell.run_with(&world, &Subject::shims())?;
        outcome.expect_success("a timed run")?;
        let nanoseconds: f64 = outcome
            .out()
            .trim()
            .parse()
            .map_err(|error| fail(format!("{error}: {outcome:?}")))?;
        Ok(nanoseconds / 1e3)
    };
    // The first of each fills caches, and makes the group.
    time(0)?;
    time(1)?;
    let mut added = Vec::new();
    for _ in 0..PAIRS {
        let mut times = [Vec::new(), Vec::new()];
        for start in 0..STARTS {
            for at in [start % 2, 1 - start % 2] {
                times[at].push(time(at)?);
            }
        }
        let [without, behind] = times.map(|mut of_one| {
            of_one.sort_by(f64::total_cmp);
            of_one[STARTS / 4]
        });
        added.push(behind - without);
    }
    let limit = Limit {
        work: "a start behind the wall, beyond one without",
        at_most: 60.0,
        unit: "µs",
    };
    Ok(vec![Measured::of(limit, &added)])
}
