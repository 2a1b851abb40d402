//! What is in a file decides: configuration by which a program is made to run another.

use crate::words::words;

words! {
    /// What a rule's `content` looks for.
    Content {
        /// Git configuration that makes git run something, or takes configuration from elsewhere.
        GitConfig = "git-config",
    }
}

impl Content {
    /// Whether it is found in `bytes`. What cannot be understood counts as found.
    pub fn is_in(self, bytes: &[u8]) -> bool {
        match self {
            Content::GitConfig => executes(bytes),
        }
    }
}

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

fn is_switch(value: &str) -> bool {
    matches!(
        value.to_ascii_lowercase().as_str(),
        "" | "true" | "false" | "yes" | "no" | "on" | "off" | "0" | "1"
    )
}

/// Whether git, told so, runs something.
fn runs(section: &str, subsection: &str, key: &str, value: &str) -> bool {
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
        ("credential", "helper") => !HELPERS.contains(&value.split(' ').next().unwrap_or_default()),
        ("filter", "clean" | "smudge" | "process") => !LFS.contains(&value),
        ("lfs", _) => subsection.starts_with("customtransfer.") || subsection.starts_with("extension."),
        ("alias", _) => value.trim_start().starts_with('!'),
        ("submodule", "update") => value.trim_start().starts_with('!'),
        ("remote" | "branch" | "submodule", "url" | "pushurl" | "remote" | "pushremote") => {
            value.starts_with("ext::") || value.starts_with('-')
        }
        ("url", _) => subsection.starts_with("ext::"),
        ("protocol", "allow") => subsection == "ext" || subsection.is_empty() && value == "always",
        _ => false,
    }
}

/// Reads it as git does; what is no configuration counts as running something.
fn executes(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return true;
    };
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable();
    let (mut section, mut subsection) = (String::new(), String::new());
    while let Some(first) = rest.next() {
        match first {
            c if c.is_ascii_whitespace() => {}
            '#' | ';' => while rest.next().is_some_and(|c| c != '\n') {},
            '[' => match header(&mut rest) {
                Some(found) => (section, subsection) = found,
                None => return true,
            },
            c if c.is_ascii_alphabetic() && !section.is_empty() => {
                let mut key = String::from(c.to_ascii_lowercase());
                while let Some(c) = rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '-') {
                    key.push(c.to_ascii_lowercase());
                }
                while rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
                let value = match rest.next_if_eq(&'=') {
                    Some(_) => match value(&mut rest) {
                        Some(value) => value,
                        None => return true,
                    },
                    None => String::new(),
                };
                if runs(&section, &subsection, &key, &value) {
                    return true;
                }
            }
            _ => return true,
        }
    }
    false
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// `section]`, `section.subsection]` or `section "subsection"]`.
fn header(rest: &mut Rest<'_>) -> Option<(String, String)> {
    let mut section = String::new();
    loop {
        match rest.next()? {
            ']' => {
                let (section, subsection) = section.split_once('.').unwrap_or((&section, ""));
                return Some((section.to_owned(), subsection.to_owned()));
            }
            c if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') => section.push(c.to_ascii_lowercase()),
            ' ' | '\t' => break,
            _ => return None,
        }
    }
    while rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
    rest.next_if_eq(&'"')?;
    let mut subsection = String::new();
    loop {
        match rest.next()? {
            '"' => break,
            '\n' => return None,
            '\\' => subsection.push(rest.next()?),
            c => subsection.push(c),
        }
    }
    rest.next_if_eq(&']')?;
    Some((section, subsection))
}

/// A value to the end of its line, quotes and escapes undone.
fn value(rest: &mut Rest<'_>) -> Option<String> {
    let (mut value, mut quoted, mut comment) = (String::new(), false, false);
    loop {
        match rest.next() {
            None if quoted => return None,
            None => break,
            Some('\n') if quoted => return None,
            Some('\n') => break,
            Some(_) if comment => {}
            Some('"') => quoted = !quoted,
            Some('#' | ';') if !quoted => comment = true,
            Some('\\') => match rest.next()? {
                '\n' => {}
                '\r' if rest.next_if_eq(&'\n').is_some() => {}
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'b' => value.push('\u{8}'),
                c @ ('"' | '\\') => value.push(c),
                _ => return None,
            },
            Some(c) => value.push(c),
        }
    }
    Some(value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(text: &str) -> bool {
        Content::GitConfig.is_in(text.as_bytes())
    }

    #[test]
    fn what_git_writes_in_ordinary_work_passes() {
        for text in [
            "",
            "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n",
            "[remote \"origin\"]\n\turl = https://example.org/x.git\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n",
            "[branch \"main\"]\n\tremote = origin\n\tmerge = refs/heads/main\n[user]\n name = A \"B\" ; c\n",
            "[core] fsmonitor = true\n[core]\nfsmonitor\n[credential]\nhelper = cache --timeout=300\n",
            "[filter \"lfs\"]\n\tclean = git-lfs clean -- %f\n\tprocess = git-lfs filter-process\n\trequired = true\n",
            "[alias]\n\tst = status\n[submodule \"a\"]\n\tactive = true\n\turl = ../a\n[pager]\n log = false\n",
            "\u{feff}# core.hooksPath = x\n; [core] hooksPath\n[extensions]\n\tworktreeConfig = true\n",
        ] {
            assert!(!finds(text), "{text}");
        }
    }

    #[test]
    fn what_makes_git_run_something_is_found_however_it_is_written() {
        for text in [
            "[core]\nhooksPath = /tmp/h",
            "[CORE]\n\tHOOKSPATH=x",
            "[core] hookspath = x",
            "[core]bare=false\n[core]sshCommand=x",
            "[core]\nfsmonitor = /tmp/x",
            "[core]\nfsmonitor = \"tr\\\nue/../x\"",
            "[core]\na = b \\\n\\\n c\nfsmonitor = x",
            "[filter \"x\"]\nclean = sh",
            "[filter.x]\nsmudge = sh",
            "[filter \"lfs\"]\nclean = \"git-lfs clean -- %f; sh\"",
            "[alias]\nst = !sh",
            "[alias]\nst = \"!sh\"",
            "[include]\npath = x",
            "[includeIf \"gitdir:~/\"]\npath = x",
            "[credential \"https://x\"]\nhelper = !sh",
            "[credential]\nhelper = /tmp/x",
            "[diff \"p\"]\ntextconv = x",
            "[merge \"p\"]\ndriver = x",
            "[remote \"o\"]\nurl = ext::sh -c x",
            "[remote \"o\"]\nuploadpack = x",
            "[url \"ext::sh\"]\ninsteadOf = x",
            "[protocol \"ext\"]\nallow = always",
            "[gpg \"ssh\"]\nprogram = x",
            "[pager]\nlog = sh",
            "[submodule \"x\"]\nupdate = !sh",
            "[hook \"x\"]\ncommand = sh",
            "[lfs \"customtransfer.x\"]\npath = sh",
            "not a configuration",
            "[core",
            "[core]\na = \"b",
            "key = outside of a section",
        ] {
            assert!(finds(text), "{text}");
        }
        assert!(Content::GitConfig.is_in(b"[core]\n a = \xff"));
    }
}
