//! Telling people that they are asked: `approvals.notify.command`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use agentsh_protocol::approvals::Approval;
use agentsh_protocol::places::Account;

/// Runs the operator's command outside of the session, as its user, with the approval as one line of JSON on
/// standard input. Returns at once; what goes wrong is in the log.
pub(super) fn run(command: &str, approval: &Approval, account: &Account) {
    let child = Command::new("/bin/sh")
        .args(["-c", command])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", &account.home)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let text = serde_json::to_vec(approval).unwrap_or_default();
    let told = child.and_then(|mut child| {
        let thread = std::thread::Builder::new().name("notify".into());
        thread
            .spawn(move || {
                let written = child
                    .stdin
                    .take()
                    .map(|mut input| input.write_all(&text).and_then(|()| input.write_all(b"\n")));
                if let Err(error) = written.unwrap_or(Ok(())).and_then(|()| child.wait().map(report)) {
                    tracing::error!("approvals.notify.command: {error}");
                }
            })
            .map(drop)
    });
    if let Err(error) = told {
        tracing::error!("approvals.notify.command: {error}");
    }
}

fn report(status: std::process::ExitStatus) {
    if !status.success() {
        tracing::error!("approvals.notify.command: {status}");
    }
}
