# Names that start at a descriptor which is no folder, or at none: every call that takes one.
#   starts.py FOLDER      prints what each attempt said
import ctypes, errno, os, socket, sys

os.chdir(sys.argv[1])
c = ctypes.CDLL(None, use_errno=True)
CREATE, UNNAMED, PATH = os.O_CREAT | os.O_WRONLY, os.O_TMPFILE | os.O_WRONLY, os.O_PATH

def word(it):
    return ctypes.c_char_p(it) if isinstance(it, bytes) else ctypes.c_long(it) if isinstance(it, int) else it

def go(name, opens, *words):
    ctypes.set_errno(0)
    result = c.syscall(*map(word, words))
    print(name, errno.errorcode[ctypes.get_errno()] if result < 0 else "done")
    if opens and result >= 0: os.close(result)

open("regular", "w").close(); os.mkfifo("fifo"); os.symlink("regular", "link"); os.mkdir("folder")
pipe, listener = os.pipe(), socket.socket()
starts = {
    "device": os.open("/dev/null", os.O_RDONLY), "regular": os.open("regular", os.O_RDONLY), "pipe": pipe[0],
    "socket": listener.fileno(), "fifo": os.open("fifo", os.O_RDONLY | os.O_NONBLOCK), "memory": os.memfd_create("x"),
    "epoll": c.epoll_create(1), "path": os.open("regular", PATH), "link": os.open("link", PATH | os.O_NOFOLLOW),
    "procfs": os.open("/proc/self/status", os.O_RDONLY), "closed": 999, "negative": -5, "folder": os.open("folder", os.O_RDONLY),
    "watches": c.inotify_init(),
}
read, make = (ctypes.c_uint64 * 3)(0, 0, 0), (ctypes.c_uint64 * 3)(CREATE, 0o600, 0)
room = ctypes.create_string_buffer(512)
for start, fd in starts.items():
    for name in (b"name", b"below/name", b"/nowhere/name", b"", b".", b"..", b"name/"):
        def at(call, number, *words, opens=False): go(f"{start} {call} {name.decode()}", opens, number, *words)
        at("mkdirat", 258, fd, name, 0o700); at("mknodat", 259, fd, name, 0o100600, 0)
        at("fchownat", 260, fd, name, -1, -1, 0); at("futimesat", 261, fd, name, None)
        at("newfstatat", 262, fd, name, room, 0); at("statx", 332, fd, name, 0, 0x7ff, room)
        at("unlinkat", 263, fd, name, 0); at("rmdir", 263, fd, name, 0x200)
        at("renameat", 264, fd, name, fd, name); at("renameat to it", 264, -100, b"regular", fd, name)
        at("linkat", 265, fd, name, fd, name, 0); at("linkat to it", 265, -100, b"regular", fd, name, 0)
        at("symlinkat", 266, b"text", fd, name); at("readlinkat", 267, fd, name, room, 100)
        at("fchmodat", 268, fd, name, 0o600); at("fchmodat2", 452, fd, name, 0o600, 0)
        at("faccessat", 269, fd, name, 0); at("faccessat2", 439, fd, name, 0, 0)
        at("utimensat", 280, fd, name, None, 0); at("name_to_handle_at", 303, fd, name, room, room, 0)
        at("openat", 257, fd, name, 0, opens=True); at("openat to make", 257, fd, name, CREATE, 0o600, opens=True)
        at("openat unnamed", 257, fd, name, UNNAMED, 0o600, opens=True)
        at("openat2", 437, fd, name, read, 24, opens=True); at("openat2 to make", 437, fd, name, make, 24, opens=True)
        at("execveat", 322, fd, name, None, None, 0)
        at("inotify_add_watch", 254, fd, name, 2); at("inotify_add_watch for nothing", 254, fd, name, 0)
