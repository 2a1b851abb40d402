//! What was done on disk to what belongs to a session that lives, told to its record.

use std::path::Path;

use agentsh_protocol::act::Act;
use agentsh_protocol::api::{ErrorKind, SessionInfo, SessionState};

use crate::client::{self, ClientError};
use crate::context::Context;
use crate::render;

/// Tells the session. One that is over has a record that is closed, and without a broker all are.
pub fn tell(context: &Context, session: &str, act: &Act) {
    let Ok(Some(broker)) = context.running_broker() else {
        return;
    };
    let path = client::path(&["sessions", session, "acts"]);
    match broker.post::<serde_json::Value>(&path, act) {
        Ok(_) => {}
        Err(ClientError::Api(error)) if matches!(error.error, ErrorKind::NotFound | ErrorKind::Refused) => {}
        Err(error) => render::say(&format!("agentsh: not in the record of session {session}: {error}")),
    }
}

/// Tells every session of the workspace.
pub fn tell_workspace(context: &Context, workspace: &Path, act: &Act) {
    let Ok(Some(broker)) = context.running_broker() else {
        return;
    };
    let sessions: Vec<SessionInfo> = broker.get(&client::path(&["sessions"])).unwrap_or_default();
    for session in sessions {
        let own = session.workspace.as_ref().map(|path| Path::new(path.as_os_str())) == Some(workspace);
        if own && session.state == SessionState::Running {
            tell(context, &session.id, act);
        }
    }
}
