//! Providers of models.

mod faults;
mod hidden;
mod limits;

use std::io::Write;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use agentsh_tests::record::{await_event, events};
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, User, World, fail, session};

use super::fake::{Fake, chunk};
use super::streams::VENDORS;
use super::{bash, check, configure, is_kept, proxy, run};

const KEY: &str = "credential-of-the-agent-0123456789";

fn variable(provider: &str) -> &'static str {
    match provider {
        "anthropic" => "$ANTHROPIC_BASE_URL",
        "gemini" => "$GOOGLE_GEMINI_BASE_URL",
        "ollama" => "$OLLAMA_HOST",
        _ => "$OPENAI_BASE_URL",
    }
}

#[test]
fn what_is_too_large_to_be_read_whole_passes_where_nothing_looks_into_it() -> Result {
    for (dlp, code, arrived) in [("off", "200", 1), ("redact", "413", 0)] {
        let world = World::new(User::agent())?;
        let fake = Fake::with_body("application/json", b"{}")?;
        configure(&format!(
            "proxy: {{providers: {{openai: '{}/v1'}}}}\ndlp: {{mode: {dlp}}}\n",
            fake.base()
        ))?;
        let session = session::with_rules(&world, "")?;
        let ask = "head -c 140000000 /dev/zero | curl -sS -o answer -w '%{http_code}' --data-binary @- $OPENAI_BASE_URL/files";
        let seen = run(&world, &session, ask)?;
        check(seen.out() == code, dlp, &seen)?;
        let lengths: Vec<usize> = fake.asked().iter().map(|one| one.body.len()).collect();
        check(lengths == vec![140_000_000; arrived], "what arrived", &lengths)?;
    }
    Ok(())
}

#[test]
fn what_goes_to_a_providers_own_address_by_way_of_the_proxy_is_searched_too() -> Result {
    let world = World::new(User::agent())?;
    let fake = Fake::with_body("application/json", b"{}")?;
    configure(&format!("proxy: {{providers: {{openai: '{}/v1'}}}}\n", fake.base()))?;
    let rules = "network_rules: [{name: here, cidrs: [\"127.0.0.0/8\"], decision: allow}]\n";
    let session = session::with_rules(&world, rules)?;
    let body = r#"{"messages":[{"role":"user","content":"mail jo@example.org"}]}"#;
    for (count, how) in ["", "--proxytunnel"].into_iter().enumerate() {
        let url = format!("{}/v1/chat/completions", fake.base());
        let seen = run(
            &world,
            &session,
            &format!("curl -sS {how} --noproxy '' -x $http_proxy -d '{body}' {url}"),
        )?;
        check(seen.out() == "{}", how, &seen)?;
        let asked = fake.asked();
        let searched = |one: &super::fake::Asked| String::from_utf8_lossy(&one.body).contains("mail [REDACTED:email]");
        check(asked.len() == count + 1 && asked.iter().all(searched), how, &asked)?;
    }
    Ok(())
}

