//! Policy on files, as the file engine asks it.

use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Weak};

use agentsh_intercept::files::{
    Answer, FileEngine, FileJudge, Judgement, Operation, Parts, Question, Tasks, Verdict, requests,
};
use agentsh_intercept::{Caller, Errno};
use agentsh_keep::trash::Trash;
use agentsh_policy::{Decision, FileOp, Policy, RuleRef, Subject};
use agentsh_sandbox::filter::{Condition, MaskedEqual, Notified};
use agentsh_sandbox::hull::Right;
use agentsh_sandbox::wall::Wall;
use rustix::fs::Stat;

use super::aliases::Aliases;
use super::devices::{self, Device};
use super::kept::{self, Keeper};
use super::observed::FileLog;
use super::own::Own;
use super::proxy;
use super::rules::Rules;
use super::session::Session;

/// The judge of a session's file calls.
pub(crate) struct Files {
    session: Weak<Session>,
    own: Own,
    /// Where the kernel's own files are beside the usual places.
    kernels: Vec<PathBuf>,
}

/// Our own denial, for the record.
pub(super) const GUARDED: u32 = u32::MAX;

/// The operator's, who keeps a path out of every session.
const KEPT_OUT: u32 = u32::MAX - 1;

/// The engine's word in the policy's words.
pub(super) fn file_op(operation: Operation) -> Option<FileOp> {
    match operation {
        // Asked for every plain open: the names need not be compared.
        Operation::Read => Some(FileOp::Read),
        Operation::List => Some(FileOp::List),
        other => FileOp::parse(other.name()),
    }
}

/// A rule's place as one number.
fn number(place: RuleRef) -> u32 {
    ((place.layer as u32) << 24) | (place.index as u32 & 0xff_ffff)
}

/// The name of the rule with this number.
pub(super) fn rule_name(policy: &Policy, number: u32) -> Option<&str> {
    match number {
        GUARDED => Some("agentsh-itself"),
        KEPT_OUT => Some("landlock.deny_paths"),
        _ => policy.file_rule_name(place(number)),
    }
}

fn place(number: u32) -> RuleRef {
    RuleRef {
        layer: (number >> 24) as usize,
        index: (number & 0xff_ffff) as usize,
    }
}

/// What the rule with this number says to whoever it stops at `path`.
pub(super) fn rule_message(policy: &Policy, number: u32, operation: Operation, path: &[u8]) -> Option<String> {
    let subject = Subject {
        path,
        operation: operation.name(),
        ..Subject::default()
    };
    policy.file_rule_message(place(number), &subject)
}

/// Whoever may write there could leave the command's control group.
fn is_group(rules: &Rules, path: &Path) -> bool {
    let hierarchies = rules.limited.hierarchies.as_ref();
    hierarchies.is_some_and(|found| found.mount_points().any(|mount| lies_in(path, mount)))
}

/// Whether the operator keeps it out of every session, as the hull alone cannot: what it lacks would be carried out. As with
/// Landlock, names and attributes can be looked at.
fn keeps_out(rules: &Rules, operation: Operation, path: &Path) -> bool {
    let looks = [Operation::Stat, Operation::Access, Operation::Readlink, Operation::Open];
    !looks.contains(&operation) && rules.keeps_out(path, operation.moves_names())
}

/// [`Path::starts_with`] for canonical paths, at a fraction of its cost.
pub(super) fn lies_in(path: &Path, folder: &Path) -> bool {
    let (path, folder) = (path.as_os_str().as_bytes(), folder.as_os_str().as_bytes());
    path.strip_prefix(folder)
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'/')) || folder == b"/")
}

/// Whether it belongs to a process of the session in procfs: to the kernel another command's processes
/// are behind other walls, so that looking at them is done for the caller.
fn is_siblings(session: &Session, question: &Question<'_>) -> bool {
    let Some(below) = question.path.as_os_str().as_bytes().strip_prefix(b"/proc/") else {
        return false;
    };
    let name = below.split(|byte| *byte == b'/').next().unwrap_or_default();
    let process = std::str::from_utf8(name).ok().and_then(|name| name.parse().ok());
    process.is_some_and(|process| process != question.tgid && session.shared.members.contains(process))
}

/// The right that a call which only looks would need of the hull.
fn right(operation: Operation) -> Option<Right> {
    match operation {
        Operation::Read => Some(Right::ReadFile),
        Operation::List => Some(Right::ReadFolder),
        _ => None,
    }
}

