//! What a machine that has been worked on has already: Go's own packages, compiled. Without them each of the sixteen
//! rounds compiles the same ones again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use agentsh_tests::{Result, World, fail};

use super::{GO, tasks};

/// Made once by the tasks themselves, without us, before any world is laid over the machine.
static GO_CACHE: LazyLock<std::result::Result<PathBuf, String>> =
    LazyLock::new(|| compile().map_err(|error| format!("Go's cache: {error}")));

fn compile() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (cache, place) = (folder.join("go-cache"), folder.join("go-work"));
    if place.exists() {
        std::fs::remove_dir_all(&place)?;
    }
    std::fs::create_dir(&place)?;
    for (_, text) in tasks::TASKS.iter().filter(|(name, _)| name.starts_with("go: ")) {
        let mut shell = Command::new("bash");
        shell.args(["-c", text]).envs(GO).env("GOCACHE", &cache);
        run(shell.current_dir(&place).env("HOME", folder))?;
    }
    Ok(cache)
}

fn run(command: &mut Command) -> Result {
    let output = command.output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(fail(format!("{command:?}: {output:?}"))),
    }
}

/// Where the cache is; to be asked for before a world is entered.
pub fn go_cache() -> Result<&'static Path> {
    GO_CACHE.as_deref().map_err(|error| fail(error.as_str()))
}

/// Gives the world's user a copy of it.
pub fn lay(world: &World, cache: &Path) -> Result {
    let user = world.user();
    let place = user.home.join(".cache/go-build");
    user.make_folder(&place)?;
    run(Command::new("cp")
        .args(["-r", "--no-target-directory"])
        .arg(cache)
        .arg(&place))?;
    run(Command::new("chown")
        .args(["-R", &format!("{}:{}", user.uid, user.gid)])
        .arg(&place))
}
