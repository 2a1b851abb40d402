use std::sync::LazyLock;

use agentsh_redact::{Class, Patterns, Rule};
use proptest::prelude::*;

use super::*;

static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(|| {
    let classes = Class::BUILT_IN.into_iter().filter(|class| *class != Class::Entropy);
    Patterns::compile(classes.flat_map(Rule::built_in).collect()).ok()
});

fn dlp(mode: Mode) -> Dlp {
    Dlp {
        mode,
        patterns: PATTERNS.clone(),
    }
}

fn run(
    mode: Mode,
    kind: ProviderKind,
    framing: Framing,
    stream: &[u8],
    size: usize,
) -> (Vec<u8>, Option<Stop>, Filter) {
    let (mut filter, mut out) = (Filter::new(kind, framing, &dlp(mode)), Vec::new());
    let mut pieces = stream.chunks(size.max(1));
    let pushed = pieces.try_for_each(|piece| filter.push(piece, &mut out));
    let stop = pushed.and_then(|()| filter.finish(&mut out)).err();
    (out, stop, filter)
}

/// How each provider streams a text that comes in these pieces.
fn streamed(kind: ProviderKind, responses: bool, pieces: &[String]) -> (Framing, Vec<u8>) {
    let mut out = String::new();
    let event = |value: Value| format!("data: {value}\n\n");
    match kind {
        ProviderKind::Anthropic => {
            out += "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-sonnet-4-5\",\"usage\":{\"input_tokens\":11,\"output_tokens\":1}}}\n\n";
            out += "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n";
            for piece in pieces {
                let value = serde_json::json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}});
                out += &format!("event: content_block_delta\n{}", event(value));
            }
            out += "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n";
            out += "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"bash\",\"input\":{}}}\n\n";
            out += "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":7}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
        }
        ProviderKind::OpenAi if responses => {
            for piece in pieces {
                out += &event(
                    serde_json::json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": piece}),
                );
            }
            out += &event(
                serde_json::json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "function_call", "name": "bash", "call_id": "c"}}),
            );
            out += &event(
                serde_json::json!({"type": "response.completed", "response": {"model": "gpt-5", "output": [{"type": "function_call", "name": "bash"}], "usage": {"input_tokens": 11, "output_tokens": 7}}}),
            );
        }
        ProviderKind::OpenAi => {
            for piece in pieces {
                out += &event(
                    serde_json::json!({"id": "c", "model": "gpt-4o", "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": null}]}),
                );
            }
            out += &event(
                serde_json::json!({"id": "c", "model": "gpt-4o", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"name": "bash", "arguments": ""}}]}, "finish_reason": null}]}),
            );
            out += &event(
                serde_json::json!({"id": "c", "model": "gpt-4o", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
            );
            out += &event(
                serde_json::json!({"id": "c", "model": "gpt-4o", "choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7}}),
            );
            out += "data: [DONE]\n\n";
        }
        ProviderKind::Gemini => {
            for piece in pieces {
                out += &event(serde_json::json!({"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": piece}]}}], "modelVersion": "gemini-2.5-flash"})).replace('\n', "\r\n");
            }
            out += &event(
                serde_json::json!({"candidates": [{"index": 0, "content": {"parts": [{"functionCall": {"name": "bash", "args": {}}}]}, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 5, "thoughtsTokenCount": 2}}),
            );
        }
        ProviderKind::Ollama => {
            for piece in pieces {
                out += &format!(
                    "{}\n",
                    serde_json::json!({"model": "llama3", "message": {"role": "assistant", "content": piece}, "done": false})
                );
            }
            out += &format!(
                "{}\n",
                serde_json::json!({"model": "llama3", "message": {"content": "", "tool_calls": [{"function": {"name": "bash"}}]}, "done": true, "prompt_eval_count": 11, "eval_count": 7})
            );
            return (Framing::Lines, out.into_bytes());
        }
    }
    (Framing::Events, out.into_bytes())
}

const KINDS: [(ProviderKind, bool); 5] = [
    (ProviderKind::Anthropic, false),
    (ProviderKind::OpenAi, false),
    (ProviderKind::OpenAi, true),
    (ProviderKind::Gemini, false),
    (ProviderKind::Ollama, false),
];

/// The text that a stream says.
fn said(kind: ProviderKind, framing: Framing, stream: &[u8]) -> Result<String, Stop> {
    let mut frames = Frames::new(framing);
    frames.push(stream).map_err(|error| Stop::Broken(error.to_string()))?;
    let mut text = String::new();
    while let Some(frame) = frames.next().or_else(|| frames.rest()) {
        let payload = Payload::of(framing, &frame);
        let Some(document) = payload.document(&frame) else {
            continue;
        };
        let Ok(value) = serde_json::from_slice::<Value>(document) else {
            continue;
        };
        for one in json::texts(document).unwrap_or_default() {
            if matches!(role(kind, &value, &one), Role::Piece(_)) {
                text += &one.decode(document).unwrap_or_default();
            }
        }
    }
    Ok(text)
}

