//! Ports of the host that lead into a private network: servers of the session are reached there.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::{Private, relay};
use crate::place;

/// Has connections to the host's loopback `port` answered by whoever listens at the same port of the network. It
/// ends with the network.
///
/// # Errors
/// If the port is somebody else's.
pub fn forward(network: &Arc<Private>, port: u16) -> io::Result<()> {
    let v4 = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    // A host without IPv6 has nobody who would come that way.
    let v6 = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, port)).ok();
    let runtime = network.relay().runtime();
    let _entered = runtime.enter();
    for listener in [Some(v4), v6].into_iter().flatten() {
        listener.set_nonblocking(true)?;
        runtime.spawn(accept(TcpListener::from_std(listener)?, Arc::downgrade(network), port));
    }
    Ok(())
}

async fn accept(listener: TcpListener, network: Weak<Private>, port: u16) {
    loop {
        let near = listener.accept().await;
        let Some(network) = network.upgrade() else { return };
        match near {
            Ok((near, _)) => {
                let far = server(&network, port);
                tokio::spawn(async move {
                    if let Err(error) = lead(near, far).await {
                        tracing::debug!(port, "a forwarded connection: {error}");
                    }
                });
            }
            // Out of descriptors: that passes.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Loopback answers at once. The server may listen in either family.
fn server(network: &Private, port: u16) -> io::Result<std::net::TcpStream> {
    let connect = |at: IpAddr| place::connect(network, SocketAddr::new(at, port));
    connect(Ipv4Addr::LOCALHOST.into()).or_else(|_| connect(Ipv6Addr::LOCALHOST.into()))
}

async fn lead(mut near: TcpStream, far: io::Result<std::net::TcpStream>) -> io::Result<()> {
    let led = match far.and_then(|far| far.set_nonblocking(true).and_then(|()| TcpStream::from_std(far))) {
        Ok(mut far) => relay::copy(&mut near, &mut far).await,
        Err(error) => Err(error),
    };
    if led.is_err() {
        relay::reset(&near);
    }
    led
}
