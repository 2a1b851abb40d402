//! Rules that make what they stop look absent.

use agentsh_intercept::Errno;
use agentsh_intercept::files::Verdict;

use crate::decisions::folder;
use crate::rig::{Rig, Rules};
use crate::support::Result;

#[test]
fn what_looks_absent_is_absent_for_whoever_would_make_it() -> Result {
    let folder = folder()?;
    let top = folder.path();
    let hidden = Verdict::Deny(Errno::NOENT);
    let rig = Rig::new(Rules::allow_all().rule(top.join("guarded"), true, &[], hidden))?;
    let script = r#"python3 -c '
import ctypes, errno, os
def taking_no_place():
    if ctypes.CDLL(None, use_errno=True).renameat2(-100, b"free/file", -100, b"guarded/secret", 1):
        raise OSError(ctypes.get_errno(), "")
for make in (
    lambda: os.mkdir("guarded"), lambda: os.symlink("x", "guarded"), lambda: os.link("free/file", "guarded/secret"),
    lambda: os.mkfifo("guarded/secret"), lambda: os.open("guarded/secret", os.O_CREAT | os.O_EXCL), taking_no_place,
    lambda: os.mkdir("free"), lambda: os.open("free/link", os.O_CREAT | os.O_EXCL),
):
    try: print(make())
    except OSError as error: print(errno.errorcode[error.errno], end=" ")'"#;
    assert_eq!(
        rig.sh(top, script)?,
        "ENOENT ENOENT ENOENT ENOENT ENOENT ENOENT EEXIST EEXIST "
    );
    Ok(())
}
