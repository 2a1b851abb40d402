//! What a pack's page promises, and the acts that show it: texts that end with 0 exactly if the act was done.
//!
//! Nobody is there to be asked, so that a question is a refusal, which the record calls a question.

use std::time::Duration;

use agentsh_policy::packs;
use agentsh_tests::record::{self, Event};
use agentsh_tests::world::people::SECRET;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Ended, Outcome, Result, User, World, fail, session};

use crate::around::Around;
use crate::run;

/// One point of a page.
#[derive(Clone)]
pub struct Promise {
    /// Words of the point.
    pub says: &'static str,
    pub passes: Vec<&'static str>,
    pub asked: Vec<&'static str>,
    pub refused: Vec<&'static str>,
    pub recorded: Vec<Recorded>,
}

/// An act that passes, and the event that tells of it.
#[derive(Clone, Copy)]
pub struct Recorded {
    pub text: &'static str,
    pub kind: &'static str,
    pub decision: &'static str,
    /// How the path, the program or the target ends.
    pub about: &'static str,
}

/// A point with these words, and no acts yet.
pub fn says(says: &'static str) -> Promise {
    Promise {
        says,
        passes: Vec::new(),
        asked: Vec::new(),
        refused: Vec::new(),
        recorded: Vec::new(),
    }
}

impl Promise {
    pub fn passes(mut self, passes: &[&'static str]) -> Promise {
        self.passes.extend(passes);
        self
    }

    /// Waits for a person.
    pub fn asks(mut self, asked: &[&'static str]) -> Promise {
        self.asked.extend(asked);
        self
    }

    pub fn refuses(mut self, refused: &[&'static str]) -> Promise {
        self.refused.extend(refused);
        self
    }

    pub fn records(mut self, recorded: &[Recorded]) -> Promise {
        self.recorded.extend(recorded);
        self
    }
}

/// `text` passes, and an event of this kind and decision tells of what ends with `about`.
pub const fn event(text: &'static str, kind: &'static str, decision: &'static str, about: &'static str) -> Recorded {
    Recorded {
        text,
        kind,
        decision,
        about,
    }
}

/// Every point of a page has its promise, and every promise is a point of the page.
fn agrees(pack: &str, promises: &[Promise]) -> Result {
    let page = packs::find(pack).ok_or_else(|| fail(pack))?.intent;
    let promised = page.split("Known limits").next().unwrap_or_default();
    let points: Vec<String> = promised
        .split("\n* ")
        .skip(1)
        .filter_map(|point| point.split("\n\n").next())
        .map(|point| point.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for point in &points {
        if !promises.iter().any(|promise| point.contains(promise.says)) {
            return Err(fail(format!("{pack}: nothing shows this: {point}")));
        }
    }
    for promise in promises {
        if !points.iter().any(|point| point.contains(promise.says)) {
            return Err(fail(format!("{pack}: its page does not say: {}", promise.says)));
        }
        if [&promise.passes, &promise.asked, &promise.refused]
            .iter()
            .all(|acts| acts.is_empty())
            && promise.recorded.is_empty()
        {
            return Err(fail(format!("{pack}: no act shows this: {}", promise.says)));
        }
    }
    Ok(())
}

/// The page of this pack says what these promises say, and for each user the session does it.
pub fn keeps(pack: &str, promises: &[&[Promise]]) -> Result {
    let promises = promises.concat();
    agrees(pack, &promises)?;
    let mut wrong = Vec::new();
    for user in User::both() {
        let world = World::new(user)?;
        session::create(&world, &["--policy", pack])?;
        let around = Around::of(&world)?;
        for promise in &promises {
            let mut note = |result: Result| {
                if let Err(error) = result {
                    wrong.push(format!("{pack}, {}: {}: {error}", world.user().name, promise.says));
                }
            };
            for text in &promise.passes {
                note(passes(&world, &around, text).map(drop));
            }
            for text in &promise.asked {
                note(stops(&world, &around, text, "approve"));
            }
            for text in &promise.refused {
                note(stops(&world, &around, text, "deny"));
            }
            for recorded in &promise.recorded {
                note(tells(&world, &around, recorded));
            }
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(fail(wrong.join("\n\n"))),
    }
}

fn passes(world: &World, around: &Around, text: &str) -> Result<Outcome> {
    let outcome = run(world, &around.text(text))?;
    match outcome.ended == Ended::Exit(0) {
        true => Ok(outcome),
        false => {
            let stopped: Vec<String> = record::events(world)?
                .iter()
                .rev()
                .filter(|event| is_stopped(event))
                .take(3)
                .map(show)
                .collect();
            Err(fail(format!("does not pass: {text}: {outcome:?}\n{stopped:#?}")))
        }
    }
}

/// It is not done, and the record says as what.
fn stops(world: &World, around: &Around, text: &str, decision: &str) -> Result {
    let before = record::events(world)?.len();
    let outcome = run(world, &around.text(text))?;
    if outcome.ended == Ended::Exit(0) || outcome.out().contains(SECRET.trim_end()) {
        return Err(fail(format!("was done: {text}: {outcome:?}")));
    }
    let mut seen = Vec::new();
    let told = wait_until(Duration::from_secs(10), || {
        let events = record::events(world).unwrap_or_default();
        seen = events.into_iter().skip(before).filter(is_stopped).collect();
        seen.iter()
            .any(|event| event.policy.as_ref().is_some_and(|policy| policy.decision == decision))
    });
    match told {
        true => Ok(()),
        false => {
            let seen: Vec<String> = seen.iter().map(show).collect();
            Err(fail(format!(
                "is not on record as {decision}: {text}: {outcome:?}\n{seen:#?}"
            )))
        }
    }
}

fn is_stopped(event: &Event) -> bool {
    event
        .policy
        .as_ref()
        .is_some_and(|policy| policy.effective.as_deref() == Some("deny"))
}

/// An event in a line.
pub fn show(event: &Event) -> String {
    let path = event.path.as_ref().map(agentsh_protocol::Bytes::lossy);
    format!(
        "{} {path:?} {:?} {:?} {} {:?}",
        event.kind,
        event.domain,
        event.remote,
        event.line(),
        event.policy
    )
}

fn tells(world: &World, around: &Around, recorded: &Recorded) -> Result {
    let Recorded {
        text,
        kind,
        decision,
        about,
    } = *recorded;
    passes(world, around, text)?;
    let ends =
        |bytes: &Option<agentsh_protocol::Bytes>| bytes.as_ref().is_some_and(|bytes| bytes.lossy().ends_with(about));
    let what = format!("{kind} {decision} {about}: {text}");
    record::await_event(world, &what, |event| {
        let remote = event.remote.as_deref().is_some_and(|remote| remote.ends_with(about));
        event.kind == kind
            && event.policy.as_ref().is_some_and(|policy| policy.decision == decision)
            && (ends(&event.path) || ends(&event.exe) || remote || about.is_empty())
    })
    .map(drop)
}
