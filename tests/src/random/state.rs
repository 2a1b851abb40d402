//! What a process inherits beside descriptors and a folder.

use super::Plan;
use super::dice::Dice;

/// Attributes of a process that survive `execve(2)`, or end with it: Python that sets them.
const ATTRIBUTES: [&str; 31] = [
    "os.umask(0o077)",
    "os.umask(0o777)",
    "os.umask(0)",
    "os.nice(3)",
    "os.nice(19)",
    "os.setsid()",
    "os.setpgid(0, 0)",
    "os.sched_setaffinity(0, {0})",
    "os.sched_setaffinity(0, {os.cpu_count() - 1})",
    "os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))",
    "os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))",
    "os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))",
    "libc.syscall(251, 1, 0, 3 << 13)",
    "libc.syscall(251, 1, 0, 2 << 13 | 6)",
    "open('/proc/self/oom_score_adj', 'w').write('700')",
    "open('/proc/self/coredump_filter', 'w').write('0x7f')",
    "libc.prctl(1, signal.SIGUSR2, 0, 0, 0)",
    "libc.prctl(4, 0, 0, 0, 0)",
    "libc.prctl(38, 1, 0, 0, 0)",
    "libc.prctl(36, 1, 0, 0, 0)",
    "libc.prctl(41, 1, 0, 0, 0)",
    "libc.prctl(65, 1, 0, 0, 0)",
    "libc.prctl(65, 3, 0, 0, 0)",
    "libc.prctl(29, 1, 0, 0, 0)",
    "libc.prctl(29, 70000, 0, 0, 0)",
    "libc.prctl(53, 0, 4, 0, 0)",
    "libc.prctl(53, 1, 4, 0, 0)",
    "libc.prctl(33, 1, 0, 0, 0)",
    "libc.prctl(67, 1, 0, 0, 0)",
    "libc.syscall(250, 1, b'of a start')",
    "libc.prctl(15, b'odd name', 0, 0, 0)",
];

/// What only root can arrange.
const PRIVILEGED: [&str; 12] = [
    "os.nice(-5)",
    "open('/proc/self/oom_score_adj', 'w').write('-500')",
    "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
    "os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(2))",
    "libc.syscall(251, 1, 0, 1 << 13 | 4)",
    "libc.prctl(57, 1, 0, 0, 0)",
    "libc.prctl(28, 0x2f, 0, 0, 0)",
    "libc.prctl(28, 0x10, 0, 0, 0)",
    "capabilities([0, 5, 21], [])",
    "capabilities([0, 1, 10, 21], [0, 10, 21])",
    "[libc.prctl(24, one, 0, 0, 0) for one in range(41)]",
    "[libc.prctl(24, one, 0, 0, 0) for one in (8, 21, 25)]",
];

/// Bits of `personality(2)` that leave a shell alive.
const PERSONALITIES: [u32; 9] = [
    0x0040000, 0x0020000, 0x0200000, 0x0400000, 0x1000000, 0x2000000, 0x4000000, 0x8000000, 0x8,
];

/// `RLIMIT_*` by Python's names, and values that are worth a try.
const LIMITS: [(&str, &[i64]); 15] = [
    ("RLIMIT_AS", &[64 << 20, 1 << 30, -1]),
    ("RLIMIT_CORE", &[0, 4096, -1]),
    ("RLIMIT_CPU", &[2, 3000, -1]),
    ("RLIMIT_DATA", &[4 << 20, 64 << 20, -1]),
    ("RLIMIT_FSIZE", &[0, 1, 4096, -1]),
    ("RLIMIT_MEMLOCK", &[0, 4096, -1]),
    ("RLIMIT_MSGQUEUE", &[0, 4096]),
    ("RLIMIT_NICE", &[0, 25, 40]),
    ("RLIMIT_NOFILE", &[10, 11, 16, 30, 64, 256, 1024, 4096, 65536, 1 << 20]),
    ("RLIMIT_NPROC", &[0, 1, -1]),
    ("RLIMIT_RSS", &[0, 1 << 20]),
    ("RLIMIT_RTPRIO", &[0, 1, 99]),
    ("RLIMIT_RTTIME", &[100_000_000, -1]),
    ("RLIMIT_SIGPENDING", &[0, 1, 100]),
    ("RLIMIT_STACK", &[128 << 10, 512 << 10, 8 << 20, 64 << 20, -1]),
];

/// Signals; 32 and 33 are the GNU library's, and cannot be set through it.
const SIGNALS: [i32; 22] = [
    1, 2, 3, 5, 6, 8, 10, 11, 12, 13, 14, 15, 17, 18, 20, 21, 22, 25, 28, 34, 40, 64,
];

pub(super) fn choose(dice: &mut Dice, plan: &mut Plan) {
    signals(dice, plan);
    timers(dice, plan);
    if dice.chance(40) {
        plan.restrict
            .extend(dice.some(&ATTRIBUTES, 4).into_iter().map(|one| (*one).to_owned()));
    }
    if plan.root && dice.chance(35) {
        plan.restrict
            .extend(dice.some(&PRIVILEGED, 2).into_iter().map(|one| (*one).to_owned()));
    }
    if dice.chance(15) {
        let bits = dice.some(&PERSONALITIES, 3).into_iter().fold(0, |all, bit| all | bit);
        plan.restrict.push(format!("libc.personality({bits:#x})"));
    }
    if dice.chance(40) {
        for (name, values) in dice.some(&LIMITS, 3) {
            let soft = dice.pick(values);
            let hard = if dice.chance(50) { Some(dice.pick(values)) } else { None };
            let hard = hard.map_or("None".to_owned(), |hard| hard.to_string());
            plan.limits.push(format!("(resource.{name}, {soft}, {hard})"));
        }
    }
}

/// Python itself ignores SIGPIPE and SIGXFSZ.
fn signals(dice: &mut Dice, plan: &mut Plan) {
    if dice.chance(70) {
        plan.restrict
            .push("[signal.signal(one, signal.SIG_DFL) for one in (2, 13, 25)]".into());
    }
    if dice.chance(35) {
        let ignored = dice.some(&SIGNALS, 6);
        plan.restrict
            .push(format!("[signal.signal(one, signal.SIG_IGN) for one in {ignored:?}]"));
    }
    // Others wait with nothing held back, sometimes, and leave it so (`sigsuspend(2)`).
    if dice.chance(35) && ["bash", "rbash"].contains(&plan.shell) {
        let held = SIGNALS.map(|one| if one == 17 { 23 } else { one });
        let blocked: Vec<i32> = dice.some(&held, 6).into_iter().copied().collect();
        plan.restrict
            .push(format!("signal.pthread_sigmask(signal.SIG_BLOCK, {blocked:?})"));
        // Other shells wait with nothing held back (`sigsuspend(2)`), sometimes.
        if dice.chance(50) && ["bash", "rbash"].contains(&plan.shell) {
            // Stops are left out: they end each other's pending ones.
            let sent: Vec<i32> = blocked
                .iter()
                .copied()
                .filter(|one| ![18, 20, 21, 22].contains(one))
                .collect();
            let sent: Vec<i32> = dice.some(&sent, 3).into_iter().copied().collect();
            plan.restrict.push(format!(
                "[os.kill(os.getpid(), one) for one in {sent:?} for _ in (1, 2)]"
            ));
        }
    }
}

fn timers(dice: &mut Dice, plan: &mut Plan) {
    if dice.chance(10) {
        let which = dice.pick(&["ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF"]);
        plan.restrict.push(format!(
            "signal.setitimer(signal.{which}, 900, {})",
            dice.pick(&[0, 700])
        ));
    }
}
