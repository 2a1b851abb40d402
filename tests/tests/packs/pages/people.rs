//! Packs for sessions with a person at hand: `dev-safe`, `agent-strict`, `signal-strict`.

use agentsh_tests::Result;

use super::*;

#[test]
fn dev_safe_keeps_its_page() -> Result {
    let own = [
            says("any other host asks").asks(&[INTERNET]).refuses(METADATA),
            says("`.env` files ask").asks(&["cat .env", "echo x >> .env", "rm .env", "mv .env other"]),
            says("Commands that rewrite or discard work in git")
                .passes(&[
                    "git init -q w && cd w && git commit -q --allow-empty -m 'reset --hard' && git stash list && git reset -q --soft HEAD && git push -q . HEAD:refs/heads/copy",
                ])
                .asks(&[
                    "git reset --hard",
                    "git reset -q --hard HEAD",
                    "git -C . reset --hard",
                    "git -c a.b=c -C . clean -xdf",
                    "git clean -fd",
                    "git push --force . HEAD",
                    "git push --force-with-lease . HEAD",
                    "git push . -f HEAD",
                    "git push . +HEAD:x",
                    "git filter-branch -f HEAD",
                ]),
            says("System folders are not changed")
                .refuses(SYSTEM),
            says("everything else is as in `default`")
                .passes(&[WORK[0], WORK[1], WORK[2], WORK[3], READABLE, OWN_SIGNALS, NO_KEYS])
                .asks(STEERING)
                .refuses(CREDENTIALS)
                .records(KEPT),
        ];
    keeps("dev-safe", &[&own])
}

#[test]
fn agent_strict_keeps_its_page() -> Result {
    let own = [
            says("Programs of the system, of toolchains and of the workspace are free")
                .passes(&[
                    WORK[0],
                    WORK[1],
                    WORK[2],
                    WORK[3],
                    "git gc -q && git fsck --no-progress",
                    "cp /bin/true own && ./own",
                    "find . -maxdepth 1 -name own -exec env true {} + && tar cf /dev/null own",
                ])
                .asks(&["cp /bin/true /tmp/program; /tmp/program", "~/x/program", "~/.local/bin/theirs"]),
            says("Programs that talk to the network ask").asks(&[
                "curl --version",
                "env -u X curl --version",
                "ssh -V",
                "rsync --version",
            ]),
            says("Credentials and `.env` files look absent")
                .passes(&[
                    "test ! -e ~/.aws/credentials && ! stat .env 2>/dev/null",
                    "/usr/bin/python3 -c 'import os, errno\nfor go in (os.stat, os.open):\n  try: go(os.path.expanduser(\"~/.ssh/id_ed25519\"), *([0] if go is os.open else []))\n  except OSError as e: assert e.errno == errno.ENOENT\n  else: raise SystemExit(1)'",
                ])
                .refuses(CREDENTIALS),
            says("are refused, not asked").passes(HARMLESS).refuses(STEERING),
            says("The system's folders are not changed").refuses(SYSTEM),
            says("The environment loses every variable").passes(&[
                NO_KEYS,
                "test -z \"$MY_TEST_TOKEN$BASH_ENV\" && /usr/bin/python3 -c 'import os; assert not {\"MY_TEST_TOKEN\", \"LD_PRELOAD\", \"PERL5OPT\", \"NODE_OPTIONS\"} & set(os.environ)'",
                "MY_TEST_TOKEN=x LD_PRELOAD=/x.so PYTHONSTARTUP=/x /usr/bin/python3 -c 'import os; assert not {\"MY_TEST_TOKEN\", \"LD_PRELOAD\", \"PYTHONSTARTUP\"} & set(os.environ)'",
            ]),
            says("Package registries are free, every other host asks").asks(&[INTERNET]).refuses(METADATA),
            says("Other programs' endpoints are refused").passes(OWN_ENDPOINTS).refuses(&[
                "to /tmp/other/service",
                "to /tmp/ssh-other/agent.1",
                ACTING_ENDPOINTS[0],
                ACTING_ENDPOINTS[1],
            ]),
            says("Deletions in the workspace are kept").records(KEPT),
        ];
    keeps("agent-strict", &[&own])
}

#[test]
fn signal_strict_keeps_its_page() -> Result {
    let own = [
            says("A process signals itself and its descendants freely").passes(&[
                OWN_SIGNALS,
                "sleep 50 & p=$!; until grep -q sleep /proc/$p/comm; do :; done; kill -9 $p; wait $p; test $? = 137",
                "set -m; sleep 50 & kill -STOP %1; kill -CONT %1; kill %1; wait; true",
                "timeout 0.1 sleep 50; test $? = 124",
            ]),
            says("KILL to another command of the session becomes TERM").records(&[event(
                "(trap 'echo ended > term; exit' TERM; touch up; while :; do sleep 0.05; done) & p=$!; until [ -e up ]; do :; done; setsid sh -c \"kill -9 $p\"; wait $p; grep -q ended term",
                "signal_send",
                "redirect",
                "bash",
            )]),
            says("The caller of the session is never signalled")
                .passes(&["kill -HUP $OTHER && kill -0 $OTHER"])
                .refuses(&[
                    "kill -9 $PPID",
                    "kill -STOP $PPID",
                    "kill -9 $OTHER",
                    "kill -TERM $OTHER",
                    "kill -STOP $OTHER",
                    "kill -INT $OTHER",
                ]),
            says("everything else is as in `default`")
                .passes(&[WORK[0], WORK[1], WORK[2], WORK[3], READABLE, INTERNET, NO_KEYS])
                .asks(STEERING)
                .refuses(CREDENTIALS)
                .records(KEPT),
        ];
    keeps("signal-strict", &[&own])
}
