use std::error::Error;

use agentsh_protocol::api::{CreateSession, ErrorKind, Kill, Killed, SessionInfo, SessionState};

use super::fake::Fake;
use super::{Client, ClientError, path};

const SESSION: &str = r#"{"id": "0199", "name": null, "workspace": "/w", "policy": "default", "mode": "seccomp",
    "path": "/s/0199", "created": "2026-11-24T16:26:00Z", "state": "running", "uid": 0, "automatic": false}"#;

#[test]
fn a_request_has_its_path_and_body_and_the_answer_is_read() -> Result<(), Box<dyn Error>> {
    let fake = Fake::serve(vec![
        (200, SESSION.to_owned()),
        (200, r#"{"sessions": 1, "processes": 2}"#.to_owned()),
    ])?;
    let create = CreateSession {
        workspace: Some("/w".into()),
        ..CreateSession::default()
    };
    let session: SessionInfo = fake.client().post(&path(&["sessions"]), &create)?;
    let killed: Killed = fake
        .client()
        .post(&path(&["kill"]), &Kill::Session { session: session.id })?;
    assert_eq!((session.state, killed.processes), (SessionState::Running, 2));
    let asked = fake.requests()?;
    assert_eq!(
        asked[0],
        r#"POST /v1/sessions {"workspace":"/w","policy":null,"name":null}"#
    );
    assert_eq!(asked[1], r#"POST /v1/kill {"what":"session","session":"0199"}"#);
    Ok(())
}

#[test]
fn a_name_is_one_segment_of_the_path() -> Result<(), Box<dyn Error>> {
    let fake = Fake::serve(vec![(200, SESSION.to_owned())])?;
    let _: SessionInfo = fake.client().get(&path(&["sessions", "a/b ?"]))?;
    assert_eq!(fake.requests()?, ["GET /v1/sessions/a%2Fb%20%3F"]);
    Ok(())
}

#[test]
fn an_error_of_the_broker_keeps_its_kind_and_hint() -> Result<(), Box<dyn Error>> {
    let error = r#"{"error": "ambiguous", "message": "two", "hint": "more"}"#;
    let fake = Fake::serve(vec![(409, error.to_owned())])?;
    let answer = fake.client().delete::<SessionInfo>("/v1/sessions/0");
    assert!(matches!(answer, Err(ClientError::Api(error)) if error.error == ErrorKind::Ambiguous));
    Ok(())
}

#[test]
fn what_is_no_answer_of_ours_is_said_to_be_that() -> Result<(), Box<dyn Error>> {
    let fake = Fake::serve(vec![(500, "<html>".to_owned()), (200, "{}".to_owned())])?;
    for _ in 0..2 {
        assert!(matches!(
            fake.client().get::<SessionInfo>("/v1/x"),
            Err(ClientError::Answer { .. })
        ));
    }
    Ok(())
}

#[test]
fn an_empty_answer_is_nothing() -> Result<(), Box<dyn Error>> {
    let fake = Fake::serve(vec![(200, String::new())])?;
    assert_eq!(
        fake.client().post::<serde_json::Value>("/v1/lift", &())?,
        serde_json::Value::Null
    );
    Ok(())
}

#[test]
fn a_stale_socket_is_no_broker() -> Result<(), Box<dyn Error>> {
    let fake = Fake::serve(Vec::new())?;
    let client = fake.client();
    let folder = tempfile::tempdir()?;
    let kept = folder.path().join("api.sock");
    std::fs::rename(fake.socket(), &kept)?;
    fake.requests()?;
    for socket in [client.socket.clone(), kept] {
        let answer = Client {
            socket,
            ..client.clone()
        }
        .get::<SessionInfo>("/v1/x");
        assert!(matches!(answer, Err(ClientError::NoBroker { .. })));
    }
    Ok(())
}

#[test]
fn a_broker_of_another_user_is_not_asked() -> Result<(), Box<dyn Error>> {
    let uid = rustix::process::geteuid().as_raw();
    let fake = Fake::serve(vec![(200, SESSION.to_owned())])?;
    // Root's broker is believed by everybody; so this shows something only when the tests run as somebody else.
    let client = Client {
        uid: uid + 1,
        ..fake.client()
    };
    let answer = client.get::<SessionInfo>("/v1/sessions/x");
    assert!(if uid == 0 {
        answer.is_ok()
    } else {
        matches!(answer, Err(ClientError::Foreign { .. }))
    });
    Ok(())
}
