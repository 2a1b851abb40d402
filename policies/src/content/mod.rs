//! What is in a file decides: configuration by which a program is made to run another.

mod config;
mod link;
mod runs;

use crate::words::words;

words! {
    /// What a rule's `content` looks for.
    Content {
        /// Git configuration that makes git run something, takes configuration from elsewhere, or has it work on files
        /// outside of the work tree.
        GitConfig = "git-config",
        /// A file that leads git to a folder other than those that it makes for submodules and further work trees.
        GitLink = "git-link",
    }
}

impl Content {
    /// Whether it is found in `bytes`, which come to lie at `path`. What cannot be understood counts as found.
    pub fn is_in(self, path: &[u8], bytes: &[u8]) -> bool {
        match self {
            Content::GitConfig => config::executes(path, bytes),
            Content::GitLink => link::leads_elsewhere(bytes),
        }
    }
}
