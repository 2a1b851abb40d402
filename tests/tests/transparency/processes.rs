//! Processes that have ended and wait for their parent, folders of procfs in the place of pidfds, and local addresses at
//! which nobody is.

use agentsh_tests::{Case, Shell};

/// A child that has ended is its parent's to signal and everybody's to look at.
const ENDED: &str = "import os,signal,time
def state(pid): return open(f'/proc/{pid}/stat').read().rsplit(')')[1].split()[0]
def go(name, act):
    try: print(name, act())
    except OSError as error: print(name, error.errno)
for how in ('fork', 'exec'):
    pid = os.fork()
    if pid == 0: os.execv('/bin/true', ['true']) if how == 'exec' else os._exit(0)
    while state(pid) != 'Z': time.sleep(0.01)
    held = os.pidfd_open(pid)
    go('kill', lambda: os.kill(pid, 15)); go('zero', lambda: os.kill(pid, 0)); go('group', lambda: os.killpg(os.getpgid(pid), 0))
    go('pidfd', lambda: signal.pidfd_send_signal(held, 15))
    go('status', lambda: [line for line in open(f'/proc/{pid}/status') if line.startswith(('State', 'Threads'))])
    go('command line', lambda: open(f'/proc/{pid}/cmdline').read())
    go('executable', lambda: os.readlink(f'/proc/{pid}/exe'))
    go('descriptors', lambda: os.listdir(f'/proc/{pid}/fd'))
    go('priority', lambda: os.getpriority(os.PRIO_PROCESS, pid))
    go('ps', lambda: os.popen(f'ps -o stat=,comm= -p {pid}').read())
    go('wait', lambda: os.waitpid(pid, 0)[1])
    go('gone', lambda: os.kill(pid, 15)); go('gone, by pidfd', lambda: signal.pidfd_send_signal(held, 15))
";

/// The first thread of a process may end before the others.
const LEADER: &str = "import ctypes,os,sys,threading,time
c = ctypes.CDLL(None)
pid = os.fork()
if pid == 0:
    def rest():
        time.sleep(0.2)
        print('alive', flush=True)
        try: time.sleep(60)
        finally: pass
    threading.Thread(target=rest, daemon=True).start()
    c.syscall(60, 0)
while open(f'/proc/{pid}/stat').read().rsplit(')')[1].split()[0] != 'Z': time.sleep(0.01)
time.sleep(0.5)
print(open(f'/proc/{pid}/comm').read().strip(), len(os.listdir(f'/proc/{pid}/task')))
os.kill(pid, 9)
print(os.waitpid(pid, 0)[1])
";

/// `pidfd_send_signal(2)` takes a process's folder in procfs for a pidfd.
const FOLDER: &str = "import os,signal
def go(name, path, number=0):
    try: print(name, signal.pidfd_send_signal(os.open(path, os.O_RDONLY), number))
    except OSError as error: print(name, error.errno)
pid = os.fork()
if pid == 0: signal.pause(); os._exit(0)
signal.signal(signal.SIGUSR1, lambda *_: print('heard'))
go('own', f'/proc/{os.getpid()}', signal.SIGUSR1); go('self', '/proc/self')
go('child', f'/proc/{pid}', signal.SIGTERM); print(os.waitpid(pid, 0)[1])
go('thread', f'/proc/self/task/{os.getpid()}'); go('file', '/proc/self/status'); go('root', '/proc'); go('other', '/tmp')
held = os.fork()
if held == 0: os._exit(0)
folder = os.open(f'/proc/{held}', os.O_RDONLY); os.waitpid(held, 0)
try: signal.pidfd_send_signal(folder, 15)
except OSError as error: print('gone', error.errno)
# PIDFD_SELF: numbers in the place of a descriptor.
for number in (-10000, -10001, -10002):
    try: print('oneself', signal.pidfd_send_signal(number, signal.SIGUSR1))
    except OSError as error: print('oneself', error.errno)
";

/// What a datagram socket asks for with connect(2) is refused at once: whoever comes later would be its peer.
const NOBODY: &str = "import errno,select,socket,time
def go(name, act):
    try: print(name, act())
    except OSError as error: print(name, errno.errorcode[error.errno])
def free(family, kind, host):
    one = socket.socket(family, kind); one.bind((host, 0)); port = one.getsockname()[1]; one.close(); return (host, port)
