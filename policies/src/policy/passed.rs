//! What was found to stay in environments: the same variables come with every exec of a tree.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use super::Deciding;

/// How much is remembered before it is forgotten.
const MOST: usize = 4096;

/// What was looked at.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) enum What<'a> {
    /// One entry, by the filter of the rules with these places.
    Entry(Deciding, &'a [u8]),
    /// All of an environment, each entry with its NUL, by some filters.
    Whole(&'a [Deciding], &'a [u8]),
}

/// Hashes with a key of this process's own (SipHash): values are not kept, and nobody can find two that hash alike.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    keys: RandomState,
    known: Mutex<HashSet<u64>>,
}

impl Passed {
    /// Whether it stays as it is: as it was found before, or as `examine` finds.
    pub(crate) fn stays(&self, what: What<'_>, guarded: bool, examine: impl FnOnce() -> bool) -> bool {
        let hash = self.keys.hash_one((what, guarded));
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
    use crate::policy::RuleRef;

    #[test]
    fn only_what_stays_under_the_same_rule_is_remembered() {
        let passed = Passed::default();
        let unasked = || unreachable!("it was found to stay before");
        let (none, rule) = (Deciding::default(), RuleRef { layer: 0, index: 1 }.alone());
        let (one, other) = (What::Entry(none, b"A=1"), What::Entry(none, b"A=2"));
        assert!(passed.stays(one, false, || true));
        assert!(passed.stays(one, false, unasked));
        assert!(!passed.stays(other, false, || false));
        assert!(passed.stays(other, false, || true));
        assert!(!passed.stays(one, true, || false));
        assert!(!passed.stays(What::Entry(rule, b"A=1"), false, || false));
        assert!(!passed.stays(What::Whole(&[none], b"A=1"), false, || false));
        assert!(passed.stays(What::Whole(&[none], b"A=1"), false, || true));
        assert!(passed.stays(What::Whole(&[none], b"A=1"), false, unasked));
        assert!(!passed.stays(What::Whole(&[rule], b"A=1"), false, || false));
        assert!(!passed.stays(What::Whole(&[none, none], b"A=1"), false, || false));
    }
}
