//! What a program inherits from whoever started it, and the walls around it.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::sys;

/// Everything that must be the same under the stand-in.
pub fn inherited() -> Value {
    let status = lines("/proc/self/status");
    let get = |key: &str| status.get(key).cloned().unwrap_or_default();
    let limits: BTreeMap<u32, (u64, u64)> = (0..16).map(|resource| (resource, sys::rlimit(resource))).collect();
    json!({
        "uid": get("Uid"), "gid": get("Gid"), "groups": get("Groups"), "umask": format!("{:o}", sys::umask()),
        "ignored": get("SigIgn"), "blocked": get("SigBlk"), "caught": get("SigCgt"),
        "pending": get("SigPnd"), "shared_pending": get("ShdPnd"), "threads": get("Threads"),
        "limits": limits,
        "nice": sys::number(libc::SYS_getpriority, 0, 0),
        "scheduler": sys::number(libc::SYS_sched_getscheduler, 0, 0),
        "io_priority": sys::number(libc::SYS_ioprio_get, 1, 0),
        "cpus": get("Cpus_allowed"), "nodes": get("Mems_allowed"),
        "session": sys::number(libc::SYS_getsid, 0, 0), "group": sys::number(libc::SYS_getpgid, 0, 0),
        "parent": sys::number(libc::SYS_getppid, 0, 0),
        "foreground": sys::foreground(2),
        "personality": sys::number(libc::SYS_personality, 0xffff_ffff, 0),
        "dumpable": sys::number(libc::SYS_prctl, libc::PR_GET_DUMPABLE as usize, 0),
        "timer_slack": sys::number(libc::SYS_prctl, libc::PR_GET_TIMERSLACK as usize, 0),
        "subreaper": by_pointer(libc::PR_GET_CHILD_SUBREAPER),
        "attributes": attributes(&status),
        "huge_pages": get("THP_enabled"),
        "oom_score": text("/proc/self/oom_score_adj"), "cgroup": text("/proc/self/cgroup"),
        "core_filter": text("/proc/self/coredump_filter"), "login": text("/proc/self/loginuid"),
        "exe": link("/proc/self/exe"), "root": link("/proc/self/root"), "cwd": link("/proc/self/cwd"),
        "namespaces": namespaces(), "comm": text("/proc/self/comm"),
    })
}

/// Attributes that survive `execve(2)` and are set by `prctl(2)` and its like.
fn attributes(status: &BTreeMap<String, String>) -> Value {
    let get = |key: &str| status.get(key).cloned().unwrap_or_default();
    json!({
        "parent_death": by_pointer(libc::PR_GET_PDEATHSIG),
        "secure_bits": asked(libc::PR_GET_SECUREBITS), "writable_code": asked(PR_GET_MDWE),
        "machine_checks": asked(libc::PR_MCE_KILL_GET), "io_flusher": asked(PR_GET_IO_FLUSHER),
        "merged_memory": asked(PR_GET_MEMORY_MERGE), "huge_pages_off": asked(libc::PR_GET_THP_DISABLE),
        "speculation": get("Speculation_Store_Bypass"), "indirect_branches": get("SpeculationIndirectBranch"),
        "scheduling": sys::scheduling(), "timers": ([0, 1, 2].map(sys::timer)),
    })
}

/// What stands between this program and the machine.
pub fn walls() -> Value {
    let status = lines("/proc/self/status");
    let get = |key: &str| status.get(key).cloned().unwrap_or_default();
    json!({
        "no_new_privs": get("NoNewPrivs"), "seccomp": get("Seccomp"), "filters": get("Seccomp_filters"),
        "inheritable": get("CapInh"), "permitted": get("CapPrm"), "effective": get("CapEff"),
        "bounding": get("CapBnd"), "ambient": get("CapAmb"),
    })
}

/// Options of `prctl(2)` that the library does not name.
const PR_GET_IO_FLUSHER: i32 = 58;
const PR_GET_MDWE: i32 = 66;
const PR_GET_MEMORY_MERGE: i32 = 68;

/// An option of `prctl(2)` that returns its value.
fn asked(option: i32) -> i64 {
    sys::number(libc::SYS_prctl, option as usize, 0)
}

/// An option of `prctl(2)` that writes its value.
fn by_pointer(option: i32) -> i32 {
    let mut value = 0i32;
    match sys::call(libc::SYS_prctl, [option as usize, &raw mut value as usize, 0, 0, 0, 0]) {
        Ok(_) => value,
        Err(_) => -1,
    }
}

fn namespaces() -> BTreeMap<&'static str, String> {
    ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"]
        .into_iter()
        .map(|kind| (kind, link(&format!("/proc/self/ns/{kind}"))))
        .collect()
}

fn lines(path: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| {
        line.split_once(':')
            .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
    };
    text(path).lines().filter_map(pair).collect()
}

fn text(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_else(|error| error.to_string())
        .trim_end()
        .to_owned()
}

fn link(path: &str) -> String {
    fs::read_link(path).map_or_else(
        |error| error.to_string(),
        |target| target.to_string_lossy().into_owned(),
    )
}