for family, host in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET, '127.8.8.8'), (socket.AF_INET6, '::1')):
    to = free(family, socket.SOCK_DGRAM, host)
    one = socket.socket(family, socket.SOCK_DGRAM); one.settimeout(0.2)
    go('datagram', lambda: one.sendto(b'abc', to)); go('another', lambda: one.sendto(b'abcd', to))
    go('message', lambda: one.sendmsg([b'ab', b'c'], [], 0, to)); go('long', lambda: one.sendto(bytes(70000), to))
    go('answer', lambda: one.recv(9))
    to = free(family, socket.SOCK_STREAM, host)
    one = socket.socket(family); go('stream', lambda: one.connect(to)); go('again', lambda: one.connect(to))
    one = socket.socket(family); one.setblocking(False); go('at once', lambda: one.connect(to))
    go('ready', lambda: select.select([], [one], [], 5)[1] == [one])
    go('error', lambda: errno.errorcode[one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]); go('peer', one.getpeername)
    go('first bytes', lambda: socket.socket(family).sendto(b'x', socket.MSG_FASTOPEN, to))
    one = socket.socket(family); one.bind((host, 0)); go('bound', lambda: one.connect(to))
";

/// A connection from a bound address to an address at its own port: to itself, or to nobody.
const ITSELF: &str = "import errno,select,socket
def connect(local, peer, wait, share=0):
    family = socket.AF_INET6 if ':' in local else socket.AF_INET
    one = socket.socket(family); one.setsockopt(socket.SOL_SOCKET, share or socket.SO_KEEPALIVE, 1); one.settimeout(5 if wait else 0); one.bind((local, 0)); told = []
    def go(act):
        try: told.append(act())
        except OSError as error: told.append(errno.errorcode[error.errno])
    to = (peer, one.getsockname()[1])
    go(lambda: one.connect(to)); select.select([], [one], [], 5)
    go(lambda: errno.errorcode.get(one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0))
    go(lambda: one.getpeername()[1] == to[1]); go(lambda: [one.send(b'to itself'), one.recv(99)]); go(lambda: one.connect(to))
    print(local, peer, wait, told)
for wait in True, False:
    for local in '127.0.0.1', '127.0.0.3', '0.0.0.0':
        for peer in '127.0.0.1', '127.0.0.3', '0.0.0.0': connect(local, peer, wait)
    for local in '::1', '::':
        for peer in '::1', '::', '::ffff:127.0.0.1': connect(local, peer, wait)
    for share in socket.SO_REUSEADDR, socket.SO_REUSEPORT: connect('127.0.0.1', '127.0.0.1', wait, share)
";

/// A child whose parent was killed before it made a call that anybody sees.
const ORPHAN: &str = "import os,signal,time
def go(name, act):
    try: print(name, act())
    except OSError as error: print(name, error.errno)
def state(pid): return open(f'/proc/{pid}/stat').read().rsplit(')')[1].split()[0]
for leads in (False, True):
    told, tells = os.pipe()
    parent = os.fork()
    if parent == 0:
        if leads: os.setsid()
        child = os.fork()
        if child == 0:
            os.write(tells, os.getpid().to_bytes(4, 'little'))
            while True: time.sleep(1000)
        while True: time.sleep(1000)
    orphan = int.from_bytes(os.read(told, 4), 'little')
    held = os.pidfd_open(orphan)
    go('parent', lambda: os.kill(parent, 9))
    while state(parent) != 'Z': time.sleep(0.01)
    if leads: go('group', lambda: os.killpg(parent, 0))
    go('zero', lambda: os.kill(orphan, 0)); go('pidfd', lambda: signal.pidfd_send_signal(held, 0))
    go('name', lambda: open(f'/proc/{orphan}/comm').read()); go('group', lambda: os.getpgid(orphan) == orphan)
    if leads: go('whole group', lambda: os.killpg(parent, 15))
    else: go('ends', lambda: os.kill(orphan, 15))
    go('wait', lambda: os.waitpid(parent, 0)[1])
    go('gone', lambda: __import__('select').select([held], [], [], 10)[0] == [held])
";

/// Locks, leases, ends of pipes and what watchers hear go with the last descriptor, which is the caller's own.
const CLOSED: &str = "import fcntl,os,struct,ctypes
c = ctypes.CDLL(None); flags = os.O_RDWR | os.O_CREAT
os.mkfifo('pipe'); ears = os.open('pipe', os.O_RDONLY | os.O_NONBLOCK); second = os.open('lock', flags)
watch = c.inotify_init1(os.O_NONBLOCK); c.inotify_add_watch(watch, b'.', 0x8)
failed = dict(lock=0, lease=0, pipe=0, heard=0)
def tried(name, act):
    try: failed[name] += act() is False
    except OSError: failed[name] += 1
