"""What pexpect sees of a shell: printed in a form that is the same for every shell that works. SHELL FOLDER-OF-PACKAGES"""
import os, signal, sys
sys.path.insert(0, sys.argv[2])
import pexpect
from pexpect import pxssh, replwrap

bash = sys.argv[1]


def tell(*what):
    print(*[repr(one) for one in what], flush=True)


def spawn(*args):
    return pexpect.spawn(bash, list(args), encoding="utf-8", timeout=30)


# A prompt of its own, lines and lines over lines, a line that is interrupted.
repl = replwrap.bash(bash)
tell("repl", repl.run_command("echo one; echo two"))
tell(repl.run_command("for i in 1 2; do\necho item $i\ndone"))
tell(repl.run_command("x=5"), repl.run_command("echo $x $(tty | cut -c1-9)"))
tell(repl.run_command("seq 2000").split()[-1])
try:
    repl.run_command("sleep 1000", timeout=0.5)
except pexpect.TIMEOUT:
    repl.child.sendintr()
    repl._expect_prompt()
tell(repl.run_command("echo after $?"))
repl.child.sendline("exit 4")
repl.child.expect(pexpect.EOF)
repl.child.close()
tell(repl.child.exitstatus, repl.child.signalstatus)

# A login behind a password, and the prompt that pxssh sets.
login = pxssh.pxssh(encoding="utf-8", timeout=30, options={})
with open("login", "w") as script:
    script.write("printf \"me@host's password: \"; read -r -s word; echo; echo \"Last login\"; exec bash --norc --noprofile -i\n")
login.login("host", "me", "secret", cmd=bash + " login", quiet=False, sync_multiplier=2)
login.sendline("printf '%s\\n' here; stty -a | grep -o ' -*echo '")
tell("pxssh", login.prompt(), login.before.replace("\r", "").split("\n")[1:])
login.sendline("cat missing")
tell(login.prompt(), "No such file" in login.before)
login.logout()
tell(login.isalive())

# The end of input, and keys that are signals.
child = spawn("-c", "cat; echo end; trap 'echo interrupted' INT; echo ready; until read -r line; do :; done; echo got $line; exit 7")
child.sendline("to cat")
child.expect_exact("to cat\r\nto cat\r\n")
child.sendeof()
child.expect_exact("end\r\nready\r\n")
child.sendintr()
child.expect_exact("interrupted\r\n")
child.sendline("line")
child.expect_exact("got line\r\n")
child.expect(pexpect.EOF)
child.close()
tell("keys", child.before, child.exitstatus)

# Echo that the driver switches off, seen by the command without a key.
child = spawn("-c", "until stty -a | grep -q -e ' -echo '; do :; done; echo off; read -r x; echo got $x; stty echo; echo on; read -r y")
child.setecho(False)
tell("echo", child.waitnoecho(5), child.getecho())
child.expect_exact("off\r\n")
child.sendline("unseen")
child.expect("(.*)got unseen\r\n")
tell(child.match.group(1))
child.expect_exact("on\r\n")
while not child.getecho():
    pass
child.sendline("")
child.expect(pexpect.EOF)
child.close()

# Echo that the command switches off and on long after its last output.
child = spawn("-c", "sleep 1; stty -echo; read -r x; sleep 1; stty echo; read -r y; echo $x")
tell("late", child.waitnoecho(20))
child.sendline("hidden")
while not child.getecho():
    pass
child.sendline("")
child.expect_exact("hidden")
child.expect(pexpect.EOF)
child.close()

# A window that the driver changes.
child = spawn("-c", "sleep 1000 & job=$!; trap 'stty size; kill $job' WINCH; stty size; wait $job; trap - WINCH; read -r x; echo $x")
child.expect_exact("24 80\r\n")
child.setwinsize(33, 101)
child.expect_exact("33 101\r\n")
tell("size", child.getwinsize())
child.sendline("x")
child.expect_exact("x\r\nx\r\n")
child.expect(pexpect.EOF)
child.close()

# A long line, as much as a terminal's line takes; and more without lines.
child = spawn("-c", "read -r line; echo ${#line}; stty -icanon -echo; echo ready; head -c 20000 | md5sum; stty sane")
child.sendline("y" * 4000)
child.expect("\n(\\d+)\r\nready\r\n")
tell("long", child.match.group(1))
child.send("z" * 20000)
child.expect("([0-9a-f]{32})")
tell(child.match.group(1))
child.expect(pexpect.EOF)
child.close()

# Ends: by a signal, and of one that ignores the hang-up.
child = spawn("-c", "kill -9 $$")
child.expect(pexpect.EOF)
child.close()
tell("ends", child.exitstatus, child.signalstatus)
child = spawn("-c", "trap '' HUP INT; echo ready; while :; do sleep 1; done")
child.expect_exact("ready\r\n")
child.close(force=True)
tell(child.isalive(), child.signalstatus == signal.SIGKILL)
output, status = pexpect.run(bash + " -c 'echo run; exit 3'", withexitstatus=True)
tell(output, status)
output = pexpect.run(bash + " -c 'read -s -p word: x; echo; echo $x'", events={"(?i)word:": "secret\n"})
tell(output)
