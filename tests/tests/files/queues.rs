//! POSIX message queues: files that are opened by no path, in a file system that need not be mounted anywhere.

use agentsh_tests::skips::skip;
use agentsh_tests::{Result, User, World, oracle, session};

const QUEUES: &str = "import ctypes,errno,os
c = ctypes.CDLL(None, use_errno=True)
OPEN, UNLINK, SEND, RECEIVE = 240, 241, 242, 243
def call(*words):
    result = c.syscall(*words)
    if result < 0: raise OSError(ctypes.get_errno(), '')
    return result
def go(name, work):
    try: print(name, work(), flush=True)
    except OSError as error: print(name, errno.errorcode[error.errno])
queue, room = b'agentsh-test-%d' % os.getpid(), ctypes.create_string_buffer(8192)
def opened(name, flags):
    def work(): global fd; fd = call(OPEN, queue, flags, 0o600, None)
    go(name, work)
opened('missing', os.O_RDWR); opened('made', os.O_RDWR | os.O_CREAT | os.O_EXCL); opened('made again', os.O_CREAT | os.O_EXCL)
opened('opened', os.O_RDWR)
go('sent', lambda: call(SEND, fd, b'abc', 3, 1, None))
if os.fork() == 0:
    opened('by a child', os.O_RDONLY)
    go('received', lambda: (call(RECEIVE, fd, room, 8192, None, None), room.value)); os._exit(0)
os.wait()
go('size', lambda: os.fstat(fd).st_size); go('mode', lambda: oct(os.fstat(fd).st_mode))
go('removed', lambda: call(UNLINK, queue)); go('removed again', lambda: call(UNLINK, queue)); opened('gone', os.O_RDWR)
";

#[test]
fn message_queues_are_what_they_are_without_a_session() -> Result {
    // Without rights to mount them they are found where they are mounted by custom.
    let mounted = std::fs::read_to_string("/proc/mounts")?.contains(" /dev/mqueue mqueue ");
    if !mounted {
        skip("user-message-queues", "/dev/mqueue is not mounted")?;
    }
    for user in User::both().into_iter().filter(|user| mounted || user.uid == 0) {
        let world = World::new(user)?;
        let argv = ["python3", "-S", "-c", QUEUES];
        let native = oracle::program(&world, &argv).run(&world)?;
        let session = session::create(&world, &[])?.id;
        let caged = session::exec(&session, &[], &argv).run(&world)?;
        oracle::same(&native, &caged, 12)?;
    }
    Ok(())
}
