use std::ffi::OsString;

use agentsh_protocol::Bytes;
use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;

/// Check policies: every error with its file, line and column
#[derive(Debug, Args)]
pub struct Validate {
    /// Policies by name, or their files
    #[arg(value_name = "NAME|FILE", required = true)]
    policies: Vec<OsString>,
    /// Print JSON: a list of outcomes
    #[arg(long)]
    json: bool,
}

/// What is to be said of one policy.
#[derive(Debug, Serialize)]
struct Checked {
    policy: Bytes,
    good: bool,
    problem: Option<Problem>,
    /// Keys that are read and held by no layer yet.
    not_held: Vec<&'static str>,
}

/// What is wrong, and where.
#[derive(Debug, Serialize)]
struct Problem {
    file: String,
    line: u32,
    column: u32,
    message: String,
    expected: Option<String>,
    suggestion: Option<String>,
}

impl Validate {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let mut checked = Vec::new();
        for policy in self.policies {
            match super::document(context, &policy) {
                Ok(document) => {
                    let not_held = document.file.later();
                    checked.push(Checked {
                        policy: policy.into(),
                        good: true,
                        problem: None,
                        not_held,
                    });
                }
                Err(Error::Load(report)) => {
                    let problem = Some(Problem::of(&report.error));
                    if !self.json {
                        render::error(&Error::Load(report), context);
                    }
                    checked.push(Checked {
                        policy: policy.into(),
                        good: false,
                        problem,
                        not_held: Vec::new(),
                    });
                }
                Err(error) => return Err(error),
            }
        }
        match self.json {
            true => render::json(context, &checked)?,
            false => checked.iter().filter(|checked| checked.good).for_each(Checked::say),
        }
        Ok(Exit::ok_if(checked.iter().all(|checked| checked.good)))
    }
}

impl Checked {
    fn say(&self) {
        render::say(&format!("{}: good", render::visible(&self.policy.lossy())));
        for key in &self.not_held {
            render::say(&format!(
                "{}: `{key}` is read, and held by no layer of this build",
                render::visible(&self.policy.lossy())
            ));
        }
    }
}

impl Problem {
    fn of(error: &agentsh_policy::LoadError) -> Problem {
        Problem {
            file: error.file.display().to_string(),
            line: error.line,
            column: error.column,
            message: error.message.to_string(),
            expected: error.expected.as_ref().map(ToString::to_string),
            suggestion: error.suggestion.as_ref().map(ToString::to_string),
        }
    }
}
