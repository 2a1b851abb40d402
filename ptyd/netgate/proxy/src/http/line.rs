//! Connections to servers that policy was asked about: they carry no more than their rule grants.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

use super::rewound::Rewound;
use super::server::Shared;
use super::upstream;
use crate::gate::{Client, Destination, Event, ExceededEvent, Meant, Route, Ruling};
use crate::host::Authority;

/// What bytes go through.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection, and what it may carry.
pub(super) struct Line {
    stream: Box<dyn Stream>,
    allowance: Option<Allowance>,
}

/// What a rule grants, both ways together.
struct Allowance {
    limit: u64,
    carried: u64,
    /// Is told, once, what was carried when it was used up; then nothing is carried any more.
    tell: Option<Box<dyn FnOnce(u64) + Send>>,
}

impl Line {
    /// The same, with what was read of it put back: it will be counted then.
    pub(super) fn rewound(mut self, bytes: Vec<u8>) -> Line {
        if let Some(allowance) = &mut self.allowance {
            allowance.carried = allowance.carried.saturating_sub(bytes.len() as u64);
        }
        Line {
            stream: Box::new(Rewound::new(bytes, self.stream)),
            allowance: self.allowance,
        }
    }

    /// The program's side of the same connection, on which its bytes are counted from now on.
    pub(super) fn counted_at(&mut self, program: impl Stream + 'static) -> Line {
        Line {
            stream: Box::new(program),
            allowance: self.allowance.take(),
        }
    }
}

/// How a connection to a server comes to be.
pub(super) enum Way {
    /// Policy is asked.
    Asked,
    /// Policy has said where it goes.
    Known(Route),
    /// It is there.
    Made(Far),
}

/// A connection that policy lets be.
pub(super) struct Far {
    pub ruling: Ruling,
    pub line: Line,
    /// The name that its TLS is to ask for instead.
    pub server_name: Option<String>,
}

/// One that is not: policy says so, or nobody answers.
pub(super) struct Unreached {
    pub ruling: Ruling,
    pub status: StatusCode,
    why: String,
}

impl Way {
    /// A connection that was meant for somebody, and about which policy may have been asked.
    pub(super) fn meant(meant: &Meant) -> Way {
        meant.route().map_or(Way::Asked, Way::Known)
    }

    /// What policy says of a connection to there, in whose place others are made that nobody counts.
    pub(super) async fn judged(self, shared: &Arc<Shared>, client: &Arc<Client>, at: (&str, u16)) -> Ruling {
        let route = match self {
            Way::Asked => shared.route(client, at).await,
            Way::Known(route) => route,
            Way::Made(far) => return far.ruling,
        };
        let mut ruling = route.ruling;
        if ruling.allowed && route.max_bytes.is_some() {
            ruling.allowed = false;
            ruling.message = Some("what its rule lets a connection carry cannot be counted on this way".to_owned());
        }
        ruling
    }

    /// The connection.
    pub(super) async fn reach(
        self,
        shared: &Arc<Shared>,
        client: &Arc<Client>,
        at: (&str, u16),
    ) -> Result<Far, Unreached> {
        let mut route = match self {
            Way::Asked => shared.route(client, at).await,
            Way::Known(route) => route,
            Way::Made(far) => return Ok(far),
        };
        if !route.ruling.allowed {
            return Err(Unreached::denied(route.ruling));
        }
        match dial(shared, client, at, &mut route).await {
            Ok(line) => Ok(Far {
                ruling: route.ruling,
                line,
                server_name: route.server_name,
            }),
            Err(error) => Err(Unreached {
                ruling: route.ruling,
                status: StatusCode::BAD_GATEWAY,
                why: error.to_string(),
            }),
        }
    }
}

impl Unreached {
    pub(super) fn denied(ruling: Ruling) -> Unreached {
        let why = ruling.message.as_deref().unwrap_or("no rule allows it");
        Unreached {
            why: format!("denied by policy: {why}"),
            status: StatusCode::FORBIDDEN,
            ruling,
        }
    }

    /// What the program is told.
    pub(super) fn told(&self, to: &Authority) -> String {
        format!("{to}: {}", self.why)
    }
}

/// Dials where policy lets a connection to `host` and `port` go.
async fn dial(shared: &Shared, client: &Arc<Client>, (host, port): (&str, u16), route: &mut Route) -> io::Result<Line> {
    let stream: Box<dyn Stream> = match std::mem::take(&mut route.to) {
        Destination::Addresses(addresses) => Box::new(upstream::dial(&addresses).await?),
        Destination::Unix(stream) => {
            stream.set_nonblocking(true)?;
            Box::new(UnixStream::from_std(stream)?)
        }
    };
    let Some(limit) = route.max_bytes else {
        return Ok(Line {
            stream,
            allowance: None,
        });
    };
    let (gate, client) = (Arc::clone(&shared.gate), Arc::clone(client));
    let (host, rule) = (host.to_owned(), route.ruling.rule.clone());
    let tell = move |bytes| {
        let event = ExceededEvent {
            host: &host,
            port,
            rule: rule.as_deref(),
            bytes,
        };
        gate.record(&client, Event::Exceeded(event));
    };
    Ok(Line {
        stream,
        allowance: Some(Allowance {
            limit,
            carried: 0,
            tell: Some(Box::new(tell)),
        }),
    })
}

