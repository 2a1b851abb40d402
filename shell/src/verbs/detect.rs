use agentsh_protocol::api::SCHEMA_VERSION;
use agentsh_sandbox::probe::{Finding, Host, Mode};
use agentsh_sandbox::wall::Wall;
use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{self, Table};
use crate::verbs::policy::Engine;

/// Find out what this host can hold, by using it, and which security mode follows
#[derive(Debug, Args)]
pub struct Detect {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct Detected {
    schema_version: u32,
    kernel: String,
    landlock_abi: u32,
    /// The best mode that can be used; `null` if none can.
    pub mode: Option<&'static str>,
    /// Of 100.
    pub score: u32,
    /// What `network.engine: auto` comes to.
    network_engine: Engine,
    layers: Vec<Probed>,
    modes: Vec<Usable>,
}

/// One layer, or one thing that layers need.
#[derive(Debug, Serialize)]
struct Probed {
    layer: &'static str,
    works: bool,
    detail: String,
}

/// One mode.
#[derive(Debug, Serialize)]
struct Usable {
    mode: &'static str,
    score: u32,
    usable: bool,
    obstacles: Vec<String>,
}

impl Detect {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let found = Detected::on(&Host::probe());
        match self.json {
            true => render::json(context, &found)?,
            false => render::print(&found.text(context))?,
        }
        Ok(Exit::ok_if(found.mode.is_some()))
    }
}

impl Detected {
    /// What the probes of `host` mean.
    pub fn on(host: &Host) -> Detected {
        let best = Mode::best(host);
        let layers: [(&'static str, &Finding); 6] = [
            ("landlock", &host.landlock),
            ("notify", &host.notify),
            ("reading", &host.reading),
            ("fuse", &host.fuse),
            ("ebpf", &host.ebpf),
            ("cgroup", &host.cgroup),
        ];
        Detected {
            schema_version: SCHEMA_VERSION,
            kernel: host.kernel.clone(),
            landlock_abi: host.landlock_abi,
            mode: best.map(Mode::name),
            score: best.map_or(0, Mode::score),
            network_engine: Engine::of(&Wall::of_host(&host.ebpf)),
            layers: layers.map(|(layer, found)| Probed::new(layer, found)).into(),
            modes: Mode::ALL.map(|mode| Usable::new(mode, host)).into(),
        }
    }

    fn text(&self, context: &Context) -> String {
        let yes_or_no = |yes| if yes { "yes" } else { "no" }.to_owned();
        let mut layers = Table::new(&["LAYER", "WORKS", "WHAT WAS FOUND"]);
        for layer in &self.layers {
            layers.row(vec![
                layer.layer.to_owned(),
                yes_or_no(layer.works),
                layer.detail.clone(),
            ]);
        }
        let mut modes = Table::new(&["MODE", "SCORE", "USABLE", "WHAT IS MISSING"]);
        for mode in &self.modes {
            let missing = mode.obstacles.join("; ");
            modes.row(vec![
                mode.mode.to_owned(),
                mode.score.to_string(),
                yes_or_no(mode.usable),
                missing,
            ]);
        }
        let mode = match self.mode {
            Some(mode) => context.out.green(&format!("{mode} ({} of 100)", self.score)),
            None => context.out.red("none: no session can be made here"),
        };
        let (style, width) = (context.out, context.columns());
        let head = render::pairs(&[
            ("kernel", render::visible(&self.kernel)),
            ("mode", mode),
            ("network.engine auto", render::visible(&self.network_engine.text())),
        ]);
        format!(
            "{head}\n{}\n{}",
            layers.render(style, width),
            modes.render(style, width)
        )
    }
}

impl Probed {
    fn new(layer: &'static str, found: &Finding) -> Probed {
        Probed {
            layer,
            works: found.works(),
            detail: found.detail().to_owned(),
        }
    }
}

impl Usable {
    fn new(mode: Mode, host: &Host) -> Usable {
        let obstacles = mode.obstacles(host);
        Usable {
            mode: mode.name(),
            score: mode.score(),
            usable: obstacles.is_empty(),
            obstacles,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agentsh_sandbox::cgroup::Controllers;

    fn works() -> Finding {
        Finding::Works("it was used".into())
    }

    #[test]
    fn a_mode_is_usable_only_without_an_obstacle() -> Result<(), serde_json::Error> {
        let missing = Finding::Missing("not here".into());
        let mut host = Host {
            kernel: "6.18".into(),
            landlock_abi: 7,
            landlock: works(),
            notify: works(),
            reading: works(),
            fuse: missing.clone(),
            ebpf: missing.clone(),
            cgroup: missing.clone(),
            controllers: Controllers::default(),
        };
        let found = serde_json::to_value(Detected::on(&host))?;
        assert_eq!((&found["mode"], &found["score"]), (&"seccomp".into(), &95.into()));
        host.landlock = missing;
        let found = serde_json::to_value(Detected::on(&host))?;
        assert_eq!((&found["mode"], &found["score"]), (&serde_json::Value::Null, &0.into()));
        Ok(())
    }
}
