//! Which limits can be held here: found out by holding them for nobody.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Group, Hierarchies, Limits, Owner, Resource, Version, folder_name};

/// A name that no other trial has: of this pid namespace, this process, and among its own.
pub(crate) fn name() -> String {
    // Threads of one process may probe at the same time.
    static TRIALS: AtomicU32 = AtomicU32::new(0);
    let trials = TRIALS.fetch_add(1, Ordering::Relaxed);
    format!("{}{}-{trials}", beginning(), std::process::id())
}

/// Numbers of processes mean something in one pid namespace only.
fn beginning() -> String {
    let namespace = fs::metadata("/proc/self/ns/pid").map_or(0, |namespace| namespace.ino());
    format!("probe-{namespace}-")
}

/// Removes what was tried by processes that were killed meanwhile, below the calling process's own groups.
fn sweep(hierarchies: &Hierarchies) {
    let own = std::process::id() as i32;
    let ours = folder_name(&beginning());
    for parent in hierarchies.groups_of(own) {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let process = name
                .to_str()
                .and_then(|name| name.strip_prefix(&ours)?.split('-').next());
            if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
                // Who else removes it does the same.
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

/// A group that is removed at once is told to nobody.
pub(crate) fn owner(name: &str) -> Owner<'_> {
    Owner {
        name,
        tell: &|_| Ok(()),
    }
}

/// What groups below the caller's own can hold.
#[derive(Debug, Clone, Default)]
pub struct Controllers {
    held: Vec<(Resource, Version)>,
    refused: Vec<(Resource, String)>,
    /// Why no v2 group can be made; `None` if one can.
    pub no_unified: Option<String>,
}

impl Controllers {
    /// Makes a group with every limit below that of the calling process, and removes it.
    pub fn probe() -> Controllers {
        let trial = Resource::ALL
            .into_iter()
            .fold(Limits::default(), |limits, resource| limits.with(resource, 1 << 30))
            .with(Resource::Cpu, 100)
            .with(Resource::Pids, 1 << 10);
        let own = std::process::id() as i32;
        let hierarchies = match Hierarchies::mounted() {
            Ok(hierarchies) => hierarchies,
            Err(error) => {
                let why = format!("/proc/self/mountinfo: {error}");
                return Controllers {
                    refused: Resource::ALL
                        .into_iter()
                        .map(|resource| (resource, why.clone()))
                        .collect(),
                    no_unified: Some(why),
                    ..Controllers::default()
                };
            }
        };
        sweep(&hierarchies);
        let mut found = Controllers::default();
        // Nobody can be in them, so removing them cannot fail but by what is told already.
        match Group::make(&hierarchies, own, owner(&name()), &trial, false) {
            Ok(made) => {
                if let Some(group) = made.group {
                    let _ = group.remove();
                }
                (found.held, found.refused) = (made.held, made.refused);
            }
            Err(error) => {
                found.refused = Resource::ALL
                    .into_iter()
                    .map(|resource| (resource, error.to_string()))
                    .collect()
            }
        }
        match Group::make(&hierarchies, own, owner(&name()), &Limits::default(), true) {
            Ok(made) => {
                if let Some(group) = made.group {
                    let _ = group.remove();
                }
            }
            Err(error) => found.no_unified = Some(error.to_string()),
        }
        found
    }

    /// The interface that holds a limit, or why none does.
    pub fn holder(&self, resource: Resource) -> Result<Version, &str> {
        if let Some((_, version)) = self.held.iter().find(|(held, _)| *held == resource) {
            return Ok(*version);
        }
        let refused = self.refused.iter().find(|(refused, _)| *refused == resource);
        Err(refused.map_or("not tried", |(_, why)| why.as_str()))
    }

    /// One line on what was found.
    pub fn summary(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        for version in [Version::V1, Version::V2] {
            let names: Vec<&str> = self
                .held
                .iter()
                .filter(|held| held.1 == version)
                .map(|held| held.0.key())
                .collect();
            if !names.is_empty() {
                parts.push(format!("{}: {}", version.name(), names.join(", ")));
            }
        }
        if let Some(why) = &self.no_unified {
            parts.push(format!("no v2 group: {why}"));
        } else if !self.held.iter().any(|held| held.1 == Version::V2) {
            parts.push("v2: groups without limits".to_owned());
        }
        for (resource, why) in &self.refused {
            parts.push(format!("{} not: {why}", resource.key()));
        }
        parts.join("; ")
    }

    /// Whether any group can be made.
    pub fn any(&self) -> bool {
        !self.held.is_empty() || self.no_unified.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_tried_is_swept_and_what_a_living_one_tries_is_not() -> std::io::Result<()> {
        let hierarchies = Hierarchies::mounted()?;
        let own = std::process::id() as i32;
        let Ok(Some(parent)) = hierarchies.group_of(own, Version::V2, "") else {
            eprintln!("SKIPPED: no v2 hierarchy");
            return Ok(());
        };
        let mut child = std::process::Command::new("true").spawn()?;
        child.wait()?;
        let made = |process: u32| {
            let folder = parent.join(folder_name(&format!("{}{process}-tested", beginning())));
            fs::create_dir(&folder).map(|()| folder)
        };
        let Ok(living) = made(std::process::id()) else {
            eprintln!("SKIPPED: no group can be made");
            return Ok(());
        };
        let dead = made(child.id())?;
        sweep(&hierarchies);
        let kept = (living.exists(), dead.exists());
        fs::remove_dir(living)?;
        assert_eq!(kept, (true, false));
        Ok(())
    }

    #[test]
    fn a_trial_says_something_of_every_limit_and_leaves_nothing() -> std::io::Result<()> {
        let found = Controllers::probe();
        for resource in Resource::ALL {
            assert_ne!(found.holder(resource), Err("not tried"), "{}", resource.key());
        }
        let hierarchies = Hierarchies::mounted()?;
        let own = std::process::id() as i32;
        for (resource, version) in found.held {
            let parent = hierarchies.group_of(own, version, resource.controller(version))?;
            let parent = parent.ok_or(std::io::ErrorKind::NotFound)?;
            let name = folder_name(&format!("{}{own}-", beginning()));
            for entry in std::fs::read_dir(parent)? {
                assert!(!entry?.file_name().to_string_lossy().starts_with(&name));
            }
        }
        Ok(())
    }
}
