//! Providers that do not answer as they should.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agentsh_tests::record::await_event;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, User, World, session};

use super::super::fake::{Fake, chunk};
use super::super::{bash, check, configure, run};

#[test]
fn a_server_that_stalls_breaks_off_or_talks_nonsense_does_no_harm() -> Result {
    let world = World::new(User::agent())?;
    let ended = Arc::new(Mutex::new(false));
    let told = Arc::clone(&ended);
    let fake = Fake::start(move |asked, stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        if asked.head.contains("/stall") {
            stream.write_all(head.as_bytes())?;
            chunk(stream, b"data: {\"first\":1}\n\n")?;
            // Until the other side gives up.
            let _ = std::io::copy(stream, &mut std::io::sink());
            if let Ok(mut ended) = told.lock() {
                *ended = true;
            }
            return Ok(());
        }
        if asked.head.contains("/break") {
            stream.write_all(head.as_bytes())?;
            return chunk(stream, b"data: {\"half\":");
        }
        if asked.head.contains("/silent") {
            return stream.shutdown(std::net::Shutdown::Write);
        }
        stream.write_all(b"\x00\x01garbage\r\n\r\nmore")
    })?;
    configure(&format!("proxy: {{providers: {{openai: '{}'}}}}\n", fake.base()))?;
    let session = session::with_rules(&world, "")?;
    // The base has no path: the variable brings `/v1`.
    let ask = |path: &str| {
        format!("curl -sSN -w '%{{http_code}}' -d '{{}}' $OPENAI_BASE_URL/{path} > seen 2>&1; echo $?; cat seen")
    };
    let mut child = bash(
        &session,
        "curl -sSN -d '{}' $OPENAI_BASE_URL/stall > seen & echo $! > pid; wait $!",
    )
    .spawn(&world)?;
    let seen = world.workspace().join("seen");
    let first = || std::fs::read_to_string(&seen).is_ok_and(|text| text.contains("first"));
    check(
        wait_until(Duration::from_secs(20), first),
        "what came before the stall",
        &std::fs::read_to_string(&seen),
    )?;
    run(&world, &session, "kill $(cat pid)")?.expect_success("kill")?;
    child.wait(Duration::from_secs(30))?;
    let over = || ended.lock().is_ok_and(|ended| *ended);
    check(
        wait_until(Duration::from_secs(20), over),
        "a caller's end is the server's end",
        &"it waits",
    )?;
    for path in ["silent", "nonsense"] {
        let out = run(&world, &session, &ask(path))?.out();
        check(
            out.starts_with("0\n") && out.ends_with("502") && out.contains("api_error"),
            path,
            &out,
        )?;
    }
    let out = run(&world, &session, &ask("break"))?.out();
    check(!out.starts_with("0\n"), "a broken answer is seen to be broken", &out)?;
    await_event(&world, "what broke", |event| {
        event.kind == "llm_response"
            && event
                .fields
                .get("problem")
                .is_some_and(|problem| problem == "the server broke off")
    })?;
    Ok(())
}
