use agentsh_protocol::api::{CommandInfo, CommandState, Enforced, LayerInfo, SessionInfo, SessionState};
use clap::Args;

use crate::client;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{self, Style, Table};

/// Show a session: its layers, what is not held or not seen, its commands
#[derive(Debug, Args)]
pub struct Info {
    /// The session: id, unique beginning of it, or name
    session: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Info {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let broker = context.broker()?;
        let session: SessionInfo = broker.get(&client::path(&["sessions", &self.session]))?;
        if self.json {
            render::json(context, &session)?;
            return Ok(Exit::DONE);
        }
        let mut shown = text(&session, context);
        if session.state == SessionState::Running {
            let commands: Vec<CommandInfo> = broker.get(&client::path(&["sessions", &session.id, "commands"]))?;
            if !commands.is_empty() {
                shown += &format!("\n{}", table(&commands).render(context.out, context.columns()));
            }
        }
        render::print(&shown)?;
        Ok(Exit::DONE)
    }
}

/// A session for people.
pub fn text(session: &SessionInfo, context: &Context) -> String {
    let visible = |lines: &[String]| {
        lines
            .iter()
            .map(|line| render::visible(line))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let refused = session.policy_refused.iter().flat_map(|why| why.lines());
    let refused: Vec<String> = refused.map(render::visible).collect();
    let layers: Vec<String> = session
        .layers
        .iter()
        .map(|layer| layer_line(layer, context.out))
        .collect();
    let state = match session.state {
        SessionState::Dead => context.out.red("dead: its supervisor died, what it served was ended"),
        state => super::list::state(state).to_owned(),
    };
    render::pairs(&[
        ("id", session.id.clone()),
        ("name", session.name.as_deref().map(render::visible).unwrap_or_default()),
        ("state", state),
        (
            "workspace",
            session
                .workspace
                .as_ref()
                .map_or_else(|| "none".to_owned(), |path| render::visible(&path.lossy())),
        ),
        ("policy", render::visible(&session.policy)),
        ("not taken", context.out.red(&refused.join("\n"))),
        ("mode", session.mode.clone()),
        ("folder", render::visible(&session.path)),
        ("created", render::time(&session.created)),
        ("ended", session.ended.as_deref().map(render::time).unwrap_or_default()),
        ("layers", layers.join("\n")),
        ("not held", context.out.yellow(&visible(&session.not_held))),
        ("not seen", visible(&session.not_observed)),
    ])
}

fn layer_line(layer: &LayerInfo, style: Style) -> String {
    let enforced = match layer.enforced {
        Enforced::Fully => style.green("fully"),
        Enforced::Partially => style.yellow("partially"),
        Enforced::Not => style.red("not"),
    };
    let detail = if layer.detail.is_empty() {
        String::new()
    } else {
        format!(" ({})", render::visible(&layer.detail))
    };
    format!("{}: {enforced} enforced{detail}", render::visible(&layer.layer))
}

fn table(commands: &[CommandInfo]) -> Table {
    let mut table = Table::new(&["COMMAND", "STATE", "PID", "DECISION", "STARTED", "ARGV"]);
    for command in commands {
        table.row(vec![
            command.id.clone(),
            end(command),
            command.pid.to_string(),
            command.policy.decision.clone(),
            render::time(&command.started),
            render::argv(&command.argv),
        ]);
    }
    table
}

fn end(command: &CommandInfo) -> String {
    match (command.state, command.exit_code, command.signal) {
        (CommandState::Refused, ..) => "refused".to_owned(),
        (CommandState::Running, ..) => "running".to_owned(),
        (CommandState::Finished, _, Some(signal)) => format!("signal {signal}"),
        (CommandState::Finished, Some(status), None) => format!("exit {status}"),
        (CommandState::Finished, None, None) => "ended".to_owned(),
    }
}
