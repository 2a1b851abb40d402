//! Bodies that pass.

use std::pin::Pin;
use std::task::{Context, Poll};

use agentsh_redact::{Patterns, Piece, Stream};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Frame, Incoming};

/// Why a body ends before its end.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body of either direction.
pub(crate) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A body as it comes.
pub(crate) fn boxed(incoming: Incoming) -> Body {
    incoming.map_err(Into::into).boxed_unsync()
}

/// A body that is whole.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// How a body ends. Before an error its reader is given time to send what came before: it drops with the error what it
/// has not sent.
pub(crate) struct Ending {
    error: Option<BodyError>,
    waited: bool,
}

impl Ending {
    pub(crate) fn new(error: Option<BodyError>) -> Ending {
        Ending { error, waited: false }
    }

    /// The error once, if there is one, and then the end.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.error.is_some() && !self.waited {
            self.waited = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.error.take().map(Err))
    }
}

/// A body from which findings are taken out.
pub(super) struct Scrubbed {
    inner: Body,
    stream: Stream,
    end: Option<Ending>,
}

impl Scrubbed {
    /// `inner` without what `patterns` find.
    pub(super) fn body(inner: Body, patterns: &Patterns) -> Body {
        let stream = Stream::new(patterns.clone());
        let scrubbed = Scrubbed {
            inner,
            stream,
            end: None,
        };
        scrubbed.boxed_unsync()
    }
}

fn without(out: &mut Vec<u8>) -> impl FnMut(Piece<'_>) {
    |piece| match piece {
        Piece::Plain(bytes) => out.extend_from_slice(bytes),
        Piece::Found { .. } => out.extend_from_slice(b"[REDACTED]"),
    }
}

impl hyper::body::Body for Scrubbed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            if let Some(end) = &mut this.end {
                return end.poll(cx);
            }
            let mut out = Vec::new();
            match std::task::ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.stream.push(&data, &mut without(&mut out)),
                    // Trailers could say it too.
                    Err(_) => continue,
                },
                last => {
                    this.end = Some(Ending::new(last.and_then(Result::err)));
                    this.stream.finish(&mut without(&mut out));
                }
            }
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out.into()))));
            }
        }
    }
}

/// Why a body was not read whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// It is larger than this.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// It broke off.
    #[error("the body broke off")]
    Broken,
}

/// Reads a body whole, up to `limit` bytes.
pub(crate) async fn whole(mut body: Body, limit: usize) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    if body.size_hint().lower() > limit as u64 {
        return Err(Unread::TooLarge(limit));
    }
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > limit {
            return Err(Unread::TooLarge(limit));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_held_back_is_given_out_before_a_body_breaks_off() -> Result<(), Box<dyn std::error::Error>> {
        let patterns = Patterns::credentials(&["secret[0-9]"])?;
        let frames = Broken(vec![Err("gone".into()), Ok(Frame::data(Bytes::from("x secre")))]);
        let mut body = Scrubbed::body(frames.boxed_unsync(), &patterns);
        let mut seen = Vec::new();
        let mut polls = Vec::new();
        loop {
            let frame = std::future::poll_fn(|cx| {
                let polled = Pin::new(&mut body).poll_frame(cx);
                polls.push(polled.is_pending());
                polled
            });
            match frame.await {
                Some(Ok(frame)) => seen.extend(frame.into_data().unwrap_or_default()),
                Some(Err(error)) => {
                    assert_eq!(error.to_string(), "gone");
                    break;
                }
                None => return Err("it did not break off".into()),
            }
        }
        assert_eq!(seen, b"x secre");
        // Two pieces, a pause, the error.
        assert_eq!(polls, [false, false, true, false]);
        assert!(body.frame().await.is_none());
        Ok(())
    }

    /// Frames, the last first.
    struct Broken(Vec<Result<Frame<Bytes>, BodyError>>);

    impl hyper::body::Body for Broken {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Poll::Ready(self.0.pop())
        }
    }
}
