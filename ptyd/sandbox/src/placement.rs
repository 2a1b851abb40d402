//! Which layer of this build holds which part of a policy. Said in one place, for the supervisor that
//! lists what is not held and for `agentsh policy explain`.

use agentsh_policy::{FileOp, Held, Hold, Operation};

use crate::cgroup::{Controllers, Resource, Version};

/// Whether a waiting exec can be made another: its registers are known for this architecture.
const STEERS: bool = cfg!(target_arch = "x86_64");

/// What stands in for it elsewhere.
const NOT_STEERED: &str =
    "a waiting exec is made another on x86-64 alone; on this processor the program is refused instead";
const NOT_FILTERED: &str = "held for the first program of each command; a program below it that would have to get another environment is refused (a waiting exec is made another on x86-64 alone)";

/// What this host lets a user have on request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extras {
    /// Programs of the kernel around groups ([`crate::probe::ebpf`]).
    pub ebpf: bool,
    /// A network of a session's own ([`crate::probe::private_network`]).
    pub private_network: bool,
}

impl Extras {
    /// What there is, found out by using it.
    pub fn probe() -> Extras {
        Extras {
            ebpf: crate::probe::ebpf().works(),
            private_network: crate::probe::private_network().works(),
        }
    }
}

/// What the plan of this build can hold for a user of this host.
pub fn held(controllers: &Controllers, extras: Extras, uid: u32) -> Held {
    held_where(STEERS, controllers, extras, uid)
}

fn steering(steers: bool, otherwise: Hold) -> Hold {
    match steers {
        true => Hold::Fully,
        false => otherwise,
    }
}

/// `steers`: as [`STEERS`].
fn held_where(steers: bool, controllers: &Controllers, extras: Extras, uid: u32) -> Held {
    Held {
        ebpf: extras.ebpf,
        private_network: extras.private_network,
        memory: limit(controllers, Resource::Memory, uid),
        swap: limit(controllers, Resource::Swap, uid),
        cpu: limit(controllers, Resource::Cpu, uid),
        disk_read: limit(controllers, Resource::DiskRead, uid),
        disk_write: limit(controllers, Resource::DiskWrite, uid),
        bandwidth: Hold::Not("nothing here slows down what a session sends".into()),
        pids: limit(controllers, Resource::Pids, uid),
        command_timeout: true,
        session_timeouts: true,
        file_read: true,
        file_names: true,
        file_open_path: true,
        file_write: true,
        file_absent: true,
        file_redirect: true,
        soft_delete: true,
        checkpoints: true,
        approve: true,
        command: true,
        command_redirect: steering(steers, Hold::Not(NOT_STEERED.into())),
        environment: steering(steers, Hold::Partly(NOT_FILTERED.into())),
        transparent_commands: true,
        memfd_exec: true,
        record_terminal: true,
        record_input: true,
        record_pipes: true,
        notify: true,
        webhook: true,
        network: true,
        network_names: true,
        network_rate: true,
        network_bytes: true,
        dns_redirects: true,
        connect_redirects: true,
        http_services: true,
        unix_sockets: true,
        signals: true,
        ..Held::default()
    }
}

/// How a limit is held: by a control group, else by what the kernel limits for each process or user.
fn limit(controllers: &Controllers, resource: Resource, uid: u32) -> Hold {
    match (controllers.holder(resource), resource) {
        (Ok(Version::V1), Resource::DiskWrite) => {
            Hold::Partly("the v1 controller does not see writes that go through the page cache".into())
        }
        (Ok(_), _) => Hold::Fully,
        (Err(why), Resource::Memory) => Hold::Partly(format!("for each process by itself (RLIMIT_DATA): {why}").into()),
        (Err(why), Resource::Pids) if uid != 0 => {
            Hold::Partly(format!("together with the user's other processes (RLIMIT_NPROC): {why}").into())
        }
        (Err(why), _) => Hold::Not(format!("not held here: {why}").into()),
    }
}

/// The layers that hold the answer to an operation; `None` if no layer of a plan with these abilities does. `walled`:
/// whether the session has a wall in the kernel.
pub fn holder(operation: &Operation, held: &Held, walled: bool) -> Option<&'static str> {
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
        Operation::Network(_) if walled => (
            held.network,
            "ebpf: TCP connections that rules simply allow are the kernel's to judge, and nothing leaves that was not judged; notify: the rest, carried out on the caller's own socket",
        ),
        Operation::Network(_) => (
            held.network,
            "notify: carried out on the caller's own socket; landlock: no TCP port is open to the command itself",
        ),
        Operation::Http(_) => (
            held.http_services,
            "proxy: judged request by request; the service's own host is reached by no other way unless allow_direct says so",
        ),
        Operation::UnixSocket(_) => (held.unix_sockets, "notify: carried out on the caller's own socket"),
        Operation::Signal(_) => (held.signals, "notify: judged for each process that is meant"),
        Operation::Env(_) => (
            !matches!(held.environment, Hold::Not(_)),
            "the supervisor, at the start of each program",
        ),
    };
    holds.then_some(layers)
}

#[cfg(test)]
mod tests {
    use agentsh_policy::{LoadError, Variables};

    use super::*;

    #[test]
    fn a_limit_without_a_group_says_what_stands_in_for_it() {
        let missing = |uid| held(&Controllers::default(), Extras::default(), uid);
        assert!(matches!(missing(0).memory, Hold::Partly(_)));
        assert!(matches!(
            (missing(0).pids, missing(1000).pids),
            (Hold::Not(_), Hold::Partly(_))
        ));
        assert!(matches!(missing(0).cpu, Hold::Not(_)));
    }

    #[test]
    fn where_execs_are_not_steered_redirects_and_environments_are_said_not_to_be_held() -> Result<(), LoadError> {
        let text = "version: 1\nname: t\ncommand_rules:\n  - {name: other, commands: [curl], decision: redirect, redirect_to: {command: /bin/true}}\nenv_policy: {deny: ['*_TOKEN']}\n";
        let policy = agentsh_policy::parse(text, std::path::Path::new("t.yaml"))?.resolve(&Variables::default())?;
        let said = |steers| policy.not_held(&held_where(steers, &Controllers::default(), Extras::default(), 0));
        assert_eq!(said(true), Vec::<String>::new());
        let redirect = format!("t: command rule `other`: redirects of commands are not done here: {NOT_STEERED}");
        assert_eq!(said(false), [redirect, format!("t: env_policy: {NOT_FILTERED}")]);
        Ok(())
    }

    #[test]
    fn what_is_not_held_has_no_holder() -> Result<(), String> {
        for words in [
            ["file", "read", "/x"],
            ["file", "delete", "/x"],
            ["command", "/bin/ls", "-l"],
        ] {
            let operation = Operation::parse(&words)?;
            assert!(
                holder(&operation, &held(&Controllers::default(), Extras::default(), 0), false).is_some()
                    && holder(&operation, &Held::default(), false).is_none()
            );
        }
        assert_eq!(
            holder(
                &Operation::parse(&["signal", "TERM", "external"])?,
                &Held::default(),
                false
            ),
            None
        );
        Ok(())
    }
}
