//! What configuration makes git run, or work on outside of its work tree.

use std::path::{Component, Path, PathBuf};

/// Keys whose value git runs or reads configuration from (`git-config(1)`); `*` stands for any subsection.
const RUN: &[&str] = &[
    "core.hookspath",
    "core.sshcommand",
    "core.pager",
    "core.editor",
    "core.askpass",
    "core.gitproxy",
    "core.alternaterefscommand",
    "sequence.editor",
    "gpg.program",
    "gpg.*.program",
    "gpg.ssh.defaultkeycommand",
    "diff.external",
    "diff.*.command",
    "diff.*.textconv",
    "merge.*.driver",
    "interactive.difffilter",
    "mergetool.*.cmd",
    "mergetool.*.path",
    "difftool.*.cmd",
    "difftool.*.path",
    "guitool.*.cmd",
    "man.*.cmd",
    "man.*.path",
    "browser.*.cmd",
    "browser.*.path",
    "instaweb.httpd",
    "instaweb.modulepath",
    "imap.tunnel",
    "sendemail.sendmailcmd",
    "sendemail.smtpserver",
    "sendemail.tocmd",
    "sendemail.cccmd",
    "sendemail.headercmd",
    "sendemail.*.sendmailcmd",
    "sendemail.*.smtpserver",
    "sendemail.*.tocmd",
    "sendemail.*.cccmd",
    "sendemail.*.headercmd",
    "trailer.*.command",
    "trailer.*.cmd",
    "uploadpack.packobjectshook",
    "remote.*.uploadpack",
    "remote.*.receivepack",
    "remote.*.vcs",
    "tar.*.command",
    "gc.recentobjectshook",
    "hook.*.command",
    "include.path",
    "includeif.*.path",
    "init.templatedir",
    "lfs.customtransfer.*",
    "lfs.extension.*",
    "submodule.alternatelocation",
    "core.attributesfile",
];

/// Helpers of git's own that keep or ask for passwords.
const HELPERS: &[&str] = &[
    "",
    "cache",
    "store",
    "osxkeychain",
    "manager",
    "manager-core",
    "wincred",
    "libsecret",
];

/// What `git lfs install --local` sets.
const LFS: &[&str] = &[
    "git-lfs clean -- %f",
    "git-lfs smudge -- %f",
    "git-lfs filter-process",
    "git-lfs smudge --skip -- %f",
    "git-lfs filter-process --skip",
];

/// Commands that execute nothing that their arguments name, save by [`EXECUTING`], and that write nothing but the
/// repository and its work tree.
const HARMLESS: &[&str] = &[
    "add",
    "annotate",
    "blame",
    "branch",
    "cat-file",
    "checkout",
    "cherry",
    "cherry-pick",
    "clean",
    "commit",
    "count-objects",
    "describe",
    "diff",
    "diff-tree",
    "fetch",
    "for-each-ref",
    "grep",
    "log",
    "ls-files",
    "ls-tree",
    "merge",
    "merge-base",
    "mv",
    "name-rev",
    "pull",
    "push",
    "range-diff",
    "rebase",
    "reflog",
    "remote",
    "reset",
    "restore",
    "rev-list",
    "rev-parse",
    "revert",
    "rm",
    "shortlog",
    "show",
    "show-branch",
    "show-ref",
    "stash",
    "status",
    "switch",
    "symbolic-ref",
    "tag",
    "whatchanged",
    "worktree",
];

/// Options by which they do, or write to a file that they name; a beginning of one will do.
const EXECUTING: &[&str] = &[
    "exec",
    "exec-path",
    "extcmd",
    "open-files-in-pager",
    "output",
    "output-directory",
    "receive-pack",
    "upload-pack",
];

