# What programs see of terminals that they make: each case prints one line, which must be the same with and without us.
#   ttys.py            runs every case, each in a process of its own
#   ttys.py CASE       runs one
import ctypes, errno, fcntl, os, pty, select, signal, struct, subprocess, sys, tempfile, termios, threading, time

libc = ctypes.CDLL(None, use_errno=True)
TIOCSPTLCK, TIOCGPTN, TIOCGPTPEER, TIOCGEXCL = 0x40045431, 0x80045430, 0x5441, 0x80045440
CASES = {}

def case(work):
    CASES[work.__name__] = work
    return work

def said(work, *words):
    try:
        result = work(*words)
        return "ok" if result is None else result
    except OSError as error:
        return errno.errorcode[error.errno]

def request(fd, number, argument=0):
    return said(fcntl.ioctl, fd, number, argument)

def make():
    "A master and the path of its terminal, of which nobody is told."
    master = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(master, TIOCSPTLCK, struct.pack("i", 0))
    return master, "/dev/pts/%d" % struct.unpack("i", fcntl.ioctl(master, TIOCGPTN, bytes(4)))

def line(pid="self"):
    "Group, session, terminal and foreground group, proc_pid_stat(5)."
    with open("/proc/%s/stat" % pid) as file:
        return [int(word) for word in file.read().rsplit(")", 1)[1].split()[2:6]]

def has_terminal(path):
    "Whether the caller's controlling terminal is this one, by every way in which it is told."
    pgrp, sid, number, tpgid = line()
    if number == 0:
        return ["none", said(os.open, "/dev/tty", os.O_RDWR), tpgid]
    fd = os.open("/dev/tty", os.O_RDWR)
    return ["has", number == os.stat(path).st_rdev, tpgid == os.tcgetpgrp(fd) == pgrp, sid == libc.tcgetsid(fd)]

def end(pid):
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return "stopped by " + signal.Signals(os.WSTOPSIG(status)).name
    if os.WIFSIGNALED(status):
        return "killed by " + signal.Signals(os.WTERMSIG(status)).name
    return os.WEXITSTATUS(status)

def child(work, *words, led=True):
    "What `work` comes to in a child of its own, a session leader without a terminal."
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        if led:
            os.setsid()
        try:
            result = work(*words)
        except BaseException as error:
            result = "failed: %r in line %d" % (error, error.__traceback__.tb_next.tb_lineno)
        os.write(theirs, repr(result).encode())
        os._exit(0)
    os.close(theirs)
    text = b""
    while chunk := os.read(ours, 65536):
        text += chunk
    os.close(ours)
    return text.decode(), end(pid)

def leads(work, *words):
    "The same on a terminal that it opens by its path."
    master, path = make()
    def opened():
        fd = os.open(path, os.O_RDWR)
        return work(fd, master, path, *words)
    return child(opened)

def forked(work):
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(work() or 0)
        finally:
            os._exit(99)
    return pid

class Pipe:
    "Somebody says that they are so far."
    def __init__(self):
        self.ours, self.theirs = os.pipe()
    def say(self):
        os.write(self.theirs, b".")
    def wait(self):
        os.read(self.ours, 1)

def ignore(*names):
    for name in names:
        signal.signal(name, signal.SIG_IGN)

# -- Whose a terminal becomes by being opened -----------------------------------------------------------------------

@case
def opened_by_every_kind_of_flags():
    flags = {"RDWR": os.O_RDWR, "RDONLY": os.O_RDONLY, "WRONLY": os.O_WRONLY, "NOCTTY": os.O_RDWR | os.O_NOCTTY,
             "PATH": os.O_PATH, "CREAT": os.O_RDWR | os.O_CREAT, "NONBLOCK": os.O_RDWR | os.O_NONBLOCK,
             "CLOEXEC": os.O_RDONLY | os.O_CLOEXEC, "TRUNC": os.O_RDWR | os.O_TRUNC, "NOFOLLOW": os.O_RDWR | os.O_NOFOLLOW,
             "DIRECTORY": os.O_RDWR | os.O_DIRECTORY, "EXCL": os.O_RDWR | os.O_CREAT | os.O_EXCL}
    def tried(master, path, flags):
        fd = said(os.open, path, flags)
        number = fd - master if isinstance(fd, int) else fd
        inherited = os.get_inheritable(fd) if isinstance(fd, int) and flags & os.O_PATH == 0 else None
        return number, inherited, has_terminal(path)
    found = {}
    for name, bits in flags.items():
        master, path = make()
        found[name] = child(tried, master, path, bits)
        os.close(master)
    return found

