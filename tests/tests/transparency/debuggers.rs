//! Programs that look into others: what one's own tree allows, it allows here.

use agentsh_tests::{Case, Shell};

use crate::text;

const SOURCE: &str =
    "#include <stdio.h>\nint f(int a) { return a + 1; }\nint main(void) { printf(\"%d\\n\", f(41)); return 3; }\n";

const OWN_MEMORY: &str = "import ctypes
text = ctypes.create_string_buffer(b'own')
memory = open('/proc/self/mem', 'r+b', 0)
memory.seek(ctypes.addressof(text)); print(memory.read(3))
memory.seek(ctypes.addressof(text)); memory.write(b'new'); print(text.value)
";

pub fn cases() -> Vec<Case> {
    vec![
        text(
            "gdb stops at a line and looks around",
            "gcc -g x.c -o x && gdb -q -batch -nx -ex 'set startup-with-shell off' -ex 'break f' -ex run -ex backtrace -ex 'print a' -ex 'set var a = 1' -ex continue ./x 2>&1 | grep -v '^\\[\\|^Using\\|^#1'; rm x",
        )
        .file("x.c", SOURCE, 0o644)
        .needs(&["gdb", "gcc"]),
        text(
            "gdb attaches to a child",
            "sleep 60 & gdb -q -batch -nx -p $! -ex 'print 6 * 7' -ex detach 2>&1 | grep '^.1 ='; kill $!; wait $!; echo $?",
        )
        .needs(&["gdb"]),
        text(
            "strace follows a tree",
            "strace -f -qq -e trace=execve -e signal=none -o t sh -c '/bin/true; exit 4'; echo $?; grep -c execve t; rm t",
        )
        .needs(&["strace"]),
        Case::new(
            "a program reads and writes its own memory by name",
            Shell::named("bash").args(["-c", "exec python3 -c \"$0\"", OWN_MEMORY]),
        )
        .needs(&["python3"]),
        text(
            "the maps of a hundred children that have hardly begun",
            // In the middle of an exec there are none.
            "n=0; for i in $(seq 100); do sleep 60 & read -r x < /proc/$!/maps || n=$((n+1)); kill $!; done; [ $n -lt 20 ]; echo $?",
        ),
        text(
            "the map of a child's memory",
            "sleep 60 & head -c 1 /proc/$!/maps | wc -c; kill $!",
        ),
    ]
}