impl Allowance {
    /// How many of so many bytes may be carried now.
    fn grants(&mut self, wanted: usize) -> io::Result<usize> {
        let left = usize::try_from(self.limit.saturating_sub(self.carried)).unwrap_or(usize::MAX);
        match self.tell.is_none() || (left == 0 && wanted > 0) {
            true => Err(self.used_up()),
            false => Ok(left.min(wanted)),
        }
    }

    /// So many bytes came, or went.
    fn carries(&mut self, count: usize) -> io::Result<()> {
        self.carried = self.carried.saturating_add(count as u64);
        match self.tell.is_none() || self.carried > self.limit {
            true => Err(self.used_up()),
            false => Ok(()),
        }
    }

    fn used_up(&mut self) -> io::Error {
        if let Some(tell) = self.tell.take() {
            tell(self.carried);
        }
        let why = format!("the rule lets {} bytes through", self.limit);
        io::Error::new(io::ErrorKind::PermissionDenied, why)
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        if let Some(allowance) = &mut this.allowance
            && let Err(error) = allowance.carries(buf.filled().len() - before)
        {
            buf.set_filled(before);
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(allowance) = &mut this.allowance else {
            return Pin::new(&mut this.stream).poll_write(cx, bytes);
        };
        let granted = allowance.grants(bytes.len())?;
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, &bytes[..granted]))?;
        Poll::Ready(allowance.carries(written).map(|()| written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    /// A line that may carry ten bytes, its server's end, and what is told.
    fn line() -> (Line, DuplexStream, Receiver<u64>) {
        let (stream, server) = duplex(1 << 10);
        let (told, heard) = channel();
        let tell = move |bytes| {
            let _ = told.send(bytes);
        };
        let allowance = Allowance {
            limit: 10,
            carried: 0,
            tell: Some(Box::new(tell)),
        };
        let line = Line {
            stream: Box::new(stream),
            allowance: Some(allowance),
        };
        (line, server, heard)
    }

    #[tokio::test]
    async fn what_a_rule_grants_is_carried_and_nothing_more() -> io::Result<()> {
        let (mut line, mut server, heard) = line();
        server.write_all(b"four").await?;
        line.read_exact(&mut [0; 4]).await?;
        let sent = line.write_all(b"seven b").await;
        assert!(sent.is_err_and(|error| error.to_string().contains("10 bytes")));
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [10]);
        let mut came = [0; 16];
        assert_eq!(server.read(&mut came).await?, 6);
        server.write_all(b"more").await?;
        assert!(line.read(&mut came).await.is_err() && line.write(b"x").await.is_err());
        assert_eq!(heard.try_iter().count(), 0, "it is told once");
        Ok(())
    }

    #[tokio::test]
    async fn a_server_gives_no_more_than_that_either() -> io::Result<()> {
        let (mut line, mut server, heard) = line();
        server.write_all(b"eleven byte").await?;
        let mut seen = Vec::new();
        assert!(line.read_to_end(&mut seen).await.is_err() && seen.is_empty());
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [11]);
        Ok(())
    }

    #[tokio::test]
    async fn what_is_put_back_is_counted_once() -> io::Result<()> {
        let (mut line, mut server, heard) = line();
        server.write_all(b"ten bytes!").await?;
        let mut seen = Vec::with_capacity(16);
        line.read_buf(&mut seen).await?;
        let mut line = line.rewound(seen);
        let mut again = [0; 10];
        line.read_exact(&mut again).await?;
        assert_eq!((&again, heard.try_iter().count()), (b"ten bytes!", 0));
        assert!(line.write(b"x").await.is_err());
        Ok(())
    }

    #[tokio::test]
    async fn it_is_counted_on_one_side_only() -> io::Result<()> {
        let (mut line, mut server, heard) = line();
        let (program, mut far) = duplex(1 << 10);
        let mut counted = line.counted_at(program);
        line.write_all(b"more than ten bytes").await?;
        server.read_exact(&mut [0; 19]).await?;
        far.write_all(b"as much from there").await?;
        assert!(counted.read(&mut [0; 32]).await.is_err());
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [18]);
        Ok(())
    }

    #[tokio::test]
    async fn all_of_it_may_be_used() -> io::Result<()> {
        let (mut line, mut server, heard) = line();
        line.write_all(b"four").await?;
        server.write_all(b"six of").await?;
        server.shutdown().await?;
        let mut seen = Vec::new();
        line.read_to_end(&mut seen).await?;
        line.shutdown().await?;
        assert_eq!((seen.as_slice(), heard.try_iter().count()), (b"six of".as_slice(), 0));
        Ok(())
    }
}
