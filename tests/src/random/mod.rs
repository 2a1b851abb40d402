//! Random starts of a shell: whatever a caller can arrange before `execve(2)`, in any combination.
//!
//! A seed always means the same start. Python arranges what a start asks for and becomes the shell; what the shell then
//! tells about itself and its surroundings must not depend on whose shell it is.

mod descriptors;
mod dice;
mod places;
mod state;
mod texts;
mod words;

use crate::{Case, Output, Shell};
use dice::Dice;

/// What every arrangement may use.
const PRELUDE: &str = include_str!("prelude.py");

/// The probe's path in every world.
const PROBE: &str = "/usr/local/lib/agentsh-tests/probe";

/// What a start is made of.
#[derive(Default)]
struct Plan {
    /// Lines of Python, in this order: descriptors and the like, the folder, and what takes possibilities away.
    arrange: Vec<String>,
    place: Option<&'static str>,
    restrict: Vec<String>,
    /// Arguments of `limit` in the prelude, set last of all.
    limits: Vec<String>,
    files: Vec<(&'static str, Vec<u8>, u32)>,
    /// A folder that nobody can compare.
    forget: Option<&'static str>,
    /// Which shell is started.
    shell: &'static str,
    /// The descriptor on which the shell tells what it finds.
    report: i32,
    root: bool,
}

/// The start that this seed means, for root or for an ordinary user.
pub fn case(seed: u64, root: bool) -> Case {
    let mut dice = Dice::new(seed);
    let mut plan = Plan {
        shell: dice.pick(&words::SHELLS),
        report: dice.pick(&[9, 3, 7, 5]),
        root,
        ..Plan::default()
    };
    places::choose(&mut dice, &mut plan);
    state::choose(&mut dice, &mut plan);
    descriptors::choose(&mut dice, &mut plan);
    let becomes = words::choose(&mut dice, &mut plan);
    let place = plan.place.map(str::to_owned);
    let lines = plan
        .arrange
        .into_iter()
        .chain(place)
        .chain(plan.restrict)
        .chain([becomes]);
    let program = format!("{PRELUDE}\n{}\n", lines.collect::<Vec<_>>().join("\n"));
    let shell = Shell::program("python3")
        .args(["-S", "-c", &program, "@bash@", "@sh@", "@dash@", "@zsh@", "@rbash@"])
        .writes(plan.report, Output::Pipe);
    let name: &'static str = format!("random start {seed} as {}", if root { "root" } else { "a user" }).leak();
    // Its first line names the shell.
    let mut case = Case::new(name, shell).needs(&["python3", "zsh"]).forget("run");
    for (path, content, mode) in plan.files {
        case = case.file(path, content, mode);
    }
    match plan.forget {
        Some(folder) => case.forget(folder),
        None => case,
    }
}
