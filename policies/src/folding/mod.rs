//! File systems on which names that differ in case or form are one name: there a rule on `.git` is one on `.GIT` too.
//!
//! Of what is reached under another spelling the kernel may tell the name as it was written by whoever opened it first. So
//! every rule is asked a second time below such a mount, with pattern and path folded, and the stricter answer holds.

mod host;
mod names;

pub use host::host_folding;
pub use names::fold;
pub(crate) use names::{before_short_name, fold_text};

/// The mount points of such file systems.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Folding(Box<[Vec<u8>]>);

impl Folding {
    pub fn new(mounts: &[Vec<u8>]) -> Folding {
        Folding(mounts.into())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn mounts(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// Whether `path` lies on such a file system: strictly below its mount point, whose own name is another's.
    pub fn covers(&self, path: &[u8]) -> bool {
        self.0
            .iter()
            .any(|mount| below(mount, path).is_some_and(|rest| !rest.is_empty()))
    }

    /// Whether all that lies below `folder` does.
    pub fn covers_below(&self, folder: &[u8]) -> bool {
        self.0.iter().any(|mount| below(mount, folder).is_some())
    }

    /// Those strictly below `folder`.
    pub fn below<'a>(&'a self, folder: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let inside = move |mount: &&Vec<u8>| below(folder, mount).is_some_and(|rest| !rest.is_empty());
        self.0.iter().filter(inside).map(Vec::as_slice)
    }
}

/// What of `path` lies below `folder`, if it lies there at all.
fn below<'p>(folder: &[u8], path: &'p [u8]) -> Option<&'p [u8]> {
    match path.strip_prefix(folder)? {
        b"" => Some(b""),
        rest if folder == b"/" => Some(rest),
        rest => rest.strip_prefix(b"/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_covers_what_lies_below_it_and_not_its_own_name() {
        let folding = Folding::new(&[b"/mnt/c".to_vec()]);
        assert!(folding.covers(b"/mnt/c/x") && !folding.covers(b"/mnt/c") && !folding.covers(b"/mnt/cd"));
        assert!(folding.covers_below(b"/mnt/c") && folding.covers_below(b"/mnt/c/x") && !folding.covers_below(b"/mnt"));
        assert_eq!(folding.below(b"/mnt").collect::<Vec<_>>(), [b"/mnt/c"]);
        assert_eq!(folding.below(b"/").collect::<Vec<_>>(), [b"/mnt/c"]);
        assert_eq!(folding.below(b"/mnt/c").count(), 0);
        let all = Folding::new(&[b"/".to_vec()]);
        assert!(all.covers(b"/x") && all.covers_below(b"/") && all.below(b"/").count() == 0);
        assert!(Folding::default().is_empty() && !Folding::default().covers(b"/x"));
    }
}
