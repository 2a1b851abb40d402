//! What is told of the proxy: events, and its state.

use std::net::SocketAddr;

use agentsh_audit::{Decision, EventDraft, EventType, Layer, Outcome, RecordError, Value};
use agentsh_protocol::api::{LlmUse, ProxyInfo};
use agentsh_proxy::{Client, Counts, Event, ExceededEvent, HttpEvent, LlmRequestEvent, LlmResponseEvent, Proxy};

use crate::supervisor::session::Session;

fn draft<'a>(client: &'a Client, kind: EventType) -> EventDraft<'a> {
    EventDraft {
        command: client.command.as_deref(),
        pid: client.pid,
        layer: Some(Layer::Proxy),
        ..EventDraft::new(kind)
    }
}

fn counted(found: &Counts) -> serde_json::Value {
    found
        .iter()
        .map(|(kind, count)| (kind.to_owned(), count.into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Records an event.
pub(super) fn record(session: &Session, client: &Client, event: Event<'_>) -> Result<(), RecordError> {
    match event {
        Event::Http(http) => request(session, client, &http),
        Event::Exceeded(cut) => exceeded(session, client, &cut),
        Event::LlmRequest(asked) => llm_request(session, client, &asked),
        Event::LlmResponse(answer) => llm_response(session, client, &answer),
    }
}

fn request(session: &Session, client: &Client, http: &HttpEvent<'_>) -> Result<(), RecordError> {
    let ruling = http.ruling;
    let remote = format!("{}:{}", http.host, http.port);
    let mut fields = vec![("status", Value::Unsigned(http.status.into()))];
    fields.extend(http.service.map(|service| ("service", Value::Text(service))));
    session.recorder.emit(EventDraft {
        operation: Some(http.method).filter(|method| !method.is_empty()),
        path: Some(http.path.as_bytes()).filter(|path| !path.is_empty()),
        domain: Some(http.host).filter(|host| !host.is_empty()),
        remote: Some(remote.as_str()).filter(|_| !http.host.is_empty()),
        policy: Some(Outcome {
            effective: if ruling.allowed {
                Decision::Allow
            } else {
                Decision::Deny
            },
            message: ruling.message.as_deref(),
            approval: ruling.approval.as_deref(),
            ..Outcome::plain(
                ruling.decision.parse().unwrap_or(Decision::Deny),
                ruling.rule.as_deref(),
            )
        }),
        fields: &fields,
        ..draft(client, EventType::HttpRequest)
    })
}

fn exceeded(session: &Session, client: &Client, cut: &ExceededEvent<'_>) -> Result<(), RecordError> {
    let remote = format!("{}:{}", cut.host, cut.port);
    session.recorder.emit(EventDraft {
        domain: Some(cut.host),
        remote: Some(&remote),
        policy: Some(Outcome::deny(cut.rule, None)),
        fields: &[
            ("limit", Value::Text("max_bytes")),
            ("bytes", Value::Unsigned(cut.bytes)),
            ("cut", Value::Bool(true)),
        ],
        ..draft(client, EventType::LimitReached)
    })
}

fn llm_request(session: &Session, client: &Client, asked: &LlmRequestEvent<'_>) -> Result<(), RecordError> {
    let found = counted(asked.found);
    let mut fields = vec![
        ("request", Value::Text(asked.id)),
        ("provider", Value::Text(asked.provider)),
        ("stream", Value::Bool(asked.stream)),
        ("bytes", Value::Unsigned(asked.bytes)),
    ];
    fields.extend(asked.model.map(|model| ("model", Value::Text(model))));
    session.recorder.emit(EventDraft {
        operation: Some(asked.method),
        path: Some(asked.path.as_bytes()),
        policy: Some(match asked.refused {
            Some(why) => Outcome::deny(None, Some(why)),
            None => Outcome::allow(None),
        }),
        fields: &fields,
        ..draft(client, EventType::LlmRequest)
    })?;
    matched(session, client, asked.id, "request", asked.found, &found)
}

fn llm_response(session: &Session, client: &Client, answer: &LlmResponseEvent<'_>) -> Result<(), RecordError> {
    let found = counted(answer.found);
    let tools: Vec<&str> = answer.tools.iter().map(String::as_str).collect();
    let cost = answer.usage.cost.map(serde_json::Value::from);
    let milliseconds = u64::try_from(answer.duration.as_millis()).unwrap_or(u64::MAX);
    let mut fields = vec![
        ("request", Value::Text(answer.id)),
        ("provider", Value::Text(answer.provider)),
        ("status", Value::Unsigned(answer.status.into())),
        ("bytes", Value::Unsigned(answer.bytes)),
        ("input_tokens", Value::Unsigned(answer.usage.input)),
        ("output_tokens", Value::Unsigned(answer.usage.output)),
        ("cached_tokens", Value::Unsigned(answer.usage.cached)),
        ("estimated", Value::Bool(answer.usage.estimated)),
        ("tools", Value::List(&tools)),
        ("duration_ms", Value::Unsigned(milliseconds)),
    ];
    fields.extend(answer.model.map(|model| ("model", Value::Text(model))));
    fields.extend(cost.as_ref().map(|cost| ("cost_usd", Value::Json(cost))));
    fields.extend(answer.problem.map(|problem| ("problem", Value::Text(problem))));
    session.recorder.emit(EventDraft {
        fields: &fields,
        ..draft(client, EventType::LlmResponse)
    })?;
    matched(session, client, answer.id, "response", answer.found, &found)
}

/// What was found: kinds and counts, never the thing itself.
fn matched(
    session: &Session,
    client: &Client,
    id: &str,
    part: &str,
    found: &Counts,
    counted: &serde_json::Value,
) -> Result<(), RecordError> {
    if found.is_empty() {
        return Ok(());
    }
    session.recorder.emit(EventDraft {
        operation: Some(session.config.dlp.mode.word()),
        fields: &[
            ("request", Value::Text(id)),
            ("part", Value::Text(part)),
            ("found", Value::Json(counted)),
        ],
        ..draft(client, EventType::DlpMatch)
    })
}

/// The state of the proxy.
pub(super) fn info(session: &Session, running: Option<(SocketAddr, &Proxy)>) -> ProxyInfo {
    let config = &session.config;
    let rules = session.rules();
    ProxyInfo {
        session_id: session.id.clone(),
        address: running.map(|(address, _)| address.to_string()),
        providers: config.proxy.providers.clone(),
        services: rules
            .policy
            .services()
            .map(|service| service.model().name.value.clone())
            .collect(),
        dlp: config.dlp.mode.word().to_owned(),
        tls_opened: config.proxy.tls_intercept,
        limits: agentsh_protocol::api::ProxyLimits {
            rpm: config.proxy.limits.rpm,
            tpm: config.proxy.limits.tpm,
            budget: config.proxy.limits.budget,
        },
        usage: running.map(|(_, proxy)| usage(proxy)).unwrap_or_default(),
    }
}

fn usage(proxy: &Proxy) -> Vec<LlmUse> {
    let models = proxy.meter().models().into_iter();
    models
        .map(|(provider, model, one)| LlmUse {
            provider,
            model,
            requests: one.requests,
            refused: one.refused,
            errors: one.errors,
            input_tokens: one.usage.input,
            output_tokens: one.usage.output,
            cached_tokens: one.usage.cached,
            estimated: one.usage.estimated,
            cost_usd: one.usage.cost,
            unpriced: one.unpriced,
            found: one.found,
        })
        .collect()
}
