//! The broker's loop: connections, signals, idle sessions.

use std::rc::Rc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};

use super::registry::Registry;
use super::{http, launch};

/// How often idle sessions are looked for.
const IDLE_CHECK: Duration = Duration::from_secs(30);

/// Serves until the broker is told to stop, by the API or by SIGTERM or SIGINT.
pub(super) async fn attend(registry: &Rc<Registry>, launch_socket: &UnixListener, api_socket: &UnixListener) {
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
                let registry = Rc::clone(registry);
                tokio::task::spawn_local(async move { registry.end_idle().await });
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