for turn in range(300):
    first = os.open('lock', flags); fcntl.flock(first, fcntl.LOCK_EX); os.close(first)
    tried('lock', lambda: fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)); fcntl.flock(second, fcntl.LOCK_UN)
    os.close(os.open('pipe', os.O_WRONLY)); tried('pipe', lambda: os.read(ears, 1) == b'')
    os.close(os.open(f'new{turn}', flags)); tried('heard', lambda: f'new{turn}'.encode() in os.read(watch, 9999))
    only = os.open(f'lease{turn}', flags); tried('lease', lambda: fcntl.fcntl(only, fcntl.F_SETLEASE, fcntl.F_WRLCK)); os.close(only)
print(failed)
os.mkdir('shut'); os.chmod('shut', 0)
for names in ('missing', 'shut/new'), ('shut/old', 'missing/new'), ('missing', 'absent/new'), ('shut/old', 'shut/new'):
    try: os.rename(*names)
    except OSError as error: print(names, error.errno)
";

/// What reaches nobody else waits for nobody, so that no signal ends it, whatever its handler says.
const ALONE: &str = "import ctypes,fcntl,os,signal
c = ctypes.CDLL(None, use_errno=True)
def failed(function, *words): return ctypes.get_errno() if function(*words) < 0 else 0
signal.signal(signal.SIGALRM, lambda *_: None); signal.siginterrupt(signal.SIGALRM, True)
fd = os.open('lease', os.O_RDWR | os.O_CREAT, 0o600)
lease = lambda kind: failed(c.fcntl, fd, fcntl.F_SETLEASE, kind)
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
seen = set()
for _ in range(4000):
    while lease(fcntl.F_WRLCK) == 4: pass
    seen |= {('lease', lease(fcntl.F_UNLCK)), ('priority', failed(c.setpriority, 0, 0, 5)), ('input and output', failed(c.syscall, 251, 1, 0, 16388))}
signal.setitimer(signal.ITIMER_REAL, 0)
print(sorted(seen), fcntl.fcntl(fd, fcntl.F_GETLEASE), os.getpriority(0, 0))
";

/// On which processors a program and its children may run: after an exec, after one that was refused, and while others
/// call.
const PROCESSORS: &str = "import os,resource,shutil,subprocess
shutil.copy('/bin/true', 'busy'); writer = os.open('busy', os.O_WRONLY)
open('text', 'w').write('exit 0'); os.chmod('text', 0o755)
others = []
for name in 'ab':
    if (pid := os.fork()): others.append(pid); continue
    while True: os.close(os.open(name, os.O_RDONLY | os.O_CREAT))
resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, resource.RLIM_INFINITY))
def refused(program, size=1):
    if (pid := os.fork()): return os.waitpid(pid, 0)[1]
    try: os.execv(program, [program] + ['x' * 999] * size)
    except OSError as error: code = error.errno
    child = os.fork()
    alike = os.sched_getaffinity(0) == before
    if child == 0: os._exit(not alike)
    os._exit(code if alike and os.waitpid(child, 0)[1] == 0 else 255)
before = os.sched_getaffinity(0)
print({words: {refused(*words) >> 8 for _ in range(200)} for words in (('./busy',), ('./text',), ('/bin/true', 999))})
print({subprocess.run(['grep', 'Cpus_allowed:', '/proc/self/status'], capture_output=True).stdout for _ in range(200)})
for pid in others: os.kill(pid, 9)
";

pub fn cases() -> Vec<Case> {
    let python = |name, text: &'static str| {
        let shell = Shell::named("bash").args(["-c", "exec python3 -S -c \"$0\"", text]);
        Case::new(name, shell).needs(&["python3"])
    };
    vec![
        python("a child that has ended and was not waited for", ENDED),
        python("a process whose first thread has ended", LEADER),
        python("a folder of procfs in the place of a pidfd", FOLDER),
        python("calls that reach nobody else, while signals come", ALONE),
        python("local addresses at which nobody is", NOBODY),
        python("connections of a socket to itself", ITSELF),
        python("processors that a program may run on", PROCESSORS),
        python("what goes with the last descriptor of a file", CLOSED),
        python("a process whose parent was killed before it was seen", ORPHAN),
    ]
}
