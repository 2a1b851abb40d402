//! HTTP/2 as the proxy speaks it, by a suite that others wrote: httpwg, a successor of h2spec for RFC 9113.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use agentsh_tests::network::Far;
use agentsh_tests::{Result, User, World, fail};

use super::fake::Fake;
use super::{bash, check, configure};

/// What hyper does in another way than the suite wants, and why that is no harm.
const OTHERWISE: &[&str] = &[];

#[test]
fn the_suite_of_others_finds_http_2_as_the_standard_has_it() -> Result {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name("target")
        .join("suite/bin/httpwg");
    // The folder of the sources need not be open to an ordinary user.
    let world = World::new(User::root())?;
    let _far = Far::enter()?;
    // The suite asks for `localhost`.
    let _server = Fake::on_with_body(TcpListener::bind("127.0.0.1:80")?, "text/plain", b"hello")?;
    configure("proxy: {providers: {ollama: 'http://127.0.0.1:9'}}\n")?;
    let rules = "network_rules: [{name: here, cidrs: [\"127.0.0.0/8\", \"::1\"], decision: allow}]\n";
    let session = agentsh_tests::session::with_rules(&world, rules)?;
    let program = world.workspace().join("httpwg");
    std::fs::copy(&suite, &program)
        .map_err(|error| fail(format!("{}: {error}: docs/setup.sh test", suite.display())))?;
    let text = "SEQUENTIAL=1 RUST_LOG=off ./httpwg -a ${http_proxy#http://} --frame-timeout 10000 --connect-timeout 10000 2>&1; true";
    let outcome = bash(&session, text).deadline(Duration::from_secs(600)).run(&world)?;
    let out = outcome.out();
    let named = |mark: &str| -> Vec<String> {
        let lines = out.lines().filter_map(|line| line.strip_prefix(mark));
        lines.map(|line| line.trim().to_owned()).collect()
    };
    let (passed, mut failed) = (named("✅ Test passed: "), named("❌ Test failed: "));
    failed.retain(|test| !OTHERWISE.iter().any(|other| test.ends_with(other)));
    check(
        failed.is_empty() && passed.len() > 80,
        "what failed",
        &(failed, passed.len(), &out),
    )
}