@case
def opened_by_another_name():
    def tried(work):
        master, path = make()
        def opened():
            fd = work(master, path)
            return fd - master, has_terminal(path)
        return child(opened)
    def relative(master, path):
        os.chdir("/dev")
        return os.open("pts/" + os.path.basename(path), os.O_RDWR)
    def by_folder(master, path):
        folder = os.open("/dev/pts", os.O_RDONLY)
        fd = os.open(os.path.basename(path), os.O_RDWR, dir_fd=folder)
        os.close(folder)
        return fd
    def by_openat2(master, path):
        how = struct.pack("QQQ", os.O_RDWR, 0, 0)
        return libc.syscall(437, -100, path.encode(), how, 24)
    def by_link(master, path):
        link = "link-%d" % os.getpid()
        os.symlink(path, link)
        fd = os.open(link, os.O_RDWR)
        os.unlink(link)
        return fd
    def by_descriptor(master, path):
        first = os.open(path, os.O_RDWR | os.O_NOCTTY)
        fd = os.open("/proc/self/fd/%d" % first, os.O_RDWR)
        return fd
    def by_standard_input(master, path):
        os.dup2(os.open(path, os.O_RDWR | os.O_NOCTTY), 0)
        return os.open("/dev/stdin", os.O_RDWR)
    def by_peer(master, path):
        return fcntl.ioctl(master, TIOCGPTPEER, os.O_RDWR)
    return {work.__name__: tried(work) for work in (relative, by_folder, by_openat2, by_link, by_descriptor, by_standard_input, by_peer)}

@case
def opened_by_who_leads_no_session():
    master, path = make()
    def tried():
        os.open(path, os.O_RDWR)
        return os.getsid(0) != os.getpid(), line()[2] == os.stat(path).st_rdev
    return child(tried, led=False)

@case
def one_that_is_somebodys():
    def first(fd, master, path):
        def second():
            other = os.open(path, os.O_RDWR)
            return has_terminal(path), said(os.tcgetpgrp, other), request(other, termios.TIOCSCTTY), os.write(other, b"x")
        return has_terminal(path), child(second), has_terminal(path)
    return leads(first)

@case
def a_second_one():
    def first(fd, master, path):
        other_master, other = make()
        second = os.open(other, os.O_RDWR)
        return has_terminal(path), said(os.tcgetpgrp, second), request(second, termios.TIOCSCTTY)
    return leads(first)

@case
def given_up_and_taken_again():
    def first(fd, master, path):
        ignore(signal.SIGHUP, signal.SIGCONT)
        given = request(fd, termios.TIOCNOTTY), has_terminal(path)
        again = os.open(path, os.O_RDWR | os.O_NOCTTY)
        without = has_terminal(path)
        os.open(path, os.O_RDONLY)
        return given, without, has_terminal(path), request(again, termios.TIOCSCTTY)
    return leads(first)

@case
def of_two_threads_whichever_opens():
    master, path = make()
    def opened():
        found = []
        def work():
            found.append(os.open(path, os.O_RDWR) - master)
            found.append(has_terminal(path))
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return found, has_terminal(path)
    return child(opened)

@case
def of_many_at_once_one_has_it():
    master, path = make()
    opened, over = Pipe(), Pipe()
    def one():
        os.setsid()
        os.open(path, os.O_RDWR)
        has = line()[2] != 0
        opened.say()
        over.wait()
        return int(has)
    pids = [forked(one) for _ in range(8)]
    for _ in pids:
        opened.wait()
    for _ in pids:
        over.say()
    return sorted(end(pid) for pid in pids)

@case
def under_signals_that_have_a_handler():
    master, path = make()
    def opened():
        hits = []
        signal.signal(signal.SIGUSR1, lambda *_: hits.append(1))
        signal.siginterrupt(signal.SIGUSR1, False)
        ignore(signal.SIGHUP, signal.SIGCONT)
        leader = os.getpid()
        def shoots():
            while os.getppid() == leader:
                os.kill(leader, signal.SIGUSR1)
        shooter = forked(shoots)
        lowest = os.dup(master)
        os.close(lowest)
        found = set()
        tries = 0
        while tries < 100 or len(hits) < 100:
            fd = os.open(path, os.O_RDWR)
            found.add((fd == lowest, os.tcgetpgrp(fd) == os.getpgrp()))
            fcntl.ioctl(fd, termios.TIOCNOTTY)
            os.close(fd)
            tries += 1
        os.kill(shooter, signal.SIGKILL)
        return found
    return child(opened)

