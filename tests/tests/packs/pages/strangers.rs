//! `agent-sandbox`: code that nobody trusts.

use agentsh_tests::Result;

use super::*;

#[test]
fn agent_sandbox_keeps_its_page() -> Result {
    let own = [
        says("The workspace, temporary folders, the system's and toolchains' programs")
            .passes(&[
                WORK[0],
                WORK[1],
                WORK[2],
                WORK[3],
                OWN_SIGNALS,
                OWN_ENDPOINTS[0],
                OWN_ENDPOINTS[1],
                "cat ~/.gitconfig >/dev/null",
                "cp /bin/true own && ./own && cp own /tmp/own && /tmp/own",
            ])
            .refuses(&[
                "cat ~/.bashrc",
                "cat ~/notes.txt",
                "ls ~/x",
                "cat .env",
                ELSEWHERE[0],
                ELSEWHERE[1],
            ]),
        says("look absent")
            .passes(&[
                "test ! -e ~/.ssh && test ! -e ~/.aws && ! stat ~/.config 2>/dev/null && ! ls ~/.claude 2>/dev/null",
            ])
            .refuses(CREDENTIALS),
        says("There is no network").refuses(&[
            INTERNET,
            METADATA[0],
            OTHERS_ENDPOINTS[0],
            OTHERS_ENDPOINTS[1],
            ACTING_ENDPOINTS[0],
            ACTING_ENDPOINTS[1],
            "kill $OTHER",
        ]),
        says("The environment is a list of names").passes(&[
            NO_KEYS,
            "test -z \"$MY_TEST_TOKEN$OTHER_VARIABLE$BASH_ENV\" && test -n \"$HOME$PATH\"",
        ]),
        says("Every program start is recorded").records(&[
            event("true; /bin/true", "process_exec", "audit", "/true"),
            KEPT[0],
            KEPT[1],
        ]),
        says("are not changed: they would run outside")
            .passes(&[HARMLESS[0]])
            .refuses(&[
                "mkdir -p .claude/hooks && echo evil > .claude/hooks/x",
                "mkdir -p .vscode && echo evil > .vscode/tasks.json",
                "echo evil > .envrc",
                "echo evil > .git/hooks/pre-commit",
                "git config core.hooksPath /tmp/evil",
                "printf '[core]\\n\\tsshCommand = evil\\n' >> .git/config && git config core.sshCommand",
                "echo evil >> ~/.bashrc",
                "echo x > /etc/changed",
            ]),
    ];
    keeps("agent-sandbox", &[&own])
}
