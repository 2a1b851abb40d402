use agentsh_policy::library::{self, Entry, Origin};
use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{self, Table};

/// Show the policies that can be named
#[derive(Debug, Args)]
pub struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One policy.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    /// The file; `null` for a policy that is part of the program.
    file: Option<String>,
    description: Option<String>,
    /// Why it cannot be used, if it cannot.
    problem: Option<String>,
}

impl List {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let entries = library::list(&super::folders(context)?);
        let listed: Vec<Listed> = entries.iter().map(Listed::new).collect();
        match self.json {
            true => render::json(context, &listed)?,
            false => render::print(&table(&listed).render(context.out, context.columns()))?,
        }
        Ok(Exit::DONE)
    }
}

impl Listed {
    fn new(entry: &Entry) -> Listed {
        let file = match &entry.origin {
            Origin::File(path) => Some(path.display().to_string()),
            Origin::Pack(_) => None,
        };
        let (description, problem) = match entry.load() {
            Ok(document) => (document.file.description, None),
            Err(error) => (None, Some(error.to_string())),
        };
        Listed {
            name: entry.name.clone(),
            file,
            description,
            problem,
        }
    }
}

fn table(listed: &[Listed]) -> Table {
    let mut table = Table::new(&["NAME", "FROM", "DESCRIPTION"]);
    for policy in listed {
        let problem = policy.problem.as_deref().and_then(|problem| problem.lines().next());
        table.row(vec![
            policy.name.clone(),
            policy.file.clone().unwrap_or_else(|| "built in".to_owned()),
            problem.map_or_else(
                || policy.description.clone().unwrap_or_default(),
                |problem| format!("WRONG: {problem}"),
            ),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_file_is_listed_with_its_problem_and_built_in_ones_need_no_file() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("mine.yaml"), "version: 1\nnaem: mine\n")?;
        let listed: Vec<Listed> = library::list(&[folder.path().to_owned()])
            .iter()
            .map(Listed::new)
            .collect();
        let find = |name: &str| listed.iter().find(|policy| policy.name == name);
        assert!(find("mine").is_some_and(|policy| policy.file.is_some() && policy.problem.is_some()));
        assert!(find("default").is_some_and(|policy| policy.file.is_none() && policy.problem.is_none()));
        assert!(
            table(&listed)
                .render(render::Style::new(false), None)
                .contains("WRONG: ")
        );
        Ok(())
    }
}
