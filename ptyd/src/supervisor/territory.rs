//! Policy as the hull's compiler asks it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use agentsh_policy::config::Landlock;
use agentsh_policy::{Decision, Decisions, FileOp, Policy, Program, ProgramOutlook};
use agentsh_sandbox::hull::{Hull, Outlook, Right, Territory};

use super::{devices, own};

/// Where programs are installed: a rule that denies one by its base name is looked up here.
const PROGRAM_FOLDERS: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/usr/libexec",
    "/opt/bin",
];

/// Dynamic loaders: the kernel executes them for every program that names them, and a call of one with
/// a file is judged as that file.
const LOADERS: [&str; 6] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
    "/lib/ld64.so.2",
];

/// Devices, and among them terminals that come and go: each open of one is looked at, so that none is continued.
const DEVICES: &str = "/dev";
const TERMINALS: &str = "/dev/pts";

/// What the operator's configuration adds to and takes from every hull (`landlock` section).
#[derive(Debug, Clone, Default)]
pub(super) struct Extra {
    execute: Vec<PathBuf>,
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    deny: Vec<PathBuf>,
    /// What only the hull keeps from being read, for opens of files to read are not looked at.
    unread: Vec<PathBuf>,
}

impl Extra {
    /// Read from the configuration.
    pub(super) fn new(landlock: &Landlock, unread: Vec<PathBuf>) -> Extra {
        let paths = |list: &[String]| list.iter().map(PathBuf::from).collect();
        Extra {
            execute: paths(&landlock.allow_execute),
            read: paths(&landlock.allow_read),
            write: paths(&landlock.allow_write),
            deny: landlock
                .deny_paths
                .iter()
                .map(|path| own::canonical(Path::new(path)))
                .collect(),
            unread,
        }
    }

    /// A file to be read all the same; false where all are.
    pub(super) fn also_readable(&mut self, path: PathBuf) -> bool {
        let needed = !self.unread.is_empty();
        if needed {
            self.read.push(path);
        }
        needed
    }

    /// Whether the operator keeps it out; `moved`: or something below it.
    pub(super) fn keeps_out(&self, path: &Path, moved: bool) -> bool {
        let keeps = |denied: &PathBuf| path.starts_with(denied) || moved && denied.starts_with(path);
        self.deny.iter().any(keeps)
    }

    fn add_to(&self, hull: &mut Hull) {
        for path in &self.execute {
            hull.add(Right::Execute, path);
        }
        for path in &self.read {
            hull.add(Right::ReadFile, path);
            hull.add(Right::ReadFolder, path);
        }
        for path in &self.write {
            for right in Right::ALL.into_iter().filter(|right| right.changes()) {
                hull.add(right, path);
            }
        }
    }
}

/// For each right what a policy could do with files below a folder.
type OfFiles = [Outlook; Right::ALL.len()];

/// That of the folders that were walked, kept for the next walk: it depends on nothing but the policy.
#[derive(Default)]
pub(super) struct Outlooks(RefCell<HashMap<PathBuf, OfFiles>>);

/// Folders from which on all are forgotten.
const REMEMBERED: usize = 8192;

impl Outlooks {
    fn of(&self, right: Right, folder: &Path, find_out: impl FnOnce() -> OfFiles) -> Outlook {
        let mut known = self.0.borrow_mut();
        if let Some(outlooks) = known.get(folder) {
            return outlooks[right as usize].clone();
        }
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let outlooks = known.entry(folder.to_owned()).or_insert_with(find_out);
        outlooks[right as usize].clone()
    }
}

/// What a policy could ever let happen at once, right by right. What must be asked, kept or redirected
/// first is carried out by the supervisor and needs no right of the caller's own.
pub(super) struct Reach<'p> {
    policy: &'p Policy,
    /// Programs that never run whatever their arguments.
    never: Vec<PathBuf>,
    /// Paths that the operator keeps out of every hull.
    deny: &'p [PathBuf],
    /// Paths that are kept out of it for reading.
    unread: &'p [PathBuf],
    outlooks: &'p Outlooks,
}

