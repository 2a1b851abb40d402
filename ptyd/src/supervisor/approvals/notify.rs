//! Telling people that they are asked: `approvals.notify`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use agentsh_policy::model::Notify;
use agentsh_protocol::approvals::Approval;
use agentsh_protocol::places::Account;

/// How long a webhook may take, in seconds.
const PATIENCE: &str = "10";

/// Tells of a new request by the operator's command and webhook. Returns at once; what goes wrong is in the log.
pub(super) fn tell(notify: &Notify, approval: &Approval, account: &Account) {
    if let Some(command) = &notify.command {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]);
        run("approvals.notify.command", shell, approval, account);
    }
    if let Some(address) = &notify.webhook {
        run("approvals.notify.webhook", post(address), approval, account);
    }
}

/// A request to `address` with standard input as its body.
fn post(address: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--disable", "--silent", "--show-error", "--fail"])
        .args(["--proto", "=http,https", "--max-time", PATIENCE, "--noproxy", "*"])
        .args(["--header", "content-type: application/json", "--data-binary", "@-"])
        .args(["--output", "/dev/null", "--url", address]);
    curl
}

/// Runs it outside of the session, as its user, with the approval as one line of JSON on standard input.
fn run(what: &'static str, mut command: Command, approval: &Approval, account: &Account) {
    let child = command
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
        let wait = move || {
            let written = child
                .stdin
                .take()
                .map(|mut input| input.write_all(&text).and_then(|()| input.write_all(b"\n")));
            match written.unwrap_or(Ok(())).and_then(|()| child.wait()) {
                Ok(status) if status.success() => {}
                Ok(status) => tracing::error!("{what}: {status}"),
                Err(error) => tracing::error!("{what}: {error}"),
            }
        };
        thread.spawn(wait).map(drop)
    });
    if let Err(error) = told {
        tracing::error!("{what}: {error}");
    }
}
