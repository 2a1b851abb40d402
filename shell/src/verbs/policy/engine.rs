//! What holds decisions on internet sockets: the engine that `network.engine` comes to here, and why.

use agentsh_sandbox::wall::Wall;
use serde::Serialize;

/// One of the engines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Engine {
    engine: &'static str,
    why: String,
}

impl Engine {
    /// The one that a session with this wall has.
    pub fn of(wall: &Result<Wall, String>) -> Engine {
        let (engine, why) = match wall {
            Ok(Wall::Required) => ("ebpf", "network.engine asks for it".to_owned()),
            Ok(_) => ("ebpf", "programs of the kernel can be had here".to_owned()),
            Err(why) => ("notify", why.clone()),
        };
        Engine { engine, why }
    }

    /// For people.
    pub fn text(&self) -> String {
        format!("{} ({})", self.engine, self.why)
    }
}
