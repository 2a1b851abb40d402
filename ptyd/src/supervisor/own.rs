//! What is ours on the file system: whatever policy says, it is not changed from inside.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use agentsh_intercept::files::Operation;
use agentsh_protocol::places::{self, Account};
use memchr::memmem::Finder;

use super::aliases::Aliases;
use super::files::lies_in;

/// The files and folders that guard a session.
pub(super) struct Own {
    named: Places,
    /// The same with their names folded, for file systems on which other spellings lead there as well.
    folded: Places,
    /// What may be read of what is closed: the session's resolved policy, and the authorities that it trusts.
    readable: [PathBuf; 2],
    /// The files of the session's policy, by their names and where these lead, and the links on the way.
    sources: Vec<PathBuf>,
}

/// Where they are.
struct Places {
    /// State, sockets, configuration and trash: nothing of them is touched.
    closed: Vec<PathBuf>,
    /// Programs, stand-ins and the system's configuration: they are read, but not changed.
    fixed: Vec<PathBuf>,
    /// Both without the trash, and by the names under which they are looked for as well.
    ways: Vec<PathBuf>,
}

impl Own {
    /// `sources`: what the session's policy is made from, as far as it is there; `links`: those on the way to it.
    pub(super) fn new(
        account: &Account,
        trash: Vec<PathBuf>,
        readable: [PathBuf; 2],
        sources: Vec<PathBuf>,
        links: Vec<PathBuf>,
        aliases: &Aliases,
    ) -> Own {
        let folders = own_folders(account);
        let files = own_files();
        let mut closed = closed_folders(account);
        let mut fixed: Vec<PathBuf> = files.iter().map(|file| canonical(file)).collect();
        let mut sources: Vec<PathBuf> = sources.into_iter().flat_map(|file| [canonical(&file), file]).collect();
        // Who turns one puts another policy in the place of it. What else lies where it leads is not meant.
        sources.extend(links);
        // By another mount they are the same.
        for own in [&mut closed, &mut fixed, &mut sources] {
            let others: Vec<PathBuf> = own.iter().flat_map(|path| aliases.of(path)).collect();
            own.extend(others);
        }
        let mut ways = [closed.as_slice(), &fixed, &folders, &files].concat();
        ways.sort_unstable();
        ways.dedup();
        closed.extend(trash.iter().map(|place| canonical(place)));
        let all_folded = |paths: &[PathBuf]| paths.iter().map(|path| folded(path)).collect();
        Own {
            folded: Places {
                closed: all_folded(&closed),
                fixed: all_folded(&fixed),
                ways: all_folded(&ways),
            },
            named: Places { closed, fixed, ways },
            readable,
            sources,
        }
    }

    /// Whether it would change what the session's policy is made from, put something in its place, or take it away: what
    /// cannot be read keeps what was meant to be stricter from being taken.
    fn is_source(&self, operation: Operation, path: &Path, folds: bool) -> bool {
        if operation.observes() || path == Path::new("/") {
            return false;
        }
        let touches = |file: &Path, path: &Path, named: &Path| {
            let takes_the_way = moves(operation) && lies_in(file, path);
            // Of folders above one that is not there only its own matters.
            lies_in(path, file) || takes_the_way && (file.parent() == Some(path) || named.symlink_metadata().is_ok())
        };
        self.sources
            .iter()
            .any(|file| touches(file, path, file) || folds && touches(&folded(file), &folded(path), file))
    }

    /// Whether `operation` on the object at this canonical path is refused. `folds`: whether it lies where names fold.
    pub(super) fn is_guarded(&self, operation: Operation, path: &Path, folds: bool) -> bool {
        if matches!(
            operation,
            Operation::Stat | Operation::Access | Operation::Readlink | Operation::Open
        ) {
            return false;
        }
        // By their bytes: both are canonical, and it is asked for every open.
        let is_path = |readable: &PathBuf| path.as_os_str() == readable.as_os_str();
        if operation == Operation::Read && self.readable.iter().any(is_path) {
            return false;
        }
        self.named.guard(operation, path)
            || folds && self.folded.guard(operation, &folded(path))
            || self.is_source(operation, path, folds)
    }
}

