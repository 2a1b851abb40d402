//! Proof that enforcement is on: acts that the shipped policy denies, which the same user can do with the real shell.

use std::fs;

use crate::shell::{Shell, Subject};
use crate::world::World;
use crate::world::people::SECRET;
use crate::{Result, fail};

/// Appends to a start file and reads a private key.
const ACTS: &str = "echo added >> ~/.bashrc; echo \"write $?\"; cat ~/.ssh/id_ed25519; echo \"read $?\"";

/// Both acts succeed with the real shell: it is not the user's own rights that stop them. The start file is put back.
pub fn control(world: &World) -> Result {
    let start_file = world.user().home.join(".bashrc");
    let before = fs::read(&start_file)?;
    let outcome = Shell::named("bash").args(["-c", ACTS]).run(world)?;
    let changed = fs::read(&start_file)? != before;
    fs::write(&start_file, &before)?;
    match changed && outcome.out().contains(SECRET) {
        true => Ok(()),
        false => Err(fail(format!(
            "the denied acts prove nothing, the real shell cannot do them either: {outcome:?}"
        ))),
    }
}

/// Both acts fail in the session of the workspace.
pub fn prove(world: &World) -> Result {
    prove_with(world, &Subject::shims())
}

/// Both acts fail with the subject's shells.
pub fn prove_with(world: &World, subject: &Subject) -> Result {
    let start_file = world.user().home.join(".bashrc");
    let before = fs::read(&start_file)?;
    let outcome = Shell::named("bash").args(["-c", ACTS]).run_with(world, subject)?;
    let (out, changed) = (outcome.out(), fs::read(&start_file)? != before);
    if changed || out.contains(SECRET) || !out.contains("read 1") || out.contains("write 0") {
        return Err(fail(format!(
            "enforcement is not on (start file changed: {changed}): {outcome:?}"
        )));
    }
    Ok(())
}
