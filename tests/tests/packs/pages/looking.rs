//! Packs that change nothing: `system-readonly` and `agent-observe`.

use agentsh_tests::Result;

use super::*;

#[test]
fn system_readonly_keeps_its_page() -> Result {
    let own = [
        says("Everything but credentials is readable")
            .passes(&[WORK[0], READABLE, "cat .env ~/notes.txt ~/.bashrc >/dev/null", NO_KEYS])
            .refuses(CREDENTIALS),
        says("Every program runs and is recorded").records(&[event(
            "cp /bin/true /tmp/p && /tmp/p && ~/x/program",
            "process_exec",
            "audit",
            "/program",
        )]),
        says("Nothing is written outside").passes(&[WORK[2]]).refuses(&[
            "echo x > made",
            "rm .env",
            "touch -d 2000-01-01 .env",
            "chmod 777 .env",
            ELSEWHERE[0],
            SYSTEM[0],
            SYSTEM[1],
        ]),
        says("Subcommands that change the system")
            .passes(&[
                "dpkg -l bash >/dev/null && apt-cache policy bash >/dev/null && sysctl kernel.ostype >/dev/null",
                "systemctl --version >/dev/null",
            ])
            .refuses(&[
                "apt-get install nothing",
                "apt-get -y install nothing",
                "systemctl restart nothing",
                "systemctl --no-block restart nothing",
                "dpkg -i nothing",
                "sysctl -w a=b",
                "passwd",
            ]),
        says("The network reaches this machine's own ports")
            .passes(&["tcp", OWN_SIGNALS])
            .refuses(&[
                INTERNET,
                METADATA[0],
                OTHERS_ENDPOINTS[1],
                ACTING_ENDPOINTS[0],
                "kill $OTHER",
            ]),
    ];
    keeps("system-readonly", &[&own])
}

#[test]
fn agent_observe_keeps_its_page() -> Result {
    let own = [
        says("every program, change, connection, unix socket and signal is allowed and recorded")
            .passes(&[WORK[1], WORK[3], "cat ~/.ssh/id_ed25519 >/dev/null", INTERNET])
            .records(&[
                event("true; /bin/true", "process_exec", "audit", "/true"),
                event("echo x > ~/elsewhere", "file_create", "audit", "/elsewhere"),
                event("tcp", "net_connect", "audit", ""),
                event("to /tmp/other/service", "unix_connect", "audit", "/tmp/other/service"),
                event("kill -WINCH $OTHER", "signal_send", "audit", "/sleep"),
            ]),
        says("agentsh's own files, sockets and processes").refuses(OURS),
    ];
    keeps("agent-observe", &[&own])
}
