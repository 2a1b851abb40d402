//! Connections that go by way of the session's proxy, whatever their programs know of it: to providers of models, to
//! addresses whose names policy tells apart, and those whose TLS is to ask for another name.

use std::io;
use std::net::IpAddr;
use std::time::Instant;

use agentsh_intercept::{Act, Outcome};
use agentsh_netgate::Transport;
use agentsh_policy::{ConnectTarget, NetOp};
use agentsh_proxy::{Client, Meant, Ruling};

use super::names::local_port;
use super::{BY_NAME, Judging, Leave};
use crate::supervisor::session::Session;

impl Judging<'_> {
    fn is_stream_to_somebody(&self) -> bool {
        matches!(self.flow.operation, NetOp::Connect | NetOp::Send) && self.flow.transport == Transport::Tcp
    }

    /// The names that the session was told for the peer.
    fn names(&self) -> Vec<String> {
        let names = self
            .judge
            .session()
            .shared
            .gate
            .pins
            .names(self.address(), Instant::now());
        names.iter().map(ToString::to_string).collect()
    }

    fn address(&self) -> IpAddr {
        self.request.address.ip().to_canonical()
    }

    fn meant(&self, names: Vec<String>, provider: Option<String>, judged: Option<Ruling>) -> Meant {
        let session = self.judge.session();
        let command = self.judge.command();
        Meant {
            client: Client {
                pid: self.pid,
                command: Some(command.to_owned()),
            },
            address: (self.address(), self.request.address.port()).into(),
            names,
            provider,
            judged,
            trusts: session.trusts_proxy(command),
        }
    }

    /// Lets it through: by way of the proxy if a provider of models is there.
    pub(super) fn pass(&self, act: &mut Act<'_>, leave: Leave<'_>) -> Outcome {
        match self.provider() {
            Some((names, provider)) => {
                let meant = self.meant(names, Some(provider), Some(self.passed(leave)));
                self.lead_to_proxy(act, meant, leave)
            }
            None => self.perform(act, leave),
        }
    }

    /// What policy, and whoever it had to ask, has said of a connection that may pass.
    fn passed(&self, leave: Leave<'_>) -> Ruling {
        let verdict = &self.ruling.verdict;
        Ruling {
            allowed: true,
            decision: verdict.decision.word().to_owned(),
            rule: verdict.rule.map(str::to_owned),
            message: None,
            approval: leave.approval.map(str::to_owned),
        }
    }

    /// The names of the peer and the provider that is there, if the proxy can see its traffic: in the clear, or in TLS
    /// that it opens.
    fn provider(&self) -> Option<(Vec<String>, String)> {
        let session = self.judge.session();
        if session.config.proxy.providers.is_empty() || !self.is_stream_to_somebody() {
            return None;
        }
        let (address, mut names) = (self.address(), self.names());
        for provider in session.providers() {
            let Some((at, secure)) = provider.at() else { continue };
            let there = match at.address() {
                Some(its) => its == address || (its.is_loopback() && address.is_loopback()),
                None if at.is_loopback() => address.is_loopback(),
                None => names.contains(&at.host) || Session::listed_addresses(&at.host).contains(&address),
            };
            let seen = !secure || (session.opens_tls(&at.host) && session.trusts_proxy(self.judge.command()));
            if at.port == Some(self.request.address.port()) && there && seen {
                // One that is named by an address has a name no less than that.
                if at.address().is_none() && !names.contains(&at.host) {
                    names.push(at.host);
                }
                return Some((names, provider.name.clone()));
            }
        }
        None
    }

    /// Whether only the first bytes say which of the peer's names is meant, and it matters to policy.
    pub(super) fn depends_on_name(&self) -> bool {
        self.ruling.depends && self.is_stream_to_somebody()
    }

    /// Leads to the proxy, which judges by the name that TLS or HTTP then ask for.
    pub(super) fn lead_by_name(&self, act: &mut Act<'_>) -> Outcome {
        let provider = self.provider().map(|(_, provider)| provider);
        let meant = self.meant(self.names(), provider, None);
        let leave = Leave {
            rule: Some(BY_NAME),
            ..Leave::default()
        };
        self.lead_to_proxy(act, meant, leave)
    }

    /// Leads a connection to the proxy whose TLS is to ask for another name: it has to be opened for that.
    pub(super) fn lead_to_opened(&self, act: &mut Act<'_>, target: &ConnectTarget) -> io::Result<Outcome> {
        let session = self.judge.session();
        if !session.trusts_proxy(self.judge.command()) {
            return Err(io::Error::other(
                "the server name inside of TLS can be changed for programs only that `agentsh exec` starts with \
                 proxy.tls_intercept on",
            ));
        }
        let mut names = self.names();
        names.extend(self.ruling.host.as_deref().map(str::to_owned));
        let meant = self.meant(names, None, None);
        let leave = Leave {
            rule: Some(&target.rule),
            message: target.message.as_deref(),
            ..Leave::default()
        };
        Ok(self.lead_to_proxy(act, meant, leave))
    }

    fn lead_to_proxy(&self, act: &mut Act<'_>, meant: Meant, leave: Leave<'_>) -> Outcome {
        let session = self.judge.session();
        // It may have to be started.
        self.request.caller.will_block();
        let port = match local_port(self.request) {
            Ok(port) => port,
            Err(errno) => return Outcome::Errno(errno),
        };
        let to = match session.await_led((port, self.request.inode, self.request.v6), meant) {
            Ok(to) => to,
            Err(error) => {
                tracing::error!("a connection cannot be led to the proxy: {error}");
                return self.refuse(Some("the session's proxy cannot be reached"), leave.approval);
            }
        };
        let outcome = self.perform(
            act,
            Leave {
                instead: Some((to, None)),
                ..leave
            },
        );
        if let Outcome::Errno(errno) = outcome
            && errno != agentsh_intercept::Errno::INPROGRESS
        {
            session.forget_led(port);
        }
        outcome
    }
}
