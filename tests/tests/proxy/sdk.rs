//! The vendors' own clients for Python, led by nothing but the variables.

use std::path::{Path, PathBuf};

use agentsh_tests::record::await_event;
use agentsh_tests::{Result, User, World, session, skips};

use super::fake::Fake;
use super::streams::VENDORS;
use super::{bash, check, configure};

/// Where `docs/setup.sh test` puts them.
fn packages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name("target")
        .join("suite/python")
}

/// What each prints of the streams of the suite: the text and the output's tokens.
const CLIENTS: &[(&str, &str, &str, &str)] = &[
    (
        "anthropic",
        "/v1/messages",
        r#"import anthropic
with anthropic.Anthropic(api_key="k").messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]) as stream:
    print("".join(stream.text_stream), stream.get_final_message().usage.output_tokens)"#,
        "Grüße an alle 9\n",
    ),
    (
        "openai",
        "/chat/completions",
        r#"import openai
text, tokens = "", 0
for chunk in openai.OpenAI(api_key="k").chat.completions.create(model="m", stream=True, messages=[{"role": "user", "content": "Hi"}]):
    text += "".join(choice.delta.content or "" for choice in chunk.choices)
    tokens = chunk.usage.completion_tokens if chunk.usage else tokens
print(text, tokens)"#,
        "Hello there 9\n",
    ),
    (
        "openai",
        "/responses",
        r#"import openai
text, tokens = "", 0
for event in openai.OpenAI(api_key="k").responses.create(model="m", stream=True, input="Hi"):
    if event.type == "response.function_call_arguments.delta": text += event.delta
    if event.type == "response.completed": tokens = event.response.usage.output_tokens
print(text, tokens)"#,
        "{\"command\":\"ls\"} 9\n",
    ),
    (
        "gemini",
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        r#"from google import genai
text, tokens = "", 0
client = genai.Client(api_key="k")
for chunk in client.models.generate_content_stream(model="gemini-2.5-flash", contents="Hi"):
    text += "".join(part.text or "" for part in chunk.candidates[0].content.parts)
    tokens = chunk.usage_metadata.candidates_token_count or tokens
print(text, tokens)"#,
        "Hello there 7\n",
    ),
    (
        "ollama",
        "/api/chat",
        r#"import ollama
text, tokens = "", 0
for chunk in ollama.chat(model="m", stream=True, messages=[{"role": "user", "content": "Hi"}]):
    text += chunk.message.content; tokens = chunk.eval_count or tokens
print(text, tokens)"#,
        "Hello  9\n",
    ),
];

#[test]
fn vendors_clients_for_python_work_by_their_variables() -> Result {
    let packages = packages();
    if !packages.join("anthropic").is_dir() {
        return skips::skip(
            "python-clients",
            "the vendors' packages are not installed: docs/setup.sh test",
        );
    }
    // The folder of the sources need not be open to an ordinary user.
    let world = World::new(User::root())?;
    for (provider, path, program, printed) in CLIENTS.iter().copied() {
        let vendor = VENDORS.iter().find(|vendor| (vendor.0, vendor.1) == (provider, path));
        let (_, _, kind, stream, model, input, output) = vendor.copied().unwrap_or_default();
        let fake = Fake::with_body(kind, stream.as_bytes())?;
        let base = if provider == "openai" { "/v1" } else { "" };
        configure(&format!(
            "proxy: {{providers: {{{provider}: '{}{base}'}}}}\n",
            fake.base()
        ))?;
        let session = session::with_rules(&world, "network_rules: [{name: closed, decision: deny}]\n")?;
        world
            .user()
            .write_file(&world.workspace().join("client.py"), program, 0o644)?;
        let run = bash(&session, "/usr/bin/python3 client.py")
            .env("PYTHONPATH", &packages)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        let outcome = run.run(&world)?;
        check(outcome.out() == printed, provider, &outcome)?;
        let asked = fake.only()?;
        // Google's client says another version of the interface than its examples.
        let path = path.trim_start_matches("/v1beta");
        check(
            asked.head.lines().next().is_some_and(|line| line.contains(path)),
            "the path",
            &asked.head,
        )?;
        let answer = await_event(&world, "the answer", |event| {
            event.kind == "llm_response" && event.session_id == session.id
        })?;
        let field = |name: &str| answer.fields.get(name).cloned().unwrap_or_default();
        check(
            field("model") == model && field("input_tokens") == input && field("output_tokens") == output,
            "what was learnt",
            &answer,
        )?;
    }
    Ok(())
}
