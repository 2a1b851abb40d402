//! The placement plan: which layer of this host holds which part of the policy.

use std::path::Path;

use agentsh_intercept::{Guard, Reach, Requests, Signals, Sockets};
use agentsh_policy::Policy;
use agentsh_policy::config::{Config, MinimumMode, SecurityMode};
use agentsh_protocol::api::{Enforced, LayerInfo};
use agentsh_protocol::places::Account;
use agentsh_sandbox::cgroup::Resource;
use agentsh_sandbox::filter::{self, CompiledFilter, Condition, FilterError, FilterSpec, MaskedEqual, Notified};
use agentsh_sandbox::placement::{self, Extras};
use agentsh_sandbox::probe::{self, Host, Mode};
use agentsh_sandbox::wall::Wall;

use super::limits::Limited;
use super::network;
use super::rules::{Rules, RulesError};
use super::{files, unseen};

/// Capabilities that commands of a root session keep unless the configuration says otherwise
/// (`capabilities(7)`): what file ownership, changing users and low ports need, and nothing that
/// reaches the machine itself.
const KEPT: [&str; 11] = [
    "chown",
    "dac_override",
    "fowner",
    "fsetid",
    "setuid",
    "setgid",
    "setpcap",
    "setfcap",
    "net_bind_service",
    "sys_chroot",
    "audit_write",
];

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    #[error("this host holds no security mode: {}", .0.join("; "))]
    NoMode(Vec<String>),
    #[error("security mode {mode} cannot be held here: {}", reasons.join("; "))]
    ModeMissing { mode: &'static str, reasons: Vec<String> },
    #[error("mode {found} is worse than security.minimum_mode {wanted}")]
    TooWeak { found: Mode, wanted: &'static str },
    #[error("security.strict is on and this host or build does not hold: {}", .0.join("; "))]
    NotStrict(Vec<String>),
    #[error("landlock.enabled is false in the configuration, and no mode of this build does without it")]
    LandlockOff,
    #[error("the policy's network.engine is ebpf, which cannot be had here: {0}")]
    NoWall(String),
    #[error(transparent)]
    Rules(#[from] RulesError),
}

/// Rules in force and what is said of them.
pub(super) struct Planned {
    pub rules: Rules,
    /// What its filter is made from.
    asked: Asked,
    pub mode: Mode,
    pub layers: Vec<LayerInfo>,
    pub not_held: Vec<String>,
    pub not_observed: Vec<String>,
}

/// Compiles the plan, or refuses.
pub(super) fn plan(
    policy: Policy,
    config: &Config,
    account: &Account,
    workspace: Option<&Path>,
) -> Result<Planned, PlanError> {
    if !config.landlock.enabled {
        return Err(PlanError::LandlockOff);
    }
    let host = Host::probe();
    let mode = mode(&host, config)?;
    let private = network::is_private(&policy);
    let extras = Extras {
        ebpf: host.ebpf.works(),
        private_network: private && probe::private_network().works(),
    };
    let mut held = placement::held(&host.controllers, extras, account.uid);
    held.rewrite_sni = config.proxy.tls_intercept;
    let not_held = policy.not_held(&held);
    if config.security.strict && !not_held.is_empty() {
        return Err(PlanError::NotStrict(not_held));
    }
    let unread = unseen::reads(&policy, config, account, workspace);
    let not_observed = not_observed(&policy, unread.is_some());
    let capabilities = capabilities(config);
    let wall = Wall::of(&policy, &host.ebpf);
    if wall == Ok(Wall::Required) && !host.ebpf.works() {
        return Err(PlanError::NoWall(host.ebpf.detail().to_owned()));
    }
    let around = wall.as_ref().copied().unwrap_or_default();
    let asked = Asked {
        unseen: unread.is_some(),
        stays_readable: account.uid != 0,
        walled: around != Wall::None,
    };
    let limited = Limited::by(&policy, around != Wall::None).map_err(RulesError::Groups)?;
    let mut layers = layers(&host, &not_held);
    layers.push(groups(&host, &limited));
    let tables = !private && config.proxy.providers.is_empty() && agentsh_netgate::holds_rules(&policy);
    layers.push(ebpf(&wall, tables));
    layers.extend(private.then(private_network));
    let mut rules = Rules::new(
        policy,
        asked,
        capabilities,
        host.landlock_abi,
        &config.landlock,
        unread,
        around,
    )?;
    let by_group = |resource: &Resource| host.controllers.holder(*resource).is_ok();
    rules.held_by_groups = limited.resources.set().filter(by_group).collect();
    rules.limited = limited;
    rules.private = private;
    Ok(Planned {
        rules,
        asked,
        mode,
        layers,
        not_held,
        not_observed,
    })
}

fn mode(host: &Host, config: &Config) -> Result<Mode, PlanError> {
    let wanted = config.security.mode;
    let mode = match wanted {
        SecurityMode::Auto => Mode::best(host).ok_or_else(|| PlanError::NoMode(Mode::Seccomp.obstacles(host)))?,
        named => {
            let mode: Mode = named.word().parse().map_err(|reason| PlanError::NoMode(vec![reason]))?;
            let reasons = mode.obstacles(host);
            if !reasons.is_empty() {
                return Err(PlanError::ModeMissing {
                    mode: named.word(),
                    reasons,
                });
            }
            mode
        }
    };
    let minimum = config.security.minimum_mode;
    if minimum != MinimumMode::Any && minimum.word().parse().is_ok_and(|minimum: Mode| minimum < mode) {
        return Err(PlanError::TooWeak {
            found: mode,
            wanted: minimum.word(),
        });
    }
    Ok(mode)
}

/// What the commands of a session are asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// Opens that only read are not.
    unseen: bool,
    /// Programs stay readable for the supervisor.
    stays_readable: bool,
    /// The wall in the kernel is around them.
    walled: bool,
}

impl Asked {
    /// The filter of the session's commands.
    pub(super) fn filter(self, policy: &Policy) -> Result<CompiledFilter, FilterError> {
        filter::compile(&FilterSpec {
            notified: notified(policy, self.unseen),
            confined: true,
            stays_readable: self.stays_readable,
            walled: self.walled,
            // Where looks matter all are notified.
            across: !files::looks_matter(policy),
        })
    }
}

/// The calls that the supervisor is asked about.
fn notified(policy: &Policy, unseen: bool) -> Vec<Notified> {
    let sockets = Sockets::CALLS
        .into_iter()
        .filter(|call| !Sockets::SOMETIMES.contains(call));
    let calls = Guard::CALLS.into_iter().chain(sockets).chain(Signals::CALLS);
    let always = calls.map(Notified::always);
    let equal = |argument, mask, value| MaskedEqual { argument, mask, value };
    let bits = |(argument, mask, value)| Condition::Bits(equal(argument, mask, value));
    let (flags, opens) = Sockets::SENDTO_FLAGS;
    let [folders, sibling] = Guard::CLONE_MATTERS;
    let to_somebody = [
        Condition::Not {
            argument: Sockets::SENDTO_ADDRESS,
            value: 0,
        },
        bits((flags, opens, opens)),
    ];
    let sometimes = [
        Notified::when(libc::SYS_sendto, to_somebody),
        Notified::when(libc::SYS_clone, [Sockets::CLONE_SHARES, folders, sibling].map(bits)),
    ];
    let others = Reach::BY_FIRST.map(|call| Notified::when(call, [Condition::Not { argument: 0, value: 0 }]));
    let kinds = Reach::ONE_TASK.map(|(call, value)| {
        let others = [
            Condition::Not { argument: 0, value },
            Condition::Not { argument: 1, value: 0 },
        ];
        Notified::when(call, others)
    });
    let request = |request: i32| equal(1, u64::from(u32::MAX), request as u64);
    let (set_flags, flag) = Reach::FLAGS;
    let (set_lease, back) = Reach::LEASE;
    let arranging = [
        Condition::Bits(request(Reach::ARRANGING)),
        Condition::Bits(request(Reach::OWNER)),
        Condition::Both(request(set_flags), equal(2, flag, flag)),
        Condition::Both(request(set_lease), equal(2, back, 0)),
    ];
    let switch = equal(1, u64::from(u32::MAX), Requests::ASYNC.into());
    let arranged = [
        Notified::when(libc::SYS_fcntl, arranging),
        Notified::when(libc::SYS_ioctl, [Condition::Bits(switch)]),
    ];
    always
        .chain(sometimes)
        .chain(others)
        .chain(kinds)
        .chain(arranged)
        .chain(files::notified(policy, unseen))
        .collect()
}

/// As a mask of capability numbers.
fn capabilities(config: &Config) -> u64 {
    let names: Vec<String> = match &config.capabilities.allow {
        Some(names) => names.clone(),
        None => KEPT
            .iter()
            .map(|name| (*name).to_owned())
            .chain(["kill".to_owned()])
            .collect(),
    };
    names
        .iter()
        .filter_map(|name| agentsh_sandbox::capability::mask_of(name))
        .fold(0, |sum, mask| sum | mask)
}

fn layers(host: &Host, not_held: &[String]) -> Vec<LayerInfo> {
    let notify = if not_held.is_empty() {
        Enforced::Fully
    } else {
        Enforced::Partially
    };
    vec![
        LayerInfo {
            layer: "landlock".into(),
            enforced: Enforced::Fully,
            detail: host.landlock.detail().to_owned(),
        },
        LayerInfo {
            layer: "seccomp".into(),
            enforced: Enforced::Fully,
            detail: "static denials".into(),
        },
        LayerInfo {
            layer: "notify".into(),
            enforced: notify,
            detail: host.notify.detail().to_owned(),
        },
    ]
}

/// The wall in the kernel, or why there is none. `tables`: whether it holds the policy's rules on connections as well.
fn ebpf(wall: &Result<Wall, String>, tables: bool) -> LayerInfo {
    let (enforced, detail) = match wall {
        Ok(_) if tables => (
            Enforced::Fully,
            "connections that rules simply allow are the kernel's to judge; what else no judged call asked for does not leave",
        ),
        Ok(_) => (Enforced::Fully, "what no judged call asked for does not leave"),
        Err(why) => (Enforced::Not, why.as_str()),
    };
    LayerInfo {
        layer: EBPF.into(),
        enforced,
        detail: detail.to_owned(),
    }
}

/// Its name among the layers.
const EBPF: &str = "ebpf";

impl Planned {
    /// The wall that policy left to the host could not be raised: every call is judged all the same.
    pub(super) fn without_wall(&mut self, why: String) -> Result<(), FilterError> {
        self.rules.wall = Wall::None;
        self.asked.walled = false;
        self.rules.filter = self.asked.filter(&self.rules.policy)?;
        for layer in self.layers.iter_mut().filter(|layer| layer.layer == EBPF) {
            *layer = ebpf(&Err(why.clone()), false);
        }
        Ok(())
    }
}

/// The session's own network: without it there is no session.
fn private_network() -> LayerInfo {
    LayerInfo {
        layer: "network".into(),
        enforced: Enforced::Fully,
        detail: "a network of the session's own: what leaves goes through the relay".into(),
    }
}

/// What control groups hold of the policy's limits.
fn groups(host: &Host, limited: &Limited) -> LayerInfo {
    let wanted: Vec<Resource> = limited.resources.set().collect();
    let told: Vec<String> = wanted
        .iter()
        .map(|resource| match host.controllers.holder(*resource) {
            Ok(version) => format!("{}: {}", resource.key(), version.name()),
            Err(_) => format!("{}: not by a group", resource.key()),
        })
        .collect();
    let held = wanted
        .iter()
        .filter(|resource| host.controllers.holder(**resource).is_ok())
        .count();
    let (enforced, detail) = match (held, wanted.len()) {
        (_, 0) => (Enforced::Not, "not used: no limit asks for it".to_owned()),
        (0, _) => (Enforced::Not, told.join("; ")),
        (held, all) if held == all => (Enforced::Fully, told.join("; ")),
        _ => (Enforced::Partially, told.join("; ")),
    };
    LayerInfo {
        layer: "cgroup".into(),
        enforced,
        detail,
    }
}

fn not_observed(policy: &Policy, unseen: bool) -> Vec<String> {
    let mut lines = vec!["a process that makes no notified call (exec, exit, connect) and is ended by a signal".into()];
    let quiet = policy
        .settings()
        .is_some_and(|settings| !settings.file.audit.log_allowed);
    if quiet {
        lines.push("file operations that are simply allowed (audit.log_allowed is off)".into());
    }
    if unseen {
        lines.push("opens that only read: neither notified nor recorded by another layer (audit.log_allowed is off, and no rule needs them)".into());
    }
    lines
}
