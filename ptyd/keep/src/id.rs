use std::ffi::CString;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

/// The id of an entry of the trash or of a checkpoint, and its name on disk. UUIDv7: in order of time,
/// and with enough chance in it that two of one instant differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id(Uuid);

impl Id {
    pub(crate) fn new() -> Id {
        static CHANCE: OnceLock<u64> = OnceLock::new();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // One draw for a process, a count for its ids: no call to the kernel for each. The first four and
        // two bits of the third byte are those of version and variant.
        let chance = CHANCE.get_or_init(|| Uuid::now_v7().as_u64_pair().1).to_be_bytes();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; 10];
        bytes[..5].copy_from_slice(&[
            (count >> 28) as u8,
            (count >> 20) as u8,
            (count >> 14) as u8 & 0x3f,
            (count >> 6) as u8,
            (count << 2) as u8 | chance[2] & 0x03,
        ]);
        bytes[5..].copy_from_slice(&chance[3..]);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        Id(Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_instant_differ_and_stand_in_their_order() {
        let ids: Vec<Id> = (0..100_000).map(|_| Id::new()).collect();
        assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(Id::parse(ids[0].to_string().as_bytes()), Some(ids[0]));
        assert_eq!(ids[0].0.get_version_num(), 7);
    }
}
