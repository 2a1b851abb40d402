use agentsh_audit::Event;
use agentsh_audit::read::{self, Filter};
use agentsh_policy::{CommandOperation, FileOp, FileOperation, Operand, Operation, UnixOp, UnixOperation};
use agentsh_protocol::Bytes;
use agentsh_protocol::api::{self, SelfInfo};
use agentsh_sandbox::cgroup::Controllers;
use agentsh_sandbox::placement::{self, Extras};
use agentsh_sandbox::probe;
use agentsh_sandbox::wall::Wall;
use clap::Args;

use crate::client::{self, Client, ClientError};
use crate::context::Context;
use crate::error::Error;
use crate::exec::guidance;
use crate::exit::Exit;
use crate::record;
use crate::render;
use crate::verbs::policy::{self, Story};

/// How many of the newest sessions are searched.
const SESSIONS: usize = 100;

/// Explain a denial, from outside or from inside of a session
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  agentsh why --last        the newest denial (inside: of this session)
  agentsh why 0199f3        an event, or all denials of a command, by a unique beginning of its id")]
pub struct Why {
    /// An event or a command
    #[arg(value_name = "EVENT|COMMAND", conflicts_with = "last")]
    target: Option<String>,
    /// The newest denial (also if nothing is given)
    #[arg(long)]
    last: bool,
    /// Print JSON: a list of events
    #[arg(long)]
    json: bool,
}

impl Why {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let target = self.target.as_deref().filter(|_| !self.last);
        let supervisor = inside(context)?;
        let events = match &supervisor {
            Some(supervisor) => of_self(supervisor, target)?,
            None => of_record(context, target)?,
        };
        let show = |event: &Event| match supervisor {
            Some(_) => "`agentsh policy show`".to_owned(),
            None => guidance::show(&event.session_id),
        };
        match (self.json, events.is_empty(), target) {
            (true, ..) => render::json(context, &events)?,
            (false, true, None) => render::say("nothing was denied"),
            (false, true, Some(target)) => return Err(unknown(target)),
            (false, false, _) => {
                // Inside, the policy is what `agentsh policy show` prints; its answers are explained outside.
                let story = |event: &Event| match supervisor {
                    Some(_) => None,
                    None => story(event, context),
                };
                let shown = events.iter().map(|event| {
                    let story = story(event).map(|story| format!("\n{story}")).unwrap_or_default();
                    text(event, &show(event), context) + &story
                });
                let shown: Vec<String> = shown.collect();
                render::print(&shown.join("\n"))?;
            }
        }
        Ok(Exit::DONE)
    }
}

