//! Limits against who tries to get past them.

use std::io::Write;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, User, World, session};

use super::super::fake::{Fake, chunk};
use super::super::{bash, check, configure, proxy, run};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn requests_at_the_same_time_do_not_get_past_the_budget_together() -> Result {
    let world = World::new(User::agent())?;
    let (go, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let fake = Fake::start(move |_, stream| {
        let _ = wait.lock().map(|wait| wait.recv_timeout(PATIENCE));
        let body = r#"{"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    })?;
    configure(&format!(
        "proxy: {{providers: {{openai: '{}'}}, limits: {{budget: 1000}}}}\n",
        fake.base()
    ))?;
    let session = session::with_rules(&world, "")?;
    let ask = |more: &str| {
        format!("curl -sS -w '%{{http_code}}' -d '{{\"model\":\"m\"{more}}}' $OPENAI_BASE_URL/chat/completions")
    };
    let first = bash(&session, &ask("")).spawn(&world)?;
    check(
        wait_until(PATIENCE, || fake.asked().len() == 1),
        "the first arrives",
        &(),
    )?;
    let second = run(&world, &session, &ask(",\"max_tokens\":1"))?.out();
    check(
        second.ends_with("429") && second.contains("on their way"),
        "the second",
        &second,
    )?;
    go.send(())?;
    let first = first.finish(PATIENCE)?.out();
    check(first.ends_with("200"), "the first", &first)?;
    go.send(())?;
    let third = run(&world, &session, &ask(""))?.out();
    check(third.ends_with("200") && fake.asked().len() == 2, "the third", &third)
}

/// Reads most of a stream and hangs up before it is told what it has cost.
const HASTY: &str = r#"import os, socket
host, port = os.environ["ANTHROPIC_BASE_URL"].split("//")[1].split("/")[0].split(":")
s = socket.create_connection((host, int(port))); body = '{"model":"m","stream":true}'
s.sendall(f"POST /llm/anthropic/v1/messages HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
seen = b""
while seen.count(b"x") < 4000: seen += s.recv(4096)
"#;

#[test]
fn who_hangs_up_before_the_use_is_told_has_used_what_was_said() -> Result {
    let world = World::new(User::agent())?;
    let fake = Fake::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        let start = r#"{"type":"message_start","message":{"model":"m","usage":{"input_tokens":5,"output_tokens":1}}}"#;
        chunk(stream, format!("event: message_start\ndata: {start}\n\n").as_bytes())?;
        let text = "x ".repeat(4000);
        let piece =
            format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{text}"}}}}"#);
        chunk(
            stream,
            format!("event: content_block_delta\ndata: {piece}\n\n").as_bytes(),
        )?;
        // Until the other side is gone.
        std::io::copy(stream, &mut std::io::sink()).map(drop)
    })?;
    configure(&format!("proxy: {{providers: {{anthropic: '{}'}}}}\n", fake.base()))?;
    let session = session::with_rules(&world, "")?;
    world
        .user()
        .write_file(&world.workspace().join("hasty.py"), HASTY, 0o644)?;
    run(&world, &session, "python3 hasty.py")?.expect_success("the client")?;
    let told = || proxy(&world, &session).map(|info| info.usage.iter().map(|one| one.output_tokens).sum::<u64>());
    let right = wait_until(PATIENCE, || told().is_ok_and(|output| output == 2000));
    check(right, "the use", &told()?)
}