#[test]
fn streams_of_every_provider_pass_byte_for_byte_and_are_accounted() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        for (provider, path, kind, stream, model, input, output) in VENDORS.iter().copied() {
            let fake = Fake::with_body(kind, stream.as_bytes())?;
            configure(&format!("proxy: {{providers: {{{provider}: '{}/v1'}}}}\n", fake.base()))?;
            let session = session::with_rules(&world, "")?;
            let key = format!("authorization: Bearer {KEY}\n");
            world.user().write_file(&world.workspace().join("key"), key, 0o600)?;
            let body = r#"{"model":"asked-for","stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
            let text = format!(
                "curl -sSN -H @key -H 'content-type: application/json' -d '{body}' \"{}{path}\" | tee seen | wc -c; cat seen",
                variable(provider)
            );
            let outcome = run(&world, &session, &text)?;
            let seen = outcome.out();
            let seen = seen
                .split_once('\n')
                .map(|(_, rest)| rest.to_owned())
                .unwrap_or_default();
            check(
                seen == stream,
                "the stream as it was sent",
                &(provider, seen, outcome.err()),
            )?;
            let asked = fake.only()?;
            check(asked.body == body.as_bytes(), "the request as it was sent", &asked)?;
            check(
                asked.field("authorization") == Some(&format!("Bearer {KEY}")),
                "the credential",
                &asked,
            )?;
            check(asked.head.starts_with(&format!("POST /v1{path} ")), "the path", &asked)?;
            let answer = await_event(&world, "the answer", |event| {
                event.kind == "llm_response" && event.session_id == session.id
            })?;
            let field = |name: &str| answer.fields.get(name).cloned().unwrap_or_default();
            check(field("model") == model, "the model", &answer)?;
            check(
                field("input_tokens") == input && field("output_tokens") == output,
                "the tokens",
                &answer,
            )?;
            check(field("tools") == serde_json::json!(["bash"]), "the tools", &answer)?;
            let events = events(&world)?;
            let request = events
                .iter()
                .find(|event| event.kind == "llm_request" && event.session_id == session.id);
            let request = request.ok_or_else(|| fail("no llm_request"))?;
            check(
                request.command_id.is_some() && request.command_id == answer.command_id,
                "the command",
                &request,
            )?;
            check(
                request.layer.as_deref() == Some("proxy") && request.pid.is_some(),
                "who asked",
                &request,
            )?;
            let usage = proxy(&world, &session)?.usage;
            let one = usage.first().ok_or_else(|| fail("no usage"))?;
            check(
                (one.requests, one.input_tokens, one.output_tokens) == (1, input, output),
                "the use",
                &usage,
            )?;
            check(one.cost_usd.is_some() && !one.estimated, "the cost", &usage)?;
        }
        check(!is_kept(&world, KEY)?, "no credential is kept", &"it is")?;
        check(!is_kept(&world, "Hello there")?, "no body is kept", &"it is")?;
    }
    Ok(())
}

#[test]
fn an_event_passes_before_the_next_one_is_sent() -> Result {
    let world = World::new(User::agent())?;
    let (go, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let fake = Fake::start(move |_, stream| {
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )?;
        chunk(
            stream,
            b"data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":1}}}\n\n",
        )?;
        // Nothing more is sent until the first was seen.
        let seen = wait
            .lock()
            .ok()
            .and_then(|wait| wait.recv_timeout(Duration::from_secs(30)).ok());
        chunk(
            stream,
            if seen.is_some() {
                b"data: {\"type\":\"message_stop\"}\n\n"
            } else {
                b"data: late\n\n"
            },
        )?;
        chunk(stream, b"")
    })?;
    configure(&format!("proxy: {{providers: {{anthropic: '{}'}}}}\n", fake.base()))?;
    let session = session::with_rules(&world, "")?;
    let mut child = bash(&session, "curl -sSN -d '{}' $ANTHROPIC_BASE_URL/v1/messages > seen").spawn(&world)?;
    let seen = world.workspace().join("seen");
    let first = || std::fs::read_to_string(&seen).is_ok_and(|text| text.contains("message_start"));
    check(
        wait_until(Duration::from_secs(20), first),
        "the first event",
        &std::fs::read_to_string(&seen),
    )?;
    go.send(())?;
    child.wait(Duration::from_secs(30))?;
    let text = std::fs::read_to_string(&seen)?;
    check(
        text.ends_with("data: {\"type\":\"message_stop\"}\n\n"),
        "the second event",
        &text,
    )
}

const SECRETS: &str = "mail jo@example.org with sk-ant-api03-abcdefghijklmnopqrstuvwx";

