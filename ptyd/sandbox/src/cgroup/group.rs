//! One command's group: made, entered, emptied, removed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::hierarchy::{Hierarchies, Version};
use super::resource::{self, Limits, Resource};

/// What every group of ours is called, before its own name.
const PREFIX: &str = "agentsh-";

/// Whose group it is to be.
#[derive(Clone, Copy)]
pub struct Owner<'a> {
    pub name: &'a str,
    /// Told of every folder before it is made, so that somebody knows of it whatever happens then.
    pub tell: &'a dyn Fn(&Path) -> io::Result<()>,
}

/// What the folder of a group of ours is called.
pub fn folder_name(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// A folder in each hierarchy that is needed.
#[derive(Debug)]
pub struct Group(Vec<Place>);

#[derive(Debug)]
struct Place {
    folder: PathBuf,
    version: Version,
    /// A v2 group of threads: entered at once, and without `cgroup.kill`.
    threaded: bool,
    holds: Vec<Resource>,
}

/// What going into a group may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Price {
    /// Microseconds: a group of threads, which makes its parent one that has no others.
    Low,
    /// Milliseconds, in which the kernel holds back every fork of the machine, where no such group can be made.
    Any,
}

/// What came of making a group.
#[derive(Debug, Default)]
pub struct Made {
    /// None if no limit could be held by one, and none was wanted for itself.
    pub group: Option<Group>,
    pub held: Vec<(Resource, Version)>,
    /// What could not be held, and why.
    pub refused: Vec<(Resource, String)>,
}

impl Made {
    /// The interface by which a resource is held.
    pub fn holder(&self, resource: Resource) -> Option<Version> {
        self.held
            .iter()
            .find(|(held, _)| *held == resource)
            .map(|(_, version)| *version)
    }
}

impl Group {
    /// Makes a group with these limits below the one in which `pid` is. With `unified` there is one in the
    /// v2 hierarchy in any case.
    ///
    /// # Errors
    /// Only if the v2 group that was asked for cannot be made; limits that cannot be held are told in [`Made`].
    pub fn make(
        hierarchies: &Hierarchies,
        pid: i32,
        owner: Owner<'_>,
        limits: &Limits,
        unified: bool,
    ) -> io::Result<Made> {
        let mut made = Made::default();
        let mut group = Group(Vec::new());
        let wanted: Vec<Resource> = limits.set().collect();
        let is_v1 = |resource: &Resource| hierarchies.has(Version::V1, resource.controller(Version::V1));
        let (old, new): (Vec<Resource>, Vec<Resource>) = wanted.iter().partition(|resource| is_v1(resource));
        for resource in old {
            let outcome = group.hold_v1(hierarchies, pid, owner, resource, limits);
            made.tell(resource, Version::V1, outcome);
        }
        if unified || !new.is_empty() {
            let place = group.unified(hierarchies, pid, owner, &new);
            if let (true, Err(error)) = (unified, &place) {
                return Err(io::Error::other(error.clone()));
            }
            for resource in new {
                let outcome = place.clone().and_then(|at| group.0[at].hold(resource, limits));
                made.tell(resource, Version::V2, outcome);
            }
        }
        group.0.retain(|place| {
            let needed = !place.holds.is_empty() || (unified && place.version == Version::V2);
            if !needed {
                let _ = fs::remove_dir(&place.folder);
            }
            needed
        });
        made.group = (!group.0.is_empty()).then_some(group);
        Ok(made)
    }

    /// Makes a group for many below `parent`, a v2 folder.
    pub(super) fn shared(parent: &Path, owner: Owner<'_>, price: Price) -> io::Result<Group> {
        let folder = parent.join(folder_name(owner.name));
        let named =
            |path: &Path, error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        // Beside others they would not be groups of processes any more.
        let others = has_others(parent).map_err(|error| named(parent, error))?;
        (owner.tell)(&folder)
            .and_then(|()| fs::create_dir(&folder))
            .map_err(|error| named(&folder, error))?;
        let kind = folder.join("cgroup.type");
        let threaded = match others {
            true => Err(io::Error::other("the group above has groups of processes")),
            false => write(&kind, "threaded"),
        };
        if let (Err(error), Price::Low) = (&threaded, price) {
            fs::remove_dir(&folder)?;
            return Err(io::Error::other(format!(
                "{}: no group of threads can be made there: {error}",
                parent.display()
            )));
        }
        Ok(Group(vec![Place {
            folder,
            version: Version::V2,
            threaded: threaded.is_ok(),
            holds: Vec::new(),
        }]))
    }