@case
def under_stops():
    master, path = make()
    over = Pipe()
    def opens():
        os.setsid()
        ignore(signal.SIGHUP)
        os.set_blocking(over.ours, False)
        while True:
            fd = os.open(path, os.O_RDWR)
            if line()[2] == 0:
                return 1
            fcntl.ioctl(fd, termios.TIOCNOTTY)
            os.close(fd)
            try:
                os.read(over.ours, 1)
                return 0
            except BlockingIOError:
                pass
    pid = forked(opens)
    for _ in range(100):
        # Giving a terminal up continues whoever has it: a stop that has not begun is taken back, also without us.
        seen, status = 0, 0
        while seen == 0:
            os.kill(pid, signal.SIGSTOP)
            for _ in range(100):
                seen, status = os.waitpid(pid, os.WUNTRACED | os.WNOHANG)
                if seen != 0:
                    break
                time.sleep(0.005)
        if not os.WIFSTOPPED(status) or os.WSTOPSIG(status) != signal.SIGSTOP:
            return "not stopped", status
        os.kill(pid, signal.SIGCONT)
    over.say()
    return end(pid)

@case
def killed_meanwhile():
    found = set()
    for _ in range(30):
        master, path = make()
        began = Pipe()
        def opens():
            os.setsid()
            ignore(signal.SIGHUP)
            began.say()
            while True:
                fd = os.open(path, os.O_RDWR)
                fcntl.ioctl(fd, termios.TIOCNOTTY)
                os.close(fd)
        pid = forked(opens)
        began.wait()
        os.kill(pid, signal.SIGKILL)
        found.add(end(pid))
        os.close(master)
    return found

@case
def with_a_filter_of_its_own_that_kills_for_requests():
    "The open comes out, whoever has the terminal then (PR_SET_SECCOMP: all but ioctl)."
    master, path = make()
    def opened():
        steps = struct.pack("HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, 16, 0x06, 0, 0, 0x80000000, 0x06, 0, 0, 0x7fff0000)
        program = ctypes.create_string_buffer(steps)
        pointer = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 4, ctypes.addressof(program)))
        libc.prctl(38, 1, 0, 0, 0)
        if libc.prctl(22, 2, ctypes.byref(pointer), 0, 0) != 0:
            return "no filter"
        return libc.open(path.encode(), os.O_RDWR) - master
    return child(opened)

# -- Keys, groups, hang-ups ------------------------------------------------------------------------------------------

@case
def keys_reach_the_foreground():
    found = []
    for key in (b"\x03", b"\x1a", b"\x1c"):
        master, path = make()
        ready = Pipe()
        def leader():
            os.setsid()
            fd = os.open(path, os.O_RDWR)
            def job():
                os.setpgid(0, 0)
                ignore(signal.SIGTTOU)
                os.tcsetpgrp(fd, os.getpgrp())
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                ready.say()
                signal.pause()
            how = end(forked(job))
            return {"killed by SIGINT": 1, "stopped by SIGTSTP": 2, "killed by SIGQUIT": 3}.get(how, 4)
        pid = forked(leader)
        ready.wait()
        os.write(master, key)
        found.append(end(pid))
    return found

@case
def the_background_is_stopped():
    def first(fd, master, path):
        settings = termios.tcgetattr(fd)
        settings[3] |= termios.TOSTOP
        termios.tcsetattr(fd, termios.TCSANOW, settings)
        def behind(work, *ignored):
            def job():
                os.setpgid(0, 0)
                ignore(*ignored)
                return work()
            return end(forked(job))
        return [
            behind(lambda: os.write(fd, b"bg")),
            behind(lambda: os.write(fd, b"bg"), signal.SIGTTOU),
            behind(lambda: os.read(fd, 1)),
            behind(lambda: said(os.read, fd, 1) == "EIO", signal.SIGTTIN),
            behind(lambda: termios.tcsetattr(fd, termios.TCSANOW, settings)),
            behind(lambda: os.tcsetpgrp(fd, os.getpgrp())),
            behind(lambda: termios.tcflush(fd, termios.TCIFLUSH)),
            behind(lambda: len(said(termios.tcgetattr, fd))),
            behind(lambda: os.open("/dev/tty", os.O_RDWR) and 0),
        ]
    return leads(first)

