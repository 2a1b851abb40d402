# Random operations on a tree, the same for the same seed: prints what each said, and at the end what there is.
import errno, hashlib, mmap, os, random, stat, sys

top, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
os.mkdir(top)
os.chdir(top)
folders, names = ["."] + ["d%d" % n for n in range(5)] + ["d1/e", "d2/e"], ["f%d" % n for n in range(12)]
for folder in folders[1:]: os.mkdir(folder)

def any_path():
    return os.path.join(chance.choice(folders), chance.choice(names + ["d1", "d2", "e"]))

def data():
    return chance.randbytes(chance.choice((0, 1, 10, 4096, 10000)))

def write(path):
    flags = os.O_WRONLY | chance.choice((0, os.O_CREAT, os.O_CREAT | os.O_EXCL, os.O_CREAT | os.O_TRUNC, os.O_APPEND, os.O_TRUNC))
    fd = os.open(path, flags | os.O_NONBLOCK, chance.choice((0o600, 0o644, 0o755)))
    try: return os.pwrite(fd, data(), chance.choice((0, 5, 5000))) if not flags & os.O_APPEND else os.write(fd, data())
    finally: os.close(fd)

def mapped(path):
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        size = os.fstat(fd).st_size
        if size == 0: return 0
        with mmap.mmap(fd, size) as map:
            at = chance.randrange(size)
            map[at:at + 1] = b"m"
            return size
    finally: os.close(fd)

def read(path):
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try: return hashlib.sha256(os.read(fd, 1 << 20)).hexdigest()
    finally: os.close(fd)

def cut(path):
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try: os.ftruncate(fd, chance.choice((0, 1, 3000, 20000)))
    finally: os.close(fd)

def unnamed(path):
    fd = os.open(os.path.dirname(path), os.O_TMPFILE | os.O_RDWR, 0o640)
    try:
        os.write(fd, data())
        os.link("/proc/self/fd/%d" % fd, path, src_dir_fd=fd, follow_symlinks=True)
    finally: os.close(fd)

def through(path):
    fd = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try: os.rename(os.path.basename(path), chance.choice(names), src_dir_fd=fd, dst_dir_fd=fd)
    finally: os.close(fd)

operations = [write, write, write, mapped, read, read, cut, unnamed, through, os.unlink, os.rmdir, os.mkdir, os.readlink,
    lambda p: os.truncate(p, chance.choice((0, 7, 9000))), lambda p: os.rename(p, any_path()), lambda p: os.rename(p, any_path()),
    lambda p: os.link(p, any_path()), lambda p: os.symlink(any_path(), p), lambda p: os.chmod(p, chance.choice((0o600, 0o755, 0o444, 0o1777))),
    lambda p: os.utime(p, ns=(5, chance.randrange(10 ** 15)), follow_symlinks=False), lambda p: sorted(os.listdir(os.path.dirname(p))),
    lambda p: os.setxattr(p, "user.x", data()[:100]), lambda p: os.listxattr(p), lambda p: os.removexattr(p, "user.x"),
    lambda p: os.makedirs(p, exist_ok=True), lambda p: os.stat(p).st_size, lambda p: os.access(p, os.W_OK)]

TWO = (14, 15, 16)

for turn in range(count):
    state = chance.getstate()
    operation, path = chance.randrange(len(operations)), any_path()
    try: said = operations[operation](path)
    # Where both of two paths are wrong, which is told of first is not compared.
    except OSError as error: said = "failed" if operation in TWO else errno.errorcode[error.errno]
    print(turn, operation, path, said)

for folder, inner, files in os.walk("."):
    inner.sort()
    for name in sorted(inner + files):
        path = os.path.join(folder, name)
        it = os.lstat(path)
        if stat.S_ISDIR(it.st_mode): os.chmod(path, 0o755)
        what = os.readlink(path) if stat.S_ISLNK(it.st_mode) else ""
        if stat.S_ISREG(it.st_mode):
            os.chmod(path, 0o600)
            what = hashlib.sha256(open(path, "rb").read()).hexdigest()
        when = it.st_mtime_ns if it.st_mtime < 10 ** 8 else 0
        print(path, oct(it.st_mode), it.st_nlink if not stat.S_ISDIR(it.st_mode) else 0, what, when)