/// A read or look that is let through sees what an earlier write put elsewhere.
fn redirected_before<'p>(
    policy: &'p Policy,
    path: &[u8],
    read: agentsh_policy::Verdict<'p>,
) -> agentsh_policy::Verdict<'p> {
    if !matches!(read.decision, Decision::Allow | Decision::Audit) {
        return read;
    }
    let written = policy.file(FileOp::Write, path);
    match written.decision {
        Decision::Redirect => written,
        _ => read,
    }
}

/// Whether a policy puts another file in the place of what a person would be asked about.
fn leads_elsewhere(policy: &Policy, found: &agentsh_policy::Verdict<'_>) -> bool {
    let then = policy.after_yes(found);
    then.is_some_and(|then| then.decision == Decision::Redirect)
}

impl Files {
    /// Whether nobody inside does that there, whatever policy says.
    fn is_guarded(&self, rules: &Rules, operation: Operation, path: &Path) -> bool {
        let bytes = path.as_os_str().as_bytes();
        if self.own.is_guarded(operation, path, rules.policy.folds(bytes)) {
            return true;
        }
        let is_named = || file_op(operation).is_some_and(|op| devices::is_named(&rules.policy, op, bytes));
        let steers_kernel = || devices::steers_kernel(path) && !is_named();
        // Where else they are mounted is in the way of rules that mean something else.
        let elsewhere = || self.kernels.iter().any(|folder| lies_in(path, folder));
        !operation.observes() && (is_group(rules, path) || steers_kernel() || elsewhere())
    }

    /// The file that stands in for the asked one by this verdict. The rule's own policy means it so; what another policy of
    /// the session does not let through there, or what is ours, no rule opens.
    fn stand_in(&self, rules: &Rules, question: &Question<'_>, found: &agentsh_policy::Verdict<'_>) -> Option<PathBuf> {
        let (bytes, place) = (
            found.redirect.file_target(question.path.as_os_str().as_bytes())?,
            found.place?,
        );
        let to = PathBuf::from(std::ffi::OsStr::from_bytes(&bytes));
        let asked = question.operation;
        let operations: &[Operation] = match asked.observes() {
            true => &[asked],
            // It may have to be made there.
            false => &[asked, Operation::Write, Operation::Create],
        };
        let passes = |operation: &Operation| {
            let beside = file_op(*operation).map(|op| rules.policy.file_beside(place, op, &bytes));
            let beside = beside.is_some_and(|verdict| verdict.is_none_or(|verdict| verdict.decision.passes()));
            beside && !self.is_guarded(rules, *operation, &to) && !keeps_out(rules, *operation, &to)
        };
        let is_straight = to.components().all(|part| part != Component::ParentDir);
        (is_straight && operations.iter().all(passes)).then_some(to)
    }
}

impl FileJudge for Files {
    fn judge(&self, question: &Question<'_>) -> Judgement {
        let denied = |errno, rule| Judgement {
            verdict: Verdict::Deny(errno),
            rule,
            by_content: false,
            keeps: false,
        };
        let (Some(session), Some(op)) = (self.session.upgrade(), file_op(question.operation)) else {
            return denied(Errno::ACCESS, None);
        };
        let rules = session.rules();
        let path = question.path.as_os_str().as_bytes();
        if self.is_guarded(&rules, question.operation, question.path) {
            return denied(Errno::ACCESS, Some(GUARDED));
        }
        if keeps_out(&rules, question.operation, question.path) {
            return denied(Errno::ACCESS, Some(KEPT_OUT));
        }
        // What cannot be put on record is not done.
        if !question.operation.observes() && !session.recorder.takes_changes() {
            return denied(Errno::NOSPC, Some(GUARDED));
        }
        let found = match question.content {
            Some(content) => rules.policy.file_with(op, path, content),
            None => rules.policy.file(op, path),
        };
        let found = match question.operation {
            Operation::Read | Operation::Stat | Operation::Access | Operation::Readlink if rules.redirects_files => {
                redirected_before(&rules.policy, path, found)
            }
            _ => found,
        };
        let rule = found.place.map(number);
        let keeps = rules.policy.keeps(&found) && !rules.policy.is_trash_exempt(path);
        let verdict = match found.decision {
            Decision::Allow if question.operation.observes() => {
                let held = match right(question.operation) {
                    Some(right) => session.shared.members.all_hulls_hold(right, path, session.generation()),
                    // Landlock does not look at these; a race of them finds nothing that is denied.
                    None => !rules.hides_names,
                };
                let held = held && !is_siblings(&session, question);
                if held { Verdict::Continue } else { Verdict::Allow }
            }
            Decision::Allow => Verdict::Allow,
            Decision::Audit => Verdict::Audit,
            Decision::SoftDelete if keeps => Verdict::SoftDelete,
            Decision::SoftDelete => Verdict::Allow,
            Decision::Redirect => match self.stand_in(&rules, question, &found) {
                Some(to) => Verdict::Redirect {
                    to,
                    if_there: question.operation.observes(),
                },
                None => Verdict::Deny(Errno::ACCESS),
            },
            // Another file in its place is not what a person would be asked about.
            Decision::Approve if leads_elsewhere(&rules.policy, &found) => Verdict::Deny(Errno::ACCESS),
            Decision::Approve => Verdict::Approve,
            Decision::Deny | Decision::Absorb => Verdict::Deny(Errno::from_raw_os_error(found.errno.number())),
            _ => Verdict::Deny(Errno::ACCESS),
        };
        Judgement {
            verdict,
            rule,
            by_content: found.by_content,
            keeps,
        }
    }

