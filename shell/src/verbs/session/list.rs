use agentsh_protocol::api::{SessionInfo, SessionState};
use clap::Args;

use crate::client;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::record;
use crate::render::{self, Table};

/// Show the sessions, newest first
#[derive(Debug, Args)]
pub struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let mut sessions: Vec<SessionInfo> = context.broker()?.get(&client::path(&["sessions"]))?;
        sessions.sort_by(|a, b| b.id.cmp(&a.id));
        match (self.json, sessions.is_empty()) {
            (true, _) => render::json(context, &sessions)?,
            (false, true) => render::say("no sessions; `agentsh session create` makes one"),
            (false, false) => render::print(&table(&sessions).render(context.out, context.columns()))?,
        }
        record::say_unread(&record::store(context), &sessions);
        Ok(Exit::DONE)
    }
}

fn table(sessions: &[SessionInfo]) -> Table {
    let mut table = Table::new(&[
        "ID",
        "NAME",
        "STATE",
        "RUNNING",
        "POLICY",
        "MODE",
        "CREATED",
        "WORKSPACE",
    ]);
    for session in sessions {
        table.row(vec![
            session.id.clone(),
            session.name.clone().unwrap_or_else(|| "-".to_owned()),
            state(session.state).to_owned(),
            session.commands_running.to_string(),
            policy(session),
            session.mode.clone(),
            render::time(&session.created),
            session
                .workspace
                .as_ref()
                .map_or_else(|| "-".to_owned(), |workspace| workspace.lossy()),
        ]);
    }
    table
}

fn policy(session: &SessionInfo) -> String {
    match session.policy_refused {
        Some(_) => format!("{} (its change is not taken)", session.policy),
        None => session.policy.clone(),
    }
}

/// A state in a word.
pub fn state(state: SessionState) -> &'static str {
    match state {
        SessionState::Running => "running",
        SessionState::Ended => "ended",
        SessionState::Dead => "dead",
    }
}
