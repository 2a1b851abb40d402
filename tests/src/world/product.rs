//! The product's programs inside a world, laid out as an installation has them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Result, fail};

/// Where the three programs are in a world.
pub const PRODUCT: &str = "/usr/local/lib/agentsh";

/// Where the stand-ins are: what a person writes into `SHELL`.
pub const SHIMS: &str = "/usr/local/lib/agentsh/shims";

/// Where the tests' own helper programs are.
pub const HELPERS: &str = "/usr/local/lib/agentsh-tests";

/// The shells that have a stand-in.
const SHELLS: [&str; 5] = ["bash", "sh", "zsh", "dash", "rbash"];

/// Copies the programs from `bin/` (made by `make build`) into the world.
pub(super) fn install() -> Result {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("bin");
    fs::create_dir_all(SHIMS)?;
    for program in ["agentsh", "agentsh-ptyd", "agentsh-shell-shim"] {
        let from = built.join(program);
        copy(&from, &Path::new(PRODUCT).join(program))
            .map_err(|error| fail(format!("{}: {error}; run `make build` first", from.display())))?;
    }
    for shell in SHELLS {
        std::os::unix::fs::symlink("../agentsh-shell-shim", Path::new(SHIMS).join(shell))?;
    }
    Ok(())
}

/// Copies the tests' helper programs, which cargo builds beside the test programs, into the world.
pub(super) fn install_helpers() -> Result {
    fs::create_dir_all(HELPERS)?;
    for program in ["probe", "stand_in"] {
        copy(&built_helper(program)?, &Path::new(HELPERS).join(program))?;
    }
    Ok(())
}

/// Copies a helper program to `target` as a program of its own.
pub fn copy_helper(program: &str, target: &Path) -> Result {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    copy(&built_helper(program)?, target)
}

/// `target/debug/NAME`, from `target/debug/deps/SUITE-HASH` or `target/debug/bench`.
fn built_helper(program: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.ancestors().skip(1).find(|folder| folder.join(program).is_file());
    folder
        .map(|folder| folder.join(program))
        .ok_or_else(|| fail(format!("{program} is not beside {}", own.display())))
}

/// By another program: whatever other threads start meanwhile would inherit the file, open for writing, and nobody
/// could execute it as long as they have it (`ETXTBSY`).
fn copy(from: &Path, to: &Path) -> Result {
    let mut install = std::process::Command::new("install");
    let outcome = install.args(["-m", "0755"]).arg(from).arg(to).output()?;
    match outcome.status.success() {
        true => Ok(()),
        false => Err(fail(String::from_utf8_lossy(&outcome.stderr))),
    }
}
