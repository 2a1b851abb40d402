# Files made by relative names while working directories change in every way that a thread can have its own changed.
#   here.py TOP     prints the names that lie where they should not, one a line; makes folders a and b in TOP
import ctypes, os, sys, threading

top = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)
CLONE, CLONE_FS, SIGCHLD = 56 if os.uname().machine == "x86_64" else 220, 0x200, 17
places = {name: os.path.join(top, name) for name in "ab"}
for place in places.values(): os.mkdir(place)
meant = []

def make(name, place):
    """Makes the file by several calls in a row, so that what is known of the thread's folder is used."""
    for number in range(5):
        own = "%s-%d" % (name, number)
        os.close(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
        os.close(os.open(own, os.O_RDWR))
        os.close(os.open(own, os.O_RDONLY))
        meant.append((own, place))

def alone():
    for turn in range(50):
        place = "ab"[turn % 2]
        os.chdir(places[place])
        make("alone-%d" % turn, place)
    folder = os.open(places["a"], os.O_RDONLY)
    os.fchdir(folder)
    os.close(folder)
    make("by-descriptor", "a")

def threads():
    turn, done = threading.Semaphore(0), threading.Semaphore(0)
    def other():
        for number in range(50):
            turn.acquire()
            make("thread-%d" % number, "ab"[number % 2])
            done.release()
    worker = threading.Thread(target=other)
    worker.start()
    for number in range(50):
        os.chdir(places["ab"[number % 2]])
        turn.release()
        done.acquire()
    worker.join()

def moved_by_another():
    """The main thread has never moved since the other was begun; the other moves both."""
    os.chdir(places["a"])
    make("before", "a")
    worker = threading.Thread(target=os.chdir, args=(places["b"],))
    worker.start()
    worker.join()
    make("after", "b")

def shared_with_a_process():
    os.chdir(places["a"])
    make("unshared", "a")
    for number in range(20):
        place = "ab"[number % 2]
        child = libc.syscall(CLONE, ctypes.c_long(CLONE_FS | SIGCHLD), 0, 0, 0, 0)
        if child == 0:
            os.chdir(places[place])
            os._exit(0)
        os.waitpid(child, 0)
        make("shared-%d" % number, place)

def own_of_a_thread():
    """A thread that has given up sharing is where it was."""
    os.chdir(places["a"])
    ready, go = threading.Event(), threading.Event()
    def other():
        libc.unshare(CLONE_FS)
        make("own-1", "a")
        ready.set()
        go.wait()
        make("own-2", "a")
        os.chdir(places["b"])
        make("own-3", "b")
    worker = threading.Thread(target=other)
    worker.start()
    ready.wait()
    os.chdir(places["b"])
    make("main", "b")
    go.set()
    worker.join()
    make("main-again", "b")

def executed():
    """A thread that works elsewhere becomes the first of its process by an exec."""
    child = os.fork()
    if child == 0:
        os.chdir(places["a"])
        make("leader", "a")
        def other():
            libc.unshare(CLONE_FS)
            os.chdir(places["b"])
            os.execv("/bin/sh", ["sh", "-c", "for n in 1 2 3; do : > executed-$n; done"])
        threading.Thread(target=other).start()
        while True: os.close(os.open("leader-busy", os.O_WRONLY | os.O_CREAT))
    os.waitpid(child, 0)
    meant.extend(("executed-%d" % n, "b") for n in (1, 2, 3))

def moved_folder():
    os.chdir(places["a"])
    make("in-place", "a")
    os.rename(places["a"], os.path.join(top, "c"))
    make("moved", "a")
    os.rename(os.path.join(top, "c"), places["a"])

for work in (alone, threads, moved_by_another, own_of_a_thread, executed, moved_folder, shared_with_a_process, alone): work()
for name, place in meant:
    other = "b" if place == "a" else "a"
    if not os.path.exists(os.path.join(places[place], name)): print("missing", place, name)
    if os.path.exists(os.path.join(places[other], name)): print("elsewhere", other, name)
print("files", len(meant))
