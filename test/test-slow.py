# SPDX-License-Identifier: MIT
"""test-slow.py PROGRAM: commands that can't be executed yet, as on a file system that doesn't answer.

Who opens one for executing waits for a lease to be given up (F_SETLEASE in fcntl(2)), and the kernel
tells when somebody waits.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from terminal import *

CURFEW = share(sys.argv[1], "curfew-full")
BOUND = 30  # after 45 s the kernel takes a lease away
USERS = [None, 65534] if os.getuid() == 0 else [None]
SHELL = ["bash", "--norc", "--noprofile", "-i"]


class Slow:
    """A copy of a program that is slow to be executed."""

    def __init__(self, program="cat"):
        self.folder = tempfile.TemporaryDirectory(prefix="curfew-test-")
        os.chmod(self.folder.name, 0o755)
        self.path = os.path.join(self.folder.name, "slow")
        shutil.copy(shutil.which(program), self.path)
        self.file = os.open(self.path, os.O_RDONLY)

    def __enter__(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
        fcntl.fcntl(self.file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        return self

    def __exit__(self, *_):
        os.close(self.file)
        self.folder.cleanup()

    def wait(self):
        assert signal.sigtimedwait([signal.SIGIO], BOUND), "nobody executes it"

    def let_go(self):
        fcntl.fcntl(self.file, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def begin(argv, user):
    """In a group of its own, in which nothing is to stay."""
    groups = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                            start_new_session=True, **groups)


def end(process):
    """Its status, what it has said, and that nothing is left of it, which would hold that pipe."""
    _, said = process.communicate(timeout=BOUND)
    return process.returncode, said


def sleeps(pid):
    """How often it has gone to sleep: who waits looks before, and who is stopped does."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status.read(), re.M).group(1))


def newborn(session):
    """Whoever in it is still by curfew's name, and is not curfew but its child, or its keeper's."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as stat:
                before, _, after = stat.read().rpartition(")")
        except OSError:
            continue
        if before.endswith("(curfew") and int(after.split()[3]) == session:
            found.append(int(name))
    return max(found)


def is_asleep(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
        return stat.read().rpartition(")")[2].split()[0] in "SD"


def timeout_link(slow):
    link = os.path.join(slow.folder.name, "timeout")
    os.symlink(CURFEW, link)
    return link


def test_deadline():
    for user in USERS:
        for options in [], ["-k", "1"], ["-k", "20"], ["--stop=INT:20,TERM:20"]:
            with Slow() as slow:
                before = time.monotonic()
                status, said = end(begin([CURFEW, *options, "1", slow.path], user))
                assert status == 124, status
                assert "its time was over before it was executed (exec)" in said, said
                assert 1 <= time.monotonic() - before < 10


def test_signals():
    for user in USERS:
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT:
            with Slow() as slow:
                process = begin([CURFEW, "1h", slow.path], user)
                slow.wait()
                process.send_signal(number)
                assert end(process) == (-number, "")


def test_other_signals():
    """What is to be passed on waits for the command."""
    for user in USERS:
        with Slow("sleep") as slow:
            process = begin([CURFEW, "1h", slow.path, "1000"], user)
            slow.wait()
            process.send_signal(signal.SIGUSR1)
            slow.let_go()
            assert end(process) == (-signal.SIGUSR1, "")


def test_ignored_signals():
    """A hangup that was ignored from the start asks for nothing."""
    with Slow("true") as slow:
        process = begin(["nohup", CURFEW, "1h", slow.path], None)
        slow.wait()
        process.send_signal(signal.SIGHUP)
        before = sleeps(process.pid)
        while sleeps(process.pid) < before + 5:
            assert process.poll() is None
        slow.let_go()
        assert end(process)[0] == 0


def test_no_hurry():
    for user in USERS:
        with Slow("true") as slow:
            process = begin([CURFEW, "1h", slow.path], user)
            slow.wait()
            slow.let_go()
            assert end(process) == (0, "")


def test_timeout():
    """The limit counts from before the command is executed."""
    for options, expected in ([], 124), (["-k", "20"], 124), (["-s", "KILL"], 137), (["-p"], 143), \
            (["-p", "-s", "INT"], 130), (["--foreground"], 124):
        for user in USERS:
            with Slow() as slow:
                before = time.monotonic()
                status, said = end(begin([timeout_link(slow), *options, "1", slow.path], user))
                assert (status, said) == (expected, ""), (options, status, said)
                assert 1 <= time.monotonic() - before < 10
    with Slow() as slow:
        _, said = end(begin([timeout_link(slow), "-v", "1", slow.path], None))
        assert re.search("sending signal TERM to command .*slow", said), said


def test_timeout_signals():
    for number, expected in (signal.SIGTERM, -15), (signal.SIGINT, -2), (signal.SIGUSR1, -10), \
            (signal.SIGALRM, 124):
        for user in USERS:
            with Slow() as slow:
                process = begin([timeout_link(slow), "1h", slow.path], user)
                slow.wait()
                process.send_signal(number)
                assert end(process) == (expected, "")


def shells():
    for user in USERS:
        prefix = [] if user is None else ["setpriv", f"--reuid={user}", f"--regid={user}",
                                          "--clear-groups"]
        terminal = Terminal(prefix + SHELL, C=CURFEW)
        os.chmod(terminal.folder.name, 0o755)
        yield terminal


def test_stop_at_a_terminal():
    """Ctrl-Z stops the job, as soon as there is a command to stop; and fg has it go on."""
    for term in shells():
        with term, Slow() as slow:
            term.line(f"$C 1h {slow.path}")
            slow.wait()
            pid = newborn(term.pid)
            while not is_asleep(pid):
                pass
            before = sleeps(pid)
            term.type(CTRL_Z)
            while sleeps(pid) == before:
                pass
            slow.let_go()
            term.expect("Stopped")
            term.line("fg")
            while os.tcgetpgrp(term.master) == term.pid:
                pass
            term.input("hello")
            term.expect("hello\nhello\n")
            term.type(CTRL_D)
            term.expect_status(0)


def test_interrupt_at_a_terminal():
    for term in shells():
        with term, Slow() as slow:
            term.line(f"$C 1h {slow.path}")
            slow.wait()
            term.type(CTRL_C)
            term.expect_status(130)


if __name__ == "__main__":
    main([test for name, test in list(globals().items()) if name.startswith("test_")])
