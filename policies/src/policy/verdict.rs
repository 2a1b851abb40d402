//! The answer to one operation.

use std::time::Duration;

use super::CommandTarget;
use crate::message::{self, Subject};
use crate::words::{Decision, Errno, List};

/// Which rule: its place in the list of its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleRef {
    /// Place of the layer: 0 is the user's policy, others narrow it.
    pub layer: usize,
    /// Place in the list.
    pub index: usize,
}

/// The most policies of which a session's is made: the user's, and the workspace's own.
pub(crate) const LAYERS: usize = 2;

/// The rule that decides in each of the policies, by their places.
pub(crate) type Deciding = [Option<RuleRef>; LAYERS];

impl RuleRef {
    /// This rule alone.
    pub(crate) fn alone(self) -> Deciding {
        std::array::from_fn(|layer| (layer == self.layer).then_some(self))
    }
}

/// What is done instead of the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Redirect<'p> {
    None,
    /// A file below this folder; see [`Redirect::file_target`].
    Folder {
        folder: &'p [u8],
        preserve_tree: bool,
    },
    /// Another program.
    Command(&'p CommandTarget),
    /// Another signal, or the fallback where it cannot be sent.
    Signal {
        signal: i32,
        fallback: Decision,
    },
}

impl Redirect<'_> {
    /// Where the file is that stands in for `path`: below the folder with all of its path if the tree is
    /// preserved, else with its base name.
    pub fn file_target(&self, path: &[u8]) -> Option<Vec<u8>> {
        let Redirect::Folder { folder, preserve_tree } = self else {
            return None;
        };
        let below = if *preserve_tree {
            path
        } else {
            path.iter()
                .rposition(|byte| *byte == b'/')
                .map_or(path, |slash| &path[slash..])
        };
        Some([folder, below].concat())
    }
}

/// What policy says about an operation.
#[derive(Debug, Clone, Copy)]
pub struct Verdict<'p> {
    pub decision: Decision,
    pub list: List,
    /// The rule's name; `None`: no rule matched, the defaults decided.
    pub rule: Option<&'p str>,
    /// The rule's place, if a rule decided.
    pub place: Option<RuleRef>,
    /// Name of the policy that decided (of several, the strictest).
    pub policy: &'p str,
    /// The message's template; [`Verdict::message`] fills it in.
    pub template: Option<&'p str>,
    /// How long a person has to answer; `None`: as the policy's `approvals` says.
    pub timeout: Option<Duration>,
    /// How a denial looks (files).
    pub errno: Errno,
    pub redirect: Redirect<'p>,
    /// The rule holds only for certain content, which was not known or is that (files).
    pub by_content: bool,
    /// Bytes of one connection (network); `None`: no limit.
    pub max_bytes: Option<u64>,
    /// What the rules say beside their decisions (environments, limits) holds in each of the policies.
    pub(crate) deciding: Deciding,
}

impl<'p> Verdict<'p> {
    pub(crate) const NOTHING: Verdict<'static> = Verdict {
        decision: Decision::Deny,
        list: List::Files,
        rule: None,
        place: None,
        policy: "",
        template: None,
        timeout: None,
        errno: Errno::Acces,
        redirect: Redirect::None,
        by_content: false,
        max_bytes: None,
        deciding: [None; LAYERS],
    };

    /// Whether what runs by this answer runs with more than a plain yes: its environment must not bring in code.
    pub fn guards(&self) -> bool {
        matches!(self.decision, Decision::Approve | Decision::Redirect)
    }

    pub(super) fn by_default(decision: Decision, list: List, policy: &'p str) -> Verdict<'p> {
        Verdict {
            decision,
            list,
            policy,
            ..Verdict::NOTHING
        }
    }

    /// The rule's message about this operation, if the rule has one.
    pub fn message(&self, subject: &Subject<'_>) -> Option<String> {
        self.template.map(|template| message::render(template, subject))
    }
}
