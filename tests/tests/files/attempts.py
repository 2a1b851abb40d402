# Attempts on files, each on a folder of its own: every call of the table through every way to name the file.
#   attempts.py NUMBERS lay BASE    makes the folders
#   attempts.py NUMBERS try BASE    makes the attempts; descriptor 10 is BASE, opened by whoever started this
#   attempts.py NUMBERS look BASE   tells what the folders hold
# Both latter print a JSON object by attempt.
import ctypes, errno, json, os, stat, sys

numbers, verb, base = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
libc = ctypes.CDLL(None, use_errno=True)
HERE, NOFOLLOW, FOLLOW, EMPTY, REMOVEDIR, INHERITED = -100, 0x100, 0x400, 0x1000, 0x200, 10
R, W, RW, C, X, T, A, N, P = (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_EXCL, os.O_TRUNC, os.O_APPEND,
    os.O_NONBLOCK, os.O_PATH)

def call(name, *args):
    words = [ctypes.c_char_p(a) if isinstance(a, bytes) else a if isinstance(a, ctypes.Array) else ctypes.c_long(a)
             for a in args]
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(numbers[name]), *words)
    return -ctypes.get_errno() if result == -1 else result

def said(result):
    return errno.errorcode.get(-result, str(result)) if result < 0 else "ok"

def opened(fd, work=lambda fd: None):
    """The outcome of an open, and of what is done with the descriptor then."""
    if fd < 0:
        return said(fd)
    try:
        note = work(fd)
        return "ok" if note is None else note
    except OSError as error:
        return "then " + errno.errorcode[error.errno]
    finally:
        os.close(fd)

def text_of(fd):
    return "read " + os.read(fd, 100).decode()

def how(flags, mode=0, resolve=0):
    return (ctypes.c_uint64 * 3)(flags, mode, resolve)

times = (ctypes.c_long * 4)(100, 5000, 200, 6000)
value = ctypes.create_string_buffer(b"value")
attribute = (ctypes.c_uint64 * 2)(ctypes.addressof(value), 5)

def room():
    return ctypes.create_string_buffer(4096)

def handle(d, p, flags):
    return said(call("name_to_handle_at", d, p, (ctypes.c_uint32 * 40)(128), (ctypes.c_int * 1)(), flags))

def by_fd(flags, work):
    return lambda d, p, free: opened(call("openat", d, p, flags | N, 0), work)

def late(d, p, free):
    """A file without a name, made where that is free, gets the name."""
    def name(fd):
        os.write(fd, b"late")
        return said(call("linkat", HERE, b"/proc/self/fd/%d" % fd, d, p, FOLLOW))
    return opened(call("openat", HERE, free, os.O_TMPFILE | W, 0o600), name)

def rights(p):
    return lambda: said(call("access", p, 4))