@case
def an_orphaned_group_that_is_stopped():
    def first(fd, master, path):
        told, stopped = Pipe(), Pipe()
        def parent():
            os.setpgid(0, 0)
            def stops():
                got = []
                for name in ("SIGHUP", "SIGCONT"):
                    signal.signal(getattr(signal, name), lambda number, _: got.append(signal.Signals(number).name))
                os.kill(os.getpid(), signal.SIGSTOP)
                while len(got) < 2:
                    signal.sigtimedwait([], 0.01)
                os.write(told.theirs, repr((sorted(got), said(os.read, fd, 1), said(os.write, fd, b"x"))).encode())
            os.waitpid(forked(stops), os.WUNTRACED)
        os.waitpid(forked(parent), 0)
        return os.read(told.ours, 999)
    return leads(first)

@case
def the_leader_ends():
    master, path = make()
    told, ready = Pipe(), Pipe()
    def leader():
        os.setsid()
        fd = os.open(path, os.O_RDWR)
        def stays():
            got = []
            signal.signal(signal.SIGHUP, lambda *_: got.append("HUP"))
            os.set_blocking(fd, False)
            ready.say()
            while not got:
                signal.sigtimedwait([], 0.01)
            found = got, said(os.read, fd, 1), said(os.write, fd, b"x"), has_terminal(path), request(fd, termios.TIOCGWINSZ, bytes(8))
            os.write(told.theirs, repr(found).encode())
        forked(stays)
        ready.wait()
    how = end(forked(leader))
    return os.read(told.ours, 999), how

@case
def the_master_is_closed():
    master, path = make()
    told, ready = Pipe(), Pipe()
    def leader():
        os.close(master)
        os.setsid()
        fd = os.open(path, os.O_RDWR)
        got = []
        for name in ("SIGHUP", "SIGCONT"):
            signal.signal(getattr(signal, name), lambda number, _: got.append(signal.Signals(number).name))
        ready.say()
        while len(got) < 2:
            signal.sigtimedwait([], 0.01)
        found = sorted(got), said(os.read, fd, 1), said(os.write, fd, b"x"), has_terminal(path), said(os.tcgetpgrp, fd), said(os.open, path, os.O_RDWR)
        os.write(told.theirs, repr(found).encode())
    pid = forked(leader)
    ready.wait()
    os.close(master)
    return os.read(told.ours, 999), end(pid)

@case
def vhangup():
    def first(fd, master, path):
        ignore(signal.SIGHUP)
        ctypes.set_errno(0)
        return libc.vhangup(), errno.errorcode.get(ctypes.get_errno()), said(os.write, fd, b"x"), has_terminal(path)
    return leads(first)

