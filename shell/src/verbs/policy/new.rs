use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;

/// Write a policy of one's own, to begin with another one's rules
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  agentsh policy new mine
  agentsh policy new strict --from default --output ./strict.yaml")]
pub struct New {
    /// Its name: letters, digits, `_` and `-`
    name: String,
    /// The policy that it begins as
    #[arg(long, value_name = "NAME|FILE", default_value = "default")]
    from: OsString,
    /// The file to write (else among the user's policies, where it is found by name)
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl New {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let base = super::document(context, &self.from)?;
        let text = renamed(&base.source.text, &self.name);
        let path = match self.output {
            Some(path) => path,
            None => context
                .account()
                .config_dir()
                .join("policies")
                .join(format!("{}.yaml", self.name)),
        };
        // The name may be wrong, and is said to be so with its place.
        agentsh_policy::parse(&text, &path)?;
        write(&path, &text).map_err(|source| Error::file(&path, source))?;
        render::print(&format!("{}\n", path.display()))?;
        Ok(Exit::DONE)
    }
}

/// The text with another name at its top level.
fn renamed(text: &str, name: &str) -> String {
    let line = |line: &str| match line.starts_with("name:") {
        true => format!("name: {name}\n"),
        false => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

/// Writes a new file; one that exists stays as it is.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_at_the_top_is_changed() {
        let text = "version: 1\nname: a\nfile_rules:\n  - name: a\n";
        assert_eq!(renamed(text, "b"), "version: 1\nname: b\nfile_rules:\n  - name: a\n");
    }

    #[test]
    fn a_file_that_exists_stays() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("policies/a.yaml");
        write(&path, "one")?;
        assert!(write(&path, "two").is_err());
        assert_eq!(std::fs::read_to_string(path)?, "one");
        Ok(())
    }
}
