//! Rules whose paths lead through links of this host: what is judged is resolved, so a rule that stops something has to hold
//! where its path leads too.
//!
//! A session can make links. So rules that allow get nothing from them, and what a rule says where a link leads only ever
//! adds to what is said of the path itself.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::file::Files;
use super::{Layer, Policy, Verdict};
use crate::glob::PathIndex;
use crate::host::led_to;
use crate::vars::Leads;
use crate::words::FileOp;

/// What was looked up, and where it leads.
type Seen = BTreeMap<Vec<u8>, Vec<Vec<u8>>>;

/// Of one path so many places are kept in mind, the first ones: a session may turn a link of its own again and again.
const MOST_PLACES: usize = 16;

/// Where paths lead on this host, each looked up once.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Where they led before.
    before: Seen,
    /// `None`: nothing is looked up.
    seen: Option<RefCell<Seen>>,
}

impl Links {
    /// Those of this host now, and those that there were `before`.
    pub fn of_host(before: &Leads) -> Links {
        let mut known = Seen::new();
        for (path, place) in before {
            known.entry(path.clone()).or_default().push(place.clone());
        }
        Links {
            before: known,
            seen: Some(RefCell::default()),
        }
    }

    /// The other places to which the path leads, or has led.
    pub fn lead(&self, path: &[u8]) -> Vec<Vec<u8>> {
        let Some(seen) = &self.seen else { return Vec::new() };
        let mut seen = seen.borrow_mut();
        if let Some(known) = seen.get(path) {
            return known.clone();
        }
        let mut places = self.before.get(path).cloned().unwrap_or_default();
        places.extend(led_to(path).filter(|place| !places.contains(place)));
        seen.insert(path.to_vec(), places.clone());
        places
    }

    /// What is to be kept in mind of it.
    pub fn leads(self) -> Leads {
        let seen = self.seen.map(RefCell::into_inner).unwrap_or_default();
        let first = |(path, places): (Vec<u8>, Vec<Vec<u8>>)| {
            let places = places.into_iter().take(MOST_PLACES);
            places.map(move |place| (path.clone(), place))
        };
        seen.into_iter().flat_map(first).collect()
    }
}

impl Policy {
    /// Where links led what its rules stop, now and before: to be handed on when it is resolved again, so that a link that
    /// is gone or turned opens nothing to what runs already.
    pub fn leads(&self) -> Leads {
        let mut leads: Leads = Vec::new();
        for lead in self.layers.iter().flat_map(|layer| &layer.leads) {
            if !leads.contains(lead) {
                leads.push(lead.clone());
            }
        }
        leads
    }
}

/// The rules of an index that match, in their order.
pub(super) fn every(index: &PathIndex, op: FileOp, path: &[u8]) -> impl Iterator<Item = usize> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let found = index.first(path, op.bit(), from)?;
        from = found + 1;
        Some(found as usize)
    })
}

impl Files {
    /// Of the rules of which a link leads here the strictest, as far as they stand before the one on the path itself.
    fn led_here(&self, op: FileOp, path: &[u8], content: Option<&[u8]>) -> Option<usize> {
        let linked = self.linked.as_ref()?;
        let end = self.decide(op, path, content).unwrap_or(self.rules.len());
        let strictness = |index: usize| self.rules[index].common.decision.strictness();
        every(linked, op, path)
            .take_while(|index| *index < end)
            .filter(|index| self.rules[*index].may_hold(path, content))
            .reduce(|held, next| {
                if strictness(next) > strictness(held) {
                    next
                } else {
                    held
                }
            })
    }
}

impl Layer {
    pub(super) fn file_linked(&self, op: FileOp, path: &[u8], content: Option<&[u8]>) -> Option<Verdict<'_>> {
        let index = self.files.led_here(op, path, content)?;
        Some(self.file_verdict(index))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use crate::words::{Decision, Decisions, FileOp, UnixOp};
    use crate::{CommandQuery, Policy, UnixAddress, Variables, parse};

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    const RULES: &str = r#"version: 1
name: t
defaults: {command: allow, write: allow, unix_socket: allow}
file_rules:
  - {name: work, paths: ["${HOME}/w/**"], decision: allow}
  - {name: keys, paths: ["${HOME}/{.ssh,.gnupg}/**", "${HOME}/.netrc"], decision: deny}
  - {name: opened, paths: ["${HOME}/open/**"], decision: allow}
  - {name: kept, paths: ["${HOME}/kept/**"], operations: [delete], decision: soft_delete}
  - {name: secret, paths: ["${HOME}/dot/secret/**"], decision: deny}
command_rules:
  - {name: tool, commands: ["${HOME}/.ssh/tool"], decision: deny}
unix_socket_rules:
  - {name: agent, paths: ["${HOME}/.ssh/agent"], decision: deny}
"#;

    /// The policy of someone whose home has these links, and that home.
    fn policy(home: &Path, links: &[(&str, &str)]) -> Result<Policy, Box<dyn std::error::Error>> {
        for (link, target) in links {
            symlink(target, home.join(link))?;
        }
        Ok(parse(RULES, Path::new("t.yaml"))?.resolve(&Variables {
            home: home.as_os_str().as_bytes().to_vec(),
            ..Variables::default()
        })?)
    }