fn folded(path: &Path) -> PathBuf {
    OsString::from_vec(agentsh_policy::fold(path.as_os_str().as_bytes())).into()
}

impl Places {
    fn guard(&self, operation: Operation, path: &Path) -> bool {
        if self.leads_elsewhere(operation, path) {
            return true;
        }
        let inside = |folder: &PathBuf| lies_in(path, folder);
        let changes = !operation.observes();
        self.closed.iter().any(inside)
            || changes && self.fixed.iter().any(inside)
            || is_trash(path.as_os_str().as_bytes())
    }

    /// Whether it would take the way to something of ours out from above it, or put another in its place: what is
    /// then found there under our name is the agent's.
    fn leads_elsewhere(&self, operation: Operation, path: &Path) -> bool {
        // The root is nobody's to move, and the kernel says so.
        moves(operation) && path != Path::new("/") && self.ways.iter().any(|own| lies_in(own, path))
    }
}

/// Whether it takes a name away, or gives it to something else.
fn moves(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Rename | Operation::Delete | Operation::Symlink | Operation::Link
    )
}

/// The folders of state, sockets and configuration.
fn own_folders(account: &Account) -> [PathBuf; 5] {
    [
        account.state_dir(),
        account.home_state(),
        places::run_dir(account.uid),
        PathBuf::from(places::RUN_BASE),
        account.config_dir(),
    ]
}

/// They where their names lead to.
pub(super) fn closed_folders(account: &Account) -> Vec<PathBuf> {
    own_folders(account).iter().map(|folder| canonical(folder)).collect()
}

/// The programs of this installation with their stand-ins, and the system's configuration.
fn own_files() -> Vec<PathBuf> {
    let mut own = vec![PathBuf::from(places::SYSTEM_CONFIG)];
    if let Some(folder) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
        let programs = [places::BROKER_PROGRAM, places::CLI_PROGRAM, places::SHIM_PROGRAM];
        own.extend(programs.map(|program| folder.join(program)));
        own.extend(places::stand_ins(folder));
    }
    own
}

/// Where a path leads; what is not there yet, where it would be made.
pub(super) fn canonical(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|above| {
        let rest = path.strip_prefix(above).ok()?;
        let above = std::fs::canonicalize(above).ok()?;
        Some(match rest.as_os_str().is_empty() {
            true => above,
            false => above.join(rest),
        })
    });
    there.unwrap_or_else(|| path.to_owned())
}

/// Whether a path lies in a folder of ours, where nothing is made from inside.
pub(super) fn is_ours(account: &Account, path: &Path) -> bool {
    own_folders(account)
        .iter()
        .any(|folder| path.starts_with(canonical(folder)))
}

