//! What must not leave, where a search could overlook it.

use agentsh_tests::{Result, User, World, session};

use super::super::fake::Fake;
use super::super::{check, configure, run};

#[test]
fn what_hides_in_names_numbers_and_tools_is_found_and_what_cannot_be_read_does_not_leave() -> Result {
    let world = World::new(User::agent())?;
    let fake = Fake::with_body("application/json", b"{}")?;
    configure(&format!("proxy: {{providers: {{anthropic: '{}'}}}}\n", fake.base()))?;
    let session = session::with_rules(&world, "")?;
    let ask = |body: &[u8]| -> Result<String> {
        world.user().write_file(&world.workspace().join("body"), body, 0o644)?;
        let text = "curl -sS -w '%{http_code}' --data-binary @body $ANTHROPIC_BASE_URL/v1/messages";
        Ok(run(&world, &session, text)?.out())
    };
    let tool = r#"{"model":"m","messages":[{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"n","input":{"id":"jo@example.org","type":["sk-ant-api03-abcdefghijklmnopqrstuvwx"],"card":4111111111111111,"number":4111111111111112}}]}],"id":"+1 202 555 0143","metadata":{"jo@example.org":"x","user.id":"jo@example.org","type":{"7":"jo@example.org"},"role":"sk-ant-api03-abcdefghijklmnopqrstuvwx"}}"#;
    let sent = tool
        .replace("jo@example.org", "[REDACTED:email]")
        .replace("sk-ant-api03-abcdefghijklmnopqrstuvwx", "[REDACTED:api_keys]")
        .replace("+1 202 555 0143", "[REDACTED:phone]")
        .replace("4111111111111111", "\"[REDACTED:credit_card]\"");
    let seen = ask(tool.as_bytes())?;
    check(seen == "{}200", "it is sent on", &seen)?;
    let left = String::from_utf8(fake.only()?.body)?;
    check(left == sent, "what leaves", &left)?;
    let wide: Vec<u8> = "{\"content\":\"jo@example.org\"}"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for odd in [
        br#"{"content":"jo\u0040example.org","x":"\ud800"}"#.as_slice(),
        b"\xef\xbb\xbf{\"content\":\"jo\\u0040example.org\"}",
        br#"{"content":"jo\u0040example.org",}"#,
        &wide,
    ] {
        let seen = ask(odd)?;
        check(
            seen.ends_with("400") && seen.contains("cannot be searched"),
            "refused",
            &seen,
        )?;
    }
    check(fake.asked().len() == 1, "nothing else left", &fake.asked())
}

/// A document of as many parts as bytes is looked at in as much memory as it has.
#[test]
fn a_document_of_many_parts_takes_no_more_memory_than_one_of_few() -> Result {
    let world = World::new(User::agent())?;
    let fake = Fake::with_body("application/json", b"{}")?;
    configure(&format!("proxy: {{providers: {{openai: '{}'}}}}\n", fake.base()))?;
    let session = session::with_rules(&world, "")?;
    for (part, end) in [("\"\",", "\"\""), ("1,", "1")] {
        let body = format!(
            "{{\"model\":\"m\",\"x\":[{}{end}]}}",
            part.repeat((6 << 20) / part.len())
        );
        world
            .user()
            .write_file(&world.workspace().join("body"), body.as_bytes(), 0o644)?;
        let text = "curl -sS -w '%{http_code}' --data-binary @body $OPENAI_BASE_URL/v1/chat/completions";
        let seen = run(&world, &session, text)?;
        check(seen.out() == "{}200", "it is sent on", &seen)?;
    }
    let most: Vec<u64> = world.daemons().iter().map(|daemon| daemon.most_memory()).collect();
    check(
        !most.is_empty() && most.iter().all(|most| *most < 120 << 10),
        "KiB",
        &most,
    )
}