@case
def sizes():
    def first(fd, master, path):
        got = []
        signal.signal(signal.SIGWINCH, lambda *_: got.append(os.get_terminal_size(fd)))
        def resize(where, *size):
            before = len(got)
            fcntl.ioctl(where, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
            return len(got) - before, tuple(os.get_terminal_size(fd))
        return [resize(master, 10, 20), resize(master, 10, 20), resize(fd, 11, 20), resize(fd, 65535, 0)], got
    return leads(first)

# -- Requests ----------------------------------------------------------------------------------------------------------

@case
def made_by_the_library():
    master, slave = os.openpty()
    stat = os.fstat(slave)
    libc.ptsname.restype = ctypes.c_char_p
    other = libc.posix_openpt(os.O_RDWR | os.O_NOCTTY)
    granted = libc.grantpt(other), libc.unlockpt(other)
    opened = os.open(libc.ptsname(other), os.O_RDWR | os.O_NOCTTY)
    return (os.ttyname(slave).startswith("/dev/pts/"), os.isatty(master), said(os.ttyname, master), oct(stat.st_mode), stat.st_uid == os.getuid(),
            stat.st_gid, os.major(stat.st_rdev), os.fstat(master).st_rdev, granted, os.isatty(opened), oct(os.fstat(opened).st_mode))

@case
def the_peer_of_a_master():
    master, path = make()
    flags = {"RDWR": os.O_RDWR, "RDONLY": os.O_RDONLY, "WRONLY": os.O_WRONLY, "CLOEXEC": os.O_RDWR | os.O_CLOEXEC, "PATH": os.O_PATH,
             "CREAT": os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_TRUNC, "DIRECTORY": os.O_RDWR | os.O_DIRECTORY, "NONBLOCK": os.O_RDWR | os.O_NONBLOCK}
    found = {}
    for name, bits in flags.items():
        fd = request(master, TIOCGPTPEER, bits | os.O_NOCTTY)
        if isinstance(fd, int):
            found[name] = (fd - master, fcntl.fcntl(fd, fcntl.F_GETFL) & (os.O_ACCMODE | os.O_NONBLOCK), os.get_inheritable(fd), os.readlink("/proc/self/fd/%d" % fd) == path)
            os.close(fd)
        else:
            found[name] = fd
    slave = os.open(path, os.O_RDWR | os.O_NOCTTY)
    null = os.open("/dev/null", os.O_RDWR)
    return found, request(slave, TIOCGPTPEER, os.O_RDWR), request(null, TIOCGPTPEER, os.O_RDWR), said(fcntl.ioctl, 999, TIOCGPTPEER, os.O_RDWR)

@case
def a_locked_one():
    master = os.open("/dev/ptmx", os.O_RDWR)
    path = "/dev/pts/%d" % struct.unpack("i", fcntl.ioctl(master, TIOCGPTN, bytes(4)))
    return said(os.open, path, os.O_RDWR), request(master, TIOCGPTPEER, os.O_RDWR), line()[2] != 0

@case
def one_without_a_master():
    master, path = make()
    slave = os.open(path, os.O_RDWR | os.O_NOCTTY)
    os.close(master)
    return said(os.read, slave, 1), said(os.write, slave, b"x"), said(os.open, path, os.O_RDWR), os.path.exists(path), said(os.stat, path)

@case
def an_exclusive_one():
    master, path = make()
    slave = os.open(path, os.O_RDWR | os.O_NOCTTY)
    held = request(slave, termios.TIOCEXCL), struct.unpack("i", fcntl.ioctl(slave, TIOCGEXCL, bytes(4))), type(said(os.open, path, os.O_RDWR | os.O_NOCTTY))
    return held, request(slave, termios.TIOCNXCL), type(said(os.open, path, os.O_RDWR | os.O_NOCTTY))

@case
def packets():
    master, path = make()
    slave = os.open(path, os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(master, termios.TIOCPKT, struct.pack("i", 1))
    found = []
    def after(work):
        work()
        found.append(os.read(master, 99))
    after(lambda: os.write(slave, b"data"))
    after(lambda: termios.tcflush(slave, termios.TCIOFLUSH))
    after(lambda: termios.tcflow(slave, termios.TCOOFF))
    after(lambda: termios.tcflow(slave, termios.TCOON))
    settings = termios.tcgetattr(slave)
    settings[0] &= ~termios.IXON
    after(lambda: termios.tcsetattr(slave, termios.TCSANOW, settings))
    return found

@case
def what_waits_and_what_is_thrown_away():
    master, path = make()
    slave = os.open(path, os.O_RDWR | os.O_NOCTTY)
    os.write(master, b"abc\n")
    select.select([slave], [], [])
    count = lambda fd, number: struct.unpack("i", fcntl.ioctl(fd, number, bytes(4)))[0]
    waits = count(slave, termios.FIONREAD), count(slave, termios.TIOCOUTQ)
    termios.tcflush(slave, termios.TCIFLUSH)
    return waits, count(slave, termios.FIONREAD), [request(slave, number) for number in (termios.TCSBRK, termios.TCSBRKP, 0x5427, 0x5428)], said(termios.tcdrain, slave)

@case
def output_that_is_held():
    master, path = make()
    slave = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    os.write(master, b"\x13")
    poll = select.poll()
    poll.register(slave, select.POLLOUT)
    while poll.poll(0) and os.write(slave, b"") == 0 and said(os.write, slave, b"") == 0 and flowing(slave):
        pass
    held = said(os.write, slave, b"held")
    os.write(master, b"\x11")
    poll.poll()
    return held, os.write(slave, b"go"), os.read(master, 99)

def flowing(slave):
    "Whether a byte still comes through."
    return said(os.write, slave, b".") == 1

@case
def settings():
    master, path = make()
    slave = os.open(path, os.O_RDWR | os.O_NOCTTY)
    before = termios.tcgetattr(slave)
    subprocess.run(["stty", "-F", path, "-echo", "-icanon", "min", "3", "time", "2", "intr", "^X", "rows", "9"], check=True)
    between = termios.tcgetattr(master)
    subprocess.run(["stty", "-F", path, "sane", "intr", "^C"], check=True)
    return before, between, termios.tcgetattr(slave), os.get_terminal_size(slave)

@case
def owner_and_mode():
    master, path = make()
    me = os.getuid()
    other = 4242 if me == 0 else 0
    mode = lambda: (oct(os.stat(path).st_mode), os.stat(path).st_uid == me)
    slave = os.open(path, os.O_RDWR | os.O_NOCTTY)
    return [said(os.chmod, path, 0o600), mode(), said(os.fchmod, slave, 0o622), mode(), said(os.chown, path, me, os.getgid()), said(os.chown, path, other, 5),
            mode(), said(os.fchown, slave, me, -1), mode(), said(os.utime, path), said(os.access, path, os.W_OK), type(said(os.listxattr, path))]

@case
def the_list_of_terminals():
    master, path = make()
    name = os.path.basename(path)
    stat = os.stat("/dev/pts/ptmx")
    return name in os.listdir("/dev/pts"), [entry.is_file() for entry in os.scandir("/dev/pts") if entry.name == name], stat.st_rdev, type(said(os.open, "/dev/pts/ptmx", os.O_RDWR))

@case
def names_of_who_is_on_it():
    def first(fd, master, path):
        out = subprocess.run(["ps", "-o", "comm=", "-t", path[5:]], stdout=subprocess.PIPE).stdout.split()
        tty = subprocess.run(["tty"], stdin=fd, stdout=subprocess.PIPE).stdout.strip()
        return sorted(out), tty == path.encode(), libc.tcgetsid(master) == os.getpid(), os.tcgetpgrp(master) == os.getpid()
    return leads(first)

# -- Programs that make terminals ----------------------------------------------------------------------------------

def run(*argv, **more):
    done = subprocess.run(argv, stdin=more.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    return done.returncode, "".join("#" if letter.isdigit() else letter for letter in done.stdout.decode())

@case
def python_pty():
    def spawn():
        return os.waitstatus_to_exitcode(pty.spawn(["sh", "-c", "test -t 0 && echo on > /dev/tty; exit 4"]))
    return end(forked(spawn))

@case
def forkpty():
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp("sh", ["sh", "-c", "stty size > /dev/tty; exit 5"])
    text = b""
    while isinstance(chunk := said(os.read, fd, 999), bytes):
        text += chunk
    return text, chunk, end(pid)

@case
def script():
    inner = "tty > /dev/tty; stty size; ps -o pid=,sid=,pgid=,tpgid= -p $$ | tr -s ' ' '\\n' | grep . | sort -u | wc -l; exit 3"
    return run("script", "-qec", inner, "/dev/null"), run("script", "-qec", "kill -TERM $$", "/dev/null")

@case
def setsid_programs():
    master, path = make()
    text = "exec 3<%s; echo > /dev/tty && echo has; ps -o tpgid= -p $$ | grep -c -e -1" % path
    return run("setsid", "-w", "sh", "-c", text), run("setsid", "-c", "-w", "sh", "-c", "tty"), run("setsid", "-w", "sh", "-c", "echo > /dev/tty")

@case
def socat():
    return run("socat", "-", "EXEC:'sh -c \"tty; stty size\"',pty,setsid,ctty")

@case
def expect():
    text = """spawn -noecho sh
expect -re {[$#] $}; send "stty size; exec sh -c 'echo on; exec cat'\r"; expect "on\r\n"; send "\x03"; expect eof; lassign [wait] a b c d e f; puts "$c $d $e $f" """
    return run("expect", "-c", text)

@case
def run_by_somebody_else():
    "With a terminal of its own (su --pty), and on this one."
    if os.getuid() != 0:
        return "nobody"
    inner = "tty > /dev/tty; stty size; id -u"
    return run("su", "-P", "-s", "/bin/sh", "daemon", "-c", inner), run("runuser", "-P", "-u", "daemon", "--", "sh", "-c", inner), run("su", "-s", "/bin/sh", "daemon", "-c", "tty")

def main(names):
    if len(names) == 1:
        signal.alarm(60)
        os.chdir(os.environ.get("TMPDIR", "/tmp"))
        print(names[0], repr(CASES[names[0]]()))
        return
    for name in CASES:
        # A file: who outlives a case that went wrong keeps nobody waiting.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run([sys.executable, "-S", __file__, name], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
            output.seek(0)
            text = output.read().decode().strip()
        print(text if done.returncode == 0 else "%s %d %r" % (name, done.returncode, text), flush=True)

main(sys.argv[1:])