/// The operations that a right lets through. A right is granted where any of them could pass.
fn operations(right: Right) -> &'static [FileOp] {
    match right {
        Right::ReadFile => &[FileOp::Read],
        Right::ReadFolder => &[FileOp::List],
        Right::Execute => &[],
        Right::WriteFile => &[FileOp::Write, FileOp::Create],
        Right::Truncate => &[FileOp::Write, FileOp::Truncate],
        Right::MakeFile => &[FileOp::Create, FileOp::Rename, FileOp::Link],
        Right::MakeFolder => &[FileOp::Mkdir, FileOp::Rename],
        Right::MakeLink => &[FileOp::Symlink, FileOp::Rename],
        Right::RemoveFile => &[FileOp::Delete, FileOp::Rename],
        Right::RemoveFolder => &[FileOp::Rmdir, FileOp::Rename],
        Right::Rename => &[FileOp::Rename, FileOp::Link],
    }
}

fn passes(decisions: Decisions) -> bool {
    decisions.contains(Decision::Allow) || decisions.contains(Decision::Audit)
}

/// An exec cannot be carried out: what is asked about first runs in the hull as well.
fn may_run(decisions: Decisions) -> bool {
    passes(decisions) || decisions.contains(Decision::Approve)
}

fn stops(decisions: Decisions) -> bool {
    decisions.iter().any(|decision| !decision.passes())
}

/// The hull of a policy on this host; `outlooks`: of this policy.
pub(super) fn hull(policy: &Policy, extra: &Extra, outlooks: &Outlooks) -> Hull {
    let mut hull = Hull::compile(&Reach {
        policy,
        never: never(policy),
        deny: &extra.deny,
        unread: &extra.unread,
        outlooks,
    });
    for loader in LOADERS {
        hull.add(Right::Execute, Path::new(loader));
    }
    extra.add_to(&mut hull);
    hull
}

/// The installed programs that rules deny whatever their arguments.
fn never(policy: &Policy) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for program in policy.denied_programs() {
        match program {
            Program::Name(name) => {
                let name = std::ffi::OsString::from_vec(name);
                found.extend(PROGRAM_FOLDERS.iter().map(|folder| Path::new(folder).join(&name)));
            }
            Program::Path(path) => found.push(std::ffi::OsString::from_vec(path).into()),
            // Held by the notifications alone.
            Program::Pattern => {}
        }
    }
    let resolved = found.iter().filter_map(|path| std::fs::canonicalize(path).ok());
    resolved
        .filter(|path| policy.program(path.as_os_str().as_bytes()) == ProgramOutlook::Never)
        .collect()
}

impl Reach<'_> {
    /// What is kept out whatever policy says.
    fn denied(&self, right: Right) -> impl Iterator<Item = &PathBuf> {
        let unread = self.unread.iter().filter(move |_| right == Right::ReadFile);
        self.deny.iter().chain(unread)
    }

    fn is_denied(&self, right: Right, path: &Path) -> bool {
        self.denied(right).any(|denied| path.starts_with(denied))
    }

    fn execute(&self, folder: &Path) -> Outlook {
        let outlook = self.policy.execute_outlook(folder.as_os_str().as_bytes());
        let everywhere = may_run(outlook.everywhere);
        if !everywhere && !outlook.lowered.iter().any(|place| may_run(place.decisions)) {
            return Outlook::Nothing;
        }
        if !everywhere || self.never.iter().any(|program| program.starts_with(folder)) {
            return Outlook::Mixed;
        }
        if stops(outlook.all()) {
            Outlook::Scattered
        } else {
            Outlook::All
        }
    }

    fn files(&self, folder: &Path) -> OfFiles {
        let path = folder.as_os_str().as_bytes();
        let outlooks = self.policy.outlooks(FileOp::ALL, path);
        Right::ALL.map(|right| self.sum(right, path, &outlooks))
    }

    /// `outlooks`: of each operation.
    fn sum(&self, right: Right, path: &[u8], outlooks: &[agentsh_policy::Outlook]) -> Outlook {
        let mut sum = Outlook::Nothing;
        for op in operations(right) {
            let outlook = &outlooks[*op as usize];
            let itself = right != Right::ReadFolder || self.policy.file(*op, path).decision.passes();
            let everywhere = passes(outlook.everywhere);
            let one = if everywhere && itself && !stops(outlook.all()) {
                return Outlook::All;
            } else if everywhere && stops(outlook.everywhere) {
                // Names decide. The tree is granted if what no rule names is allowed there; else what is
                // granted lies along known paths.
                if self.policy.file(*op, &unnamed(path)).decision.passes() {
                    Outlook::Scattered
                } else if outlook.lowered.iter().any(|place| passes(place.decisions)) {
                    Outlook::Mixed
                } else {
                    Outlook::Nothing
                }
            } else if everywhere || outlook.lowered.iter().any(|place| passes(place.decisions)) {
                Outlook::Mixed
            } else {
                Outlook::Nothing
            };
            sum = match (sum, one) {
                (Outlook::Scattered, _) | (_, Outlook::Scattered) => Outlook::Scattered,
                (Outlook::Mixed, _) | (_, Outlook::Mixed) => Outlook::Mixed,
                (sum, _) => sum,
            };
        }
        sum
    }
}

