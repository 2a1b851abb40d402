//! A recorded terminal against the same program on a native one.

use std::time::{Duration, Instant};

use agentsh_tests::bench::{Limit, Measured};
use agentsh_tests::pty::Terminal;
use agentsh_tests::record::await_event;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::PRODUCT;
use agentsh_tests::{Result, Shell, User, World, enforced, fail};

use crate::pairs::{PAIRS, warm_world};

/// Bytes of a flood.
const FLOOD: u64 = 200_000_000;

/// Bytes of one that paints screens.
const PAINT: u64 = 20_000_000;

/// Pairs of floods: each takes seconds, over which a machine's moments even out.
const FLOODS: usize = 7;

/// Keys pressed in each sample.
const KEYS: usize = 300;

/// Makes a file of so many bytes, of the same again and again.
fn flooded(world: &World, name: &str, unit: &str, size: u64) -> Result {
    let text = format!("yes {unit} | head -c {size} > {name}");
    let outcome = Shell::named("bash").args(["-c", &text]).run(world)?;
    outcome.expect_success("the flood").map(drop)
}

/// How long it takes until all of a file has appeared, in seconds.
fn flood(world: &World, subject: &Subject, (name, size): (&str, u64), watched: bool) -> Result<f64> {
    let shell = Shell::named("bash")
        .args(["-c", &format!("read x; exec cat {name}")])
        .on_terminal();
    let mut terminal = Terminal::open(&shell.cwd(world.workspace()), world, subject)?;
    let watcher = match watched {
        false => None,
        true => Some(watch(world)?),
    };
    let start = Instant::now();
    terminal.send("\r")?;
    let seen = terminal.discard()?;
    let time = start.elapsed().as_secs_f64();
    if let Some(watcher) = watcher {
        watcher.join().map_err(|_| fail("the watcher died"))?;
    }
    match seen >= size {
        true => Ok(time),
        false => Err(fail(format!("{seen} bytes appeared"))),
    }
}

/// Somebody who looks at the newest command, and takes all of it.
fn watch(world: &World) -> Result<std::thread::JoinHandle<()>> {
    let attached = |world: &World| {
        agentsh_tests::record::events(world)
            .map(|events| events.iter().filter(|event| event.kind == "pty_attach").count())
    };
    let before = attached(world)?;
    let session = await_event(world, "a terminal", |event| event.kind == "pty_open")?.session_id;
    let shell = Shell::program(format!("{PRODUCT}/agentsh"))
        .args(["attach", "--watch", &session])
        .on_terminal();
    let terminal = Terminal::open(&shell, world, &Subject::Real)?;
    agentsh_tests::world::processes::wait_until(Duration::from_secs(30), || {
        attached(world).is_ok_and(|now| now > before)
    });
    Ok(std::thread::spawn(move || drop(terminal.discard())))
}

const TEXT: &str = "'the quick brown fox jumps over the lazy dog and some more words'";

/// 200 MB of output, and what one watcher adds.
pub fn output() -> Result<Vec<Measured>> {
    let world = warm_world(User::agent())?;
    let text = ("flood", FLOOD);
    flooded(&world, text.0, TEXT, text.1)?;
    let (mut recorded, mut watched) = (Vec::new(), Vec::new());
    for pair in 0..FLOODS {
        // Which goes first alternates, so that a drift of the machine favours neither.
        let before = (pair % 2 == 1).then(|| flood(&world, &Subject::shims(), text, false));
        let native = flood(&world, &Subject::Real, text, false)?;
        let alone = before.unwrap_or_else(|| flood(&world, &Subject::shims(), text, false))?;
        recorded.push(alone / native);
        watched.push(flood(&world, &Subject::shims(), text, true)? / alone);
    }
    enforced::prove(&world)?;
    Ok(vec![
        Measured::of(times("200 MB of output on a recorded terminal", 2.0), &recorded),
        Measured::of(times("the same with a watcher, against without", 1.5), &watched),
    ])
}

/// Output of which each few bytes paint the whole screen, against as much text.
pub fn paint() -> Result<Vec<Measured>> {
    let world = warm_world(User::agent())?;
    let (text, paint) = (("text", PAINT), ("paint", PAINT));
    flooded(&world, text.0, TEXT, text.1)?;
    let screens = "$'x\\e#8\\e[2Jx\\e[9999b\\e[H\\e[J'";
    flooded(&world, paint.0, screens, paint.1)?;
    let mut ratios = Vec::new();
    for _ in 0..PAIRS {
        let plain = flood(&world, &Subject::shims(), text, false)?;
        ratios.push(flood(&world, &Subject::shims(), paint, false)? / plain);
    }
    let limit = times("20 MB that paint screens, against as much text", 4.0);
    Ok(vec![Measured::of(limit, &ratios)])
}

fn times(work: &'static str, at_most: f64) -> Limit {
    Limit {
        work,
        at_most,
        unit: "×",
    }
}

/// The slowest of a hundred answers to a key, in milliseconds.
fn slowest(world: &World, subject: &Subject) -> Result<f64> {
    let shell = Shell::named("bash")
        .args(["-c", "stty raw -echo; echo ready; exec cat"])
        .on_terminal();
    let mut terminal = Terminal::open(&shell.cwd(world.workspace()), world, subject)?;
    terminal.expect("ready")?;
    terminal.send("x")?;
    terminal.expect("x")?;
    let mut times = Vec::with_capacity(KEYS);
    for _ in 0..KEYS {
        let start = Instant::now();
        terminal.send("k")?;
        terminal.expect("k")?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    terminal.child().signal_group(libc::SIGKILL)?;
    times.sort_by(f64::total_cmp);
    Ok(times[KEYS * 99 / 100])
}

/// From a key to its echo by the program.
pub fn keys() -> Result<Vec<Measured>> {
    let world = warm_world(User::agent())?;
    let mut above = Vec::new();
    for _ in 0..PAIRS {
        let native = slowest(&world, &Subject::Real)?;
        above.push(slowest(&world, &Subject::shims())? - native);
    }
    let limit = Limit {
        work: "a key and its echo, p99 above native",
        at_most: 2.0,
        unit: "ms",
    };
    Ok(vec![Measured::of(limit, &above)])
}
