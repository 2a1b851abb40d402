//! What was found to stay in environments: the same variables come with every exec of a tree.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

/// How much is remembered before it is forgotten.
const MOST: usize = 4096;

/// Hashes with a key of this process's own (SipHash): values are not kept, and nobody can find two that hash alike.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    keys: RandomState,
    known: Mutex<HashSet<u64>>,
}

impl Passed {
    /// Whether an entry stays in the environment of a program under that rule: as it was found before, or as
    /// `examine` finds.
    pub(crate) fn stays(
        &self,
        rule: Option<(usize, usize)>,
        guarded: bool,
        entry: &[u8],
        examine: impl FnOnce() -> bool,
    ) -> bool {
        let hash = self.keys.hash_one((rule, guarded, entry));
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(&hash) {
            return true;
        }
        let stays = examine();
        if stays {
            let mut known = known();
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(hash);
        }
        stays
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_under_the_same_rule_is_remembered() {
        let passed = Passed::default();
        let unasked = || unreachable!("it was found to stay before");
        assert!(passed.stays(None, false, b"A=1", || true));
        assert!(passed.stays(None, false, b"A=1", unasked));
        assert!(!passed.stays(None, false, b"A=2", || false));
        assert!(passed.stays(None, false, b"A=2", || true));
        assert!(!passed.stays(None, true, b"A=1", || false));
        assert!(!passed.stays(Some((0, 1)), false, b"A=1", || false));
    }
}
