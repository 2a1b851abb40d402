//! The broker: sockets, registry, and the way from a connection to its session.

mod api;
mod approvals;
mod attend;
mod claim;
mod forsaken;
mod host;
mod http;
mod killswitch;
mod launch;
mod orphans;
mod path;
mod peer;
mod ready;
mod registry;
mod state;
mod supervise;
mod terminal;
mod tidy;
mod watchers;
mod workspace;

use std::process::ExitCode;
use std::rc::Rc;

use agentsh_policy::config;
use agentsh_protocol::places::Account;
use tokio::net::UnixListener;
use tokio::task::LocalSet;

use crate::diagnostics;
use claim::{Claim, Sockets};
use forsaken::Forsaken;
use ready::Ready;
use registry::Registry;

/// How the broker was started.
pub(crate) struct Options {
    pub on_demand: bool,
    pub ready_fd: Option<i32>,
}

/// Serves until it is told to stop. The status is 0, or 1 with a line on stderr and for whoever waits.
pub(crate) fn run(options: Options) -> ExitCode {
    let ready = match Ready::new(options.ready_fd) {
        Ok(ready) => ready,
        Err(error) => {
            eprintln!("agentsh-ptyd: --ready-fd: {error}");
            return ExitCode::FAILURE;
        }
    };
    match serve(&options, &ready) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            eprintln!("agentsh-ptyd: {error}");
            ready.failed(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn serve(options: &Options, ready: &Ready) -> Result<(), Box<dyn std::error::Error>> {
    host::settle()?;
    host::refuse_if_cramped()?;
    let account = Account::of(rustix::process::geteuid().as_raw());
    let configuration = config::load(&account.config_dir())?;
    if options.on_demand && configuration.broker.start == config::BrokerStart::Manual {
        return Err("broker.start is manual in the configuration: start it with `agentsh broker start`".into());
    }
    host::refuse_if_sandboxed()?;
    let closed = state::close_to_others(&account.state_dir(), account.uid)?;
    let sockets = match claim::claim(account.uid)? {
        Claim::Ours(sockets) => sockets,
        Claim::AlreadyServed => {
            ready.serving();
            return Ok(());
        }
    };
    diagnostics::start(&account.state_dir(), &configuration.log.level, configuration.log.format);
    tracing::info!(uid = account.uid, "broker {} serves", crate::build::VERSION);
    if closed {
        tracing::warn!("the state folder was open to other users, and is closed to them now");
    }
    let forsaken = orphans::end(&account);
    tidy::begin(account.clone(), configuration.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let registry = Rc::new(Registry::new(account, configuration, forsaken));
    LocalSet::new().block_on(&runtime, async {
        let Sockets { launch, api, lock } = sockets;
        let (launch, api) = (UnixListener::from_std(launch)?, UnixListener::from_std(api)?);
        ready.serving();
        Forsaken::attend(&registry);
        tokio::task::spawn_local(approvals::keep_told(Rc::clone(&registry)));
        attend::attend(&registry, &launch, &api, &lock).await;
        // A signal ends it as well: what is being made or asked for meanwhile is refused.
        registry.stop();
        tracing::info!("broker ends");
        registry.end_all(registry::STOPPED).await;
        drop(lock);
        Ok(())
    })
}