# Name of the call: (which name in the folder, whether it follows a link there, the call).
F, OF = "f", True
calls = {
    "open": (F, OF, lambda d, p, free: opened(call("open", p, R, 0), text_of)),
    "openat": (F, OF, lambda d, p, free: opened(call("openat", d, p, R, 0), text_of)),
    "openat2": (F, OF, lambda d, p, free: opened(call("openat2", d, p, how(R), 24), text_of)),
    "openat O_PATH": (F, OF, lambda d, p, free: opened(call("openat", d, p, P, 0))),
    "openat write": (F, OF, lambda d, p, free: opened(call("openat", d, p, W, 0), lambda fd: os.write(fd, b"WRITE") and None)),
    "openat append": (F, OF, lambda d, p, free: opened(call("openat", d, p, W | A, 0), lambda fd: os.write(fd, b"WRITE") and None)),
    "openat2 write": (F, OF, lambda d, p, free: opened(call("openat2", d, p, how(RW), 24), lambda fd: os.write(fd, b"WRITE") and None)),
    "openat truncating": (F, OF, lambda d, p, free: opened(call("openat", d, p, W | T, 0))),
    "openat creating, truncating": (F, OF, lambda d, p, free: opened(call("openat", d, p, W | C | T, 0o600))),
    "openat read only truncating": (F, OF, lambda d, p, free: opened(call("openat", d, p, R | T, 0))),
    "creat": (F, OF, lambda d, p, free: opened(call("creat", p, 0o600))),
    "open new": ("new", False, lambda d, p, free: opened(call("open", p, W | C, 0o600))),
    "openat new, exclusive": ("new", False, lambda d, p, free: opened(call("openat", d, p, W | C | X, 0o600))),
    "openat2 new": ("new", False, lambda d, p, free: opened(call("openat2", d, p, how(W | C, 0o600), 24))),
    "creat new": ("new", False, lambda d, p, free: opened(call("creat", p, 0o600))),
    "openat O_TMPFILE": ("", False, lambda d, p, free: opened(call("openat", d, p, os.O_TMPFILE | W, 0o600))),
    "O_TMPFILE, linkat": ("new", False, late),
    "list": ("", False, lambda d, p, free: opened(call("openat", d, p, R | os.O_DIRECTORY, 0), lambda fd: "read " + " ".join(sorted(os.listdir(fd))))),
    "unlink": (F, False, lambda d, p, free: said(call("unlink", p))),
    "unlinkat": (F, False, lambda d, p, free: said(call("unlinkat", d, p, 0))),
    "rmdir": ("d", False, lambda d, p, free: said(call("rmdir", p))),
    "unlinkat, a folder": ("d", False, lambda d, p, free: said(call("unlinkat", d, p, REMOVEDIR))),
    "rename from": (F, False, lambda d, p, free: said(call("rename", p, free + b"/got"))),
    "renameat from": (F, False, lambda d, p, free: said(call("renameat", d, p, HERE, free + b"/got"))),
    "renameat2 from": (F, False, lambda d, p, free: said(call("renameat2", d, p, HERE, free + b"/got", 1))),
    "renameat2 from, a folder": ("full", False, lambda d, p, free: said(call("renameat2", d, p, HERE, free + b"/got", 0))),
    "renameat2 exchange": (F, False, lambda d, p, free: said(call("renameat2", d, p, HERE, free + b"/own", 2))),
    "renameat2 exchange, the other way": (F, False, lambda d, p, free: said(call("renameat2", HERE, free + b"/own", d, p, 2))),
    "rename over": (F, False, lambda d, p, free: said(call("rename", free + b"/own", p))),
    "renameat over": (F, False, lambda d, p, free: said(call("renameat", HERE, free + b"/own", d, p))),
    "renameat2 over": (F, False, lambda d, p, free: said(call("renameat2", HERE, free + b"/own", d, p, 0))),
    "rename to": ("new", False, lambda d, p, free: said(call("rename", free + b"/own", p))),
    "renameat2 to": ("new", False, lambda d, p, free: said(call("renameat2", HERE, free + b"/own", d, p, 1))),
    "renameat2 to, a folder": ("new", False, lambda d, p, free: said(call("renameat2", HERE, free + b"/tree", d, p, 0))),
    "link from": (F, False, lambda d, p, free: said(call("link", p, free + b"/got"))),
    "linkat from": (F, OF, lambda d, p, free: said(call("linkat", d, p, HERE, free + b"/got", FOLLOW))),
    "link to": ("new", False, lambda d, p, free: said(call("link", free + b"/own", p))),
    "linkat to": ("new", False, lambda d, p, free: said(call("linkat", HERE, free + b"/own", d, p, 0))),
    "symlink": ("new", False, lambda d, p, free: said(call("symlink", b"anywhere", p))),
    "symlinkat": ("new", False, lambda d, p, free: said(call("symlinkat", b"anywhere", d, p))),
    "mkdir": ("new", False, lambda d, p, free: said(call("mkdir", p, 0o700))),
    "mkdirat": ("new", False, lambda d, p, free: said(call("mkdirat", d, p, 0o700))),
    "mknod": ("new", False, lambda d, p, free: said(call("mknod", p, 0o10600, 0))),
    "mknodat": ("new", False, lambda d, p, free: said(call("mknodat", d, p, 0o100600, 0))),
    "truncate": (F, OF, lambda d, p, free: said(call("truncate", p, 3))),
    "ftruncate": (F, OF, by_fd(RW, lambda fd: os.ftruncate(fd, 2))),
    "fallocate punch": (F, OF, by_fd(RW, lambda fd: said(call("fallocate", fd, 3, 0, 4)))),
    "fallocate zero": (F, OF, by_fd(RW, lambda fd: said(call("fallocate", fd, 0, 0, 20)))),
    "chmod": (F, OF, lambda d, p, free: said(call("chmod", p, 0o611))),
    "fchmod": (F, OF, by_fd(R, lambda fd: os.fchmod(fd, 0o611))),
    "fchmodat": (F, OF, lambda d, p, free: said(call("fchmodat", d, p, 0o611))),
    "fchmodat2": (F, OF, lambda d, p, free: said(call("fchmodat2", d, p, 0o611, 0))),
    "fchmodat2 empty": (F, OF, by_fd(P, lambda fd: said(call("fchmodat2", fd, b"", 0o611, EMPTY)))),
    "chown": (F, OF, lambda d, p, free: said(call("chown", p, -1, 4243))),
    "lchown": (F, False, lambda d, p, free: said(call("lchown", p, -1, 4243))),
    "fchown": (F, OF, by_fd(R, lambda fd: os.fchown(fd, -1, 4243))),
    "fchownat": (F, OF, lambda d, p, free: said(call("fchownat", d, p, -1, 4243, 0))),
    "fchownat empty": (F, OF, by_fd(P, lambda fd: said(call("fchownat", fd, b"", -1, 4243, EMPTY)))),
    "utime": (F, OF, lambda d, p, free: said(call("utime", p, times))),
    "utimes": (F, OF, lambda d, p, free: said(call("utimes", p, times))),
    "futimesat": (F, OF, lambda d, p, free: said(call("futimesat", d, p, times))),
    "utimensat": (F, OF, lambda d, p, free: said(call("utimensat", d, p, times, 0))),
    "utimensat of a descriptor": (F, OF, by_fd(R, lambda fd: said(call("utimensat", fd, 0, times, 0)))),
    "setxattr": (F, OF, lambda d, p, free: said(call("setxattr", p, b"user.set", b"value", 5, 0))),
    "lsetxattr": (F, False, lambda d, p, free: said(call("lsetxattr", p, b"user.set", b"value", 5, 0))),
    "fsetxattr": (F, OF, by_fd(R, lambda fd: said(call("fsetxattr", fd, b"user.set", b"value", 5, 0)))),
    "setxattrat": (F, OF, lambda d, p, free: said(call("setxattrat", d, p, 0, b"user.set", attribute, 16))),
    "getxattr": (F, OF, lambda d, p, free: said(call("getxattr", p, b"user.own", room(), 99))),
    "getxattrat": (F, OF, lambda d, p, free: said(call("getxattrat", d, p, 0, b"user.own", attribute, 16))),
    "listxattr": (F, OF, lambda d, p, free: said(call("listxattr", p, room(), 99))),
    "llistxattr": (F, False, lambda d, p, free: said(call("llistxattr", p, room(), 99))),
    "listxattrat": (F, OF, lambda d, p, free: said(call("listxattrat", d, p, 0, room(), 99))),
    "removexattr": (F, OF, lambda d, p, free: said(call("removexattr", p, b"user.own"))),
    "lremovexattr": (F, False, lambda d, p, free: said(call("lremovexattr", p, b"user.own"))),
    "fremovexattr": (F, OF, by_fd(R, lambda fd: said(call("fremovexattr", fd, b"user.own")))),
    "removexattrat": (F, OF, lambda d, p, free: said(call("removexattrat", d, p, 0, b"user.own"))),
    "readlink": ("l", False, lambda d, p, free: said(call("readlink", p, room(), 99))),
    "readlinkat": ("l", False, lambda d, p, free: said(call("readlinkat", d, p, room(), 99))),
    "stat": (F, OF, lambda d, p, free: said(call("stat", p, room()))),
    "lstat": (F, False, lambda d, p, free: said(call("lstat", p, room()))),
    "newfstatat": (F, OF, lambda d, p, free: said(call("newfstatat", d, p, room(), 0))),
    "statx": (F, OF, lambda d, p, free: said(call("statx", d, p, 0, 0x7ff, room()))),
    "file_getattr": (F, OF, lambda d, p, free: said(call("file_getattr", d, p, room(), 24, 0))),
    "access": (F, OF, lambda d, p, free: said(call("access", p, 4))),
    "faccessat": (F, OF, lambda d, p, free: said(call("faccessat", d, p, 4))),
    "faccessat2": (F, OF, lambda d, p, free: said(call("faccessat2", d, p, 4, 0x200))),
    "name_to_handle_at": (F, OF, lambda d, p, free: handle(d, p, FOLLOW)),
}
# Their first argument is no descriptor: only paths from the working directory or the root reach them.
WITHOUT_FOLDER = {"open", "creat", "open new", "creat new", "unlink", "rmdir", "rename from", "rename over", "rename to",
    "link from", "link to", "symlink", "mkdir", "mknod", "truncate", "chmod", "chown", "lchown", "utime", "utimes", "setxattr",
    "lsetxattr", "getxattr", "listxattr", "llistxattr", "removexattr", "lremovexattr", "readlink", "stat", "lstat", "access"}

