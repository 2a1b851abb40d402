//! What a start has open.

use super::Plan;
use super::dice::Dice;

/// Python that makes a descriptor of each kind: those whose readers never wait.
const READY: [&str; 31] = [
    "os.open('/dev/null', os.O_RDONLY)",
    "os.open('/dev/null', os.O_RDWR)",
    "os.open('/dev/full', os.O_WRONLY)",
    "fed(b'line one\\nline two\\n')",
    "fed(b'')",
    "os.pipe()[0]",
    "os.pipe()[1]",
    "os.pipe2(os.O_NONBLOCK)[1]",
    "os.pipe2(os.O_DIRECT)[1]",
    "sent(socket.SOCK_STREAM)",
    "sent(socket.SOCK_SEQPACKET)",
    "bare(socket.AF_INET, socket.SOCK_STREAM)",
    "bare(socket.AF_INET6, socket.SOCK_STREAM)",
    "listening()",
    "file_with(b'1\\n2\\n3\\n', os.O_RDONLY)",
    "file_with(b'text', os.O_WRONLY | os.O_APPEND)",
    "file_with(b'text', os.O_RDWR)",
    "file_with(b'text', os.O_PATH)",
    "file_with(b'text', os.O_RDONLY | os.O_NOATIME)",
    "os.open('kept', os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)",
    "os.open('kept', os.O_WRONLY | os.O_CREAT | os.O_SYNC, 0o644)",
    "os.open('.', os.O_RDONLY)",
    "os.open('.', os.O_PATH)",
    "os.open('/usr/bin', os.O_RDONLY | os.O_DIRECTORY)",
    "os.open('/proc/self/ns/net', os.O_RDONLY)",
    "os.open('/proc/self/status', os.O_RDONLY)",
    "os.open('.', os.O_TMPFILE | os.O_RDWR, 0o600)",
    "select_epoll()",
    "os.memfd_create('m')",
    "os.pidfd_open(os.getpid())",
    "pty.openpty()[0]",
];

/// Those of which a reader may wait for ever, and terminals, which are not given to a program as 0 to 2.
const WAITING: [&str; 10] = [
    "pty.openpty()[1]",
    "sent(socket.SOCK_DGRAM)",
    "os.open('/dev/zero', os.O_RDONLY)",
    "bare(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "bare(socket.AF_INET, socket.SOCK_DGRAM)",
    "bare(socket.AF_NETLINK, socket.SOCK_RAW)",
    "os.eventfd(3)",
    "libc.timerfd_create(1, 0)",
    "libc.syscall(282, -1, struct.pack('Q', 1 << 9), 8)",
    "libc.inotify_init()",
];

/// What the kernel hands to root alone.
const PRIVILEGED: [&str; 5] = [
    "bare(socket.AF_PACKET, socket.SOCK_RAW)",
    "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).detach()",
    "libc.syscall(300, 0, 0)",
    "libc.syscall(428, -100, b'/usr', 1)",
    "libc.syscall(430, b'tmpfs', 0)",
];

/// Numbers that are asked for: what shells use themselves, what our own descriptors use, and the ends of tables.
const NUMBERS: [i32; 17] = [4, 6, 8, 10, 11, 12, 19, 20, 63, 64, 100, 199, 200, 201, 203, 255, 256];

pub(super) fn choose(dice: &mut Dice, plan: &mut Plan) {
    for number in 0..3 {
        if dice.chance(15) {
            let made = kind(dice, plan.root, number);
            plan.arrange.push(format!("give({number}, {made})"));
        } else if dice.chance(6) {
            plan.restrict.push(format!("os.close({number})"));
        }
    }
    if dice.chance(45) {
        for number in dice.some(&NUMBERS, 5) {
            let made = kind(dice, plan.root, *number);
            plan.arrange.push(format!("give({number}, {made})"));
        }
    }
    if dice.chance(4) {
        let numbers = dice.pick(&["range(20, 120)", "range(195, 215)", "range(10, 500)"]);
        plan.restrict
            .push(format!("[os.dup2({}, number) for number in {numbers}]", plan.report));
    }
}

/// Descriptors 0 and 4 are read by some of the texts; what a terminal among the standard ones becomes is told elsewhere.
fn kind(dice: &mut Dice, root: bool, number: i32) -> &'static str {
    match dice.below(100) {
        0..=9 if root => dice.pick(&PRIVILEGED),
        10..=29 if number > 4 => dice.pick(&WAITING),
        _ => dice.pick(&READY),
    }
}
