//! Traffic to providers of language models: metered, limited, and searched in both directions.

mod about;
mod answer;
mod channels;
mod filter;
mod frames;
mod json;
mod meter;
mod price;
mod provider;
mod request;
mod roles;
mod room;
mod search;
mod usage;

pub use meter::{Limits, Meter, ModelUse};
pub use price::Price;
pub use provider::{Provider, ProviderError, ProviderKind};
pub use usage::Usage;

pub(crate) use request::request;
