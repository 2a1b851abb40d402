//! Bodies that pass.

use std::pin::Pin;
use std::task::{Context, Poll};

use agentsh_redact::{Patterns, Piece, Stream};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

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
pub(crate) async fn whole(body: Body, limit: usize) -> Result<Vec<u8>, Unread> {
    match begun(body, limit).await? {
        (bytes, None) => Ok(bytes),
        (_, Some(_)) => Err(Unread::TooLarge(limit)),
    }
}

/// Reads a body whole, or, if it has more than about `limit` bytes, no more than its beginning: then that and the rest.
pub(crate) async fn begun(mut body: Body, limit: usize) -> Result<(Vec<u8>, Option<Body>), Unread> {
    let mut bytes = Vec::new();
    if body.size_hint().lower() > limit as u64 {
        return Ok((bytes, Some(body)));
    }
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else {
            continue;
        };
        bytes.extend_from_slice(&data);
        if bytes.len() > limit {
            return Ok((bytes, Some(body)));
        }
    }
    Ok((bytes, None))
}

/// A body whose beginning was read and is put back.
pub(crate) struct Continued {
    first: Bytes,
    rest: Body,
}

impl Continued {
    /// `first`, and then `rest`.
    pub(crate) fn body(first: Vec<u8>, rest: Body) -> Body {
        let first = first.into();
        Continued { first, rest }.boxed_unsync()
    }
}

impl hyper::body::Body for Continued {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.first.is_empty() {
            true => Pin::new(&mut self.rest).poll_frame(cx),
            false => Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.first))))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let (first, rest) = (self.first.len() as u64, self.rest.size_hint());
        let mut both = SizeHint::new();
        if let Some(upper) = rest.upper() {
            both.set_upper(upper.saturating_add(first));
        }
        both.set_lower(rest.lower().saturating_add(first));
        both
    }
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

    #[tokio::test]
    async fn what_is_too_large_to_be_held_is_put_together_again() -> Result<(), Box<dyn std::error::Error>> {
        let frames = || {
            let frames = ["ef", "cd", "ab"].map(|text| Ok(Frame::data(Bytes::from(text))));
            Broken(frames.into()).boxed_unsync()
        };
        assert_eq!(whole(frames(), 6).await?, b"abcdef");
        assert!(matches!(whole(frames(), 5).await, Err(Unread::TooLarge(5))));
        let (held, rest) = begun(frames(), 3).await?;
        assert_eq!(held, b"abcd");
        let together = Continued::body(held, rest.ok_or("all was held")?);
        assert_eq!(
            together.collect().await.map_err(|error| error.to_string())?.to_bytes(),
            "abcdef"
        );
        // One that says how large it is is not touched.
        let (held, rest) = begun(full("abcdef"), 3).await?;
        let rest = rest.ok_or("all was held")?;
        assert_eq!((held.len(), rest.size_hint().exact()), (0, Some(6)));
        assert_eq!(Continued::body(b"xy".into(), rest).size_hint().exact(), Some(8));
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
