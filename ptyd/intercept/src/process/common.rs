//! What all processes of a command have in common since its start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Beginning;
use super::layout::Layouts;
use crate::locate::Locator;

/// The command's first process as it began, and what of that still is so for every process below it. Mounts
/// and namespaces cannot be changed under the filter; root folders and groups are changed by calls that are
/// notified. With it nothing of this has to be looked at for each call.
#[derive(Debug)]
pub(crate) struct Common {
    at_our_root: AtomicBool,
    groups_kept: AtomicBool,
    groups: Arc<[u32]>,
    in_our_namespace: bool,
    folders_shared: AtomicBool,
    powerless: bool,
    /// Where images lie.
    pub layouts: Layouts,
}

impl Common {
    /// Of the command that begins so. What cannot be found out is not so.
    pub fn of(beginning: &Beginning, locator: &Locator) -> Arc<Self> {
        let mut groups = beginning.groups.clone();
        groups.sort_unstable();
        let in_our_namespace = beginning.in_our_namespace && locator.keeps_to_one_namespace();
        Arc::new(Common {
            at_our_root: AtomicBool::new(locator.is_at_our_root(beginning.pid)),
            groups_kept: AtomicBool::new(true),
            groups: groups.into(),
            in_our_namespace,
            powerless: in_our_namespace && beginning.permitted == 0 && beginning.no_new_privs,
            folders_shared: AtomicBool::new(false),
            layouts: Layouts::default(),
        })
    }

    /// A process is about to call `chroot(2)`.
    pub fn root_moves(&self) {
        self.at_our_root.store(false, Ordering::Release);
    }

    /// A process is about to call `setgroups(2)`.
    pub fn groups_change(&self) {
        self.groups_kept.store(false, Ordering::Release);
    }

    /// A process is about to make another that shares its working directory (`CLONE_FS`).
    pub fn folders_are_shared(&self) {
        self.folders_shared.store(true, Ordering::Release);
    }

    /// Whether a thread's working directory is surely changed by the threads of its process alone.
    pub fn each_has_its_folder(&self) -> bool {
        !self.folders_shared.load(Ordering::Acquire)
    }

    /// Whether every process surely has our root folder.
    pub fn at_our_root(&self) -> bool {
        self.at_our_root.load(Ordering::Acquire)
    }

    /// Whether no process has a capability or can get one: the first has none, nor a program that would give it any
    /// (`no_new_privs`), nor a namespace in which it would.
    pub fn is_powerless(&self) -> bool {
        self.powerless
    }

    /// The supplementary groups of every process, ascending, if they surely are these and its capabilities
    /// mean to files what they mean here.
    pub fn groups(&self) -> Option<&Arc<[u32]>> {
        (self.in_our_namespace && self.groups_kept.load(Ordering::Acquire)).then_some(&self.groups)
    }
}
