//! The queue: folding, limits, time, and what a yes covers.

use std::path::Path;
use std::time::{Duration, Instant};

use agentsh_protocol::Bytes;
use agentsh_protocol::approvals::{Answer, Approval, Reply, Scope};

use super::Bound;
use super::queue::{Admission, MAX_NEW, MAX_PENDING, Queue, Ticket};

const MINUTE: Duration = Duration::from_secs(60);

fn call(path: &str) -> Bound {
    Bound::file("delete", Path::new(path), Some("rule"))
}

fn approval(id: &str) -> Approval {
    Approval {
        id: id.to_owned(),
        session_id: String::new(),
        command_id: None,
        operation: "delete".to_owned(),
        path: Bytes::from("/x"),
        argv: Vec::new(),
        cwd: None,
        environment: Vec::new(),
        pid: 1,
        parents: Vec::new(),
        rule: None,
        message: None,
        created: String::new(),
        expires: String::new(),
        waiting: 1,
        asked: 1,
        written: None,
    }
}

fn admit(queue: &mut Queue, now: Instant, path: &str) -> Admission {
    queue.admit(now, (&call(path), 1), MINUTE, || approval(path))
}

fn ticket(admission: Admission) -> Result<(Ticket, bool), String> {
    match admission {
        Admission::Waits(ticket, new) => Ok((ticket, new.is_some())),
        _ => Err("it does not wait".to_owned()),
    }
}

fn answer(queue: &mut Queue, now: Instant, id: &str, answer: Answer, scope: Scope) -> bool {
    let reply = Reply {
        answer,
        scope,
        reason: None,
    };
    queue
        .reply(now, id, &reply, (String::new(), MINUTE, String::new()))
        .is_some()
}

#[test]
fn identical_calls_are_one_question_with_one_answer() -> Result<(), String> {
    let (mut queue, now) = (Queue::default(), Instant::now());
    let (first, new) = ticket(admit(&mut queue, now, "/x"))?;
    let (second, again) = ticket(admit(&mut queue, now, "/x"))?;
    assert!(new && !again && first.id == second.id);
    assert!(answer(&mut queue, now, "/x", Answer::Allow, Scope::Once));
    let said = |ticket: &Ticket| ticket.resolution.get().map(|resolution| resolution.answer);
    assert_eq!(
        (said(&first), said(&second)),
        (Some(Answer::Allow), Some(Answer::Allow))
    );
    assert!(!answer(&mut queue, now, "/x", Answer::Deny, Scope::Once));
    assert!(queue.grants(now).is_empty());
    Ok(())
}

#[test]
fn a_late_yes_covers_one_identical_call_within_the_window() -> Result<(), String> {
    let (mut queue, now) = (Queue::default(), Instant::now());
    for path in ["/x", "/y"] {
        let (asker, _) = ticket(admit(&mut queue, now, path))?;
        queue.leave(now, &asker.id);
        assert!(answer(&mut queue, now, path, Answer::Allow, Scope::Once));
    }
    assert!(matches!(admit(&mut queue, now, "/z"), Admission::Waits(..)));
    assert!(matches!(admit(&mut queue, now, "/x"), Admission::Covered(_)));
    assert!(matches!(admit(&mut queue, now, "/x"), Admission::Waits(..)));
    assert!(matches!(admit(&mut queue, now + MINUTE, "/y"), Admission::Waits(..)));
    Ok(())
}

#[test]
fn a_yes_for_the_session_holds_until_it_is_revoked() -> Result<(), String> {
    let (mut queue, now) = (Queue::default(), Instant::now());
    ticket(admit(&mut queue, now, "/x"))?;
    assert!(answer(&mut queue, now, "/x", Answer::Allow, Scope::Session));
    for _ in 0..3 {
        assert!(matches!(
            admit(&mut queue, now + 99 * MINUTE, "/x"),
            Admission::Covered(_)
        ));
    }
    assert!(queue.revoke("/x").is_some() && queue.revoke("/x").is_none());
    assert!(matches!(admit(&mut queue, now, "/x"), Admission::Waits(..)));
    Ok(())
}

#[test]
fn time_is_a_no_for_who_waits_and_who_is_gone_is_kept_for_the_window() -> Result<(), String> {
    let (mut queue, now) = (Queue::default(), Instant::now());
    let (waits, _) = ticket(admit(&mut queue, now, "/waits"))?;
    let (gone, _) = ticket(admit(&mut queue, now, "/gone"))?;
    queue.leave(now, &gone.id);
    let over = |over: Vec<Approval>| over.into_iter().map(|approval| approval.id).collect::<Vec<_>>();
    assert_eq!(over(queue.expire(now + MINUTE, 5 * MINUTE)), ["/waits"]);
    let said = waits.resolution.get().map(|resolution| resolution.answer);
    assert_eq!(said, Some(Answer::Deny));
    assert_eq!(over(queue.expire(now + 5 * MINUTE, 5 * MINUTE)), ["/gone"]);
    Ok(())
}

#[test]
fn a_signal_does_not_lengthen_the_time_and_a_retry_has_its_own() -> Result<(), String> {
    let (mut queue, now) = (Queue::default(), Instant::now());
    let second = Duration::from_secs(1);
    let (asker, _) = ticket(admit(&mut queue, now, "/x"))?;
    queue.leave(now + 30 * second, &asker.id);
    ticket(admit(&mut queue, now + 31 * second, "/x"))?;
    assert_eq!(queue.expire(now + MINUTE, MINUTE).len(), 1);
    let (asker, _) = ticket(admit(&mut queue, now, "/x"))?;
    queue.leave(now + 30 * second, &asker.id);
    ticket(admit(&mut queue, now + 50 * second, "/x"))?;
    assert!(queue.expire(now + MINUTE, MINUTE).is_empty());
    Ok(())
}

#[test]
fn a_no_holds_for_the_same_process_for_a_moment() -> Result<(), String> {
    let (mut queue, now) = (Queue::default(), Instant::now());
    queue.was_denied(now, (&call("/x"), 1), "id", "why");
    assert!(matches!(admit(&mut queue, now, "/x"), Admission::Denied(id, _) if id == "id"));
    let other = queue.admit(now, (&call("/x"), 2), MINUTE, || approval("/x"));
    assert!(matches!(other, Admission::Waits(..)));
    assert!(matches!(admit(&mut queue, now + MINUTE, "/x"), Admission::Waits(..)));
    Ok(())
}

#[test]
fn floods_are_bounded_by_minute_and_in_all() {
    let (mut queue, start) = (Queue::default(), Instant::now());
    let mut waits = 0;
    for minute in 0..10 {
        let now = start + 2 * minute * MINUTE;
        for number in 0..MAX_NEW + 5 {
            let admission = admit(&mut queue, now, &format!("/{minute}/{number}"));
            waits += usize::from(matches!(admission, Admission::Waits(..)));
        }
        assert!(waits <= MAX_NEW * (minute as usize + 1));
    }
    assert_eq!(waits, MAX_PENDING);
    assert_eq!(queue.pending().len(), MAX_PENDING);
}