    /// A group that somebody else made, by its folders; what is not of ours by name is left out.
    pub fn of_folders(folders: impl IntoIterator<Item = PathBuf>) -> Group {
        let ours = |folder: &PathBuf| {
            let name = folder
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
            name && folder.is_absolute() && folder.join("cgroup.procs").exists()
        };
        let place = |folder: PathBuf| {
            let kind = fs::read_to_string(folder.join("cgroup.type"));
            Place {
                version: if kind.is_ok() { Version::V2 } else { Version::V1 },
                threaded: kind.is_ok_and(|kind| kind.trim() == "threaded"),
                holds: Vec::new(),
                folder,
            }
        };
        Group(folders.into_iter().filter(ours).map(place).collect())
    }

    fn hold_v1(
        &mut self,
        hierarchies: &Hierarchies,
        pid: i32,
        owner: Owner<'_>,
        resource: Resource,
        limits: &Limits,
    ) -> Result<(), String> {
        let controller = resource.controller(Version::V1);
        let parent = parent(hierarchies, pid, Version::V1, controller)?;
        let folder = parent.join(folder_name(owner.name));
        let at = match self.0.iter().position(|place| place.folder == folder) {
            Some(at) => at,
            None => self.add(folder, Version::V1, false, owner)?,
        };
        self.0[at].hold(resource, limits)
    }

    fn unified(
        &mut self,
        hierarchies: &Hierarchies,
        pid: i32,
        owner: Owner<'_>,
        wanted: &[Resource],
    ) -> Result<usize, String> {
        let parent = parent(hierarchies, pid, Version::V2, "")?;
        // Only the hierarchy's own top has no type: it may have groups of threads and others side by side.
        let top = !parent.join("cgroup.type").exists();
        let threaded = top && wanted.iter().all(|resource| resource.is_threaded());
        let at = self.add(parent.join(folder_name(owner.name)), Version::V2, threaded, owner)?;
        let kind = self.0[at].folder.join("cgroup.type");
        // Beside a group of threads there are no others, but at the top.
        let invalid = fs::read_to_string(&kind).is_ok_and(|kind| kind.trim() == "domain invalid");
        self.0[at].threaded = (threaded || invalid) && write(&kind, "threaded").is_ok();
        for resource in wanted {
            self.0[at].pass_on(&parent, *resource);
        }
        Ok(at)
    }

    fn add(&mut self, folder: PathBuf, version: Version, threaded: bool, owner: Owner<'_>) -> Result<usize, String> {
        (owner.tell)(&folder)
            .and_then(|()| fs::create_dir(&folder))
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        self.0.push(Place {
            folder,
            version,
            threaded,
            holds: Vec::new(),
        });
        Ok(self.0.len() - 1)
    }

