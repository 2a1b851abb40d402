//! Which layer of this build holds which part of a policy. Said in one place, for the supervisor that
//! lists what is not held and for `agentsh policy explain`.

use agentsh_policy::{FileOp, Held, Operation};

/// What the plan of this build can hold.
pub fn held() -> Held {
    Held {
        file_read: true,
        file_names: true,
        file_open_path: true,
        file_write: true,
        file_absent: true,
        file_redirect: true,
        soft_delete: true,
        approve: true,
        command: true,
        command_redirect: true,
        environment: true,
        memfd_exec: true,
        notify: true,
        unix_sockets: true,
        signals: true,
        ..Held::default()
    }
}

/// The layers that hold the answer to an operation; `None` if no layer of a plan with these abilities does.
pub fn holder(operation: &Operation, held: &Held) -> Option<&'static str> {
    let (holds, layers) = match operation {
        Operation::File(file) => {
            let holds = match file.operation {
                FileOp::Read | FileOp::List => held.file_read,
                FileOp::Stat | FileOp::Access | FileOp::Readlink => held.file_names,
                FileOp::Open => held.file_open_path,
                _ => held.file_write,
            };
            (
                holds,
                "notify: judged on the object itself, and carried out; landlock: what no rule could allow is outside of the hull",
            )
        }
        Operation::Command(_) => (
            held.command,
            "notify: judged, and compared with what ran; landlock: what is denied whatever its arguments has no execute right",
        ),
        Operation::Network(_) => (held.network, "notify: carried out on the caller's own socket"),
        Operation::UnixSocket(_) => (held.unix_sockets, "notify: carried out on the caller's own socket"),
        Operation::Signal(_) => (held.signals, "notify: judged for each process that is meant"),
        Operation::Env(_) => (held.environment, "the supervisor, at the start of each program"),
    };
    holds.then_some(layers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_held_has_no_holder() -> Result<(), String> {
        for words in [
            ["file", "read", "/x"],
            ["file", "delete", "/x"],
            ["command", "/bin/ls", "-l"],
        ] {
            let operation = Operation::parse(&words)?;
            assert!(holder(&operation, &held()).is_some() && holder(&operation, &Held::default()).is_none());
        }
        assert_eq!(
            holder(&Operation::parse(&["signal", "TERM", "external"])?, &Held::default()),
            None
        );
        Ok(())
    }
}
