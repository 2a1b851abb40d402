//! Writes that go elsewhere.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use agentsh_intercept::Errno;
use agentsh_intercept::files::{Operation, Verdict};

use crate::decisions::folder;
use crate::rig::{Rig, Rules};
use crate::support::Result;

/// What is written to `free/file` goes to `else/where/file`.
fn redirecting(top: &Path) -> Rules {
    let to = |if_there| Verdict::Redirect {
        to: top.join("else/where/file"),
        if_there,
    };
    let (file, writes) = (top.join("free/file"), [Operation::Write, Operation::Create]);
    Rules::allow_all()
        .rule(&file, false, &writes, to(false))
        .rule(&file, false, &[Operation::Read], to(true))
}

#[test]
fn a_redirected_write_goes_elsewhere_and_reads_see_it() -> Result {
    let folder = folder()?;
    let top = folder.path();
    let rig = Rig::new(redirecting(top))?;
    let shown = rig.sh(top, "cat free/file; echo; echo written > free/file; cat free/file")?;
    assert_eq!(shown, "free text\nwritten\n");
    assert_eq!(fs::read_to_string(top.join("free/file"))?, "free text");
    assert_eq!(fs::read_to_string(top.join("else/where/file"))?, "written\n");
    // A link in the place that it goes to leads nowhere.
    fs::remove_file(top.join("else/where/file"))?;
    std::os::unix::fs::symlink(top.join("guarded/secret"), top.join("else/where/file"))?;
    rig.sh(top, "echo overwritten > free/file")?;
    assert_eq!(fs::read_to_string(top.join("guarded/secret"))?, "secret text");
    Ok(())
}

#[test]
fn what_exists_only_at_its_original_is_written_in_a_copy_of_it() -> Result {
    for (line, becomes) in [
        ("printf ' and more' >> free/file", "free text and more"),
        (
            "python3 -c 'with open(\"free/file\", \"r+\") as f: f.write(\"FREE\")'",
            "FREE text",
        ),
        ("printf new > free/file", "new"),
        (
            "python3 -c 'import os; os.open(\"free/file\", os.O_WRONLY | os.O_TRUNC)'",
            "",
        ),
    ] {
        let folder = folder()?;
        let top = folder.path();
        fs::set_permissions(top.join("free/file"), fs::Permissions::from_mode(0o640))?;
        let rig = Rig::new(redirecting(top))?;
        let shown = rig.sh(top, &format!("umask 77; {line} && cat free/file"))?;
        assert_eq!(shown, becomes, "{line}");
        let copy = top.join("else/where/file");
        assert_eq!(fs::read_to_string(&copy)?, becomes, "{line}");
        assert_eq!(fs::metadata(&copy)?.mode() & 0o777, 0o640, "{line}");
        assert_eq!(fs::read_to_string(top.join("free/file"))?, "free text", "{line}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_copied_to_where_it_is_redirected_is_not_written() -> Result {
    let append = "printf more >> free/file && echo DONE";
    let folder = folder()?;
    let top = folder.path();
    // Too large to be kept.
    let rig = Rig::with_trash(redirecting(top), Some(Errno::FBIG))?;
    let shown = rig.sh(top, append)?;
    assert!(shown.contains("File too large") && !shown.contains("DONE"), "{shown}");
    let refused = |line: &String| line.contains("free/file Refused");
    assert!(rig.lines().iter().any(refused), "{:?}", rig.lines());
    // Not to be read.
    let deny = Verdict::Deny(Errno::ACCESS);
    let mut rules = redirecting(top);
    rules.rules.retain(|rule| rule.operations != [Operation::Read]);
    let rig = Rig::new(rules.rule(top.join("free/file"), false, &[Operation::Read], deny))?;
    let shown = rig.sh(top, append)?;
    assert!(!shown.contains("DONE"), "{shown}");
    assert!(!fs::exists(top.join("else/where/file"))?);
    Ok(())
}
