//! `agentsh proxy`: the proxies of sessions.

use agentsh_protocol::api::ProxyInfo;
use clap::Subcommand;

use crate::client::{self, Client};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::{render, running};

/// What there is to see of proxies.
#[derive(Debug, Subcommand)]
pub enum ProxyVerb {
    /// Show what the proxy of a session leads to
    Status {
        /// The session: its id, a unique beginning, or its name (all that run)
        session: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl ProxyVerb {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let ProxyVerb::Status { session, json } = self;
        let proxies = of(&context.broker()?, session.as_deref())?;
        if json {
            render::json(context, &proxies)?;
        } else if proxies.is_empty() {
            render::say("no sessions run");
        } else {
            let texts: Vec<String> = proxies.iter().map(text).collect();
            render::print(&texts.join("\n"))?;
        }
        Ok(Exit::DONE)
    }
}

/// The proxy of one session, or of all that run.
pub(super) fn of(broker: &Client, session: Option<&str>) -> Result<Vec<ProxyInfo>, Error> {
    match session {
        Some(word) => Ok(vec![broker.get(&client::path(&["sessions", word, "proxy"]))?]),
        None => running::each(broker, "proxy"),
    }
}

fn text(proxy: &ProxyInfo) -> String {
    let list = |items: Vec<String>| match items.is_empty() {
        true => "-".to_owned(),
        false => items.join(", "),
    };
    let limit = |number: u64, what: &str| (number > 0).then(|| format!("{number} {what}"));
    let limits = [
        limit(proxy.limits.rpm, "requests a minute"),
        limit(proxy.limits.tpm, "tokens a minute"),
        limit(proxy.limits.budget, "tokens a session"),
    ];
    let none = "not started: nothing was led to it".to_owned();
    let tls = match proxy.tls_opened {
        true => {
            "opened for programs that exec, wrap and the line editor start; what a shim starts is told of no authority"
        }
        false => "not opened",
    };
    let providers = proxy.providers.iter().map(|(name, base)| format!("{name} ({base})"));
    render::pairs(&[
        ("session", proxy.session_id.clone()),
        ("address", proxy.address.clone().unwrap_or(none)),
        ("providers", list(providers.collect())),
        ("services", list(proxy.services.clone())),
        ("tls", tls.to_owned()),
        ("findings", proxy.dlp.clone()),
        ("limits", list(limits.into_iter().flatten().collect())),
        (
            "requests",
            proxy.usage.iter().map(|one| one.requests).sum::<u64>().to_string(),
        ),
        (
            "refused",
            proxy.usage.iter().map(|one| one.refused).sum::<u64>().to_string(),
        ),
    ])
}
