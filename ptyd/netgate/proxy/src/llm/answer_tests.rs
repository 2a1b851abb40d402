use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::dlp::Dlp;
use crate::gate::{Gate, Meant, Route, Ruling, Service};
use crate::llm::Limits;
use crate::{Proxy, Settings};

/// A session that keeps what it is told of answers, and of refusals.
#[derive(Default)]
struct Told(Mutex<Vec<(u16, u64, Option<String>)>>, Mutex<Vec<String>>);

impl Told {
    fn all(&self) -> Vec<(u16, u64, Option<String>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Gate for Told {
    fn who(&self, _: SocketAddr, _: SocketAddr) -> Option<Client> {
        Some(Client::default())
    }

    fn meant(&self, _: SocketAddr, _: SocketAddr) -> Option<Meant> {
        None
    }

    fn connect(&self, _: &Client, _: &str, _: u16) -> Route {
        Route::deny("no")
    }

    fn resolve(&self, _: &str, _: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(Vec::new())
    }

    fn service(&self, _: &str) -> Option<Result<Arc<Service>, String>> {
        None
    }

    fn request(&self, _: &Client, _: &str, _: &str, _: &str) -> Ruling {
        Ruling::deny("no")
    }

    fn opens(&self, _: &str) -> bool {
        false
    }

    fn new_id(&self) -> String {
        "id".to_owned()
    }

    fn record(&self, _: &Client, event: Event<'_>) -> bool {
        if let Event::LlmResponse(over) = event {
            let one = (over.status, over.usage.input, over.problem.map(str::to_owned));
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(one);
        }
        if let Event::LlmRequest(request) = event
            && let Some(why) = request.refused
        {
            let mut refused = self.1.lock().unwrap_or_else(PoisonError::into_inner);
            refused.push(why.to_owned());
        }
        true
    }

    fn store(&self, _: &str, _: &str, _: &[u8]) {}
}

fn proxy(told: &Arc<Told>, dlp: Dlp) -> Result<Proxy, Box<dyn std::error::Error>> {
    Ok(Proxy::new(
        Arc::<Told>::clone(told),
        Settings {
            providers: vec![Provider::new("openai", "https://api.example.org")?],
            dlp,
            limits: Limits::default(),
            prices: Vec::new(),
            store_bodies: false,
            tls_intercept: false,
        },
    )?)
}

fn asked(told: &Arc<Told>) -> Result<Asked, Box<dyn std::error::Error>> {
    let shared = proxy(told, Dlp::off())?.shared();
    Ok(Asked {
        _expected: Expected::none(&shared),
        shared,
        client: Arc::default(),
        provider: Arc::new(Provider::new("openai", "https://api.example.org")?),
        id: "id".to_owned(),
        model: None,
        request: 400,
        found: 0,
        started: Instant::now(),
        told: false,
    })
}

#[test]
fn a_caller_that_leaves_before_the_answer_is_told_of_and_its_input_is_counted() -> Result<(), Box<dyn std::error::Error>>
{
    let told = Arc::new(Told::default());
    let asked = asked(&told)?;
    let shared = Arc::clone(&asked.shared);
    drop(asked);
    let why = "the caller went away before the answer came";
    assert_eq!(told.all(), [(LEFT, 100, Some(why.to_owned()))]);
    assert_eq!(
        shared.meter.models().first().map(|(.., one)| one.usage.input),
        Some(100)
    );
    Ok(())
}

#[test]
fn what_was_told_of_is_not_told_of_again() -> Result<(), Box<dyn std::error::Error>> {
    let told = Arc::new(Told::default());
    failed(asked(&told)?, "gone");
    assert_eq!(told.all(), [(502, 0, Some("gone".to_owned()))]);
    Ok(())
}

/// The status of the answer to a request for `path` whose body says that it is compressed.
async fn status(told: &Arc<Told>, dlp: Dlp, path: &str) -> Result<String, Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let proxy = proxy(told, dlp)?;
    let mut answer = Vec::new();
    let asking = async {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Encoding: gzip\r\n");
        let request = head + "Content-Length: 2\r\n\r\nxx";
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_end(&mut answer).await
    };
    tokio::select! {
        read = asking => read?,
        () = proxy.serve(listener) => 0,
    };
    Ok(String::from_utf8_lossy(&answer)
        .split(' ')
        .nth(1)
        .unwrap_or_default()
        .to_owned())
}

#[tokio::test]
async fn what_cannot_be_searched_passes_where_nothing_is_and_is_recorded_where_it_does_not()
-> Result<(), Box<dyn std::error::Error>> {
    let told = Arc::new(Told::default());
    // Nobody resolves the provider's name here.
    assert_eq!(status(&told, Dlp::off(), "/llm/openai/x").await?, "502");
    let search = Dlp {
        mode: Mode::Redact,
        patterns: Some(agentsh_redact::Patterns::credentials(&["x"])?),
    };
    assert_eq!(status(&told, search, "/llm/openai/x").await?, "415");
    assert_eq!(status(&told, Dlp::off(), "/llm/openai/x%2fy").await?, "400");
    let refused = told.1.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let expected = [
        "a compressed request cannot be searched",
        "a path that could be read in several ways",
    ];
    assert_eq!(refused, expected);
    Ok(())
}
