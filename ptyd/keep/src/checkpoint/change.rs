use std::collections::HashMap;

use agentsh_protocol::Bytes;

use super::entry::Entry;
use super::manifest::Manifest;
use crate::Kind;

/// What is different at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Created,
    Removed,
    /// Contents, kind, link target, or which names are one object.
    Contents,
    /// Mode, owner, time or extended attributes only.
    Attributes,
}

/// One difference between two states of a workspace, seen from the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Relative to the workspace.
    pub path: Bytes,
    pub what: What,
    pub before: Option<Kind>,
    pub after: Option<Kind>,
    /// Sizes in bytes.
    pub sizes: (Option<u64>, Option<u64>),
}

/// All differences, in order of path.
pub(crate) fn changes(from: &Manifest, to: &Manifest) -> Vec<Change> {
    let (from_links, to_links) = (Links::of(from), Links::of(to));
    pairs(from, to)
        .filter_map(|(before, after)| {
            let what = match (before, after) {
                (Some(before), Some(after)) => {
                    let same_names = from_links.names(before) == to_links.names(after);
                    if !same_names || !before.same_contents(after) {
                        What::Contents
                    } else if before.attr != after.attr {
                        What::Attributes
                    } else {
                        return None;
                    }
                }
                (None, _) => What::Created,
                (_, None) => What::Removed,
            };
            let path = before.or(after).map(|entry| entry.path.clone())?;
            let (kind, size) = (|entry: &Entry| entry.kind, |entry: &Entry| entry.size);
            Some(Change {
                path,
                what,
                before: before.map(kind),
                after: after.map(kind),
                sizes: (before.map(size), after.map(size)),
            })
        })
        .collect()
}

/// The entries of two manifests side by side, by path.
fn pairs<'a>(from: &'a Manifest, to: &'a Manifest) -> impl Iterator<Item = (Option<&'a Entry>, Option<&'a Entry>)> {
    let mut before = from.entries.iter().peekable();
    let mut after = to.entries.iter().peekable();
    std::iter::from_fn(move || {
        let order = match (before.peek(), after.peek()) {
            (None, None) => return None,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(a), Some(b)) => a.path.cmp(&b.path),
        };
        Some(match order {
            std::cmp::Ordering::Less => (before.next(), None),
            std::cmp::Ordering::Greater => (None, after.next()),
            std::cmp::Ordering::Equal => (before.next(), after.next()),
        })
    })
}

/// Which names are one object.
pub(crate) struct Links<'a>(HashMap<u32, Vec<&'a Bytes>>);

impl<'a> Links<'a> {
    pub fn of(manifest: &'a Manifest) -> Links<'a> {
        let mut groups: HashMap<u32, Vec<&Bytes>> = HashMap::new();
        for entry in &manifest.entries {
            if let Some(group) = entry.group {
                groups.entry(group).or_default().push(&entry.path);
            }
        }
        Links(groups)
    }

    /// All names in the workspace of an entry's object, if it has several.
    pub fn names(&self, entry: &Entry) -> &[&'a Bytes] {
        let names = entry.group.and_then(|group| self.0.get(&group));
        names.filter(|names| names.len() > 1).map_or(&[], Vec::as_slice)
    }
}
