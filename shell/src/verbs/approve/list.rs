use agentsh_protocol::approvals::Approval;
use clap::Args;

use crate::client;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{self, Table, consent};

/// Show what waits for an answer, oldest first
#[derive(Debug, Args)]
pub struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Show one question whole
#[derive(Debug, Args)]
pub struct Show {
    /// The approval: its id or a unique beginning
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl List {
    /// For people.
    pub fn plain() -> List {
        List { json: false }
    }

    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let waiting: Vec<Approval> = context.broker()?.get(&client::path(&["approvals"]))?;
        match (self.json, waiting.is_empty()) {
            (true, _) => render::json(context, &waiting)?,
            (false, true) => render::say("nothing waits for an answer"),
            (false, false) => render::print(&table(&waiting).render(context.out, context.columns()))?,
        }
        Ok(Exit::DONE)
    }
}

impl Show {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let approval: Approval = context.broker()?.get(&client::path(&["approvals", &self.id]))?;
        match self.json {
            true => render::json(context, &approval)?,
            false => render::print(&consent::approval(&approval))?,
        }
        Ok(Exit::DONE)
    }
}

fn table(waiting: &[Approval]) -> Table {
    let mut table = Table::new(&["ID", "OPERATION", "WAITING", "DENIED AT", "RULE", "WHAT"]);
    for approval in waiting {
        let what = match approval.argv.is_empty() {
            true => consent::shown(&approval.path.0),
            false => render::argv(&approval.argv),
        };
        table.row(vec![
            approval.id.clone(),
            approval.operation.clone(),
            approval.waiting.to_string(),
            render::time(&approval.expires),
            approval.rule.clone().unwrap_or_else(|| "-".to_owned()),
            what,
        ]);
    }
    table
}
