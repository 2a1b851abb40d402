//! The broker's loop: connections, signals, idle sessions.

use std::fs::File;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};

use super::registry::Registry;
use super::{claim, http, launch};

/// How often idle sessions are looked for.
const IDLE_CHECK: Duration = Duration::from_secs(30);

/// Serves until the broker is told to stop, by the API or by SIGTERM or SIGINT, or has nothing left to do where nobody
/// finds it any more.
pub(super) async fn attend(
    registry: &Rc<Registry>,
    launch_socket: &UnixListener,
    api_socket: &UnixListener,
    lock: &File,
) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be waited for");
        return;
    };
    let mut idle = tokio::time::interval(IDLE_CHECK);
    loop {
        tokio::select! {
            accepted = launch_socket.accept() => match accepted {
                Ok((stream, _)) => {
                    tokio::task::spawn_local(launch::serve(Rc::clone(registry), stream));
                }
                Err(error) => pause(&error).await,
            },
            accepted = api_socket.accept() => match accepted {
                Ok((stream, _)) => {
                    tokio::task::spawn_local(http::serve(Rc::clone(registry), stream));
                }
                Err(error) => pause(&error).await,
            },
            _ = idle.tick() => {
                let found = claim::is_found(registry.account.uid, lock);
                if !found && registry.serves_nothing() {
                    tracing::warn!("the runtime folder is gone or another one: nobody finds this broker");
                    return;
                }
                let registry = Rc::clone(registry);
                tokio::task::spawn_local(async move { registry.end_idle(found).await });
            }
            _ = terminate.recv() => return,
            _ = interrupt.recv() => return,
            () = registry.stopped() => return,
        }
    }
}

/// Out of descriptors or memory: the connection waits in the queue until there is room.
async fn pause(error: &std::io::Error) {
    tracing::error!("accept: {error}");
    tokio::time::sleep(Duration::from_millis(100)).await;
}
