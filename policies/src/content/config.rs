//! Git configuration, read as git reads it.

use super::runs::runs;

/// Reads it as git does; what is no configuration counts as running something.
pub(super) fn executes(path: &[u8], bytes: &[u8]) -> bool {
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
                if runs(path, &section, &subsection, &key, &value) {
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
    use crate::content::Content;

    fn finds(text: &str) -> bool {
        Content::GitConfig.is_in(b"/w/.git/config", text.as_bytes())
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
            "[alias]\n\tst = status\n\tlg = --no-pager log --oneline --format='%h %s' -n 3\n\tci = commit -v\n[submodule \"a\"]\n\tactive = true\n\turl = ../a\n[pager]\n log = false\n",
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
            "[alias]\nst = ls-remote --upload-pack='sh' .",
            "[alias]\nst = rebase -qx sh",
            "[alias]\nst = \"rebase --ex'ec' sh\"",
            "[alias]\nst = grep -nOsh x",
            "[alias]\nst = submodule foreach sh",
            "[alias]\nst = config --global core.pager sh",
            "[alias]\nst = --exec-path=/tmp/x fetch",
            "[alias]\nst = log -1 --format=x --outp=/tmp/x",
            "[credential]\nhelper = \"cache; sh\"",
            "[credential]\nhelper = store --file=/tmp/x",
            "[core]\nworktree = ../..",
            "[core]\nworktree = /home",
            "[remote]\npushDefault = ext::sh -c x",
            "[protocol]\nallow = Always",
            "[protocol]\nallow = user",
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
        assert!(Content::GitConfig.is_in(b"/w/.git/config", b"[core]\n a = \xff"));
    }

    #[test]
    fn a_work_tree_is_where_git_itself_puts_it() {
        let finds = |path: &str, tree: &str| {
            Content::GitConfig.is_in(path.as_bytes(), format!("[core]\nworktree = {tree}\n").as_bytes())
        };
        assert!(!finds("/w/.git/config", "..") && !finds("/w/.git/config", "/w/"));
        assert!(!finds("/w/.git/modules/a/config", "../../../a"));
        assert!(!finds("/w/.git/modules/a/b/config", "../../../../a/b"));
        for (path, tree) in [
            ("/w/.git/config", "../.."),
            ("/w/.git/config", "../x"),
            ("/w/.git/modules/a/config", "../../../../.config"),
            ("/w/.git/modules/a/config", "../../.."),
            ("/w/.git/modules/a/config", "../hooks"),
            ("/w/.git/modules/a/config", "/home/x"),
            ("/elsewhere", ".."),
        ] {
            assert!(finds(path, tree), "{path} {tree}");
        }
    }
}
