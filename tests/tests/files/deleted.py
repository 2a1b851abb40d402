# What a program can do with a file that it has open when its name goes: the same wherever the file is put meanwhile.
#   deleted.py FOLDER      prints what each attempt said
import ctypes, errno, fcntl, os, struct, sys

os.chdir(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
PUNCH, ZERO, GETFLAGS, SETFLAGS, NODUMP = 3, 0x10, 0x80086601, 0x40086602, 0x40

def go(name, work):
    try: print(name, work())
    except OSError as error: print(name, errno.errorcode[error.errno])

def call(function, *words):
    if function(*words) < 0: raise OSError(ctypes.get_errno(), "")

def fallocate(fd, mode, offset, length):
    call(libc.fallocate, fd, mode, ctypes.c_long(offset), ctypes.c_long(length))

def again(path, flags, text=None):
    fd = os.open(path, flags)
    try: return os.read(fd, 9) if text is None else os.write(fd, text)
    finally: os.close(fd)

for name, content in ("written", b"content" * 999), ("empty", b""):
    fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, content)
    os.unlink(name)
    link = f"/proc/self/fd/{fd}"
    go("grow", lambda: os.ftruncate(fd, 1 << 20))
    go("write", lambda: os.pwrite(fd, b"other", 2))
    go("shrink", lambda: os.ftruncate(fd, 1 << 16))
    go("punch", lambda: fallocate(fd, PUNCH, 4096, 4096))
    go("zero", lambda: fallocate(fd, ZERO, 8192, 4096))
    go("size", lambda: os.fstat(fd).st_size)
    go("mode", lambda: os.fchmod(fd, 0o640) or oct(os.fstat(fd).st_mode))
    go("owner", lambda: os.fchown(fd, os.getuid(), os.getgid()))
    go("times", lambda: os.utime(fd, (5, 5)) or os.fstat(fd).st_mtime)
    go("attribute", lambda: os.setxattr(fd, "user.a", b"x") or os.getxattr(fd, "user.a"))
    go("attributes", lambda: os.listxattr(fd))
    go("attribute's end", lambda: os.removexattr(fd, "user.a"))
    go("flags", lambda: fcntl.ioctl(fd, SETFLAGS, struct.pack("q", struct.unpack("q", fcntl.ioctl(fd, GETFLAGS, bytes(8)))[0] | NODUMP)))
    go("lock", lambda: fcntl.flock(fd, fcntl.LOCK_EX))
    go("link text", lambda: os.path.basename(os.readlink(link)))
    go("read again", lambda: again(link, os.O_RDONLY))
    go("written again", lambda: again(link, os.O_WRONLY, b"more"))
    go("as /dev/fd", lambda: again(f"/dev/fd/{fd}", os.O_RDWR))
    go("truncate", lambda: os.truncate(link, 10))
    go("chmod", lambda: os.chmod(link, 0o600))
    go("cut by an open", lambda: again(link, os.O_WRONLY | os.O_TRUNC, b"new"))
    go("content", lambda: os.pread(fd, 99, 0))
    go("another name", lambda: call(libc.linkat, -100, link.encode(), -100, b"name", 0x400))
    go("to nothing", lambda: os.ftruncate(fd, 0))
    go("names", lambda: os.listdir("."))
    os.close(fd)
