//! Tables of cases: operations with the answers that a policy has to give, for `agentsh policy test`.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::{LoadError, Source};
use crate::operand::Operand;
use crate::operation::{
    Asked, CommandOperation, EnvOperation, FileOperation, HttpOperation, NetworkOperation, Operation, SignalOperation,
    UnixOperation,
};
use crate::place::At;
use crate::policy::Policy;
use crate::vars::Variables;
use crate::words::Decision;
use crate::yaml;

/// A table of cases.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "agentsh policy test cases")]
pub struct Table {
    /// Values of variables: PROJECT_ROOT, GIT_ROOT, HOME, USER, TMPDIR. Those of the session if not given.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    pub cases: Vec<At<Case>>,
}

/// One operation with its expected answer; exactly one subject is given.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub file: Option<FileOperation>,
    #[serde(default)]
    pub command: Option<CommandOperation>,
    #[serde(default)]
    pub network: Option<NetworkOperation>,
    #[serde(default)]
    pub http: Option<HttpOperation>,
    #[serde(default)]
    pub unix_socket: Option<UnixOperation>,
    #[serde(default)]
    pub signal: Option<SignalOperation>,
    #[serde(default)]
    pub env: Option<EnvOperation>,
    /// For `env`: allow (passed on) or deny (removed).
    pub decision: Decision,
    /// The rule that has to decide; `defaults`: none. Not looked at if not given.
    #[serde(default)]
    pub rule: Option<String>,
}

/// What became of one case.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Place in the table, from 1.
    pub number: usize,
    pub operation: Operation,
    pub expected: (Decision, Option<String>),
    /// The answer and the rule; `None`: the defaults.
    pub got: (Decision, Option<String>),
    pub passed: bool,
}

/// A table that was read, with the variables that it asks for.
#[derive(Debug, Clone)]
pub struct Cases {
    pub variables: Variables,
    list: Vec<(Operation, Case)>,
}

/// Reads a table; `session` gives the variables that the table does not.
///
/// # Errors
/// Everything that is not of the form, with its place in the text.
pub fn parse(text: &str, origin: &Path, session: &Variables) -> Result<Cases, LoadError> {
    let source = Source::new(origin, text);
    let table: Table = yaml::parse(&source)?;
    let mut variables = session.clone();
    for (name, value) in &table.variables {
        let bytes = value.as_bytes().to_vec();
        match name.as_str() {
            "PROJECT_ROOT" => variables.project_root = (!value.is_empty()).then_some(bytes),
            "GIT_ROOT" => variables.git_root = (!value.is_empty()).then_some(bytes),
            "HOME" => variables.home = bytes,
            "USER" => variables.user = bytes,
            "TMPDIR" => variables.tmpdir = bytes,
            _ => {
                let error = source.error(0..0, format!("`{name}` is no variable"));
                return Err(error.suggesting_nearest(name, crate::vars::NAMES));
            }
        }
    }
    let list = table
        .cases
        .iter()
        .map(|case| Ok((subject(&source, case, &variables)?, case.value.clone())));
    Ok(Cases {
        list: list.collect::<Result<_, LoadError>>()?,
        variables,
    })
}

fn subject(source: &Source, case: &At<Case>, variables: &Variables) -> Result<Operation, LoadError> {
    let given = case.value.clone();
    let subjects = [
        given.file.map(Operation::File),
        given.command.map(Operation::Command),
        given.network.map(Operation::Network),
        given.http.map(Operation::Http),
        given.unix_socket.map(Operation::UnixSocket),
        given.signal.map(Operation::Signal),
        given.env.map(Operation::Env),
    ];
    let mut subjects = subjects.into_iter().flatten();
    match (subjects.next(), subjects.next()) {
        (Some(mut operation), None) => {
            expand(source, case, &mut operation, variables)?;
            Ok(operation)
        }
        _ => {
            let error = source.error(case.range(), "a case has exactly one subject");
            Err(error.expecting("one of `file`, `command`, `network`, `http`, `unix_socket`, `signal`, `env`"))
        }
    }
}

fn expand(source: &Source, case: &At<Case>, operation: &mut Operation, variables: &Variables) -> Result<(), LoadError> {
    let texts: Vec<&mut Operand> = match operation {
        Operation::File(file) => vec![&mut file.path],
        Operation::Command(command) => std::iter::once(&mut command.program)
            .chain(&mut command.called)
            .collect(),
        Operation::UnixSocket(unix) => vec![&mut unix.path],
        Operation::Signal(signal) => vec![&mut signal.program],
        Operation::Env(env) => vec![&mut env.program],
        Operation::Network(_) | Operation::Http(_) => Vec::new(),
    };
    for text in texts {
        let failed = |problem: String| source.error(case.range(), problem);
        match variables
            .text(&text.lossy())
            .map_err(|problem| failed(problem.to_string()))?
        {
            Some(bytes) => *text = Operand::from(&bytes),
            None => return Err(failed(format!("`{text}` has no value in this session"))),
        }
    }
    Ok(())
}

impl Cases {
    /// Runs all cases against a policy that was resolved with [`Cases::variables`].
    pub fn run(&self, policy: &Policy) -> Vec<Outcome> {
        self.list
            .iter()
            .zip(1..)
            .map(|((operation, case), number)| run(policy, operation, case, number))
            .collect()
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

fn run(policy: &Policy, operation: &Operation, case: &Case, number: usize) -> Outcome {
    let verdict = policy.judge(operation);
    let mut got = (verdict.decision, verdict.rule.map(str::to_owned));
    if let Operation::Env(env) = operation {
        let asked = Asked::new(operation);
        let verdict = policy.command(&asked.command());
        let removed = policy
            .environment(&verdict)
            .removes_entry(env.name.as_bytes(), verdict.guards());
        got = (
            if removed.is_some() {
                Decision::Deny
            } else {
                Decision::Allow
            },
            None,
        );
    }
    let rule_fits = match case.rule.as_deref() {
        None => true,
        Some("defaults") => got.1.is_none(),
        Some(rule) => got.1.as_deref() == Some(rule),
    };
    Outcome {
        number,
        operation: operation.clone(),
        expected: (case.decision, case.rule.clone()),
        passed: rule_fits && got.0 == case.decision,
        got,
    }
}
