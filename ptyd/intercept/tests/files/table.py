# Makes every call of the table with every form of path and prints what came of it: the result, and the
# tree afterwards. Run natively and under interception, it must print the same.
#
# The caller is helped by a gardener, who is never intercepted: it makes the tree, looks at it and removes it. They talk
# by two FIFOs beside the tree: BASE.asked and BASE.answered.
import ctypes, errno, fcntl, json, os, stat, sys

numbers = json.loads(sys.argv[1])
base, who, role = sys.argv[2], sys.argv[3], sys.argv[4]
libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, NOFOLLOW, FOLLOW, EMPTY, REMOVEDIR = -100, 0x100, 0x400, 0x1000, 0x200
C, W, RW, E, T, D, NF, A, TMP, PATH = (os.O_CREAT, os.O_WRONLY, os.O_RDWR, os.O_EXCL, os.O_TRUNC,
    os.O_DIRECTORY, os.O_NOFOLLOW, os.O_APPEND, os.O_TMPFILE, os.O_PATH)

def sys_call(name, *args):
    if name not in numbers:
        return None
    words = [ctypes.c_char_p(a) if isinstance(a, bytes) else a if isinstance(a, ctypes.Array) else ctypes.c_long(a)
             for a in args]
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(numbers[name]), *words)
    return -ctypes.get_errno() if result == -1 else result

def shown(result):
    if result is None:
        return "none"
    return errno.errorcode.get(-result, str(result)) if result < 0 else "ok" if result == 0 else "%d" % result

def tree(top):
    lines = []
    for folder, folders, files in os.walk(os.fsencode(top)):
        for name in sorted(folders + files):
            path = os.path.join(folder, name)
            try:
                it = os.lstat(path)
            except PermissionError:
                lines.append("   %r no right" % os.path.relpath(path, os.fsencode(top)))
                continue
            what = os.readlink(path) if stat.S_ISLNK(it.st_mode) else b""
            if stat.S_ISREG(it.st_mode):
                what = b"%d bytes" % it.st_size
                for key in sorted(os.listxattr(path)):
                    what += b" " + key.encode()
            when = it.st_mtime_ns if it.st_mtime < 1000 else 0
            lines.append("   %r %o %d %d:%d n%d %r %d" % (os.path.relpath(path, os.fsencode(top)), it.st_mode, it.st_rdev,
                it.st_uid, it.st_gid, it.st_nlink if not stat.S_ISDIR(it.st_mode) else 0, what, when))
    return sorted(lines)

def grow(top):
    os.makedirs(top + "/d/sub")
    os.makedirs(top + "/d/full/x")
    for name, text in (("f", b"content"), ("d/f", b"content"), ("d/g", b"other content"), ("name\nwith\x1b[1m", b"x")):
        with open(top + "/" + name, "wb") as file:
            file.write(text)
    with open(os.fsencode(top) + b"/not-utf8-\xff\xfe", "wb"):
        pass
    os.symlink("f", top + "/lf")
    os.symlink("d", top + "/ld")
    os.symlink("nowhere", top + "/dangling")
    os.symlink("loop", top + "/loop")
    os.symlink(top + "/d/f", top + "/labs")
    os.symlink("../f", top + "/d/up")
    os.symlink("d/gone", top + "/newlink")
    os.mkfifo(top + "/fifo")
    os.mkdir(top + "/shared")
    os.chown(top + "/shared", -1, 4 if os.getuid() in (0, 65534) else -1)
    os.chmod(top + "/shared", 0o3775)

def chains(top):
    last = "t/f"
    for level in range(41):
        os.symlink(last, top + "/chain%d" % level)
        last = "chain%d" % level

def fell(top):
    for folder, folders, files in os.walk(top):
        os.chmod(folder, 0o700)
    for folder, folders, files in os.walk(top, topdown=False):
        for name in files + [n for n in folders if os.path.islink(folder + "/" + n)]:
            os.unlink(folder + "/" + name)
        os.rmdir(folder)