    fn ask(&self, question: &Question<'_>, judgement: &Judgement, caller: &Caller<'_>) -> Answer {
        match self.session.upgrade() {
            Some(session) => session.ask_file(question, judgement, caller),
            None => Answer::No(Errno::ACCESS),
        }
    }

    fn ask_for_later(&self, question: &Question<'_>, judgement: &Judgement) -> Result<(), Errno> {
        match self.session.upgrade() {
            Some(session) => session.ask_file_for_later(question, judgement),
            None => Err(Errno::ACCESS),
        }
    }

    fn refuses_device(&self, question: &Question<'_>, stat: &Stat) -> Option<Judgement> {
        let refusal = Judgement {
            verdict: Verdict::Deny(Errno::ACCESS),
            rule: Some(GUARDED),
            by_content: false,
            keeps: false,
        };
        let Some(session) = self.session.upgrade() else {
            return Some(refusal);
        };
        let refused = match Device::of(stat.st_mode, stat.st_rdev) {
            Device::Bare => file_op(question.operation).is_none_or(|op| {
                let path = question.path.as_os_str().as_bytes();
                !devices::is_named(&session.rules().policy, op, path)
            }),
            Device::Terminal(number) => devices::is_somebody_elses(&session.shared.members, question.tid, number),
            Device::Other => false,
        };
        refused.then_some(refusal)
    }

    fn redirects(&self) -> bool {
        self.session
            .upgrade()
            .is_some_and(|session| session.rules().redirects_files)
    }

    fn hides_names(&self) -> bool {
        self.session.upgrade().is_none_or(|session| session.rules().hides_names)
    }

    fn hidden_group(&self) -> Option<String> {
        let session = self.session.upgrade()?;
        (session.rules().wall != Wall::None).then(|| agentsh_sandbox::cgroup::folder_name(&session.id))
    }

    fn names_moved(&self) {
        if let Some(session) = self.session.upgrade() {
            session.shared.members.names_moved();
        }
    }

    fn link_texts_matter(&self) -> bool {
        self.session.upgrade().is_none_or(|session| {
            let rules = session.rules();
            rules.looks_matter || rules.redirects_files
        })
    }

    fn judges_content(&self) -> bool {
        self.session
            .upgrade()
            .is_some_and(|session| session.rules().judges_content)
    }

    fn differs_below(&self, folder: &Path) -> bool {
        let Some(session) = self.session.upgrade() else {
            return true;
        };
        let rules = session.rules();
        let path = folder.as_os_str().as_bytes();
        [
            FileOp::Read,
            FileOp::Write,
            FileOp::Create,
            FileOp::Delete,
            FileOp::Rename,
            FileOp::Mkdir,
            FileOp::Rmdir,
            FileOp::Symlink,
            FileOp::Mknod,
        ]
        .into_iter()
        .any(|op| {
            let own = rules.policy.file(op, path).decision;
            rules.policy.outlook(op, path).all().iter().any(|other| other != own)
        })
    }
}

