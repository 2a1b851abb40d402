use std::ffi::CString;
use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The id of an entry of the trash or of a checkpoint, and its name on disk. UUIDv7: in order of time,
/// and with enough chance in it that two of one instant differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id(Uuid);

impl Id {
    pub(crate) fn new() -> Id {
        Id(Uuid::now_v7())
    }

    pub(crate) fn parse(text: &[u8]) -> Option<Id> {
        Uuid::try_parse_ascii(text).ok().map(Id)
    }

    pub(crate) fn file_name(&self) -> CString {
        CString::new(self.to_string()).unwrap_or_default()
    }

    pub(crate) fn info_name(&self) -> CString {
        CString::new(format!("{self}.trashinfo")).unwrap_or_default()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
