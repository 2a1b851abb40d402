//! A model's answer: passed on as it comes, learnt from, searched, and recorded when it is over.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::{Body as _, Frame};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use serde_json::Value;

use super::filter::{Filter, Stop};
use super::frames::Framing;
use super::provider::{Provider, ProviderKind};
use super::request::{Expected, error, is_encoded};
use super::room::Room;
use super::search::{By, Searched, apart, search};
use super::usage::Learnt;
use crate::dlp::{Counts, Mode};
use crate::gate::{Client, Event, LlmResponseEvent};
use crate::http::{Answer, Body, BodyError, Ending, Shared, full, strip_hops, whole};

/// Most bytes of an answer that is searched whole, or learnt from whole.
const MAX_WHOLE: usize = 64 << 20;

/// A request that waits for its answer.
pub(super) struct Asked {
    pub shared: Arc<Shared>,
    pub client: Arc<Client>,
    pub provider: Arc<Provider>,
    pub id: String,
    pub model: Option<String>,
    /// Bytes of the request, for counting by length; 0: it uses no model.
    pub request: u64,
    /// How much was found in it.
    pub found: u64,
    pub started: Instant,
    /// Whether its end was told.
    pub told: bool,
    /// What its limits count for it until it is over.
    pub _expected: Expected,
}

/// What is told of an answer that is over.
struct Over<'a> {
    /// `None`: its caller left before there was one.
    status: Option<StatusCode>,
    bytes: u64,
    /// Bytes of text that the model said.
    said: u64,
    /// Whether it came to its end: what is told at the beginning is not what was said until it was broken off.
    whole: bool,
    problem: Option<&'a str>,
    found: &'a Counts,
}

impl Asked {
    fn over(&mut self, mut learnt: Learnt, over: &Over<'_>) {
        self.told = true;
        let fails = over.status.is_some_and(|status| !status.is_success());
        if !fails {
            let (asked, lengths) = (self.model.as_deref(), (self.request, over.said));
            learnt.finish(
                self.provider.kind,
                asked,
                (lengths, over.whole),
                &self.shared.settings.prices,
            );
        }
        let now = Instant::now();
        let event = LlmResponseEvent {
            id: &self.id,
            provider: &self.provider.name,
            model: learnt.model.as_deref().or(self.model.as_deref()),
            status: over.status.map_or(LEFT, |status| status.as_u16()),
            bytes: over.bytes,
            usage: &learnt.usage,
            tools: &learnt.tools,
            duration: now.saturating_duration_since(self.started),
            problem: over.problem,
            found: over.found,
        };
        self.shared.gate.record(&self.client, Event::LlmResponse(event));
        let model = self.model.as_deref().unwrap_or("unknown");
        let failed = fails || over.problem.is_some();
        let found = self.found + over.found.iter().map(|(_, count)| count).sum::<u64>();
        let uses = self.request > 0;
        if uses {
            let names = (self.provider.name.as_str(), model);
            self.shared.meter.spend(now, names, &learnt.usage, failed, found);
        }
    }
}

/// The status that servers note of a caller that left before it was answered.
const LEFT: u16 = 499;

impl Drop for Asked {
    fn drop(&mut self) {
        if self.told {
            return;
        }
        // What was asked reached the provider, and is paid for.
        let over = Over {
            status: None,
            bytes: 0,
            said: 0,
            whole: false,
            problem: Some("the caller went away before the answer came"),
            found: &Counts::default(),
        };
        self.over(Learnt::default(), &over);
    }
}

/// The provider could not be asked.
pub(super) fn failed(mut asked: Asked, why: &str) {
    let over = Over {
        status: Some(StatusCode::BAD_GATEWAY),
        bytes: 0,
        said: 0,
        whole: true,
        problem: Some(why),
        found: &Counts::default(),
    };
    asked.over(Learnt::default(), &over);
}

fn framing(headers: &HeaderMap) -> Option<Framing> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    match kind.split(';').next()?.trim().to_ascii_lowercase().as_str() {
        "text/event-stream" => Some(Framing::Events),
        "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines" => Some(Framing::Lines),
        _ => None,
    }
}

