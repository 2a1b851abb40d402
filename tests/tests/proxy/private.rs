//! The proxy of a session with a network of its own: it listens there, and its way out is the host's.

use agentsh_tests::record::await_event;
use agentsh_tests::{Result, User, World, session};

use super::fake::Fake;
use super::{check, configure, run};

#[test]
fn a_network_of_the_sessions_own_has_the_proxy_and_not_what_is_behind_it() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let fake = Fake::with_body("application/json", b"{\"data\":[]}")?;
        configure(&format!("proxy: {{providers: {{openai: '{}/v1'}}}}\n", fake.base()))?;
        let rules = "network: {namespace: private}\nnetwork_rules: [{name: all, decision: allow}]\n";
        let session = session::with_rules(&world, rules)?;
        let outcome = run(&world, &session, "curl -sS \"$OPENAI_BASE_URL/models\"")?;
        check(outcome.out() == "{\"data\":[]}", "the provider's answer", &outcome)?;
        check(
            fake.only()?.head.starts_with("GET /v1/models "),
            "what was asked",
            &fake.asked(),
        )?;
        let event = await_event(&world, "the request", |event| {
            event.kind == "http_request" || event.kind == "llm_request"
        })?;
        check(event.command_id.is_some() && event.pid.is_some(), "who asked", &event)?;
        // What else listens on the host's loopback is on another network.
        let other = Fake::with_body("text/plain", b"from the host")?;
        let direct = format!("curl -sS --noproxy '*' --max-time 20 {}/x", other.base());
        let outcome = run(&world, &session, &direct)?;
        check(outcome.expect_success("curl").is_err(), "the host's loopback", &outcome)?;
        check(
            other.asked().is_empty(),
            "nothing arrived by another way",
            &other.asked(),
        )?;
        let outside = "curl -sS --noproxy '' --max-time 20 -o /dev/null -w '%{http_code}' http://127.0.0.1:1/";
        let outcome = run(&world, &session, outside)?;
        check(!outcome.out().starts_with('2'), "what nobody serves", &outcome)?;
    }
    Ok(())
}
