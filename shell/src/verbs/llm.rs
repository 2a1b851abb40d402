//! `agentsh llm`: what sessions use of language models.

use agentsh_protocol::api::{LlmUse, ProxyInfo};
use clap::Subcommand;

use super::proxy;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{self, Table};

/// What there is to see of language models.
#[derive(Debug, Subcommand)]
pub enum LlmVerb {
    /// Show tokens and cost of sessions, by model
    Usage {
        /// The session, running or over: its id, a unique beginning, or its name (all that run)
        session: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl LlmVerb {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let LlmVerb::Usage { session, json } = self;
        let proxies = proxy::of(&context.broker()?, session.as_deref())?;
        if json {
            render::json(context, &proxies)?;
        } else if proxies.iter().all(|proxy| proxy.usage.is_empty()) {
            render::say("no requests to models");
        } else {
            render::print(&table(&proxies).render(context.out, context.columns()))?;
        }
        Ok(Exit::DONE)
    }
}

fn table(proxies: &[ProxyInfo]) -> Table {
    let mut table = Table::new(&[
        "SESSION", "PROVIDER", "MODEL", "REQUESTS", "REFUSED", "ERRORS", "INPUT", "CACHED", "OUTPUT", "USD", "FOUND",
    ]);
    for proxy in proxies {
        for one in &proxy.usage {
            table.row(vec![
                proxy.session_id.clone(),
                one.provider.clone(),
                one.model.clone(),
                one.requests.to_string(),
                one.refused.to_string(),
                one.errors.to_string(),
                tokens(one.input_tokens, one.estimated),
                one.cached_tokens.to_string(),
                tokens(one.output_tokens, one.estimated),
                cost(one),
                one.found.to_string(),
            ]);
        }
    }
    table
}

/// `~`: counted by length.
fn tokens(count: u64, estimated: bool) -> String {
    let about = if estimated { "~" } else { "" };
    format!("{about}{count}")
}

/// `?`: the price of a model is not known; `+?`: that of some answers is not.
fn cost(one: &LlmUse) -> String {
    match (one.cost_usd, one.unpriced) {
        (None, 0) => "0".to_owned(),
        (None, _) => "?".to_owned(),
        (Some(cost), 0) => format!("{cost:.4}"),
        (Some(cost), _) => format!("{cost:.4}+?"),
    }
}
