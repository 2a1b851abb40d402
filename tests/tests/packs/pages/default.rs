//! `default` and `agent-default`.

use agentsh_tests::Result;

use super::*;

fn free() -> Vec<Promise> {
    vec![
    says("Reading everything except credentials.")
        .passes(&["cat ~/notes.txt ~/.bashrc >/dev/null && ls ~ ~/.ssh >/dev/null", READABLE])
        .records(&[event("cat .env >/dev/null", "file_read", "audit", "/.env")]),
    says("Writing the workspace").passes(WORK).refuses(ELSEWHERE),
    says("Toolchains' caches").passes(&[
        "mkdir -p ~/.cache/x && echo x > ~/.cache/x/y",
        "mkdir -p ~/.npm/_cacache ~/.m2/repository ~/go/pkg",
        "mkdir -p ~/.local/share/uv/tools ~/.config/go/telemetry && echo x > ~/.local/share/uv/tools/x",
        "mkdir -p ~/.yarn/new && cd ~/.yarn/new && echo '#!/bin/sh' > tool && cp /bin/true program && chmod +x tool && ./tool && ./program",
    ]),
    says("System folders").passes(&["apt-cache policy bash >/dev/null"]).records(&[event(
        "if [ $(id -u) = 0 ]; then echo x > /etc/made && rm /etc/made; else echo x 2>/dev/null > /etc/made; fi; true",
        "file_create",
        "audit",
        "/etc/made",
    )]),
    says("Every program, except publishing")
        .passes(&["cp /bin/true own && ./own && cp own /tmp/own && /tmp/own && ~/x/program && ~/.local/bin/theirs"])
        .asks(PUBLISHING),
    says("The Internet")
        .passes(&[INTERNET, OWN_ENDPOINTS[0], OWN_ENDPOINTS[1]])
        .refuses(METADATA),
    says("Signals within the session.")
        .passes(&[OWN_SIGNALS])
        .refuses(&["kill $OTHER", "kill -9 $OTHER"]),
]
}

fn guarded() -> Vec<Promise> {
    vec![
        says("**Credentials**")
            .passes(&[READABLE, NO_KEYS])
            .refuses(CREDENTIALS),
        says("**What others execute**").passes(HARMLESS).asks(STEERING),
        says("Loopback and unix endpoints")
            .asks(OTHERS_ENDPOINTS)
            .refuses(ACTING_ENDPOINTS),
        says("Deletions in the workspace are kept").records(KEPT),
        says("What guards the session").refuses(OURS),
    ]
}

#[test]
fn default_keeps_its_page() -> Result {
    keeps("default", &[&free(), &guarded()])
}

#[test]
fn agent_default_keeps_its_page() -> Result {
    let own = [
        says("its own transcripts").passes(&[
            "echo x > ~/.claude/projects/log.jsonl && rm ~/.claude/projects/log.jsonl",
            "cat ~/.claude/.credentials.json >/dev/null && echo x > ~/.claude/.credentials.json",
            "mkdir -p ~/.codex/sessions && echo x > ~/.codex/sessions/x",
        ]),
        says("the variables with keys of model providers").passes(&[NO_KEYS, "test -n \"$ANTHROPIC_API_KEY\""]),
        says("its settings, hooks, commands").asks(&[
            "echo evil > ~/.claude/settings.json",
            "mkdir -p ~/.claude/commands && echo evil > ~/.claude/commands/x.md",
            "echo evil > ~/.codex/config.toml",
        ]),
        says("everything else is as in `default`")
            .passes(&[WORK[0], WORK[1], WORK[2], WORK[3], READABLE, INTERNET, OWN_SIGNALS])
            .asks(STEERING)
            .refuses(CREDENTIALS)
            .records(KEPT),
    ];
    keeps("agent-default", &[&own])
}
