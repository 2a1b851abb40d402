//! `ci-strict`: nobody is there, and nothing asks.

use agentsh_tests::Result;

use super::*;

#[test]
fn ci_strict_keeps_its_page() -> Result {
    let own = [
        says("Programs run from the system's folders")
            .passes(&[
                WORK[0],
                WORK[1],
                WORK[2],
                WORK[3],
                "cp /bin/true /tmp/program && /tmp/program",
            ])
            .records(&[event(
                "printf '#!/bin/sh\\necho ran\\n' > tool && chmod +x tool && test $(./tool) = ran",
                "process_exec",
                "audit",
                "/tool",
            )])
            .refuses(&[
                "~/x/program",
                "~/.local/bin/theirs",
                "unshare true",
                "chroot / true",
                "su nobody -s /bin/true",
                "env mount",
            ]),
        says("The network reaches package registries").refuses(&[INTERNET, METADATA[0]]),
        says("Files change in the workspace")
            .passes(&[
                "mkdir -p ~/.npm/_cacache && echo x > ~/.npm/_cacache/x",
                READABLE,
                NO_KEYS,
                HARMLESS[0],
            ])
            .refuses(&[ELSEWHERE[0], ELSEWHERE[1], SYSTEM[0], SYSTEM[1]]),
        says("Credentials are out of reach").refuses(CREDENTIALS),
        says("what others execute is not changed").refuses(STEERING),
        says("Publishing is refused").refuses(PUBLISHING),
        says("No unix sockets but those of the session itself")
            .passes(&[OWN_SIGNALS, OWN_ENDPOINTS[0], OWN_ENDPOINTS[1]])
            .refuses(&[
                "kill $OTHER",
                OTHERS_ENDPOINTS[0],
                OTHERS_ENDPOINTS[1],
                ACTING_ENDPOINTS[0],
                ACTING_ENDPOINTS[1],
            ]),
        says("Deletions are final").records(&[event("echo x > gone && rm gone", "file_delete", "allow", "/gone")]),
    ];
    keeps("ci-strict", &[&own])
}
