//! Programs whose streams are other machines' files, not words: never recorded.

use std::os::unix::ffi::OsStrExt as _;

use agentsh_intercept::Subject;
use agentsh_protocol::Bytes;

/// Programs of that kind by their names; of git also every `git-remote-…`.
const NAMES: [&str; 15] = [
    "rsync",
    "rrsync",
    "rsync-ssl",
    "scp",
    "sftp",
    "sftp-server",
    "internal-sftp",
    "git-upload-pack",
    "git-receive-pack",
    "git-upload-archive",
    "git-http-backend",
    "git-shell",
    "git-lfs-transfer",
    "svnserve",
    "borg",
];

/// The same as verbs of `git`.
const VERBS: [&str; 4] = ["upload-pack", "receive-pack", "upload-archive", "http-backend"];

fn is_named(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or(word);
    NAMES.contains(&name) || name.starts_with("git-remote-")
}

/// The words of a line, as far as can be told without being its shell.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| char.is_whitespace() || "'\"`\\;&|(){}$".contains(char))
}

/// Whether some word of a command line names such a program: its caller's own pipes are then left to it.
pub(super) fn is_told(argv: &[Bytes]) -> bool {
    let texts: Vec<_> = argv.iter().map(Bytes::lossy).collect();
    texts
        .iter()
        .flat_map(|text| words(text))
        .any(|word| is_named(word) || VERBS.contains(&word))
}

/// Whether a file that is executed is such a program, or has one run on another machine and passes its stream on.
pub(super) fn is_run(subject: &Subject) -> bool {
    let path = subject
        .place
        .path()
        .map(|path| String::from_utf8_lossy(path.as_os_str().as_bytes()));
    let called = String::from_utf8_lossy(subject.called.as_bytes());
    let mut texts = subject.argv.iter().map(|argument| argument.to_string_lossy());
    let name = texts.next().unwrap_or_default();
    let names = [path.as_deref().unwrap_or_default(), &called, &name];
    if names.into_iter().any(is_named) {
        return true;
    }
    let is = |program: &str| names.iter().any(|name| name.rsplit('/').next() == Some(program));
    match (is("git"), is("ssh")) {
        (true, _) => texts.any(|argument| VERBS.contains(&&*argument)),
        (_, true) => texts.any(|argument| words(&argument).any(|word| is_named(word) || VERBS.contains(&word))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> bool {
        is_told(&["bash", "-c", line].map(|word| Bytes::from(word.as_bytes())))
    }

    #[test]
    fn lines_that_start_a_transport_are_told_from_others() {
        for line in [
            "rsync --server -logDtpre.iLsfxC . /srv",
            "exec /usr/bin/rsync --server",
            "scp -t /srv",
            "/usr/lib/openssh/sftp-server",
            "git-upload-pack '/srv/a.git'",
            "cd /srv && git receive-pack a.git",
            "\\git-shell -c x",
            "(git -c a=b upload-archive .)",
            "svnserve -t",
        ] {
            assert!(told(line), "{line}");
        }
        for line in [
            "git status",
            "echo rsyncd",
            "make upload",
            "ls scp.txt",
            "cat git-remote.txt",
        ] {
            assert!(!told(line), "{line}");
        }
    }
}