/// A path below a folder that no rule names.
fn unnamed(folder: &[u8]) -> Vec<u8> {
    [folder, b"/\x01agentsh\x01".as_slice()].concat()
}

impl Territory for Reach<'_> {
    fn tree(&self, right: Right, folder: &Path) -> Outlook {
        if self.is_denied(right, folder) || right == Right::ReadFile && folder.starts_with(TERMINALS) {
            return Outlook::Nothing;
        }
        let outlook = if right == Right::Execute {
            self.execute(folder)
        } else {
            self.outlooks.of(right, folder, || self.files(folder))
        };
        let looked_at = right == Right::ReadFile && Path::new(TERMINALS).starts_with(folder);
        match outlook {
            Outlook::All | Outlook::Scattered
                if looked_at || self.denied(right).any(|denied| denied.starts_with(folder)) =>
            {
                Outlook::Mixed
            }
            outlook => outlook,
        }
    }

    fn object(&self, right: Right, path: &Path) -> bool {
        let bytes = path.as_os_str().as_bytes();
        let device = right == Right::ReadFile && path.starts_with(DEVICES);
        let looked_at = device && devices::is_looked_at(self.policy, path);
        !looked_at
            && !self.is_denied(right, path)
            && match right {
                Right::Execute => self.policy.program(bytes) != ProgramOutlook::Never,
                _ => operations(right)
                    .iter()
                    .any(|op| self.policy.file(*op, bytes).decision.passes()),
            }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use agentsh_policy::Variables;
    use agentsh_sandbox::hull::Grant;

    use super::*;

    #[test]
    fn what_is_kept_of_a_walk_leads_to_the_hull_of_a_fresh_one() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let home = folder.path().canonicalize()?;
        for name in [".ssh", ".config/gh", "work/.git"] {
            std::fs::create_dir_all(home.join(name))?;
        }
        let pack = agentsh_policy::parse(
            include_str!("../../../policies/packs/default.yaml"),
            Path::new("default"),
        )?;
        let policy = pack.resolve(&Variables {
            project_root: Some(home.join("work").into_os_string().into_vec()),
            home: home.as_os_str().as_bytes().to_vec(),
            tmpdir: b"/nowhere".to_vec(),
            ..Variables::default()
        })?;
        let (extra, outlooks) = (Extra::default(), Outlooks::default());
        let grants = |outlooks: &Outlooks| hull(&policy, &extra, outlooks).grants().cloned().collect::<Vec<_>>();
        let before = grants(&outlooks);
        std::fs::write(home.join("later"), "x")?;
        std::fs::create_dir(home.join("folder"))?;
        std::fs::rename(home.join(".ssh"), home.join("keys"))?;
        std::fs::create_dir(home.join(".ssh"))?;
        let after = grants(&outlooks);
        assert_ne!(before, after);
        // Other tests make files in folders that are walked as well.
        let own = |grants: Vec<Grant>| {
            grants
                .into_iter()
                .filter(|one| one.path.starts_with(&home))
                .collect::<Vec<_>>()
        };
        assert_eq!(own(after.clone()), own(grants(&Outlooks::default())));
        assert!(after.iter().any(|one| one.path == home.join("later")));
        assert!(!after.iter().any(|one| one.path == home.join(".ssh")));
        Ok(())
    }
}