def forms(top, link):
    """Ways to name the folder `top` (below BASE), and a link to the file `f` in it."""
    here = os.fsencode(base)
    yield "relative", HERE, top, False
    yield "dots", HERE, b"free/../" + top + b"/./d/..", False
    yield "absolute", HERE, here + b"/" + top, False
    yield "slashes", HERE, b"//" + here + b"///" + top + b"//", False
    yield "through a link", HERE, b"links/" + top, False
    yield "through two links", HERE, b"links/again/" + top, False
    yield "a link to the file", HERE, b"links/f-" + top, True
    yield "root of procfs", HERE, b"/proc/self/root" + here + b"/" + top, False
    yield "cwd of a process", HERE, b"/proc/%d/cwd/" % os.getpid() + top, False
    yield "root of a process", HERE, b"/proc/%d/root" % os.getpid() + here + b"/" + top, False
    yield "descriptor of procfs", HERE, b"/proc/thread-self/fd/%d/" % INHERITED + top, False
    yield "dev fd", HERE, b"/dev/fd/%d/" % INHERITED + top, False
    yield "an inherited folder", INHERITED, top, False
    yield "up from an inherited folder", INHERITED, b"free/../links/" + top, False

def attempts():
    for name, (last, follows, work) in calls.items():
        if name not in numbers and name.split()[0] in ("open", "creat") and name.split()[0] not in numbers:
            continue
        for form, folder, _, is_link in forms(b"", b""):
            if is_link and not follows or folder != HERE and name in WITHOUT_FOLDER:
                continue
            yield name, form, last, work