/// Whether the command that an alias stands for executes something, beside hooks and what else configuration names.
fn alias_runs(value: &str) -> bool {
    let plain: String = value.chars().filter(|c| !matches!(c, '"' | '\'' | '\\')).collect();
    let mut words = plain.split_whitespace().peekable();
    while words
        .next_if(|word| matches!(*word, "-p" | "--paginate" | "-P" | "--no-pager"))
        .is_some()
    {}
    let Some(command) = words.next() else {
        return !value.trim().is_empty();
    };
    let is_name = command.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !command.starts_with('-');
    if words.peek().is_none() {
        // Another alias, or a command by itself.
        return !is_name;
    }
    let letter = match command {
        "rebase" => Some('x'),
        "grep" => Some('O'),
        _ => None,
    };
    !HARMLESS.contains(&command)
        || words.any(|word| match word.strip_prefix("--") {
            Some(long) => {
                let name = long.split('=').next().unwrap_or_default();
                !name.is_empty() && EXECUTING.iter().any(|known| known.starts_with(name))
            }
            None => word.starts_with('-') && letter.is_some_and(|letter| word.contains(letter)),
        })
}

/// Whether a helper for passwords is one of git's own: the line goes to a shell.
fn is_own_helper(value: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _-=./:".contains(c);
    let mut words = value.split(' ');
    let name = words.next().unwrap_or_default();
    // Where `store` keeps them is not for a repository to say.
    HELPERS.contains(&name) && value.chars().all(plain) && (name != "store" || words.next().is_none())
}

/// Whether a `core.worktree` in the configuration at `path` is the folder that git itself would put there: that
/// around `.git`, or for a submodule one below.
fn is_own_work_tree(path: &[u8], value: &str) -> bool {
    let Some(folder) = std::str::from_utf8(path).ok().and_then(|path| Path::new(path).parent()) else {
        return false;
    };
    let mut tree = PathBuf::new();
    for part in folder.join(value).components() {
        match part {
            Component::ParentDir => drop(tree.pop()),
            Component::CurDir => {}
            other => tree.push(other),
        }
    }
    let mut above = folder.ancestors().skip(1);
    let Some(top) = folder
        .ancestors()
        .zip(&mut above)
        .find_map(|(folder, above)| folder.ends_with(".git").then_some(above))
    else {
        return false;
    };
    match folder.strip_prefix(top.join(".git/modules")) {
        Ok(_) => tree != top && tree.starts_with(top) && !tree.starts_with(top.join(".git")),
        Err(_) => tree == top,
    }
}

fn is_switch(value: &str) -> bool {
    matches!(
        value.to_ascii_lowercase().as_str(),
        "" | "true" | "false" | "yes" | "no" | "on" | "off" | "0" | "1"
    )
}

/// Whether git, told so, runs something.
pub(super) fn runs(path: &[u8], section: &str, subsection: &str, key: &str, value: &str) -> bool {
    let listed = |known: &&str| {
        let mut words = known.split('.');
        let (first, middle, last) = match (words.next(), words.next(), words.next()) {
            (Some(first), Some(middle), Some(last)) => (first, middle, last),
            (Some(first), Some(last), None) => (first, "", last),
            _ => return true,
        };
        first == section && (middle == "*" || middle == subsection) && (last == "*" || last == key)
    };
    if RUN.iter().any(listed) {
        return true;
    }
    match (section, key) {
        ("core", "fsmonitor") | ("pager", _) => !is_switch(value),
        ("core", "worktree") => !is_own_work_tree(path, value),
        ("credential", "helper") => !is_own_helper(value),
        ("filter", "clean" | "smudge" | "process") => !LFS.contains(&value),
        ("lfs", _) => subsection.starts_with("customtransfer.") || subsection.starts_with("extension."),
        ("alias", _) => alias_runs(value),
        ("submodule", "update") => value.trim_start().starts_with('!'),
        ("remote" | "branch" | "submodule", "url" | "pushurl" | "remote" | "pushremote" | "pushdefault") => {
            value.starts_with("ext::") || value.starts_with('-')
        }
        ("url", _) => subsection.starts_with("ext::"),
        ("protocol", "allow") => subsection == "ext" || subsection.is_empty() && !value.eq_ignore_ascii_case("never"),
        _ => false,
    }
}