/// Passes an answer on.
pub(super) async fn pass(asked: Asked, response: Response<Body>) -> Answer {
    let (mut head, body) = response.into_parts();
    strip_hops(&mut head.headers);
    let dlp = &asked.shared.settings.dlp;
    let holds = dlp.patterns.is_some() && dlp.mode != Mode::Audit;
    let encoded = is_encoded(&head.headers);
    if encoded && holds {
        let why = "the answer is compressed and cannot be searched";
        let provider = Arc::clone(&asked.provider);
        failed(asked, why);
        return error(&provider, StatusCode::BAD_GATEWAY, "api_error", why);
    }
    let framing = framing(&head.headers).filter(|_| !encoded);
    if framing.is_none() && holds {
        return searched(asked, head, body).await;
    }
    if holds {
        head.headers.remove(CONTENT_LENGTH);
    }
    let reader = match framing {
        Some(framing) => Reader::Stream(Box::new(Filter::new(asked.provider.kind, framing, dlp))),
        None => Reader::Whole(Vec::new(), Room::default()),
    };
    let kept = asked.shared.settings.store_bodies.then(Vec::new);
    let passing = Passing {
        inner: body,
        reader: Some(reader),
        status: head.status,
        bytes: 0,
        kept,
        end: None,
        asked,
    };
    Response::from_parts(head, passing.boxed_unsync())
}

/// An answer that is no stream, read whole before it is passed on.
async fn searched(mut asked: Asked, mut head: hyper::http::response::Parts, body: Body) -> Answer {
    let provider = Arc::clone(&asked.provider);
    let most = body.size_hint().upper().and_then(|most| usize::try_from(most).ok());
    let mut room = Room::wait(most.map_or(MAX_WHOLE, |most| most.min(MAX_WHOLE))).await;
    let body = match whole(body, MAX_WHOLE).await {
        Ok(body) => body,
        Err(problem) => {
            let why = format!("the answer cannot be searched: {problem}");
            failed(asked, &why);
            return error(&provider, StatusCode::BAD_GATEWAY, "api_error", &why);
        }
    };
    room.shrink(body.len());
    let (kind, dlp) = (provider.kind, asked.shared.settings.dlp.clone());
    let look = move |body: &[u8]| (search(&dlp, (kind, By::Provider), body), learn(kind, body));
    let Some((body, (Searched { other, found }, learnt))) = apart(body, look).await else {
        let why = "the answer cannot be searched";
        failed(asked, why);
        return error(&provider, StatusCode::BAD_GATEWAY, "api_error", why);
    };
    let blocked = asked.shared.settings.dlp.mode == Mode::Block && !found.is_empty();
    let over = Over {
        status: Some(head.status),
        bytes: body.len() as u64,
        said: body.len() as u64,
        whole: true,
        problem: blocked.then_some(BLOCKED),
        found: &found,
    };
    asked.over(learnt, &over);
    if blocked {
        return error(&provider, StatusCode::FORBIDDEN, "permission_error", BLOCKED);
    }
    let sent = match other {
        Some(other) => {
            head.headers.remove(CONTENT_LENGTH);
            other
        }
        None => body,
    };
    if asked.shared.settings.store_bodies {
        keep(&asked, sent.clone());
    }
    Response::from_parts(head, full(sent))
}

const BLOCKED: &str = "the answer holds what may not pass";

fn learn(kind: ProviderKind, body: &[u8]) -> Learnt {
    let mut learnt = Learnt::default();
    match serde_json::from_slice::<Value>(body) {
        // Gemini streams an array where it is not asked for events.
        Ok(Value::Array(all)) => all.iter().for_each(|one| learnt.take(kind, one)),
        Ok(one) => learnt.take(kind, &one),
        Err(_) => {}
    }
    learnt
}

fn keep(asked: &Asked, body: Vec<u8>) {
    let (gate, id) = (Arc::clone(&asked.shared.gate), asked.id.clone());
    tokio::task::spawn_blocking(move || gate.store(&id, "response", &body));
}