#[test]
fn what_may_not_leave_is_replaced_blocked_or_counted() -> Result {
    let world = World::new(User::agent())?;
    let stream = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"card 4111 1111 \"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"1111 1111.\"}}]}\n\ndata: [DONE]\n\n";
    let body = format!(r#"{{"model":"m","stream":true,"messages":[{{"role":"user","content":"{SECRETS}"}}]}}"#);
    let ask = format!("curl -sSN -w '%{{http_code}}' -d '{body}' $OPENAI_BASE_URL/chat/completions");
    for mode in ["redact", "block", "audit", "off"] {
        let fake = Fake::with_body("text/event-stream", stream.as_bytes())?;
        configure(&format!(
            "proxy: {{providers: {{openai: '{}/v1'}}}}\ndlp: {{mode: {mode}}}\n",
            fake.base()
        ))?;
        let session = session::with_rules(&world, "")?;
        let seen = run(&world, &session, &ask)?.out();
        let found = || {
            await_event(&world, "findings", |event| {
                event.kind == "dlp_match" && event.session_id == session.id && event.fields["part"] == "request"
            })
        };
        match mode {
            "redact" => {
                let sent = String::from_utf8(fake.only()?.body)?;
                check(
                    sent == body.replace(SECRETS, "mail [REDACTED:email] with [REDACTED:api_keys]"),
                    "the request",
                    &sent,
                )?;
                check(
                    seen.contains("card [REDACTED:credit_card]") && !seen.contains("4111"),
                    "the answer",
                    &seen,
                )?;
                check(seen.ends_with("data: [DONE]\n\n200"), "the rest", &seen)?;
                check(
                    found()?.fields["found"] == serde_json::json!({"email": 1, "api_keys": 1}),
                    "counts",
                    &found()?,
                )?;
            }
            "block" => {
                check(fake.asked().is_empty(), "nothing leaves", &fake.asked())?;
                check(
                    seen.contains("may not leave: api_keys, email") && seen.ends_with("403"),
                    "a clear answer",
                    &seen,
                )?;
                // What is clean leaves, and its answer is cut before the finding.
                let clean = ask.replace(SECRETS, "hello");
                let seen = run(&world, &session, &clean)?.out();
                check(
                    seen.contains("holds what may not pass") && !seen.contains("4111"),
                    "the answer is cut",
                    &seen,
                )?;
            }
            _ => {
                check(
                    fake.only()?.body == body.as_bytes(),
                    "the request as it was",
                    &fake.asked(),
                )?;
                check(seen == format!("{stream}200"), "the answer as it was", &seen)?;
                if mode == "audit" {
                    check(
                        found()?.fields["found"] == serde_json::json!({"email": 1, "api_keys": 1}),
                        "counts",
                        &found()?,
                    )?;
                }
            }
        }
    }
    for text in ["jo@example.org", "sk-ant-api03", "4111 1111"] {
        // The arguments of the client that the test ran are on record; nothing else is.
        let kept = events(&world)?
            .into_iter()
            .filter(|event| event.layer.as_deref() == Some("proxy"));
        check(
            !kept.map(|event| format!("{event:?}")).any(|event| event.contains(text)),
            "findings are counted only",
            &text,
        )?;
    }
    Ok(())
}

#[test]
fn limits_answer_429_and_say_which() -> Result {
    let world = World::new(User::agent())?;
    let answer = r#"{"model":"gpt-4o","choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":60,"completion_tokens":50}}"#;
    for (limit, word, after) in [
        ("rpm: 1", "1 requests a minute", true),
        ("tpm: 100", "100 tokens a minute", true),
        ("budget: 100", "budget of 100 tokens", false),
    ] {
        let fake = Fake::with_body("application/json", answer.as_bytes())?;
        configure(&format!(
            "proxy: {{providers: {{openai: '{}/v1'}}, limits: {{{limit}}}}}\n",
            fake.base()
        ))?;
        let session = session::with_rules(&world, "")?;
        let ask = "curl -sS -D head -w '%{http_code}' -d '{\"model\":\"gpt-4o\"}' $OPENAI_BASE_URL/chat/completions";
        let first = run(&world, &session, ask)?.out();
        check(first == format!("{answer}200"), "the first passes", &first)?;
        let second = run(&world, &session, ask)?.out();
        check(
            second.ends_with("429") && second.contains(word) && second.contains("rate_limit_error"),
            "the second",
            &second,
        )?;
        let head = std::fs::read_to_string(world.workspace().join("head"))?.to_lowercase();
        check(head.contains("retry-after: ") == after, "when to come back", &head)?;
        check(fake.asked().len() == 1, "only the first left", &fake.asked())?;
        let usage = proxy(&world, &session)?.usage;
        check(
            usage.iter().any(|one| (one.requests, one.refused) == (1, 1)),
            "both are counted",
            &usage,
        )?;
        await_event(&world, "the refusal", |event| {
            event.is("llm_request", "deny", "/chat/completions")
        })?;
    }
    Ok(())
}

/// What each provider answers where no stream is asked for: path, request, answer, tokens of input and output.
const WHOLE: &[(&str, &str, &str, &str, u64, u64)] = &[
    (
        "openai",
        "/embeddings",
        r#"{"model":"text-embedding-3-small","input":["mail jo@example.org"]}"#,
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.25,-1.5e-3]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}}"#,
        8,
        0,
    ),
    (
        "openai",
        "/chat/completions",
        r#"{"model":"gpt-4o","messages":[{"role":"user","content":"mail jo@example.org"}]}"#,
        r#"{"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"}}],"usage":{"prompt_tokens":6,"completion_tokens":2}}"#,
        6,
        2,
    ),
    (
        "openai",
        "/responses",
        r#"{"model":"gpt-5","input":"mail jo@example.org"}"#,
        r#"{"model":"gpt-5","output":[{"type":"message","content":[{"type":"output_text","text":"Hi"}]}],"usage":{"input_tokens":5,"output_tokens":3}}"#,
        5,
        3,
    ),
    (
        "anthropic",
        "/v1/messages",
        r#"{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":"mail jo@example.org"}]}"#,
        r#"{"type":"message","model":"claude-sonnet-4-5","content":[{"type":"text","text":"Hi"}],"usage":{"input_tokens":7,"output_tokens":4}}"#,
        7,
        4,
    ),
    (
        "gemini",
        "/v1beta/models/gemini-2.5-flash:generateContent",
        r#"{"contents":[{"parts":[{"text":"mail jo@example.org"}]}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":1},"modelVersion":"gemini-2.5-flash"}"#,
        4,
        1,
    ),
    (
        "ollama",
        "/api/embed",
        r#"{"model":"llama3.2","input":"mail jo@example.org"}"#,
        r#"{"model":"llama3.2","embeddings":[[0.1,0.2]],"prompt_eval_count":9}"#,
        9,
        0,
    ),
];

