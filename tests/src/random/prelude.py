import ctypes, fcntl, os, pty, resource, select, signal, socket, struct, sys

libc = ctypes.CDLL(None, use_errno=True)
bash, sh, dash, zsh, rbash = (os.fsencode(path) for path in sys.argv[1:6])
wanted = {}
here = os.getcwdb()


def park(fd):
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 600)
    os.close(fd)
    return high


def give(number, fd):
    wanted[number] = park(fd)


def fed(content):
    read, write = os.pipe()
    os.write(write, content)
    os.close(write)
    return read


def file_with(content, flags):
    fd = os.open('given', os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(fd, content)
    os.close(fd)
    fd = os.open('given', flags)
    os.unlink('given')
    return fd


def interpreted(shell, options, text):
    # As long as any other: how long the shell's path is must not show.
    first = b'#!' + shell + options + b'\n'
    fd = os.open('run', os.O_WRONLY | os.O_CREAT, 0o755)
    os.write(fd, first + b'#' * (120 - len(first)) + b'\n' + text)
    os.close(fd)


def sent(kind):
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    ours.send(b'packet one\n')
    if kind != socket.SOCK_STREAM:
        ours.send(b'')
        ours.send(b'')
    ours.shutdown(socket.SHUT_RDWR)
    theirs.setblocking(True)
    return theirs.detach()


def bare(family, kind):
    return socket.socket(family, kind, 0).detach()


def listening():
    return socket.create_server(('127.0.0.1', 0)).detach()


def select_epoll():
    made = select.epoll()
    fd = os.dup(made.fileno())
    made.close()
    return fd


def limit(which, soft, hard):
    now = resource.getrlimit(which)
    most = now[1]
    hard = most if hard is None else hard if most == -1 else most if hard == -1 else min(hard, most)
    soft = hard if soft is None or soft == -1 else soft if hard == -1 else min(soft, hard)
    resource.setrlimit(which, (soft, hard))


def capabilities(inheritable, ambient):
    header = struct.pack('Ii', 0x20080522, 0)
    data = ctypes.create_string_buffer(24)
    libc.capget(header, data)
    words = list(struct.unpack('6I', data.raw))
    for one in inheritable:
        words[2 + 3 * (one // 32)] |= 1 << one % 32
    libc.capset(header, struct.pack('6I', *words))
    for one in ambient:
        libc.prctl(47, 2, one, 0, 0)


def vector(words):
    return (ctypes.c_char_p * (len(words) + 1))(*words, None)


def become(path, argv, env, limits=()):
    for number, fd in wanted.items():
        os.dup2(fd, number)
    for which, soft, hard in limits:
        limit(which, soft, hard)
    libc.execve(path, vector(argv), env if env is None else vector(env))
    print('not executed:', os.strerror(ctypes.get_errno()), flush=True)
    os._exit(99)
