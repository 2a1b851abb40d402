//! A second opinion on what is in a tree, written with nothing but the standard library.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub mode: u32,
    pub owner: (u32, u32),
    pub mtime: (i64, i64),
    pub contents: Option<Vec<u8>>,
    pub target: Option<PathBuf>,
    pub attributes: Vec<(std::ffi::OsString, Vec<u8>)>,
    /// The first path of the same object.
    pub twin: Option<PathBuf>,
}

pub type Tree = BTreeMap<PathBuf, Seen>;

pub fn snapshot(root: &Path) -> std::io::Result<Tree> {
    let mut tree = Tree::new();
    let mut objects = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(path) = open.pop() {
        let full = root.join(&path);
        let metadata = fs::symlink_metadata(&full)?;
        let mut attributes = Vec::new();
        for name in xattr::list(&full)? {
            attributes.push((name.clone(), xattr::get(&full, &name)?.unwrap_or_default()));
        }
        attributes.sort();
        if metadata.nlink() > 1 && !metadata.is_dir() {
            let names: &mut Vec<PathBuf> = objects.entry(metadata.ino()).or_default();
            names.push(path.clone());
        }
        let seen = Seen {
            mode: metadata.mode(),
            owner: (metadata.uid(), metadata.gid()),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            contents: metadata.is_file().then(|| fs::read(&full)).transpose()?,
            target: metadata.is_symlink().then(|| fs::read_link(&full)).transpose()?,
            attributes,
            twin: None,
        };
        if metadata.is_dir() {
            for entry in fs::read_dir(&full)? {
                open.push(path.join(entry?.file_name()));
            }
        }
        tree.insert(path, seen);
    }
    for mut names in objects.into_values() {
        names.sort();
        for name in &names {
            if let Some(seen) = tree.get_mut(name) {
                seen.twin = names.first().cloned();
            }
        }
    }
    Ok(tree)
}

/// The paths at which two trees differ, with both sides.
pub fn differences(before: &Tree, after: &Tree) -> Vec<String> {
    let paths: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let differ = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    differ
        .map(|path| format!("{path:?}: {:?} -> {:?}", before.get(path), after.get(path)))
        .collect()
}