    /// The folders, for the record and for whoever has to clean up.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|place| place.folder.as_path())
    }

    /// The v2 folder.
    pub fn unified_folder(&self) -> Option<&Path> {
        self.0
            .iter()
            .find(|place| place.version == Version::V2)
            .map(|place| place.folder.as_path())
    }

    /// The files into which a process with one thread writes `0` to go in.
    pub fn entrances(&self) -> io::Result<Vec<File>> {
        self.0
            .iter()
            .map(|place| OpenOptions::new().write(true).open(place.entrance()))
            .collect()
    }

    /// Whether the process is in every part of the group.
    pub fn contains(&self, pid: i32) -> bool {
        self.0.iter().all(|place| place.members().contains(&pid))
    }

    /// The processes in the group.
    pub fn processes(&self) -> Vec<i32> {
        let mut found: Vec<i32> = self.0.iter().flat_map(Place::members).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Kills all at once where the kernel does that (v2, Linux 5.14); whether it did.
    pub fn kill(&self) -> bool {
        self.0
            .iter()
            .filter(|place| place.version == Version::V2 && !place.threaded)
            .any(|place| write(&place.folder.join("cgroup.kill"), "1").is_ok())
    }

    /// Removes the group, which must be empty.
    pub fn remove(&self) -> io::Result<()> {
        let mut outcome = Ok(());
        for place in &self.0 {
            match fs::remove_dir(&place.folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => outcome = Err(error),
                _ => {}
            }
        }
        outcome
    }

    /// How often the limit was reached (processes killed, forks refused, periods cut short).
    pub fn reached(&self, limit: Resource) -> u64 {
        self.0
            .iter()
            .filter(|place| place.holds.contains(&limit))
            .find_map(|place| resource::reached(&place.folder, place.version, limit))
            .unwrap_or(0)
    }

    /// The file that the kernel touches when a limit is reached, if its interface has one.
    pub fn notices(&self, limit: Resource) -> Option<PathBuf> {
        let place = self.0.iter().find(|place| place.holds.contains(&limit))?;
        let name = match (limit, place.version) {
            (Resource::Memory, Version::V2) => "memory.events",
            (Resource::Pids, _) => "pids.events",
            _ => return None,
        };
        Some(place.folder.join(name))
    }
}

impl Made {
    fn tell(&mut self, resource: Resource, version: Version, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.held.push((resource, version)),
            Err(why) => self.refused.push((resource, why)),
        }
    }
}

impl Place {
    fn entrance(&self) -> PathBuf {
        self.folder.join(match (self.version, self.threaded) {
            (Version::V1, _) => "tasks",
            (Version::V2, true) => "cgroup.threads",
            (Version::V2, false) => "cgroup.procs",
        })
    }

    fn members(&self) -> Vec<i32> {
        let numbers = |name: &str| -> Vec<i32> {
            let text = fs::read_to_string(self.folder.join(name)).unwrap_or_default();
            text.lines().filter_map(|line| line.parse().ok()).collect()
        };
        match self.threaded {
            false => numbers("cgroup.procs"),
            true => {
                let mut processes: Vec<i32> = numbers("cgroup.threads").into_iter().filter_map(process_of).collect();
                processes.dedup();
                processes
            }
        }
    }

    /// Has the parent pass a controller on, where it may and does not yet.
    fn pass_on(&self, parent: &Path, resource: Resource) {
        let controller = resource.controller(Version::V2);
        let there = fs::read_to_string(self.folder.join("cgroup.controllers")).unwrap_or_default();
        if !there.split_ascii_whitespace().any(|name| name == controller) {
            // Whether it helped is seen when the limit is written.
            let _ = write(&parent.join("cgroup.subtree_control"), &format!("+{controller}"));
        }
    }

    fn hold(&mut self, resource: Resource, limits: &Limits) -> Result<(), String> {
        let (name, lines) = resource.writes(self.version, limits)?;
        let file = self.folder.join(name);
        if self.version == Version::V2 && !file.exists() {
            return Err(format!(
                "the caller's v2 group does not pass the {} controller on",
                resource.controller(Version::V2)
            ));
        }
        for line in lines {
            write(&file, &line).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        self.holds.push(resource);
        Ok(())
    }
}

/// Whether a v2 group that can be removed has groups below it that are none of threads.
fn has_others(parent: &Path) -> io::Result<bool> {
    if !parent.join("cgroup.type").exists() {
        return Ok(false);
    }
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let kind = || fs::read_to_string(entry.path().join("cgroup.type"));
        if entry.file_type()?.is_dir() && kind().is_ok_and(|kind| kind.trim() != "threaded") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// One write to a file that is there.
fn write(file: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(file)?.write_all(text.as_bytes())
}

fn parent(hierarchies: &Hierarchies, pid: i32, version: Version, controller: &str) -> Result<PathBuf, String> {
    let none = || match version {
        Version::V1 => format!("no {controller} hierarchy is mounted"),
        Version::V2 => "no v2 hierarchy is mounted".to_owned(),
    };
    let found = hierarchies
        .group_of(pid, version, controller)
        .map_err(|error| error.to_string())?;
    found.ok_or_else(none)
}

/// The process that a thread belongs to (`proc_pid_status(5)`).
fn process_of(thread: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok())
}