def top_of(number):
    return b"guarded-%d" % number

def lay():
    os.makedirs(base + "/links")
    os.makedirs(base + "/free")
    os.symlink(".", base + "/links/again")
    for number, _ in enumerate(attempts()):
        top = os.fsencode(base) + b"/" + top_of(number)
        free = os.fsencode(base) + b"/free/%d" % number
        os.makedirs(top + b"/d")
        os.makedirs(top + b"/full/x")
        os.makedirs(free + b"/tree/below")
        for path, text in ((top + b"/f", "precious %d" % number), (free + b"/own", "free"), (free + b"/tree/below/file", "free")):
            with open(path, "w") as file:
                file.write(text)
        os.symlink("nowhere", top + b"/l")
        os.setxattr(top + b"/f", "user.own", b"own")
        os.symlink(b"../" + top_of(number), os.fsencode(base) + b"/links/" + top_of(number))
        os.symlink(b"../" + top_of(number) + b"/f", os.fsencode(base) + b"/links/f-" + top_of(number))

def attempt():
    found = {}
    os.chdir(base)
    for number, (name, form, last, work) in enumerate(attempts()):
        for shape, folder, prefix, is_link in forms(top_of(number), b""):
            if shape == form:
                path = prefix if is_link or not last else prefix.rstrip(b"/") + b"/" + last.encode()
                found["%d %s, %s" % (number, name, form)] = work(folder, path, b"free/%d" % number)
    return found

def picture(top):
    lines = []
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            path = folder + "/" + name
            it = os.lstat(path)
            what = open(path).read() if stat.S_ISREG(it.st_mode) else ""
            keys = sorted(os.listxattr(path)) if stat.S_ISREG(it.st_mode) else ""
            when = it.st_mtime_ns if it.st_mtime < 1000 else 0
            lines.append("%s %o %d n%d %r %s %d" % (os.path.relpath(path, top), it.st_mode, it.st_gid,
                it.st_nlink if what else 0, what, keys, when))
    return sorted(lines)

def look():
    return {"%d %s, %s" % (number, name, form): [picture(base + "/" + top_of(number).decode()), picture(base + "/free/%d" % number)]
            for number, (name, form, _, _) in enumerate(attempts())}

if verb == "lay":
    lay()
else:
    print(json.dumps(attempt() if verb == "try" else look()))
