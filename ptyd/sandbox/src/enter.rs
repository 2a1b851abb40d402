//! Going in: the steps of a [`Plan`], done by the process that will become the program.

use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use agentsh_protocol::launch::Plan;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use caps::{CapSet, Capability, CapsHashSet};

use crate::sys;

/// The step that could not be taken. The process must end: it may be half inside.
#[derive(Debug)]
pub struct EnterError {
    pub step: &'static str,
    pub cause: String,
}

impl fmt::Display for EnterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot enter the sandbox: {}: {}", self.step, self.cause)
    }
}

fn failed<E: fmt::Display>(step: &'static str) -> impl FnOnce(E) -> EnterError {
    move |cause| EnterError {
        step,
        cause: cause.to_string(),
    }
}

/// What comes along with a plan.
#[derive(Default)]
pub struct Entrances {
    pub groups: Vec<OwnedFd>,
    pub namespaces: Vec<OwnedFd>,
    pub ruleset: Option<OwnedFd>,
}

/// Takes every step of `plan` on the calling thread: groups, namespaces, limits, capabilities, no_new_privs,
/// Landlock, and last the filter. Returns the filter's listener, which is close-on-exec.
///
/// The calling process must have one thread: filter and domain hold for the calling thread alone, and
/// a thread that goes into a group alone spares the kernel a lock on all forks of the machine.
pub fn enter(plan: &Plan, entrances: Entrances) -> Result<Option<OwnedFd>, EnterError> {
    let Entrances {
        groups,
        namespaces,
        ruleset,
    } = entrances;
    if groups.len() != plan.groups as usize {
        return Err(failed("cgroup")("the plan came without its groups"));
    }
    for group in &groups {
        rustix::io::write(group, b"0").map_err(failed("cgroup"))?;
    }
    if namespaces.len() != plan.namespaces as usize {
        return Err(failed("setns")("the plan came without its namespaces"));
    }
    for namespace in &namespaces {
        match sys::enter_namespace(namespace.as_fd()) {
            // Whoever shares its folders with another process gets into no user namespace.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                sys::own_folders().map_err(failed("unshare"))?;
                sys::enter_namespace(namespace.as_fd()).map_err(failed("setns"))?;
            }
            entered => entered.map_err(failed("setns"))?,
        }
    }
    for (resource, limit) in &plan.rlimits {
        lower_limit(*resource, *limit).map_err(failed("setrlimit"))?;
    }
    reduce_capabilities(plan.capabilities).map_err(failed("capabilities"))?;
    sys::set_no_new_privs().map_err(failed("no_new_privs"))?;
    // What was used is closed before the filter makes a descriptor: the caller may be allowed hardly any.
    drop((groups, namespaces));
    match (plan.landlock, ruleset) {
        (true, Some(ruleset)) => sys::restrict_self(ruleset.as_fd()).map_err(failed("landlock"))?,
        (true, None) => return Err(failed("landlock")("the plan came without its ruleset")),
        (false, _) => {}
    }
    let Some(filter) = &plan.filter else { return Ok(None) };
    let bytes = STANDARD.decode(&filter.program).map_err(failed("seccomp"))?;
    sys::load_filter(&crate::bpf::instructions(&bytes), filter.flags).map_err(failed("seccomp"))
}

/// Empties the inheritable and ambient sets and keeps of the other three only what `keep` names.
fn reduce_capabilities(keep: u64) -> Result<(), caps::errors::CapsError> {
    let within = |set: &CapsHashSet| -> CapsHashSet {
        set.iter()
            .filter(|capability| capability.bitmask() & keep != 0)
            .copied()
            .collect()
    };
    let permitted = caps::read(None, CapSet::Permitted)?;
    let effective = caps::read(None, CapSet::Effective)?;
    if effective.contains(&Capability::CAP_SETPCAP) {
        for capability in caps::all().into_iter().filter(|one| one.bitmask() & keep == 0) {
            // Dropping one that is not there succeeds; one that this kernel does not know yet is not there either.
            let dropped = caps::drop(None, CapSet::Bounding, capability);
            if dropped.is_err() && caps::has_cap(None, CapSet::Bounding, capability).unwrap_or(false) {
                return dropped;
            }
        }
    }
    caps::clear(None, CapSet::Ambient)?;
    caps::clear(None, CapSet::Inheritable)?;
    caps::set(None, CapSet::Effective, &within(&effective))?;
    caps::set(None, CapSet::Permitted, &within(&permitted))
}

/// Lowers soft and hard limit to `limit`; a limit that is lower already stays.
fn lower_limit(resource: u32, limit: u64) -> io::Result<()> {
    let Some(resource) = known_resource(resource) else {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    };
    let now = rustix::process::getrlimit(resource);
    let lower = |old: Option<u64>| Some(old.map_or(limit, |old| old.min(limit)));
    let new = rustix::process::Rlimit {
        current: lower(now.current),
        maximum: lower(now.maximum),
    };
    Ok(rustix::process::setrlimit(resource, new)?)
}

fn known_resource(number: u32) -> Option<rustix::process::Resource> {
    use rustix::process::Resource;
    // Their type differs between the C libraries.
    let known = [
        (i64::from(libc::RLIMIT_AS), Resource::As),
        (i64::from(libc::RLIMIT_DATA), Resource::Data),
        (i64::from(libc::RLIMIT_CPU), Resource::Cpu),
        (i64::from(libc::RLIMIT_NPROC), Resource::Nproc),
        (i64::from(libc::RLIMIT_FSIZE), Resource::Fsize),
        (i64::from(libc::RLIMIT_NOFILE), Resource::Nofile),
    ];
    known
        .into_iter()
        .find_map(|(known, resource)| (known == i64::from(number)).then_some(resource))
}
