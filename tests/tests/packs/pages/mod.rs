//! The pages, point by point.

mod builds;
mod default;
mod looking;
mod people;
mod strangers;

use crate::promise::{Promise, Recorded, event, keeps, says};

/// What work needs, whatever the pack.
pub const WORK: &[&str] = &[
    "cat /etc/passwd >/dev/null && ls /usr >/dev/null && ps >/dev/null",
    "echo x > made && cp made other && mv other third && rm third && grep -q x made",
    "f=$(mktemp) && echo x > $f && rm $f && echo x > /dev/null",
    "rm -rf r && git init -q r && cd r && git commit -q --allow-empty -m x && git switch -qc b && git remote add o /x && git config user.name Me && git stash list && git worktree add -q ../w-$$ && git worktree remove ../w-$$",
];

/// Signals within a command.
pub const OWN_SIGNALS: &str =
    "sleep 50 & p=$!; until grep -q sleep /proc/$p/comm; do :; done; kill $p; wait $p; test $? = 143";

/// Endpoints of the session's own.
pub const OWN_ENDPOINTS: &[&str] = &[
    "/usr/bin/python3 -c 'import socket; a = socket.socket(); a.bind((\"127.0.0.1\", 0)); a.listen(); socket.create_connection(a.getsockname())'",
    "rm -f own.sock; /usr/bin/python3 -c 'import socket; a = socket.socket(socket.AF_UNIX); a.bind(\"own.sock\"); a.listen(); socket.socket(socket.AF_UNIX).connect(\"own.sock\")'",
];

/// Keys and tokens, by their names and by other ways to the same files.
pub const CREDENTIALS: &[&str] = &[
    "cat ~/.ssh/id_ed25519",
    "cat /proc/self/root$HOME/.ssh/id_ed25519",
    "ln -s ~/.ssh keys-$$ && cat keys-$$/id_ed25519",
    "/usr/bin/python3 -c 'import os; os.link(os.path.expanduser(\"~/.ssh/id_ed25519\"), \"linked-%d\" % os.getpid())'",
    "cat ~/.aws/credentials",
    "cat ~/.npmrc",
    "cat ~/.netrc",
    "cat ~/.docker/config.json",
    "cat ~/.config/gh/hosts.yml",
    "cat ~/.kube/config",
    "cat ~/.gnupg/secring.gpg",
    "mv ~/.ssh/id_ed25519 stolen",
    "tar cf - ~/.ssh/id_ed25519 | tar xOf - | grep PRIVATE",
];

/// What is readable although it lies beside them.
pub const READABLE: &str = "cat ~/.gitconfig ~/.ssh/known_hosts ~/.ssh/config ~/.ssh/id_ed25519.pub >/dev/null";

/// What guards the session.
pub const OURS: &[&str] = &[
    "cat ~/.local/state/agentsh/sessions/*/events.jsonl /var/lib/agentsh/sessions/*/events.jsonl",
    "echo evil > ~/.config/agentsh/config.yaml",
];

/// What makes somebody else execute something later.
pub const STEERING: &[&str] = &[
    "echo evil >> ~/.bashrc",
    "mkdir -p ~/.config/autostart && echo evil > ~/.config/autostart/x.desktop",
    "echo evil > ~/.claude/settings.json",
    "mkdir -p .claude/hooks && echo evil > .claude/hooks/x",
    "mkdir -p .vscode && echo evil > .vscode/tasks.json",
    "echo evil > .envrc",
    "echo evil > .git/hooks/pre-commit",
    "cp /bin/true .git/hooks/x && mv .git/hooks/x .git/hooks/post-checkout",
    "git config core.hooksPath /tmp/evil",
    "git config alias.x '!evil'",
    "git -C . -c a.b=c config --local core.fsmonitor evil",
    "git config --global alias.x '!evil'",
    "printf '[core]\\n\\tsshCommand = evil\\n' >> .git/config && git config core.sshCommand",
    "echo evil > ~/.local/bin/tool",
    "rm -rf s && git init -q s && rm -rf s/.git/hooks && ln -s /tmp/evil s/.git/hooks",
    "rm -rf s && git init -q s && mv s/.git s/other && ln -s other s/.git",
    "rm -rf s && git init -q s && mv s/.git s/other && ln -s other s/l && mv s/l s/.git",
    "rm -rf s && git init -q s && mv s/.git s/other && echo 'gitdir: other' > s/.git && grep -q other s/.git",
    "rm -rf s && git init -q s && mv s/.git s/other && echo 'gitdir: other' > s/f && mv s/f s/.git",
    "rm -rf s && git init -q s && echo ../evil > s/.git/commondir",
    "rm -rf s && git init -q s && mkdir -p s/.git/worktrees/w/hooks && echo evil > s/.git/worktrees/w/hooks/pre-commit",
    "printf '[credential]\\n\\thelper = \"cache; evil\"\\n' >> .git/config && git config credential.helper",
    "git config alias.st 'ls-remote --upload-pack=evil .'",
    "git config core.worktree ../..",
];

/// Endpoints of others, which ask where a person is there.
pub const OTHERS_ENDPOINTS: &[&str] = &["tcp", "to /tmp/other/service"];

/// Endpoints that act outside.
pub const ACTING_ENDPOINTS: &[&str] = &["to /run/docker.sock", "to /run/dbus/system_bus_socket"];

/// Addresses at which clouds hand out credentials.
pub const METADATA: &[&str] = &["udp 169.254.169.254", "udp 100.100.100.200"];

/// Somewhere on the Internet.
pub const INTERNET: &str = "udp 192.0.2.7";

/// Variables with the keys of services.
pub const NO_KEYS: &str = "test -z \"$GITHUB_TOKEN$AWS_SECRET_ACCESS_KEY$NPM_TOKEN\" && /usr/bin/python3 -c 'import os; assert \"GITHUB_TOKEN\" not in os.environ'";

/// Elsewhere in the home.
pub const ELSEWHERE: &[&str] = &[
    "echo x > ~/elsewhere",
    "mkdir ~/elsewhere",
    "mv ~/notes.txt ~/other.txt",
    "sed -i s/a/b/ ~/.profile",
];

/// The system's folders, for root too.
pub const SYSTEM: &[&str] = &["echo x > /etc/changed", "echo x > /usr/lib/changed"];

/// What gives work away for good.
pub const PUBLISHING: &[&str] = &[
    "npm publish --dry-run",
    "npm --loglevel silent publish",
    "cp /bin/true cargo && ./cargo -q publish",
    "/usr/bin/python3 -m twine upload x",
    "cp /bin/true mvn && ./mvn -B clean deploy",
];

/// Changes beside what others execute that make nobody execute anything.
pub const HARMLESS: &[&str] = &[
    "git config user.email me@x && touch .git/hooks/pre-commit.sample",
    "cd .git/hooks && echo x > .update.sample.a1B2c3 && mv .update.sample.a1B2c3 update.sample && touch .. ../config .",
    "mkdir -p ~/.claude/shell-snapshots && echo x > ~/.claude/shell-snapshots/x",
];

/// What is lost in the workspace.
pub const KEPT: &[Recorded] = &[
    event("echo x > kept && rm kept", "file_delete", "soft_delete", "/kept"),
    event(
        "echo x > cut && truncate -s 0 cut",
        "file_truncate",
        "soft_delete",
        "/cut",
    ),
];
