use std::collections::{BTreeSet, HashMap, HashSet};

use agentsh_protocol::Bytes;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::change::{Change, Links, What};
use super::entry::Entry;
use super::manifest::Manifest;
use super::unseen::Unseen;
use crate::Kind;
use crate::fs::Attributes;

/// One step of a rollback. Each can be done again after it was done, or half done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Move what is at the path to `old/NUMBER`.
    Away { path: Bytes, number: usize },
    /// Make a folder.
    Folder { path: Bytes },
    /// Move `new/NUMBER` to the path.
    In { number: usize, path: Bytes },
    /// Give the object its attributes: a folder, or the file of this number. Another file that was put
    /// there meanwhile could be anybody's, by a hard link.
    Attributes {
        path: Bytes,
        ino: Option<u64>,
        attr: Attributes,
    },
}

/// What is to be staged as `new/NUMBER`.
#[derive(Debug)]
pub(crate) enum Staged<'a> {
    Object(&'a Entry),
    /// A further name of that number.
    Link(usize),
}

/// How to get from one state to another.
#[derive(Debug, Default)]
pub(crate) struct Plan<'a> {
    pub staged: Vec<Staged<'a>>,
    pub steps: Vec<Step>,
    pub problems: Vec<Problem>,
}

impl<'a> Plan<'a> {
    /// Plans the way from the present state `from` to `to`; `changes` are their differences.
    pub fn new(from: &'a Manifest, to: &'a Manifest, changes: &'a [Change]) -> Plan<'a> {
        let mut plan = Plan::default();
        let held = held_folders(from, to);
        let unseen = Unseen::of(to);
        let mut finish: BTreeSet<&[u8]> = BTreeSet::new();
        let mut creations = Vec::new();
        let mut gone: Option<&[u8]> = None;
        let mut away = Vec::new();
        let mut unseen_and_there = BTreeSet::new();
        for change in changes {
            let path = change.path.0.as_slice();
            let (before, after) = (from.get(path), to.get(path));
            if let Some(top) = unseen.around(path) {
                unseen_and_there.insert(top);
                continue;
            }
            if let Some(reason) = untouchable(before, after) {
                plan.problems.push(Problem::new(path, reason));
                continue;
            }
            if change.what == What::Attributes {
                finish.insert(path);
                continue;
            }
            if before.is_some() && !gone.is_some_and(|folder| is_inside(path, folder)) {
                if held.contains(path) {
                    plan.problems.push(Problem::new(
                        path,
                        "stays: it holds something that is not part of the checkpoint",
                    ));
                    continue;
                }
                if change.before == Some(Kind::Dir) {
                    gone = Some(path);
                }
                away.push(change.path.clone());
                finish.insert(parent(path));
            }
            if let Some(entry) = after {
                creations.push(entry);
                finish.insert(parent(path));
            }
        }
        plan.problems.extend(
            unseen_and_there
                .into_iter()
                .map(|top| Problem::new(top, "what is there stays: the checkpoint could not look at it")),
        );
        plan.steps.extend(
            away.into_iter()
                .enumerate()
                .map(|(number, path)| Step::Away { path, number }),
        );
        plan.create(to, &creations, &mut finish);
        // Children first: a parent may lose the permission to be entered.
        for path in finish.into_iter().rev() {
            if let Some(entry) = to.get(path) {
                let ino = from.get(path).filter(|now| now.kind != Kind::Dir).map(|now| now.ino);
                plan.steps.push(Step::Attributes {
                    path: entry.path.clone(),
                    ino,
                    attr: entry.attr.clone(),
                });
            }
        }
        plan
    }

    fn create(&mut self, to: &'a Manifest, creations: &[&'a Entry], finish: &mut BTreeSet<&'a [u8]>) {
        let links = Links::of(to);
        let mut first: HashMap<u32, usize> = HashMap::new();
        for entry in creations {
            if entry.kind == Kind::Dir {
                self.steps.push(Step::Folder {
                    path: entry.path.clone(),
                });
                finish.insert(&entry.path.0);
                continue;
            }
            let number = self.staged.len();
            let leader = entry.group.filter(|_| !links.names(entry).is_empty());
            let leader = leader
                .map(|group| *first.entry(group).or_insert(number))
                .filter(|leader| *leader != number);
            self.staged.push(match leader {
                Some(leader) => Staged::Link(leader),
                None => Staged::Object(entry),
            });
            self.steps.push(Step::In {
                number,
                path: entry.path.clone(),
            });
        }
    }
}

/// What a rollback leaves as it is, and why.
fn untouchable(before: Option<&Entry>, after: Option<&Entry>) -> Option<&'static str> {
    let either = |is: fn(&Entry) -> bool| before.is_some_and(is) || after.is_some_and(is);
    if either(|entry| entry.mounted) {
        return Some("stays: another file system is mounted here");
    }
    if either(Entry::is_blank) {
        return Some("stays: its contents could not be read");
    }
    match after {
        Some(entry) if entry.kind == Kind::Socket => Some("a socket is made by its program, not restored"),
        _ => None,
    }
}

/// Folders of the present state that hold what is no part of it or cannot be brought back: mounts,
/// excluded and unread things. They cannot be moved away.
fn held_folders(from: &Manifest, to: &Manifest) -> HashSet<Vec<u8>> {
    let mut held = HashSet::new();
    let blank = from
        .entries
        .iter()
        .filter(|entry| entry.mounted || entry.is_blank())
        .map(|entry| &entry.path);
    let unread = from.header.problems.iter().map(|problem| &problem.path);
    for path in blank
        .chain(unread)
        .chain(&from.header.excluded)
        .chain(&to.header.excluded)
    {
        held.insert(path.0.clone());
        let mut folder = path.0.as_slice();
        while !folder.is_empty() {
            folder = parent(folder);
            held.insert(folder.to_vec());
        }
    }
    held
}

fn is_inside(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/"))
}

/// The path of the folder above; of the workspace's own names it is the empty path.
pub(crate) fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => &path[..at],
        None => b"",
    }
}
