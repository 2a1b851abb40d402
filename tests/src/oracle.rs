//! A table that a program prints without us must be printed in a session too, line by line.

use crate::{Outcome, Result, Shell, World, fail};

/// What root keeps in a session (`docs/policy.md`): the oracle gets no more.
const KEPT: &str = "-all,+chown,+dac_override,+fowner,+fsetid,+setuid,+setgid,+setpcap,+setfcap,+net_bind_service,\
    +sys_chroot,+audit_write,+kill";

/// The program without us, with no more rights than it has in a session.
pub fn program(world: &World, argv: &[&str]) -> Shell {
    match world.user().uid {
        0 => Shell::program("setpriv")
            .args(["--bounding-set", KEPT, "--inh-caps", "-all"])
            .args(argv),
        _ => Shell::program(argv[0]).args(&argv[1..]),
    }
}

/// Whether both printed the same, and no fewer lines than the table has at least.
pub fn same(native: &Outcome, inside: &Outcome, least: usize) -> Result {
    let (native, inside) = (lines(native)?, lines(inside)?);
    let differences: Vec<String> = native
        .iter()
        .zip(&inside)
        .filter(|(native, inside)| native != inside)
        .map(|(native, inside)| format!("native  {native}\nsession {inside}"))
        .collect();
    match differences.is_empty() && native.len() == inside.len() && native.len() >= least {
        true => Ok(()),
        false => Err(fail(format!(
            "{} lines differ of {} and {} (at least {least}):\n{}",
            differences.len(),
            native.len(),
            inside.len(),
            differences.join("\n")
        ))),
    }
}

fn lines(outcome: &Outcome) -> Result<Vec<String>> {
    outcome.expect_success("the table")?;
    Ok(outcome.out().lines().map(str::to_owned).collect())
}
