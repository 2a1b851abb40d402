# Ways around a judgement of names: each is tried on a file or folder that a rule guards, and on one that is free.
#   corners.py TOP GUARDED     prints a JSON object: what each attempt said
import ctypes, errno, fcntl, json, mmap, os, struct, sys

top, guarded = sys.argv[1], sys.argv[2]
os.chdir(top)
libc = ctypes.CDLL(None, use_errno=True)
said = {}

def sys_call(*words):
    words = [ctypes.c_char_p(w) if isinstance(w, bytes) else w if isinstance(w, ctypes.Array) else ctypes.c_long(w) for w in words]
    ctypes.set_errno(0)
    result = libc.syscall(*words)
    if result == -1: raise OSError(ctypes.get_errno(), "")
    return result

def attempt(name, work):
    try:
        result = work()
        said[name] = "ok" if result is None else str(result)
    except OSError as error:
        said[name] = errno.errorcode[error.errno]

here = os.fsencode(guarded)
OPENAT2, RENAMEAT2, IOCTL = 437, 316, 16

def resolve(flags, path, mode=os.O_RDONLY):
    how = (ctypes.c_uint64 * 3)(mode, 0, flags)
    fd = sys_call(OPENAT2, -100, path, how, 24)
    try: return os.read(fd, 9).decode() if mode == os.O_RDONLY else None
    finally: os.close(fd)

for name, flags in (("NO_XDEV", 1), ("NO_MAGICLINKS", 2), ("NO_SYMLINKS", 4), ("BENEATH", 8), ("IN_ROOT", 16)):
    attempt("openat2 " + name, lambda: resolve(flags, here + b"/f"))
    attempt("openat2 write " + name, lambda: resolve(flags, here + b"/f", os.O_WRONLY))

def unnamed():
    fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600); os.write(fd, b"planted")
    sys_call(265, -100, b"/proc/self/fd/%d" % fd, -100, here + b"/planted", 0x400)
attempt("O_TMPFILE, linkat of its descriptor", unnamed)
def unnamed_empty():
    fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)
    sys_call(265, fd, b"", -100, here + b"/planted-too", 0x1000)
attempt("O_TMPFILE, linkat of an empty path", unnamed_empty)

attempt("rename leaving a whiteout", lambda: sys_call(RENAMEAT2, -100, here + b"/f", -100, b"got", 4))
attempt("rename to a whiteout's place", lambda: sys_call(RENAMEAT2, -100, b"own", -100, here + b"/new", 4))
attempt("exchange", lambda: sys_call(RENAMEAT2, -100, b"own", -100, here + b"/f", 2))

def reading(): return os.open(guarded + "/seen", os.O_RDONLY)
SETFLAGS, GETFLAGS, FSSETXATTR, FSGETXATTR = 0x40086602, 0x80086601, 0x401c5820, 0x801c581f
attempt("FS_IOC_SETFLAGS", lambda: fcntl.ioctl(reading(), SETFLAGS, struct.pack("l", 0x40)) and None)
attempt("FS_IOC_FSSETXATTR", lambda: fcntl.ioctl(reading(), FSSETXATTR, struct.pack("IIIII8s", 0x80, 0, 0, 0, 0, b"")) and None)
attempt("EXT4_IOC_SETVERSION", lambda: fcntl.ioctl(reading(), 0x40086604, struct.pack("l", 7)) and None)
attempt("FAT_IOCTL_SET_ATTRIBUTES", lambda: fcntl.ioctl(reading(), 0x40047211, struct.pack("I", 1)) and None)
attempt("BTRFS_IOC_SUBVOL_SETFLAGS", lambda: fcntl.ioctl(reading(), 0x4008941a, struct.pack("Q", 2)) and None)
attempt("fs-verity", lambda: fcntl.ioctl(reading(), 0x40806685, bytes(128)) and None)
attempt("an encryption policy", lambda: fcntl.ioctl(reading(), 0x800c6613, bytes(12)) and None)
attempt("a key taken away", lambda: fcntl.ioctl(reading(), 0xc0406618, bytes(64)) and None)
attempt("a received tree", lambda: fcntl.ioctl(reading(), 0xc0c89425, bytes(200)) and None)
attempt("file_setattr", lambda: sys_call(469, -100, here + b"/seen", (ctypes.c_uint64 * 4)(0x80), 32, 0))
attempt("fallocate by an old request", lambda: fcntl.ioctl(os.open("data", os.O_RDWR), 0x4030582b, struct.pack("hhqqi", 0, 0, 0, 4, 0) + bytes(24)) and None)
attempt("zeroes by a request", lambda: fcntl.ioctl(os.open("data", os.O_RDWR), 0x40305839, struct.pack("hhqqi", 0, 0, 0, 4, 0) + bytes(24)) and None)
attempt("a subvolume", lambda: fcntl.ioctl(os.open(".", os.O_RDONLY), 0x5000940e, bytes(1016)) and None)
attempt("a snapshot's removal", lambda: fcntl.ioctl(os.open(".", os.O_RDONLY), 0x5000940f, bytes(1016)) and None)

def watch(path): return sys_call(254, libc.inotify_init(), path, 0xfff) and None
attempt("inotify of a folder", lambda: watch(here))
attempt("inotify of a file", lambda: watch(here + b"/f"))
attempt("inotify of a file by a descriptor", lambda: watch(b"/proc/self/fd/%d" % os.open(guarded + "/f", os.O_PATH)))
attempt("fanotify", lambda: sys_call(300, 0x200, 0) and None)
attempt("quotactl", lambda: sys_call(179, 0x80000500, b"/dev/root", 0, ctypes.create_string_buffer(256)) and None)
attempt("open_by_handle_at", lambda: sys_call(304, os.open(".", os.O_RDONLY), (ctypes.c_uint32 * 40)(8, 1), 0) and None)

def mapped():
    fd = os.open(guarded + "/seen", os.O_RDONLY)
    mmap.mmap(fd, 4, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)[:4] = b"EVIL"
attempt("a writable mapping of what is open for reading", mapped)
def onto(work):
    def run():
        source, target = os.open("data", os.O_RDONLY), os.open(guarded + "/seen", os.O_RDONLY)
        work(source, target)
    return run
attempt("sendfile onto what is open for reading", onto(lambda s, t: os.sendfile(t, s, 0, 4) and None))
attempt("copy_file_range onto what is open for reading", onto(lambda s, t: os.copy_file_range(s, t, 4) and None))
attempt("FICLONE onto what is open for reading", onto(lambda s, t: fcntl.ioctl(t, 0x40049409, s) and None))
attempt("open for writing of what is open for reading", onto(lambda s, t: os.close(os.open("/proc/self/fd/%d" % t, os.O_WRONLY))))
print(json.dumps(said))
