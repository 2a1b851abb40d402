//! This project's own source and the toolchain that builds it, offline.

use std::path::Path;
use std::process::Command;

use nix::mount::{MsFlags, mount, umount};

use super::World;
use super::mounts::memory;
use crate::Result;

/// Lays them out in a world, whose own `/root` is in the way of the toolchain's: the source at `s` in the workspace,
/// with what a shell text needs in front of cargo.
pub fn lay(world: &World) -> Result<&'static str> {
    // The world has laid its own over it.
    umount("/root")?;
    let toolchain = Command::new("rustc").args(["--print", "sysroot"]).output()?;
    let toolchain = String::from_utf8(toolchain.stdout)?.trim().to_owned();
    let registry = std::env::var("CARGO_HOME").unwrap_or_else(|_| "/root/.cargo".into()) + "/registry";
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("");
    let archive = Command::new("git")
        .args(["archive", "--format=tar", "HEAD"])
        .current_dir(&source)
        .output()?;
    for (name, from) in [("toolchain", &toolchain), ("registry", &registry)] {
        let to = Path::new("/usr/local/lib").join(name);
        std::fs::create_dir_all(&to)?;
        let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(from.as_str()), &to, None::<&str>, bind, None::<&str>)?;
    }
    memory("/root", 0o700)?;
    let tar = world.user().home.join("source.tar");
    world.user().write_file(&tar, archive.stdout, 0o644)?;
    Ok("export PATH=/usr/local/lib/toolchain/bin:$PATH CARGO_HOME=$PWD/home CARGO_TERM_COLOR=never
if ! [ -d s ]; then mkdir -p home/registry s; ln -s /usr/local/lib/registry/cache /usr/local/lib/registry/index home/registry/; tar xf ~/source.tar -C s; fi; cd s\n")
}