/// What reads along.
enum Reader {
    Stream(Box<Filter>),
    Whole(Vec<u8>, Room),
}

/// An answer on its way.
struct Passing {
    inner: Body,
    /// `None` once it is over and told.
    reader: Option<Reader>,
    status: StatusCode,
    bytes: u64,
    kept: Option<Vec<u8>>,
    /// What is given after the last bytes: the end, or an error.
    end: Option<Ending>,
    asked: Asked,
}

impl Passing {
    fn over(&mut self, problem: Option<&str>) {
        let Some(reader) = self.reader.take() else {
            return;
        };
        let (learnt, said, found) = match reader {
            Reader::Stream(filter) => (filter.learnt, filter.said, filter.found),
            Reader::Whole(body, _room) => {
                let kind = self.asked.provider.kind;
                let searched = search(&self.asked.shared.settings.dlp, (kind, By::Provider), &body);
                (learn(kind, &body), body.len() as u64, searched.found)
            }
        };
        let over = Over {
            status: Some(self.status),
            bytes: self.bytes,
            said,
            whole: problem.is_none(),
            problem,
            found: &found,
        };
        self.asked.over(learnt, &over);
        if let Some(kept) = self.kept.take() {
            keep(&self.asked, kept);
        }
    }

    /// Reads along; what may pass.
    fn read(&mut self, data: &Bytes) -> Bytes {
        self.bytes += data.len() as u64;
        match &mut self.reader {
            Some(Reader::Stream(filter)) => {
                let mut out = Vec::with_capacity(data.len());
                if let Err(stop) = filter.push(data, &mut out) {
                    out.extend_from_slice(&self.stop(&stop));
                    return out.into();
                }
                // The same bytes need no copy.
                if out == *data { data.clone() } else { out.into() }
            }
            Some(Reader::Whole(body, room)) => {
                let length = body.len() + data.len();
                if length <= MAX_WHOLE && room.grows(length) {
                    body.extend_from_slice(data);
                }
                data.clone()
            }
            None => Bytes::new(),
        }
    }

    /// Stops a stream in the middle: what its reader sees last.
    fn stop(&mut self, stop: &Stop) -> Bytes {
        let why = match stop {
            Stop::Blocked => BLOCKED,
            Stop::Broken(why) => why,
        };
        self.over(Some(why));
        self.end = Some(Ending::new(None));
        let provider = &self.asked.provider;
        let document = provider.error(403, "permission_error", &format!("agentsh: {why}"));
        let document = String::from_utf8_lossy(&document);
        let lines = self.asked.provider.kind == ProviderKind::Ollama;
        let text = match provider.kind {
            _ if lines => format!("{document}\n"),
            ProviderKind::Anthropic => format!("event: error\ndata: {document}\n\n"),
            _ => format!("data: {document}\n\n"),
        };
        text.into_bytes().into()
    }

    /// The rest, when the server has said its last.
    fn finish(&mut self, error: Option<BodyError>) -> Bytes {
        let mut out = Vec::new();
        if let Some(Reader::Stream(filter)) = &mut self.reader
            && let Err(stop) = filter.finish(&mut out)
        {
            out.extend_from_slice(&self.stop(&stop));
            return out.into();
        }
        self.over(error.is_some().then_some("the server broke off"));
        self.end = Some(Ending::new(error));
        out.into()
    }
}

impl hyper::body::Body for Passing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            if let Some(end) = &mut this.end {
                return end.poll(cx);
            }
            let out = match std::task::ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.read(&data),
                    Err(_) => continue,
                },
                Some(Err(error)) => this.finish(Some(error)),
                None => this.finish(None),
            };
            if !out.is_empty() {
                if let Some(kept) = this.kept.as_mut().filter(|kept| kept.len() < MAX_WHOLE) {
                    kept.extend_from_slice(&out);
                }
                return Poll::Ready(Some(Ok(Frame::data(out))));
            }
        }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // The caller went away, or the session ends.
        self.over(Some("the caller went away"));
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
