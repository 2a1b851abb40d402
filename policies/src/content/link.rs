//! Files that lead git to another folder.

use std::path::{Component, Path};

/// `gitdir: PATH` (`gitrepository-layout(5)`), or the text of a `commondir`.
pub(super) fn leads_elsewhere(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return true;
    };
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() || text == "../.." {
        return false;
    }
    let Some(path) = text.strip_prefix("gitdir: ") else {
        return true;
    };
    let parts: Vec<Component<'_>> = Path::new(path).components().collect();
    let named = |at: usize, name: &str| parts.get(at).is_some_and(|part| part.as_os_str() == name);
    let own =
        (0..parts.len()).find(|at| named(*at, ".git") && (named(at + 1, "modules") || named(at + 1, "worktrees")));
    let Some(own) = own else { return true };
    let below = parts.get(own + 2..).unwrap_or_default();
    below.is_empty() || !below.iter().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use crate::content::Content;

    #[test]
    fn git_is_led_only_to_folders_of_its_own() {
        let leads = |text: &str| Content::GitLink.is_in(b"/w/a/.git", text.as_bytes());
        for text in [
            "",
            "../..\n",
            "gitdir: ../.git/modules/a\n",
            "gitdir: /w/.git/worktrees/x\r\n",
            "gitdir: /w/.git/modules/a/worktrees/x\n",
        ] {
            assert!(!leads(text), "{text}");
        }
        for text in [
            "gitdir: evil\n",
            "gitdir: /w/.git\n",
            "gitdir: ../.git/modules\n",
            "gitdir: ../.git/modules/../../evil\n",
            "gitdir: /w/bare.git/worktrees/x\n",
            "../evil\n",
            "/w/evil",
            "..",
        ] {
            assert!(leads(text), "{text}");
        }
        assert!(Content::GitLink.is_in(b"/w/.git", b"\xff"));
    }
}
