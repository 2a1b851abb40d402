//! Connections that the user's policy leads elsewhere, `connect_redirects`.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use agentsh_intercept::{Act, Errno, Outcome};
use agentsh_netgate::{Transport, relay};
use agentsh_policy::{ConnectTarget, ConnectTo, NetOp, OnFailure, Policy};

use super::{Judging, Leave};

impl Judging<'_> {
    /// What became of a connection that a rule leads elsewhere; `None`: no rule does, or it cannot be done and the
    /// rule wants the original then.
    pub(super) fn redirected(&self, policy: &Policy, act: &mut Act<'_>) -> Option<Outcome> {
        if self.flow.operation != NetOp::Connect || self.flow.transport != Transport::Tcp {
            return None;
        }
        let target = policy.connect_redirect(&self.peer())?;
        match self.lead(target, act) {
            Ok(outcome) => Some(outcome),
            Err(_) if target.on_failure != OnFailure::FailClosed => None,
            Err(error) => {
                let message = format!("`{}` cannot be done: {error}", target.rule);
                Some(self.refuse(Some(&message), None))
            }
        }
    }

    fn lead(&self, target: &ConnectTarget, act: &mut Act<'_>) -> io::Result<Outcome> {
        if target.sni.is_some() {
            return self.lead_to_opened(act, target);
        }
        // Names are looked up and sockets are dialled.
        self.request.caller.will_block();
        let to = match &target.to {
            ConnectTo::Host(host) => self.endpoint(host)?,
            ConnectTo::Unix(path) => {
                let far = UnixStream::connect(Path::new(std::ffi::OsStr::from_bytes(path)))?;
                if self.judge.session().shared.network.is_some() {
                    let path = String::from_utf8_lossy(path);
                    return Ok(self.lead_relayed(target, (&path, far), act));
                }
                let near = TcpListener::bind("127.0.0.1:0")?;
                let to = near.local_addr()?;
                let from = super::names::local_port(self.request).map_err(io::Error::from)?;
                relay::once(near, from, far)?;
                to
            }
        };
        let outcome = self.perform(
            act,
            Leave {
                instead: Some((to, Some(&target.rule))),
                message: target.message.as_deref(),
                ..Leave::default()
            },
        );
        match outcome {
            Outcome::Errno(errno) if errno != Errno::INPROGRESS && target.on_failure != OnFailure::FailClosed => {
                Err(errno.into())
            }
            outcome => Ok(outcome),
        }
    }

    /// The first address of `host:port` that the caller's socket can have.
    fn endpoint(&self, host: &str) -> io::Result<SocketAddr> {
        host.to_socket_addrs()?
            .find(|address| self.request.v6 || address.is_ipv4())
            .ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }
}
