//! The proxy of a session: HTTP with host names, methods and paths known; services whose secret the agent
//! never holds; traffic to providers of language models, metered and searched for what must not leave.
//!
//! Promises: every request is judged by itself, by what the kernel says of who asks; a request whose
//! framing, target or host two readers could read differently is refused; a credential is neither recorded
//! nor stored, and a finding is counted, never kept; a stream in which nothing is found passes byte for
//! byte, frame by frame as it comes.
//!
//! It decides nothing: policy, names, processes and the record are the [`Gate`]'s.

mod dlp;
mod gate;
mod host;
mod http;
mod llm;

pub use dlp::{Counts, Dlp, Mode};
pub use gate::{
    Client, Destination, Event, ExceededEvent, Gate, HttpEvent, LlmRequestEvent, LlmResponseEvent, Meant, Route,
    Ruling, Service,
};
pub use host::Authority;
pub use http::{InterceptError, Proxy};
pub use llm::{Limits, Meter, ModelUse, Price, Provider, ProviderError, ProviderKind, Usage};

/// What a proxy is made from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The providers of models that can be reached, by name.
    pub providers: Vec<Provider>,
    /// What is searched for in their traffic.
    pub dlp: Dlp,
    /// Limits on their use.
    pub limits: Limits,
    /// What models cost, before what is known here.
    pub prices: Vec<Price>,
    /// Whether bodies are given to [`Gate::store`].
    pub store_bodies: bool,
    /// Whether TLS is opened where [`Gate::opens`] says so.
    pub tls_intercept: bool,
}