fn cut(text: &str, sizes: &[usize]) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let (mut rest, mut pieces) = (chars.as_slice(), Vec::new());
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, later) = rest.split_at(rest.len().min(*size));
        pieces.push(piece.iter().collect());
        rest = later;
    }
    pieces
}

#[test]
fn what_a_stream_says_of_itself_is_learnt_from_every_provider() {
    for (kind, responses) in KINDS {
        let (framing, stream) = streamed(kind, responses, &["Hello ".to_owned(), "there".to_owned()]);
        for mode in [Mode::Redact, Mode::Block, Mode::Audit] {
            let (out, stop, filter) = run(mode, kind, framing, &stream, 7);
            assert_eq!((out.as_slice(), stop), (stream.as_slice(), None), "{kind:?}");
            let learnt = &filter.learnt;
            assert_eq!(
                (learnt.usage.input, learnt.usage.output),
                (11, 7),
                "{kind:?} {responses}"
            );
            assert_eq!(learnt.tools, ["bash"], "{kind:?} {responses}");
            assert!(learnt.model.is_some());
            assert_eq!(filter.said, 11);
        }
    }
}

#[test]
fn a_frame_passes_as_soon_as_its_text_can_be_no_beginning_of_a_finding() {
    let (framing, stream) = streamed(
        ProviderKind::OpenAi,
        false,
        &["One. ".to_owned(), "mail jo".to_owned(), " two. ".to_owned()],
    );
    let (mut filter, mut out) = (
        Filter::new(ProviderKind::OpenAi, framing, &dlp(Mode::Redact)),
        Vec::new(),
    );
    let frames: Vec<&[u8]> = stream.split_inclusive(|byte| *byte == b'\n').collect();
    let mut passed = Vec::new();
    for pair in frames.chunks(2).take(3) {
        assert_eq!(filter.push(&pair.concat(), &mut out), Ok(()));
        passed.push(out.len());
    }
    let lengths: Vec<usize> = frames.chunks(2).take(3).map(|pair| pair.concat().len()).collect();
    assert_eq!(passed, [lengths[0], lengths[0], lengths.iter().sum()]);
}

#[test]
fn findings_are_replaced_blocked_or_counted() -> Result<(), Stop> {
    let pieces: Vec<String> = [
        "Mail jo@ex",
        "ample.o",
        "rg or use sk-ant-api03-",
        "abcdefghijklmnopqrstuvwx.",
        " Bye",
    ]
    .map(str::to_owned)
    .to_vec();
    for (kind, responses) in KINDS {
        let (framing, stream) = streamed(kind, responses, &pieces);
        let (out, _, filter) = run(Mode::Redact, kind, framing, &stream, 64);
        assert_eq!(
            said(kind, framing, &out)?,
            "Mail [REDACTED:email] or use [REDACTED:api_keys]. Bye"
        );
        assert_eq!(filter.found.iter().collect::<Vec<_>>(), [("api_keys", 1), ("email", 1)]);
        let (out, stop, _) = run(Mode::Block, kind, framing, &stream, 64);
        assert_eq!(stop, Some(Stop::Blocked));
        assert!(!String::from_utf8_lossy(&out).contains("jo@"), "{kind:?}");
        let (out, stop, filter) = run(Mode::Audit, kind, framing, &stream, 64);
        assert_eq!((out, stop), (stream, None));
        assert_eq!(filter.found.iter().map(|(_, count)| count).sum::<u64>(), 2);
    }
    Ok(())
}

#[test]
fn what_stands_between_two_pieces_of_a_text_does_not_divide_it() {
    let chat = |field: &str, piece: Value| {
        let delta: Value = field
            .split('.')
            .rev()
            .fold(piece, |value, key| serde_json::json!({key: value}));
        serde_json::json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
    };
    let block = |piece: &str| serde_json::json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}});
    let part = |piece: &str| serde_json::json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": piece});
    let line = |piece: &str| serde_json::json!({"message": {"content": piece}, "done": false});
    let (first, second) = ("mail jo@exam", "ple.org now");
    let list = |piece: &str| serde_json::json!([{"type": "text", "text": piece}]);
    for (kind, one, two) in [
        (ProviderKind::Anthropic, block(first), block(second)),
        (ProviderKind::OpenAi, part(first), part(second)),
        (ProviderKind::Ollama, line(first), line(second)),
        (
            ProviderKind::OpenAi,
            chat("content", first.into()),
            chat("content", second.into()),
        ),
        (
            ProviderKind::OpenAi,
            chat("content", list(first)),
            chat("content", list(second)),
        ),
        (
            ProviderKind::OpenAi,
            chat("function_call.arguments", first.into()),
            chat("function_call.arguments", second.into()),
        ),
    ] {
        for between in [
            "{\"type\":\"ping\"}",
            "{\"type\":\"response.in_progress\",\"response\":{}}",
            "{\"type\":\"response.output_text.done\",\"output_index\":1,\"text\":\"\"}",
            "{\"type\":\"content_block_stop\",\"index\":1}",
            "{\"usage\":{}}",
            "ping",
            "",
        ] {
            let stream = format!("data: {one}\n\ndata: {between}\n\ndata: {two}\n\n");
            let (out, stop, _) = run(Mode::Redact, kind, Framing::Events, stream.as_bytes(), 64);
            let out = String::from_utf8_lossy(&out);
            assert_eq!(stop, None);
            assert!(
                !out.contains("jo@exam") && !out.contains("ple.org"),
                "{kind:?} {between}: {out}"
            );
            assert!(
                out.contains("[REDACTED:email]") && out.contains(between),
                "{kind:?} {between}: {out}"
            );
        }
    }
}

