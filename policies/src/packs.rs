//! The policies that ship, each with its intent and a table of cases.

use std::path::Path;

use crate::error::LoadError;
use crate::load::{Document, parse};

/// A policy that ships.
#[derive(Debug, Clone, Copy)]
pub struct Pack {
    pub name: &'static str,
    /// The policy.
    pub text: &'static str,
    /// A page that says what it is for (Markdown).
    pub intent: &'static str,
    /// Its table of cases.
    pub cases: &'static str,
}

macro_rules! pack {
    ($name:literal) => {
        Pack {
            name: $name,
            text: include_str!(concat!("../packs/", $name, ".yaml")),
            intent: include_str!(concat!("../packs/", $name, ".md")),
            cases: include_str!(concat!("../packs/", $name, ".cases.yaml")),
        }
    };
}

/// All packs; the first is what sessions get if nothing else is said.
pub const ALL: &[Pack] = &[
    pack!("default"),
    pack!("dev-safe"),
    pack!("ci-strict"),
    pack!("agent-default"),
    pack!("agent-sandbox"),
    pack!("agent-strict"),
    pack!("agent-observe"),
    pack!("system-readonly"),
    pack!("signal-strict"),
];

/// The pack of this name.
pub fn find(name: &str) -> Option<&'static Pack> {
    ALL.iter().find(|pack| pack.name == name)
}

impl Pack {
    /// The policy, read and checked.
    ///
    /// # Errors
    /// None for a pack that passed its tests.
    pub fn document(&self) -> Result<Document, LoadError> {
        parse(self.text, Path::new(&format!("{}.yaml", self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases;
    use crate::vars::Variables;

    #[test]
    fn every_pack_gives_the_answers_of_its_table() -> Result<(), LoadError> {
        let mut wrong = Vec::new();
        for pack in ALL {
            let session = Variables {
                project_root: Some(b"/home/u/project".to_vec()),
                git_root: Some(b"/home/u/project".to_vec()),
                home: b"/home/u".to_vec(),
                user: b"u".to_vec(),
                tmpdir: b"/tmp".to_vec(),
                ..Variables::default()
            };
            let document = pack.document()?;
            assert_eq!(document.file.name.value, pack.name);
            let table = cases::parse(pack.cases, Path::new(pack.name), &session)?;
            let policy = document.resolve(&table.variables)?;
            let failed: Vec<String> = table
                .run(&policy)
                .iter()
                .filter(|outcome| !outcome.passed)
                .map(|outcome| format!("case {}: {}: {:?}", outcome.number, outcome.operation, outcome.got))
                .collect();
            wrong.extend(failed.iter().map(|line| format!("{}: {line}", pack.name)));
            assert!(table.len() >= 8, "{}", pack.name);
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        Ok(())
    }

    #[test]
    fn every_pack_says_what_it_is_for() {
        for pack in ALL {
            assert!(pack.intent.starts_with(&format!("# {}\n", pack.name)), "{}", pack.name);
            assert!(pack.intent.len() > 400, "{}", pack.name);
        }
    }

    #[test]
    fn no_pack_has_a_warning_that_its_author_did_not_mean() -> Result<(), LoadError> {
        let mut wrong = Vec::new();
        for pack in ALL {
            let policy = pack.document()?.resolve(&Variables {
                project_root: Some(b"/home/u/project".to_vec()),
                git_root: Some(b"/home/u/project".to_vec()),
                home: b"/home/u".to_vec(),
                tmpdir: b"/tmp".to_vec(),
                ..Variables::default()
            })?;
            let meant = |line: &String| line.contains("ENOENT: listings still show");
            let warnings: Vec<String> = policy.warnings().into_iter().filter(|line| !meant(line)).collect();
            wrong.extend(warnings.iter().map(|line| format!("{}: {line}", pack.name)));
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        Ok(())
    }

    #[test]
    fn the_default_pack_leaves_reads_of_a_workspace_uncut_and_credentials_lowerable() -> Result<(), LoadError> {
        use crate::words::FileOp;
        let Some(pack) = find("default") else { return Ok(()) };
        let policy = pack.document()?.resolve(&Variables {
            project_root: Some(b"/home/u/project".to_vec()),
            home: b"/home/u".to_vec(),
            tmpdir: b"/tmp".to_vec(),
            ..Variables::default()
        })?;
        for folder in ["/usr", "/home/u/project", "/tmp", "/home/u/.rustup", "/lib"] {
            for op in [FileOp::Read, FileOp::List, FileOp::Open] {
                assert!(
                    policy.outlook(op, folder.as_bytes()).is_granted_whole(),
                    "{op} {folder}"
                );
            }
        }
        assert!(policy.outlook(FileOp::Read, b"/home/u").is_lowerable());
        assert!(!policy.outlook(FileOp::Stat, b"/").all().could_stop() && !policy.hides_names());
        assert!(policy.denied_programs().is_empty());
        Ok(())
    }
}
