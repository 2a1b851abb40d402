//! Disks and swap.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, Shell, User, World, fail, session, skips};

use crate::delegated::Delegated;
use crate::{PATIENCE, limited, recorded_groups};

/// A disk of a world's own: a file system in a file of memory (`losetup(8)`).
struct Disk {
    device: String,
}

fn tool(program: &str, args: &[&str]) -> Result<String> {
    let done = Command::new(program).args(args).output()?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned()),
        false => Err(fail(format!("{program} {args:?}: {done:?}"))),
    }
}

impl Disk {
    fn at(folder: &Path, user: &User) -> Result<Disk> {
        let image = "/mnt/disk.img";
        tool("truncate", &["-s", "32M", image])?;
        tool("mkfs.ext4", &["-q", image])?;
        let disk = Disk {
            device: tool("losetup", &["-f", "--show", image])?,
        };
        user.make_folder(folder)?;
        tool("mount", &[&disk.device, &folder.to_string_lossy()])?;
        user.own(folder)?;
        Ok(disk)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = tool("umount", &["-l", &self.device]);
        let _ = tool("losetup", &["-d", &self.device]);
    }
}

/// How long a command takes in a session.
fn takes(world: &World, id: &str, text: &str) -> Result<Duration> {
    let begun = Instant::now();
    session::run(world, id, &["sh", "-c", text])?.expect_success(text)?;
    Ok(begun.elapsed())
}

const WRITE: &str = "dd if=/dev/zero of=disk/x bs=256k count=12 oflag=direct 2>/dev/null";
const READ: &str = "dd if=disk/x of=/dev/null bs=256k iflag=direct 2>/dev/null";

#[test]
fn reading_and_writing_a_disk_is_held_back() -> Result {
    for user in User::both() {
        let world = World::new(user.clone())?;
        let _delegated = match user.uid {
            0 => None,
            _ => match Delegated::to(&user, &["blkio"])? {
                Some(delegated) => Some(delegated),
                None => return skips::skip("limits-disk", "no v1 controller to give to a user"),
            },
        };
        let _disk = Disk::at(&world.workspace().join("disk"), &user)?;
        let free = limited(&world, "")?;
        let quick = takes(&world, &free.id, WRITE)? + takes(&world, &free.id, READ)?;
        world
            .agentsh(["session", "destroy", &free.id])?
            .expect_success("destroy")?;
        // Three megabytes at one a second; the first second's worth passes at once.
        let info = limited(&world, "disk_read_bps_max: 1048576, disk_write_bps_max: 1048576")?;
        let (write, read) = (takes(&world, &info.id, WRITE)?, takes(&world, &info.id, READ)?);
        let least = Duration::from_millis(1500);
        if quick > least || write < least || read < least {
            return Err(fail(format!(
                "{quick:?} without limits; {write:?}, {read:?} with: {:?}",
                info.not_held
            )));
        }
        // What the older interface does not see is said.
        let says = |words: &str| info.not_held.iter().any(|line| line.contains(words));
        let cached = says("disk_write_bps_max") && says("page cache");
        let older = info
            .layers
            .iter()
            .any(|layer| layer.detail.contains("disk_write_bps_max: v1"));
        if cached != older || says("disk_read_bps_max") {
            return Err(fail(format!("{:?}", info.not_held)));
        }
    }
    Ok(())
}

#[test]
fn swap_is_limited_where_the_kernel_counts_it() -> Result {
    let world = World::new(User::root())?;
    let info = limited(&world, "max_memory_mb: 64, memory_swap_max_mb: 32")?;
    let _child = Shell::named("bash")
        .args(["-c", "sleep 60"])
        .spawn_with(&world, &Subject::shims())?;
    let mut found = Vec::new();
    wait_until(PATIENCE, || {
        let groups = recorded_groups(&world).unwrap_or_default();
        let both = [("memory.memsw.limit_in_bytes", 96 << 20), ("memory.swap.max", 32 << 20)];
        found = both
            .into_iter()
            .flat_map(|(file, wanted)| groups.iter().map(move |group| (group.join(file), wanted)))
            .filter_map(|(file, wanted)| {
                let value = std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok()?;
                Some((value, wanted))
            })
            .collect();
        !groups.is_empty()
    });
    let said = info.not_held.iter().any(|line| line.contains("memory_swap_max_mb"));
    match found.as_slice() {
        [(value, wanted)] if value == wanted && !said => Ok(()),
        [] if said => Ok(()),
        _ => Err(fail(format!("{found:?}, not held: {:?}", info.not_held))),
    }
}