#[test]
fn whole_answers_are_accounted_too_and_the_record_knows_it_when_the_session_is_over() -> Result {
    let world = World::new(User::agent())?;
    for (provider, path, request, answer, input, output) in WHOLE.iter().copied() {
        let fake = Fake::with_body("application/json", answer.as_bytes())?;
        configure(&format!("proxy: {{providers: {{{provider}: '{}'}}}}\n", fake.base()))?;
        let session = session::with_rules(&world, "")?;
        let text = format!(
            "curl -sS -d '{request}' {base}{path}; curl -sS -o /dev/null {base}/models",
            base = variable(provider)
        );
        let seen = run(&world, &session, &text)?.out();
        check(seen == answer, "the answer as it was sent", &(path, seen))?;
        let asked = fake.asked();
        let sent = asked.first().map(|one| String::from_utf8_lossy(&one.body).into_owned());
        check(
            sent == Some(request.replace("jo@example.org", "[REDACTED:email]")),
            "the request, searched",
            &sent,
        )?;
        let used = |what: &str| -> Result<String> {
            let usage = proxy(&world, &session)?.usage;
            let one = usage.first().ok_or_else(|| fail(format!("no usage {what}")))?;
            check(
                (one.requests, one.input_tokens, one.output_tokens, one.found) == (1, input, output, 1)
                    && one.cost_usd.is_some(),
                what,
                &(path, &usage),
            )?;
            Ok(serde_json::to_string(&usage)?)
        };
        let running = used("while it runs")?;
        world
            .agentsh(["session", "destroy", &session.id])?
            .expect_success("destroy")?;
        let over = used("when it is over")?;
        check(running == over, "the same", &(running, over))?;
    }
    Ok(())
}

