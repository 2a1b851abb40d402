use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher as _;

use foldhash::quality::RandomState;

/// How many are remembered; the oldest are forgotten first.
const REMEMBERED: usize = 1 << 16;

/// The layouts of all images that processes of one command executed. Addresses are drawn anew at every exec and handed on by
/// every fork: whoever has one of them is a descendant of the process that executed it, whatever its parents are now.
#[derive(Default)]
pub(super) struct Images {
    keys: RandomState,
    seen: HashSet<u64, RandomState>,
    /// The same, the oldest first.
    order: VecDeque<u64>,
}

impl Images {
    pub fn add(&mut self, layout: [u64; 6]) {
        let hash = self.keys.hash_one(layout);
        if self.seen.insert(hash) {
            self.order.push_back(hash);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
    }

    /// Whether one of them had this layout; false for one that nobody may know (zeroes).
    pub fn contain(&self, layout: [u64; 6]) -> bool {
        layout != [0; 6] && self.seen.contains(&self.keys.hash_one(layout))
    }
}
