//! HTTP: what is taken from programs, and where it goes.

mod answer;
mod body;
mod forward;
mod head;
mod intercept;
mod line;
mod readings;
mod request;
mod rewound;
mod screen;
mod server;
mod service;
mod sni;
mod transparent;
mod tunnel;
mod upstream;

pub use intercept::InterceptError;
pub use server::Proxy;

pub(crate) use answer::{Answer, refuse};
pub(crate) use body::{Body, BodyError, Continued, Ending, Unread, begun, boxed, full, whole};
pub(crate) use head::{plain_path, strip_hops};
pub(crate) use server::Shared;
pub(crate) use upstream::Upstreams;