/// A trash at a mount's top or in a workspace is known by its name.
fn is_trash(path: &[u8]) -> bool {
    static NAME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"/.agentsh-trash-"));
    NAME.find(path).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(home: &Path) -> Account {
        Account {
            uid: 4242,
            name: "agent".into(),
            home: home.to_owned(),
            shell: "/bin/sh".into(),
        }
    }

    fn own(home: &Path) -> Own {
        let account = account(home);
        let policy = account.session_dir("x").join("policy.yaml");
        Own::new(
            &account,
            Vec::new(),
            [policy.clone(), policy],
            Vec::new(),
            Vec::new(),
            &Aliases::default(),
        )
    }

    #[test]
    fn no_folder_above_ours_moves_or_is_replaced() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let home = folder.path().canonicalize()?;
        let own = own(&home);
        for above in ["", ".config", ".local", ".local/state", ".local/state/agentsh"] {
            let above = match above {
                "" => home.clone(),
                name => home.join(name),
            };
            for operation in [
                Operation::Rename,
                Operation::Delete,
                Operation::Symlink,
                Operation::Link,
            ] {
                assert!(own.is_guarded(operation, &above, false), "{operation:?} {above:?}");
            }
        }
        assert!(!own.is_guarded(Operation::Mkdir, &home.join(".config"), false));
        assert!(!own.is_guarded(Operation::Rename, &home.join(".config/other"), false));
        assert!(!own.is_guarded(Operation::Rename, &home.join(".configuration"), false));
        Ok(())
    }

    #[test]
    fn what_the_policy_is_made_from_is_not_made_changed_or_moved() -> std::io::Result<()> {
        let workspace = tempfile::tempdir()?;
        let workspace = workspace.path().canonicalize()?;
        let (folder, policy) = (workspace.join(".agentsh"), workspace.join(".agentsh/policy.yaml"));
        let own = Own::new(
            &account(Path::new("/nonexistent/home")),
            Vec::new(),
            Default::default(),
            vec![policy.clone()],
            vec![workspace.join("dots/current")],
            &Aliases::default(),
        );
        let is_guarded = |operation, path: &Path| own.is_guarded(operation, path, false);
        assert!(is_guarded(Operation::Create, &policy) && is_guarded(Operation::Rename, &folder));
        assert!(!is_guarded(Operation::Mkdir, &folder) && !is_guarded(Operation::Rename, &workspace));
        std::fs::create_dir(&folder)?;
        std::fs::write(&policy, "version: 1")?;
        for operation in [
            Operation::Write,
            Operation::Truncate,
            Operation::Rename,
            Operation::Delete,
        ] {
            assert!(is_guarded(operation, &policy), "{operation:?}");
        }
        assert!(is_guarded(Operation::Rename, &folder) && is_guarded(Operation::Rename, &workspace));
        assert!(!is_guarded(Operation::Read, &policy) && !is_guarded(Operation::Create, &folder.join("other")));
        assert!(!is_guarded(Operation::Rename, &workspace.join("src")));
        for operation in [Operation::Delete, Operation::Rename, Operation::Symlink] {
            assert!(is_guarded(operation, &workspace.join("dots/current")), "{operation:?}");
        }
        assert!(!is_guarded(Operation::Create, &workspace.join("dots/v2/other")));
        Ok(())
    }

    #[test]
    fn what_is_not_there_yet_is_guarded_where_it_would_be_made() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let home = folder.path().canonicalize()?;
        std::fs::create_dir(home.join("dotfiles"))?;
        std::os::unix::fs::symlink("dotfiles", home.join(".config"))?;
        let own = own(&home);
        assert!(own.is_guarded(Operation::Create, &home.join("dotfiles/agentsh/config.yaml"), false));
        assert!(own.is_guarded(Operation::Rename, &home.join("dotfiles"), false));
        assert!(own.is_guarded(Operation::Delete, &home.join(".config"), false));
        assert!(!own.is_guarded(Operation::Create, &home.join("dotfiles/other"), false));
        Ok(())
    }

    #[test]
    fn where_names_fold_every_spelling_is_guarded() {
        let own = own(Path::new("/nonexistent"));
        let other = Path::new("/nonexistent/.Local/STATE/agentsh/x");
        assert!(own.is_guarded(Operation::Write, other, true));
        assert!(!own.is_guarded(Operation::Write, other, false));
        assert!(own.is_guarded(Operation::Rename, Path::new("/nonexistent/.LOCAL"), true));
        assert!(own.is_guarded(Operation::Read, Path::new("/x/.AGENTSH-trash-1"), true));
        assert!(!own.is_guarded(Operation::Write, Path::new("/nonexistent/other"), true));
    }

    #[test]
    fn our_programs_are_read_and_not_changed() -> std::io::Result<()> {
        let own = own(Path::new("/nonexistent"));
        let folder = std::env::current_exe()?.with_file_name(places::SHIM_PROGRAM);
        assert!(own.is_guarded(Operation::Write, &folder, false));
        assert!(!own.is_guarded(Operation::Read, &folder, false));
        assert!(own.is_guarded(Operation::Create, Path::new("/etc/agentsh/config.yaml"), false));
        assert!(!own.is_guarded(Operation::Read, Path::new("/etc/agentsh/config.yaml"), false));
        Ok(())
    }
}