def forms(top, fd):
    here = os.fsencode(top)
    long = b"/".join([here] + [b"."] * ((4095 - len(here) - 3) // 2) + [b"f"])
    long = long[:len(here)] + b"/" * (4095 - len(long)) + long[len(here):]
    for path in (b"f", b"./f", b"d/f", b"d//f", b"d/../f", b"d/./g", b"ld/f", b"ld/../f", b"lf", b"labs", b"d/up", b"ld",
                 b"dangling", b"newlink", b"loop", b"../chain39", b"../chain40", b"missing", b"missing/x", b"f/x", b"f/", b"f/.",
                 b"lf/", b"ld/", b"d", b"d/", b"d/.", b"d/..", b"d/sub", b"d/sub/", b"d/full", b"missing/", b"dangling/", b"",
                 b".", b"..", b"/", b"//", b"new", b"d/new", b"ld/new", b"x" * 255, b"x" * 256, b"name\nwith\x1b[1m",
                 b"not-utf8-\xff\xfe", b"new\n\xff", b"fifo", here + b"/f", here + b"/d/../new", long, long + b"f",
                 b"/proc/self/cwd/f", b"/proc/thread-self/cwd/d/new", b"/proc/%d/cwd/lf" % os.getpid(),
                 b"/proc/self/root" + here + b"/f", b"/proc/self/fd/%d/f" % fd, b"/dev/fd/%d/new" % fd,
                 b"/proc/self/fd/%d" % fd, b"/dev/fd/999", b"/proc/self/task/../cwd/f", b"/proc/self/exe/x",
                 b"/proc/self/fd/%d/../f" % fd, b"shared/new", b"shared", b"../sticky/theirs", b"../sticky/new"):
        yield AT_FDCWD, path
    for path in (b"f", b"../f", b"up", b"g", b"new", b"sub", b""):
        yield fd, path
    yield 999, b"f"
    yield 0, b"f"

times = (ctypes.c_long * 4)(100, 5000, 200, 6000)
bad_times = (ctypes.c_long * 4)(100, 2000000, 200, 0)

def opened(name, *args):
    result = sys_call(name, *args)
    if result is not None and result >= 0:
        it = os.fstat(result)
        flags = fcntl.fcntl(result, fcntl.F_GETFL) & ~(NF | 0o100000)
        note = "open %o size %d flags %x cloexec %d" % (it.st_mode, it.st_size, flags, fcntl.fcntl(result, fcntl.F_GETFD))
        os.close(result)
        return note
    return shown(result)

def how(flags, mode=0, resolve=0):
    return (ctypes.c_uint64 * 3)(flags, mode, resolve)

def read_link(name, *args):
    buffer = ctypes.create_string_buffer(100)
    result = sys_call(name, *args, buffer, 100)
    text = buffer.raw[:result] if result and result > 0 else b""
    return shown(result) + " " + repr(text).replace(str(os.getpid()), "PID")

def at_open(flags, name, *args):
    """The call on a descriptor of what the form names."""
    def call(d, p, t):
        fd = sys_call("openat", d, p, flags | NB, 0)
        if fd < 0:
            return "open " + shown(fd)
        note = shown(sys_call(name, fd, *args))
        os.close(fd)
        return note
    return call

def named_later(d, p, t):
    """A file without a name in a folder, then with one; the machine's own top folder gets none."""
    if not p.strip(b"/") and p and who != "chrooted":
        return ""
    fd = sys_call("openat", d, p, TMP | W, 0o640)
    if fd < 0:
        return "open " + shown(fd)
    os.write(fd, b"late")
    note = shown(sys_call("linkat", AT_FDCWD, b"/proc/self/fd/%d" % fd, AT_FDCWD, b"made", FOLLOW))
    note += shown(sys_call("linkat", AT_FDCWD, b"/proc/self/fd/%d" % fd, d, p.rstrip(b"/") + b"/later", FOLLOW))
    os.close(fd)
    return note

def went(result):
    """Where a change of folder led, and what is there then."""
    where = os.getcwdb() if result == 0 else b""
    return "%s %r %s" % (shown(result), where.replace(b"%d" % os.getpid(), b"PID"), shown(sys_call("faccessat", AT_FDCWD, b"g", 0)))

def in_child(work):
    """What cannot be undone is done in a child."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(theirs, work().encode())
        os._exit(0)
    os.close(theirs)
    note = os.read(ours, 1000).decode()
    os.close(ours)
    os.waitpid(child, 0)
    return note

def rooted(p):
    note = shown(sys_call("chroot", p))
    if note != "ok" or p.strip(b"/") == b"":
        return note
    return note + " " + opened("openat", AT_FDCWD, b"/f", NB, 0) + opened("openat", AT_FDCWD, b"/../up", RW | C, 0o600)

def handle(d, p, flags):
    buffer = (ctypes.c_uint32 * 40)(128)
    return shown(sys_call("name_to_handle_at", d, p, buffer, (ctypes.c_int * 1)(), flags))

def attribute(text):
    """struct xattr_args, with the value or room for one."""
    value = ctypes.create_string_buffer(text)
    words = (ctypes.c_uint64 * 2)(ctypes.addressof(value), len(text))
    words.value = value
    return words

NB = os.O_NONBLOCK
# Calls that get every form; the others get every second one.
THOROUGH = {"read", "create", "create excl", "create nofollow", "openat2 create", "openat2 in root", "unlinkat", "rename from",
            "rename to", "link to", "link from follow", "mkdirat", "symlinkat", "chmod", "readlinkat"}
calls = {
    "read": lambda d, p, t: opened("openat", d, p, NB, 0),
    "read cloexec": lambda d, p, t: opened("openat", d, p, NB | os.O_CLOEXEC, 0),
    "write": lambda d, p, t: opened("openat", d, p, W | NB, 0),
    "append": lambda d, p, t: opened("openat", d, p, RW | A | NB, 0),
    "create": lambda d, p, t: opened("openat", d, p, RW | C | NB, 0o6777),
    "create excl": lambda d, p, t: opened("openat", d, p, W | C | E, 0o666),
    "create nofollow": lambda d, p, t: opened("openat", d, p, RW | C | NF | NB, 0o666),
    "create trunc": lambda d, p, t: opened("openat", d, p, RW | C | T | NB, 0o600),
    "create folder": lambda d, p, t: opened("openat", d, p, C | D, 0o600),
    "trunc read": lambda d, p, t: opened("openat", d, p, T | NB, 0),
    "folder": lambda d, p, t: opened("openat", d, p, D, 0),
    "nofollow": lambda d, p, t: opened("openat", d, p, NF | NB, 0),
    "tmpfile": lambda d, p, t: opened("openat", d, p, TMP | RW, 0o666),
    "tmpfile read": lambda d, p, t: opened("openat", d, p, TMP, 0o666),
    "open": lambda d, p, t: opened("open", p, RW | NB, 0),
    "creat": lambda d, p, t: opened("creat", p, 0o640) if not p.startswith(b"fifo") else "",
    "openat2": lambda d, p, t: opened("openat2", d, p, how(RW | NB), 24),
    "openat2 create": lambda d, p, t: opened("openat2", d, p, how(RW | C | NB, 0o666), 24),
    "openat2 beneath": lambda d, p, t: opened("openat2", d, p, how(NB, 0, 8), 24),
    "openat2 in root": lambda d, p, t: opened("openat2", d, p, how(NB, 0, 16), 24),
    "openat2 in root create": lambda d, p, t: opened("openat2", d, p, how(RW | C | NB, 0o644, 16), 24),
    "openat2 no symlinks": lambda d, p, t: opened("openat2", d, p, how(NB, 0, 4), 24),
    "openat2 no magic links": lambda d, p, t: opened("openat2", d, p, how(NB, 0, 2), 24),
    "openat2 no xdev": lambda d, p, t: opened("openat2", d, p, how(NB, 0, 1), 24),
    "openat2 bad mode": lambda d, p, t: opened("openat2", d, p, how(0, 0o666), 24),
    "openat2 bad flags": lambda d, p, t: opened("openat2", d, p, how(1 << 40), 24),
    "openat2 short": lambda d, p, t: opened("openat2", d, p, how(0), 16),
    "openat2 long": lambda d, p, t: opened("openat2", d, p, (ctypes.c_uint64 * 4)(NB, 0, 0, 1), 32),
    "open path": lambda d, p, t: opened("openat", d, p, PATH, 0),
    "open path nofollow": lambda d, p, t: opened("openat", d, p, PATH | NF, 0),
    "named later": named_later,
    "ftruncate": at_open(RW, "ftruncate", 2),
    "ftruncate read only": at_open(os.O_RDONLY, "ftruncate", 2),
    "ftruncate path only": at_open(PATH, "ftruncate", 2),
    "fallocate": at_open(RW, "fallocate", 0, 0, 50),
    "fallocate punch": at_open(RW, "fallocate", 3, 0, 3),
    "fallocate zero": at_open(W, "fallocate", 0x10, 2, 30),
    "fallocate collapse": at_open(W, "fallocate", 8, 0, 4096),
    "fchmod": at_open(os.O_RDONLY, "fchmod", 0o2604),
    "fchmod path only": at_open(PATH, "fchmod", 0o604),
    "fchown": at_open(os.O_RDONLY, "fchown", -1, os.getgid()),
    "fchown away": at_open(os.O_RDONLY, "fchown", 1, 1),
    "fsetxattr": at_open(os.O_RDONLY, "fsetxattr", b"user.key", b"value", 5, 0),
    "fgetxattr": at_open(os.O_RDONLY, "fgetxattr", b"user.none", 0, 0),
    "flistxattr": at_open(os.O_RDONLY, "flistxattr", 0, 0),
    "fremovexattr": at_open(os.O_RDONLY, "fremovexattr", b"user.none"),
    "futimens": at_open(os.O_RDONLY, "utimensat", 0, times, 0),
    "setxattrat": lambda d, p, t: shown(sys_call("setxattrat", d, p, 0, b"user.at", attribute(b"value"), 16)),
    "setxattrat empty": lambda d, p, t: shown(sys_call("setxattrat", d, p, EMPTY, b"user.at", attribute(b"v"), 16)),
    "setxattrat bad": lambda d, p, t: shown(sys_call("setxattrat", d, p, 1, b"user.at", attribute(b"v"), 16)),
    "setxattrat short": lambda d, p, t: shown(sys_call("setxattrat", d, p, 0, b"user.at", attribute(b"v"), 8)),
    "getxattrat": lambda d, p, t: shown(sys_call("getxattrat", d, p, NOFOLLOW, b"user.none", attribute(b"room"), 16)),
    "listxattrat": lambda d, p, t: shown(sys_call("listxattrat", d, p, EMPTY, 0, 0)),
    "removexattrat": lambda d, p, t: shown(sys_call("removexattrat", d, p, NOFOLLOW, b"user.none")),
    "chdir": lambda d, p, t: went(sys_call("chdir", p)),
    "fchdir": at_open(PATH, "fchdir"),
    "chroot": lambda d, p, t: in_child(lambda: rooted(p)),
    "name_to_handle_at": lambda d, p, t: handle(d, p, 0),
    "name_to_handle_at follow": lambda d, p, t: handle(d, p, FOLLOW),
    "name_to_handle_at empty": lambda d, p, t: handle(d, p, EMPTY),
    "unlinkat": lambda d, p, t: shown(sys_call("unlinkat", d, p, 0)),
    "unlinkat rmdir": lambda d, p, t: shown(sys_call("unlinkat", d, p, REMOVEDIR)),
    "unlinkat bad": lambda d, p, t: shown(sys_call("unlinkat", d, p, 1)),
    "unlink": lambda d, p, t: shown(sys_call("unlink", p)),
    "rmdir": lambda d, p, t: shown(sys_call("rmdir", p)),
    "mkdirat": lambda d, p, t: shown(sys_call("mkdirat", d, p, 0o7777)),
    "mkdir": lambda d, p, t: shown(sys_call("mkdir", p, 0o777)),
    "mknodat fifo": lambda d, p, t: shown(sys_call("mknodat", d, p, 0o10666, 0)),
    "mknodat file": lambda d, p, t: shown(sys_call("mknodat", d, p, 0o666, 0)),
    "mknodat device": lambda d, p, t: shown(sys_call("mknodat", d, p, 0o20666, 0x103)),
    "mknod folder": lambda d, p, t: shown(sys_call("mknodat", d, p, 0o40777, 0)),
    "mknod": lambda d, p, t: shown(sys_call("mknod", p, 0o100600, 0)),
    "symlinkat": lambda d, p, t: shown(sys_call("symlinkat", b"tar get", d, p)),
    "symlink": lambda d, p, t: shown(sys_call("symlink", b"", p)),
    "link from": lambda d, p, t: shown(sys_call("linkat", d, p, AT_FDCWD, b"made", 0)),
    "link from follow": lambda d, p, t: shown(sys_call("linkat", d, p, AT_FDCWD, b"made", FOLLOW)),
    "link to": lambda d, p, t: shown(sys_call("linkat", AT_FDCWD, b"f", d, p, 0)),
    "link bad": lambda d, p, t: shown(sys_call("linkat", AT_FDCWD, b"f", d, p, 1)),
    "link": lambda d, p, t: shown(sys_call("link", p, b"made")),
    "rename from": lambda d, p, t: shown(sys_call("renameat", d, p, AT_FDCWD, b"made")),
    "rename over": lambda d, p, t: shown(sys_call("renameat", d, p, AT_FDCWD, b"d/g")),
    "rename to": lambda d, p, t: shown(sys_call("renameat2", AT_FDCWD, b"d/f", d, p, 0)),
    "rename folder to": lambda d, p, t: shown(sys_call("renameat2", AT_FDCWD, b"d/full", d, p, 0)),
    "rename noreplace": lambda d, p, t: shown(sys_call("renameat2", AT_FDCWD, b"d/f", d, p, 1)),
    "rename exchange": lambda d, p, t: shown(sys_call("renameat2", AT_FDCWD, b"d/full", d, p, 2)),
    "rename bad": lambda d, p, t: shown(sys_call("renameat2", AT_FDCWD, b"d/f", d, p, 3)),
    "rename": lambda d, p, t: shown(sys_call("rename", p, b"made/")),
    "truncate": lambda d, p, t: shown(sys_call("truncate", p, 3)),
    "truncate up": lambda d, p, t: shown(sys_call("truncate", p, 30)),
    "truncate bad": lambda d, p, t: shown(sys_call("truncate", p, -1)),
    "chmod": lambda d, p, t: shown(sys_call("chmod", p, 0o4711)),
    "fchmodat": lambda d, p, t: shown(sys_call("fchmodat", d, p, 0o2710)),
    "fchmodat2": lambda d, p, t: shown(sys_call("fchmodat2", d, p, 0o640, NOFOLLOW)),
    "fchmodat2 empty": lambda d, p, t: shown(sys_call("fchmodat2", d, p, 0o640, EMPTY)),
    "fchmodat2 bad": lambda d, p, t: shown(sys_call("fchmodat2", d, p, 0o640, 1)),
    "chown": lambda d, p, t: shown(sys_call("chown", p, 1, 2)),
    "lchown": lambda d, p, t: shown(sys_call("lchown", p, 1, -1)),
    "fchownat": lambda d, p, t: shown(sys_call("fchownat", d, p, -1, os.getgid(), EMPTY | NOFOLLOW)),
    "utimensat": lambda d, p, t: shown(sys_call("utimensat", d, p, times, NOFOLLOW)),
    "utimensat follow": lambda d, p, t: shown(sys_call("utimensat", d, p, times, EMPTY)),
    "utimensat bad": lambda d, p, t: shown(sys_call("utimensat", d, p, bad_times, 0)),
    "utimes": lambda d, p, t: shown(sys_call("utimes", p, times)),
    "utimes bad": lambda d, p, t: shown(sys_call("utimes", p, bad_times)),
    "utime": lambda d, p, t: shown(sys_call("utime", p, times)),
    "futimesat": lambda d, p, t: shown(sys_call("futimesat", d, p, times)),
    "setxattr": lambda d, p, t: shown(sys_call("setxattr", p, b"user.key", b"value", 5, 0)),
    "setxattr create": lambda d, p, t: shown(sys_call("setxattr", p, b"user.key", b"value", 5, 2)),
    "setxattr bad": lambda d, p, t: shown(sys_call("setxattr", p, b"user.key", b"value", 5, 8)),
    "setxattr no name": lambda d, p, t: shown(sys_call("setxattr", p, b"", b"value", 5, 0)),
    "setxattr long": lambda d, p, t: shown(sys_call("setxattr", p, b"user." + b"k" * 251, b"value", 5, 0)),
    "lsetxattr": lambda d, p, t: shown(sys_call("lsetxattr", p, b"trusted.key", b"value", 5, 0)),
    "getxattr": lambda d, p, t: shown(sys_call("getxattr", p, b"user.none", ctypes.create_string_buffer(9), 9)),
    "lgetxattr": lambda d, p, t: shown(sys_call("lgetxattr", p, b"user.none", 0, 0)),
    "listxattr": lambda d, p, t: shown(sys_call("listxattr", p, ctypes.create_string_buffer(99), 99)),
    "llistxattr": lambda d, p, t: shown(sys_call("llistxattr", p, 0, 0)),
    "removexattr": lambda d, p, t: shown(sys_call("removexattr", p, b"user.none")),
    "lremovexattr": lambda d, p, t: shown(sys_call("lremovexattr", p, b"user.none")),
    "readlinkat": lambda d, p, t: read_link("readlinkat", d, p),
    "readlink": lambda d, p, t: read_link("readlink", p),
    "stat": lambda d, p, t: shown(sys_call("stat", p, ctypes.create_string_buffer(256))),
    "lstat": lambda d, p, t: shown(sys_call("lstat", p, ctypes.create_string_buffer(256))),
    "newfstatat": lambda d, p, t: shown(sys_call("newfstatat", d, p, ctypes.create_string_buffer(256), EMPTY)),
    "statx": lambda d, p, t: shown(sys_call("statx", d, p, NOFOLLOW, 0x7ff, ctypes.create_string_buffer(256))),
    "file_getattr": lambda d, p, t: shown(sys_call("file_getattr", d, p, ctypes.create_string_buffer(32), 32, NOFOLLOW)),
    "file_getattr empty": lambda d, p, t: shown(sys_call("file_getattr", d, p, ctypes.create_string_buffer(32), 24, EMPTY)),
    "file_getattr short": lambda d, p, t: shown(sys_call("file_getattr", d, p, ctypes.create_string_buffer(32), 16, 0)),
    "access": lambda d, p, t: shown(sys_call("access", p, 2)),
    "faccessat": lambda d, p, t: shown(sys_call("faccessat", d, p, 1)),
    "faccessat2": lambda d, p, t: shown(sys_call("faccessat2", d, p, 7, 0x200)),
}

def become():
    """Whoever the test is about: another user, or somebody in a chroot(2)."""
    global base
    if who == "chrooted":
        os.chroot(base + "/jail")
        base = "/work"
    if who == "nobody":
        os.setgroups([65534, 4])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
    os.umask(0o027)

def gardener():
    os.system("rm -rf " + base)
    os.mkdir(base)
    top = base
    if who == "chrooted":
        os.mkdir(base + "/jail")
        top = base + "/jail/work"
        os.mkdir(top)
    # Somebody else's file in a folder where only owners may remove.
    os.mkdir(top + "/sticky")
    os.chmod(top + "/sticky", 0o1777)
    with open(top + "/sticky/theirs", "w") as file:
        file.write("theirs")
    os.chmod(top + "/sticky/theirs", 0o666)
    if who == "nobody":
        os.chown(base, 65534, 65534)
    asked, answered = open(base + ".asked"), open(base + ".answered", "w")
    become()
    chains(base)
    top = base + "/t"
    for line in asked:
        if line == "grow\n":
            grow(top)
        if line == "fell\n":
            fell(top)
        print(json.dumps(tree(top) if line != "fell\n" else []), file=answered, flush=True)

def ask(what):
    print(what, file=asked, flush=True)
    return json.loads(answered.readline())

def apart(fd, mode):
    """Out of the way of the descriptors that the calls are made with."""
    away = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 200)
    os.close(fd)
    return open(away, mode)

os.chdir("/")
if role == "gardener":
    gardener()
    sys.exit()
asked = apart(os.open(base + ".asked", os.O_WRONLY), "w")
answered = apart(os.open(base + ".answered", os.O_RDONLY), "r")
become()
os.close(0)
for call in calls:
    top = base + "/t"
    made = False
    all_forms = list(forms(top, 100))
    # The real root folder is nobody's to change.
    changes = call.startswith(("chmod", "fchmod", "chown", "lchown", "fchown", "utime", "futime", "setx", "lsetx", "fsetx"))
    for number, (directory, path) in enumerate(all_forms):
        if path.strip(b"/") == b"" and path and changes and who != "chrooted":
            continue
        if call not in THOROUGH and number % 2:
            continue
        # In /proc/self/fd, where there is nothing to make or remove, the kernel gives a process itself another errno
        # than anybody else without privilege.
        if os.getuid() != 0 and b"/fd/" in path and path[-1:].isdigit() and not call.startswith("read"):
            continue
        if not made:
            before = ask("grow")
            made = True
        os.chdir(top)
        folder = os.open("d", os.O_RDONLY)
        os.dup2(folder, 100)
        os.close(folder)
        outcome = calls[call](directory, path, top)
        os.chdir("/")
        os.close(100)
        after = ask("look")
        line = "%s %s %r: %s" % (call, "fd" if directory >= 0 else "", path[:60], outcome)
        print(line.replace(str(os.getpid()), "PID"))
        if after != before:
            print("\n".join(line for line in after if line not in before))
            print("\n".join("  -" + line for line in before if line not in after))
            ask("fell")
            made = False
    if made:
        ask("fell")