/// The supervisor of the session that this process is in, if it is in one: only there is the question answered.
///
/// # Errors
/// Somebody answers who is not the caller's.
pub fn inside(context: &Context) -> Result<Option<Client>, Error> {
    let Some(client) = context.running_broker()? else {
        return Ok(None);
    };
    match client.get::<SelfInfo>(&client::path(&["self"])) {
        Ok(_) => Ok(Some(client)),
        Err(ClientError::Api(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn of_self(supervisor: &Client, target: Option<&str>) -> Result<Vec<Event>, Error> {
    let why: api::Why = supervisor.get(&client::path(&["self", "why"]))?;
    let mut denials: Vec<Event> = why
        .denials
        .into_iter()
        .filter_map(|denial| serde_json::from_value(denial).ok())
        .collect();
    match target {
        Some(target) => denials.retain(|event| is_meant(event, target)),
        None => denials.truncate(1),
    }
    Ok(denials)
}

fn of_record(context: &Context, target: Option<&str>) -> Result<Vec<Event>, Error> {
    let mut dirs = record::dirs(&record::store(context))?;
    dirs.reverse();
    dirs.truncate(SESSIONS);
    record::settle(context, &dirs);
    let Some(target) = target else {
        return Ok(read::query(&dirs, &Filter::blocked(), read::Order::NewestFirst, 1).events);
    };
    for dir in dirs {
        let mut found = Vec::new();
        let read = read::for_each(&dir, &Filter::default(), |event| {
            found.extend(event.ok().filter(|event| is_meant(event, target)));
            true
        });
        // What is meant may be in another session's record.
        record::say_problems(read.err().as_slice());
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// Whether `target` is this event, or a command to which the event is a denial.
fn is_meant(event: &Event, target: &str) -> bool {
    let of_command = event
        .command_id
        .as_deref()
        .is_some_and(|command| command.starts_with(target));
    event.id.starts_with(target) || (of_command && guidance::is_blocked(event))
}

fn text(event: &Event, show: &str, context: &Context) -> String {
    let instead = guidance::instead(event, show).unwrap_or_default();
    render::event::details(event, context.out) + &render::pairs(&[("instead", instead)])
}

/// What the session's policy says of what happened, as it stands in the record.
fn story(event: &Event, context: &Context) -> Option<String> {
    let dir = record::session(context, Some(&event.session_id)).ok()?;
    let policy = policy::of_session(&dir).ok()?;
    let held = placement::held(&Controllers::probe(), Extras::probe(), context.uid);
    let walled = Wall::of(&policy, &probe::ebpf()).is_ok();
    let story = Story::of(&policy, &operation(event)?, &held, walled);
    Some(story.text(context.out, context.columns()))
}

/// What was judged, in the policy's words; `None` for what no rule of a list is about.
fn operation(event: &Event) -> Option<Operation> {
    let given = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| Operand::from(&bytes.0));
    let word = event.operation.as_deref().unwrap_or_default();
    let (place, kind) = (given(&event.path), event.kind.as_str());
    if kind.starts_with("file_") {
        return Some(Operation::File(FileOperation {
            operation: FileOp::parse(word)?,
            path: place?,
        }));
    }
    if kind.starts_with("unix_") {
        return Some(Operation::UnixSocket(UnixOperation {
            operation: UnixOp::parse(word)?,
            path: place?,
        }));
    }
    if matches!(kind, "process_exec" | "command_started") {
        let depth = event.fields.get("depth").and_then(serde_json::Value::as_u64);
        let args = event.argv.iter().flatten().skip(1);
        return Some(Operation::Command(CommandOperation {
            program: given(&event.exe)?,
            called: (kind == "process_exec").then_some(place).flatten(),
            args: args.map(|arg| Operand::from(&arg.0)).collect(),
            depth: depth.and_then(|depth| u32::try_from(depth).ok()).unwrap_or(0),
        }));
    }
    if kind == "http_request" {
        let service = event.fields.get("service")?.as_str()?;
        return Operation::parse(&["http", word, service, &place?.lossy()]).ok();
    }
    if kind.starts_with("net_") {
        let words = ["network", word, event.remote.as_deref()?];
        return Operation::parse(&words).ok();
    }
    None
}

fn unknown(target: &str) -> Error {
    Error::unknown(
        format!(
            "no event and no denial of a command begins with {}",
            render::visible(target)
        ),
        "`agentsh events query --decision deny` lists denials",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(decision: &str) -> Result<Event, serde_json::Error> {
        serde_json::from_str(&format!(
            r#"{{"schema_version": 1, "seq": 1, "prev": "", "id": "aa1", "ts": "t", "type": "file_write", "session_id": "s",
                "command_id": "cc1", "count": 1, "policy": {{"decision": "{decision}", "effective": "{decision}"}}, "hash": ""}}"#
        ))
    }

    #[test]
    fn an_event_is_meant_by_its_id_and_a_denial_also_by_its_command() -> Result<(), serde_json::Error> {
        assert!(is_meant(&event("allow")?, "aa") && is_meant(&event("deny")?, "aa"));
        assert!(!is_meant(&event("allow")?, "cc") && is_meant(&event("deny")?, "cc"));
        assert!(!is_meant(&event("deny")?, "bb"));
        Ok(())
    }

    #[test]
    fn the_supervisor_is_asked_inside() -> Result<(), Box<dyn std::error::Error>> {
        let denials = format!(
            r#"{{"denials": [{}, {}]}}"#,
            serde_json::to_string(&event("deny")?)?,
            r#"{"newer": 1}"#
        );
        let fake = crate::client::fake::Fake::serve(vec![(200, denials.clone()), (200, denials)])?;
        let client = fake.client();
        assert_eq!(of_self(&client, None)?.len() + of_self(&client, Some("zz"))?.len(), 1);
        assert_eq!(fake.requests()?, ["GET /v1/self/why"; 2]);
        Ok(())
    }
}
