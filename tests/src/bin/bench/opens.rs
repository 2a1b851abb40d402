//! What one judged open costs, in microseconds: continued and carried out, with one caller and with many.

use agentsh_tests::bench::{Limit, Measured};
use agentsh_tests::{Result, Shell, User, World, enforced, fail};

use crate::pairs::{PAIRS, warm_world};

/// Opens that each caller makes in one sample.
const OPENS: usize = 4000;

/// Both kinds, the median and the 99th percentile; only the medians of one caller have a limit.
pub fn judged() -> Result<Vec<Measured>> {
    let world = warm_world(User::agent())?;
    for number in 0..16 {
        let file = world.workspace().join(format!("opened{number}"));
        world.user().write_file(&file, "x", 0o644)?;
    }
    let mut results = Vec::new();
    for (mode, limit, medians, highs) in [
        ("r", 6.0, CONTINUED_MEDIAN, CONTINUED_HIGH),
        ("rw", 15.0, CARRIED_MEDIAN, CARRIED_HIGH),
    ] {
        for (at, callers) in [1, 4, 16].into_iter().enumerate() {
            let mut samples = Vec::new();
            for _ in 0..PAIRS {
                samples.push(sample(&world, callers, mode)?);
            }
            let at_most = if callers == 1 { limit } else { f64::INFINITY };
            let unit = |work, at_most| Limit {
                work,
                at_most,
                unit: "µs",
            };
            let of = |pick: fn(&(f64, f64)) -> f64| samples.iter().map(pick).collect::<Vec<_>>();
            results.push(Measured::of(unit(medians[at], at_most), &of(|sample| sample.0)));
            results.push(Measured::of(unit(highs[at], f64::INFINITY), &of(|sample| sample.1)));
        }
    }
    enforced::prove(&world)?;
    let bare: Result<Vec<_>> = (0..PAIRS).map(|_| bare(&world)).collect();
    let unit = "µs";
    let floor = Limit {
        work: "one open, asked about, looked at by nobody, p50",
        at_most: f64::INFINITY,
        unit,
    };
    results.push(Measured::of(floor, &bare?));
    Ok(results)
}

/// The median under a supervisor that lets every open go on and looks at nothing.
fn bare(world: &World) -> Result<f64> {
    let probe = world.helper("probe");
    let probe = probe.to_string_lossy();
    let shell = Shell::program(&*probe).args(["under-nobody", &probe, "opens", "opened0", &OPENS.to_string(), "r"]);
    let outcome = shell.run(world)?;
    outcome.expect_success("opens")?;
    let (median, _): (f64, f64) = serde_json::from_str(outcome.out().trim())?;
    Ok(median / 1e3)
}

const CONTINUED_MEDIAN: [&str; 3] = [
    "one open, continued, 1 caller, p50",
    "one open, continued, 4 callers, p50",
    "one open, continued, 16 callers, p50",
];
const CONTINUED_HIGH: [&str; 3] = [
    "one open, continued, 1 caller, p99",
    "one open, continued, 4 callers, p99",
    "one open, continued, 16 callers, p99",
];
const CARRIED_MEDIAN: [&str; 3] = [
    "one open, carried out, 1 caller, p50",
    "one open, carried out, 4 callers, p50",
    "one open, carried out, 16 callers, p50",
];
const CARRIED_HIGH: [&str; 3] = [
    "one open, carried out, 1 caller, p99",
    "one open, carried out, 4 callers, p99",
    "one open, carried out, 16 callers, p99",
];

/// The mean of what the callers of one run print.
fn sample(world: &World, callers: usize, mode: &str) -> Result<(f64, f64)> {
    let probe = world.helper("probe");
    let text = format!(
        "for n in $(seq 0 {}); do {} opens opened$n {OPENS} {mode} & done; wait",
        callers - 1,
        probe.display()
    );
    let outcome = Shell::named("bash").args(["-c", &text]).run_shimmed(world)?;
    outcome.expect_success("opens")?;
    let out = outcome.out();
    let told: Vec<(f64, f64)> = out
        .lines()
        .map(serde_json::from_str)
        .collect::<std::result::Result<_, _>>()?;
    if told.len() != callers {
        return Err(fail(format!("{outcome:?}")));
    }
    let mean = |pick: fn(&(f64, f64)) -> f64| told.iter().map(pick).sum::<f64>() / (callers as f64) / 1e3;
    Ok((mean(|of| of.0), mean(|of| of.1)))
}
