use std::collections::{HashMap, HashSet};

use super::entry::Entry;
use super::manifest::Manifest;
use super::plan::parent;
use crate::Kind;

/// Where a checkpoint could not look: below mounts and folders that could not be read, and names of which it knows
/// nothing else. What is there now may have been there then, and no checkpoint can bring it back.
pub(super) struct Unseen<'a>(HashMap<&'a [u8], Option<&'a Entry>>);

impl<'a> Unseen<'a> {
    pub fn of(manifest: &'a Manifest) -> Unseen<'a> {
        let named = manifest.entries.iter().filter(|entry| !entry.path.0.is_empty());
        let filled: HashSet<&[u8]> = named.map(|entry| parent(&entry.path.0)).collect();
        let closed = manifest
            .entries
            .iter()
            .filter(|entry| entry.mounted || entry.is_blank());
        let closed = closed.map(|entry| (entry.path.0.as_slice(), Some(entry)));
        let problems = manifest.header.problems.iter();
        let unread = problems.filter_map(|problem| {
            let path = problem.path.0.as_slice();
            let entry = manifest.get(path);
            // A folder in which something was seen was read: its trouble is one with its attributes.
            let is_unread = entry.is_none_or(|entry| entry.kind == Kind::Dir && !filled.contains(path));
            is_unread.then_some((path, entry))
        });
        Unseen(closed.chain(unread).collect())
    }

    /// The unseen place that a path is in, if there is one. A folder that could not be read is not in itself: its
    /// attributes were seen.
    pub fn around(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        if self.0.get(path).is_some_and(Option::is_none) {
            return Some(path);
        }
        let mut folder = path;
        while !self.0.is_empty() && !folder.is_empty() {
            folder = parent(folder);
            if self.0.contains_key(folder) {
                return Some(folder);
            }
        }
        None
    }
}