#[test]
fn a_frame_beyond_all_measure_passes_where_nothing_is_changed() {
    let stream = [b"data: ".as_slice(), &vec![b'x'; 17 << 20], b"\n\ndata: {}\n\n"].concat();
    for (dlp, passes) in [(Dlp::off(), true), (dlp(Mode::Audit), true), (dlp(Mode::Redact), false)] {
        let (mut filter, mut out) = (Filter::new(ProviderKind::OpenAi, Framing::Events, &dlp), Vec::new());
        let pushed = stream
            .chunks(1 << 20)
            .try_for_each(|piece| filter.push(piece, &mut out));
        let finished = pushed.and_then(|()| filter.finish(&mut out));
        assert_eq!((finished.is_ok(), out == stream), (passes, passes));
    }
}

#[test]
fn an_event_that_ends_a_text_lets_what_waits_pass() {
    let (framing, mut stream) = streamed(ProviderKind::OpenAi, true, &["mail jo".to_owned()]);
    let end = stream.windows(2).position(|two| two == b"\n\n").map_or(0, |at| at + 2);
    stream.truncate(end);
    stream.extend_from_slice(
        b"data: {\"type\":\"response.output_text.done\",\"output_index\":0,\"content_index\":0}\n\n",
    );
    let (mut filter, mut out) = (
        Filter::new(ProviderKind::OpenAi, framing, &dlp(Mode::Redact)),
        Vec::new(),
    );
    assert_eq!(filter.push(&stream[..end], &mut out), Ok(()));
    assert!(out.is_empty());
    assert_eq!(filter.push(&stream[end..], &mut out), Ok(()));
    assert_eq!(out, stream);
}

proptest! {
    #[test]
    fn however_a_text_is_cut_it_is_redacted_as_the_whole(
        parts in proptest::collection::vec(proptest::sample::select(PARTS.to_vec()), 1..12),
        sizes in proptest::collection::vec(1usize..9, 1..8),
        size in 1usize..200,
        which in 0usize..KINDS.len(),
    ) {
        let (kind, responses) = KINDS[which];
        let text = parts.concat();
        let mut counts = Counts::default();
        let expected = match dlp(Mode::Redact).searcher().and_then(|mut searcher| searcher.whole(text.as_bytes(), &mut counts)) {
            Some(other) => String::from_utf8_lossy(&other).into_owned(),
            None => text.clone(),
        };
        let (framing, stream) = streamed(kind, responses, &cut(&text, &sizes));
        let (out, stop, filter) = run(Mode::Redact, kind, framing, &stream, size);
        prop_assert_eq!(stop, None);
        prop_assert_eq!(said(kind, framing, &out).ok(), Some(expected));
        if counts.is_empty() {
            prop_assert_eq!(&out, &stream);
        }
        prop_assert_eq!(filter.found, counts);
    }

    #[test]
    fn no_stream_makes_it_fail_and_what_holds_no_finding_passes_unchanged(
        bytes in proptest::collection::vec(proptest::sample::select(b"data: {}[]\"\\:,\n\r 1x".to_vec()), 0..300),
        size in 1usize..50,
        which in 0usize..KINDS.len(),
    ) {
        let kind = KINDS[which].0;
        for framing in [Framing::Events, Framing::Lines] {
            let (out, stop, filter) = run(Mode::Redact, kind, framing, &bytes, size);
            prop_assert_eq!(stop, None);
            if filter.found.is_empty() {
                prop_assert_eq!(&out, &bytes);
            }
        }
    }
}

const PARTS: &[&str] = &[
    "jo@example.org",
    " ",
    "4111 1111 1111 1111",
    "é",
    "\n",
    "sk-abcdefghijklmnopqrstuvwx",
    "\"quoted\"",
    "078-05-1120",
    "Hello",
    "@",
    "-----BEGIN PRIVATE KEY-----\nMIIEabc\n-----END PRIVATE KEY-----",
    "+49 30 1234567",
    "\\",
    "AKIAIOSFODNN7EXAMPLE",
];