#[test]
fn bodies_are_kept_only_where_it_is_asked_for_and_without_findings() -> Result {
    let world = World::new(User::agent())?;
    let fake = Fake::with_body("application/json", b"{\"said\":\"an unusual answer\"}")?;
    configure(&format!(
        "proxy: {{providers: {{openai: '{}/v1'}}, store_bodies: true}}\n",
        fake.base()
    ))?;
    let session = session::with_rules(&world, "")?;
    let text = "printf '{\"content\":\"an unusual %s of jo@example.org\"}' question > body; curl -sS -d @body $OPENAI_BASE_URL/chat/completions";
    run(&world, &session, text)?.expect_success("curl")?;
    let folder = world.state_dir().join("sessions").join(&session.id).join("llm");
    let kept = || -> Vec<String> {
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut texts: Vec<String> = files
            .filter_map(|file| std::fs::read_to_string(file.path()).ok())
            .collect();
        texts.sort();
        texts
    };
    let expected = [
        "{\"content\":\"an unusual question of [REDACTED:email]\"}",
        "{\"said\":\"an unusual answer\"}",
    ];
    check(
        wait_until(Duration::from_secs(10), || kept() == expected),
        "both bodies",
        &kept(),
    )
}

#[test]
fn a_shim_adds_no_variable_and_strangers_are_not_served() -> Result {
    let world = World::new(User::agent())?;
    let fake = Fake::with_body("application/json", b"{}")?;
    configure(&format!("proxy: {{providers: {{openai: '{}'}}}}\n", fake.base()))?;
    let shim = world.shimmed("env | grep -ci -e base_url -e proxy")?.out();
    check(shim == "0\n", "the shim's environment", &shim)?;
    let session = session::with_rules(&world, "")?;
    let variable = run(&world, &session, "echo $OPENAI_BASE_URL")?.out();
    let inside = run(&world, &session, "curl -sS $OPENAI_BASE_URL/models")?.out();
    check(inside == "{}", "a program of the session", &inside)?;
    // The same user, outside of the session.
    let outside = agentsh_tests::Shell::program("curl")
        .args(["-sS", &format!("{}/models", variable.trim())])
        .run(&world)?;
    check(
        outside.out().is_empty() && outside.expect_success("curl").is_err(),
        "a stranger",
        &outside,
    )?;
    check(fake.asked().len() == 1, "only one request left", &fake.asked())
}

#[test]
fn a_provider_is_reached_where_the_network_is_closed() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let fake = Fake::with_body("application/json", b"{}")?;
        configure(&format!("proxy: {{providers: {{openai: '{}'}}}}\n", fake.base()))?;
        let session = session::with_rules(&world, "network_rules: [{name: closed, decision: deny}]\n")?;
        let direct = run(&world, &session, &format!("curl -sS {}/models", fake.base()))?;
        check(
            direct.expect_success("curl").is_err() && fake.asked().is_empty(),
            "past the proxy",
            &direct,
        )?;
        let led = run(&world, &session, "curl -sS $OPENAI_BASE_URL/models")?;
        check(led.out() == "{}" && fake.asked().len() == 1, "through the proxy", &led)?;
        let named = run(&world, &session, "curl -sS http://elsewhere.example/")?.out();
        check(named.contains("denied by policy"), "elsewhere", &named)?;
    }
    Ok(())
}
