//! Who lives behind the walls, whoever their parents are.

use std::sync::OnceLock;

use crate::caller::Status;

/// Whether a process lives under more filters than this one does, as everybody who has entered and all who were born
/// since. A parent that has entered says less: it may have had other children before, and orphans come to it, the
/// broker among them, if it adopts them (`PR_SET_CHILD_SUBREAPER`) or is the first process of its namespace.
pub fn is_inside(tgid: i32) -> bool {
    Status::read(tgid).is_ok_and(|status| status.filters > own_filters())
}

/// Whether a member of the session has filters beside the one that it entered with: what these say to a call that it
/// does not make by itself nobody knows.
pub(crate) fn has_own_filters(status: &Status) -> bool {
    status.filters > own_filters().saturating_add(1)
}

fn own_filters() -> u32 {
    static OWN: OnceLock<u32> = OnceLock::new();
    *OWN.get_or_init(|| {
        let own = Status::read(std::process::id().cast_signed());
        own.map_or(u32::MAX, |status| status.filters)
    })
}