    #[test]
    fn what_stops_holds_where_its_path_leads() -> Outcome {
        let folder = tempfile::tempdir()?;
        let home = folder.path().canonicalize()?;
        std::fs::create_dir_all(home.join("dot/ssh"))?;
        // The second leads to what is not there yet, the third to itself.
        let links = [(".ssh", "dot/ssh"), (".netrc", "dot/netrc"), (".gnupg", ".gnupg")];
        let policy = policy(&home, &links)?;
        let path = |name: &str| home.join(name).as_os_str().as_bytes().to_vec();
        for name in [".ssh/id", "dot/ssh/id", ".netrc", "dot/netrc", ".gnupg/x"] {
            let verdict = policy.file(FileOp::Read, &path(name));
            assert_eq!(
                (verdict.decision, verdict.rule),
                (Decision::Deny, Some("keys")),
                "{name}"
            );
        }
        assert_eq!(policy.file(FileOp::Read, &path("dot/other")).decision, Decision::Allow);
        assert!(
            policy
                .outlook(FileOp::Read, &path("dot"))
                .all()
                .contains(Decision::Deny)
        );
        let (tool, agent) = (path("dot/ssh/tool"), path("dot/ssh/agent"));
        let query = CommandQuery {
            program: &tool,
            called: &tool,
            ..CommandQuery::default()
        };
        assert_eq!(policy.command(&query).decision, Decision::Deny);
        let socket = policy.unix_socket(UnixOp::Connect, UnixAddress::Path(&agent));
        assert_eq!(socket.decision, Decision::Deny);
        Ok(())
    }

    #[test]
    fn what_a_link_led_to_stays_stopped_when_the_policy_is_resolved_again() -> Outcome {
        let folder = tempfile::tempdir()?;
        let home = folder.path().canonicalize()?;
        std::fs::create_dir_all(home.join("dot/ssh"))?;
        std::fs::create_dir_all(home.join("new/ssh"))?;
        let mut policy = policy(&home, &[(".ssh", "dot/ssh")])?;
        let path = |name: &str| home.join(name).as_os_str().as_bytes().to_vec();
        let again = |policy: &Policy| -> Result<Policy, Box<dyn std::error::Error>> {
            Ok(parse(RULES, Path::new("t.yaml"))?.resolve(&Variables {
                home: home.as_os_str().as_bytes().to_vec(),
                leads: policy.leads(),
                ..Variables::default()
            })?)
        };
        for target in [None, Some("new/ssh")] {
            std::fs::remove_file(home.join(".ssh")).or_else(|_| std::fs::metadata(&home).map(drop))?;
            if let Some(target) = target {
                symlink(target, home.join(".ssh"))?;
            }
            let now = again(&policy)?;
            assert_eq!(now.is_as(&policy), target.is_none());
            policy = now;
            assert_eq!(policy.file(FileOp::Read, &path("dot/ssh/id")).rule, Some("keys"));
            let turned = policy.file(FileOp::Read, &path("new/ssh/id")).decision;
            assert_eq!(turned == Decision::Deny, target.is_some());
        }
        // However often it is turned.
        for turn in 0..2 * super::MOST_PLACES {
            std::fs::remove_file(home.join(".ssh"))?;
            symlink(format!("turn{turn}"), home.join(".ssh"))?;
            policy = again(&policy)?;
            let here = policy.file(FileOp::Read, &path(&format!("turn{turn}/id")));
            assert_eq!(here.decision, Decision::Deny);
        }
        assert_eq!(policy.file(FileOp::Read, &path("dot/ssh/id")).rule, Some("keys"));
        let leads = policy.leads();
        let of_folder = leads.iter().filter(|(from, _)| *from == path(".ssh"));
        assert_eq!(of_folder.count(), super::MOST_PLACES);
        Ok(())
    }

    #[test]
    fn no_link_widens_what_a_policy_lets_pass() -> Outcome {
        let folder = tempfile::tempdir()?;
        let home = folder.path().canonicalize()?;
        std::fs::create_dir_all(home.join("dot/secret"))?;
        std::fs::create_dir_all(home.join("w/ssh"))?;
        let links = [("open", "dot/secret"), ("kept", "dot/secret"), (".ssh", "w/ssh")];
        let policy = policy(&home, &links)?;
        let path = |name: &str| home.join(name).as_os_str().as_bytes().to_vec();
        for op in [FileOp::Read, FileOp::Delete] {
            let verdict = policy.file(op, &path("dot/secret/x"));
            assert_eq!(verdict.rule, Some("secret"), "{op}");
        }
        // A rule on the path itself that stands before counts first.
        assert_eq!(policy.file(FileOp::Read, &path("w/ssh/x")).rule, Some("work"));
        let granted = policy.outlook(FileOp::Read, &path("w")).all();
        assert_eq!(granted, Decisions::of(Decision::Allow));
        Ok(())
    }
}
