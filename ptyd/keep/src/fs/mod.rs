//! What trash and checkpoints need of the file system: all relative to descriptors, so that a folder
//! which is swapped for a symbolic link at any moment leads nowhere.

mod copy;
mod dir;
mod metadata;
mod node;
mod remove;
mod stat;
mod time;

pub(crate) use copy::{Contents, copy_contents, open_contents, reopen};
pub(crate) use dir::{
    climb, make_private, mount_top, names, open_absolute, open_beneath, open_dir, open_private, path_of,
};
pub(crate) use metadata::{Attributes, apply, attributes, attributes_fd};
pub(crate) use node::make_like;
pub(crate) use remove::{ENTRY_COST, expunge, join, tree_charge, unique_name};
pub(crate) use stat::{Stat, stat, stat_fd};

pub use stat::Kind;
pub use time::Time;