/// The engine of a session: one for all of its commands.
pub(super) fn engine(session: &Arc<Session>) -> Result<Arc<FileEngine>, String> {
    let (account, dir) = (&session.account, &session.dir);
    let limits = kept::limits(&session.rules().policy);
    let trash =
        Trash::open(&account.state_dir(), session.workspace.as_deref(), limits).map_err(|error| error.to_string())?;
    if let Some(workspace) = &session.workspace {
        let folder = std::fs::File::open(workspace).map_err(|error| format!("{}: {error}", workspace.display()))?;
        // Without a place of its own a deletion there is kept by a copy.
        if let Err(error) = trash.prepare(folder.as_fd()) {
            tracing::info!("{error}");
        }
    }
    let policy = dir.policy_path();
    let policy = std::fs::canonicalize(&policy).map_err(|error| format!("{}: {error}", policy.display()))?;
    let authorities = policy.with_file_name(proxy::AUTHORITIES);
    let sources = session.choice.files(account, &session.config);
    let links = session.choice.links(account, &session.config);
    let aliases = Aliases::now().map_err(|error| format!("/proc/self/mountinfo: {error}"))?;
    let own = Own::new(account, trash.places(), [policy, authorities], sources, links, &aliases);
    let parts = Parts {
        judge: Arc::new(Files {
            kernels: aliases.of_kernel(),
            session: Arc::downgrade(session),
            own,
        }),
        trash: Arc::new(Keeper::new(trash, session).map_err(|error| error.to_string())?),
        recorder: Arc::new(FileLog(Arc::downgrade(session))),
        tasks: Arc::clone(&session.shared.members) as Arc<dyn Tasks>,
        folders: session.shared.locator.folders(),
    };
    FileEngine::new(parts).map_err(|errno| errno.to_string())
}

/// The file calls that have to be notified under this policy; `unseen`: opens that only read are not among them.
pub(super) fn notified(policy: &Policy, unseen: bool) -> Vec<Notified> {
    let looks_matter = looks_matter(policy);
    let mut calls: Vec<Notified> = FileEngine::numbers()
        .into_iter()
        .filter(|call| looks_matter || !LOOKS.contains(call))
        .filter(|call| ![libc::SYS_fallocate, libc::SYS_ioctl].contains(call))
        .map(|call| match OPENS.iter().find(|(open, _)| unseen && *open == call) {
            Some((open, flags)) => Notified::if_any_bit(*open, *flags, NOTICED),
            None => Notified::always(call),
        })
        .collect();
    if !looks_matter {
        for (call, argument) in LINK_ROOM {
            calls.retain(|notified| notified.call != *call);
            let (argument, value) = (*argument, REALPATH_ROOM);
            calls.push(Notified::when(*call, [Condition::Not { argument, value }]));
        }
    }
    // Only a fallocate that takes content away is a loss.
    calls.push(Notified::if_any_bit(libc::SYS_fallocate, 1, PUNCHING));
    let answered = requests().map(|request| {
        Condition::Bits(MaskedEqual {
            argument: 1,
            mask: u64::from(u32::MAX),
            value: request.into(),
        })
    });
    calls.push(Notified::when(libc::SYS_ioctl, answered));
    calls
}

/// Whether some rule cares for names, attributes and the texts of links.
pub(super) fn looks_matter(policy: &Policy) -> bool {
    policy.hides_names()
        || policy.redirects_files()
        || [FileOp::Stat, FileOp::Access, FileOp::Readlink].into_iter().any(|op| {
            policy
                .file_decisions(op)
                .iter()
                .any(|decision| decision != Decision::Allow)
        })
}

/// The room that `realpath(3)` of the GNU library has for a link's text. It asks for every component of every
/// path, hundreds of times in each run of a compiler, and hardly ever means a link of procfs.
const REALPATH_ROOM: u64 = 1023;

/// The register in which calls say what room they have for a link's text.
const LINK_ROOM: &[(i64, u32)] = &[
    (libc::SYS_readlinkat, 3),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_readlink, 2),
];

/// Opens whose flags lie in a register, and in which.
const OPENS: &[(i64, u32)] = &[
    (libc::SYS_openat, 2),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, 1),
];

/// Flags of an open that can change something, `open(2)`, or that lists: a ruleset cannot grant a folder's names without
/// those of all that is below it.
const NOTICED: u64 = (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC | libc::O_DIRECTORY) as u64;

/// `FALLOC_FL_PUNCH_HOLE`, `COLLAPSE_RANGE`, `ZERO_RANGE`, `INSERT_RANGE` (`fallocate(2)`), `WRITE_ZEROES` (Linux 6.17).
const PUNCHING: u64 = 0x02 | 0x08 | 0x10 | 0x20 | 0x80;

/// Calls that look at names and attributes: asked about only where a rule needs it. The texts of links
/// are always asked for: those of procfs are read for the caller.
const LOOKS: &[i64] = &[
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_name_to_handle_at,
    libc::SYS_getxattr,
    libc::SYS_lgetxattr,
    libc::SYS_fgetxattr,
    libc::SYS_listxattr,
    libc::SYS_llistxattr,
    libc::SYS_flistxattr,
    // getxattrat, listxattrat (Linux 6.13).
    464,
    465,
    // file_getattr (Linux 6.17).
    468,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
];
