//! Whose rights a call is carried out with.

use std::sync::Arc;

use crate::caller::Status;

/// What file access is checked by, `credentials(7)` and `capabilities(7)`. Ids are in our user namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Effective user id: sysctls and a few other pseudo files look at it.
    pub euid: u32,
    /// Effective group id.
    pub egid: u32,
    /// The user id of file access and of files that are made.
    pub fsuid: u32,
    /// The group id of file access and of files that are made.
    pub fsgid: u32,
    /// Supplementary groups, ascending.
    pub groups: Arc<[u32]>,
    /// Effective capabilities as a mask.
    pub effective: u64,
}

impl Identity {
    /// The identity in `status`. `namespaced`: the task is in a user namespace of its own, whose
    /// capabilities mean nothing to files outside it; they are left out.
    pub fn of(status: &Status, namespaced: bool) -> Self {
        let mut groups = status.groups.clone();
        groups.sort_unstable();
        Identity {
            euid: status.uid[1],
            egid: status.gid[1],
            fsuid: status.uid[3],
            fsgid: status.gid[3],
            groups: groups.into(),
            effective: if namespaced { 0 } else { status.effective.0 },
        }
    }

    /// Whether capability number `index` (`CAP_*`) is effective.
    pub fn capable(&self, index: u32) -> bool {
        self.effective & (1 << index) != 0
    }

    /// The identity by which `access(2)` asks: the real ids, and the permitted capabilities for a real
    /// uid 0 only.
    pub fn real(&self, ruid: u32, rgid: u32, permitted: u64) -> Self {
        Identity {
            fsuid: ruid,
            fsgid: rgid,
            effective: if ruid == 0 { permitted } else { 0 },
            ..self.clone()
        }
    }
}
