# SPDX-License-Identifier: MIT
"""A person at a terminal: a shell on a pseudo-terminal, what is typed into it and what it shows.

Nothing waits for time to pass: what is typed next depends on what has been shown, or on a line in a
FIFO. PATIENCE only catches a hang.
"""

import atexit
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import sys
import tempfile
import termios
import time
import traceback

PATIENCE = 60
CTRL_C, CTRL_D, CTRL_Q, CTRL_S, CTRL_Z, QUIT = "\x03", "\x04", "\x11", "\x13", "\x1a", "\x1c"
PROMPT = "READY> "


class Terminal:
    """One with a session on it, whose leader is `argv`."""

    def __init__(self, argv, **environment):
        self.folder = tempfile.TemporaryDirectory()
        os.chmod(self.folder.name, 0o777)  # whoever argv makes itself
        self.text = ""  # shown, and not looked at yet
        self.all = ""
        self.fifos = {}
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 50, 500, 0, 0))
                self._become(argv, environment)
            finally:
                os._exit(127)

    def _become(self, argv, environment):
        os.chdir(self.folder.name)
        for number in range(1, signal.NSIG):
            if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
                signal.signal(number, signal.SIG_DFL)
        os.environ.pop("CURFEW_DEADLINE", None)
        os.environ.update(environment, PS1=PROMPT, TERM="dumb", HISTFILE="", LC_ALL="C")
        os.execvp(argv[0], argv)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        self.folder.cleanup()

    def close(self):
        """Hang up, and see to it that the session's leader is gone."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1
        if self.pid > 0:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
        while self.fifos:
            os.close(self.fifos.popitem()[1])

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def type(self, text):
        os.write(self.master, text.encode())

    def line(self, text):
        """A line at the shell's prompt."""
        self.expect(PROMPT)
        self.type(text + "\r")
        self.expect("\n")

    def input(self, text):
        """A line for a command that reads lines, once the shell's line editor has let go."""
        while not self.is_canonical():
            pass
        self.type(text + "\r")

    def read(self, timeout):
        ready, _, _ = select.select([self.master], [], [], timeout)
        try:
            data = os.read(self.master, 65536) if ready else b""
        except OSError:  # nobody has it open any more
            data = b""
        self.text += data.decode(errors="replace").replace("\r", "")
        self.all += data.decode(errors="replace")
        return bool(data)

    def expect(self, pattern):
        """Wait until it is shown, and return what was shown until then, itself included."""
        until = time.monotonic() + PATIENCE
        while not (match := re.search(pattern, self.text)):
            if not self.read(max(0, until - time.monotonic())):
                raise AssertionError(f"expected {pattern!r}, saw:\n{self.all[-3000:]}")
        seen, self.text = self.text[: match.end()], self.text[match.end():]
        return seen

    def expect_status(self, status):
        """Of the last command at the shell's prompt."""
        self.line('echo "status=$?"')
        seen = self.expect(r"status=\d+")
        assert seen.endswith(f"status={status}"), f"{seen!r}, not {status}:\n{self.all}"

    def told(self, fifo):
        """A line that is written into a FIFO of that name, which is made by fifo()."""
        ready, _, _ = select.select([self.fifos[fifo]], [], [], PATIENCE)
        if not ready:
            raise AssertionError(f"expected a line in {fifo}, saw:\n{self.all[-3000:]}")
        return os.read(self.fifos[fifo], 4096).decode()

    def fifo(self, name):
        os.mkfifo(self.path(name))
        self.fifos[name] = os.open(self.path(name), os.O_RDWR | os.O_CLOEXEC)

    def script(self, name, text):
        """One that can be called as ./name."""
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write("#!/bin/sh\n" + text)
        os.chmod(self.path(name), 0o755)

    def modes(self):
        return termios.tcgetattr(self.master)

    def is_canonical(self):
        return bool(self.modes()[3] & termios.ICANON)

    def wait(self):
        """The status of the session's leader."""
        while self.read(PATIENCE):
            pass
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)


def share(path, *others):
    """A copy of it, and of what it wants beside it, which everybody can execute, wherever it is itself, and
    a shell needs no quotes for."""
    folder = tempfile.mkdtemp(prefix="curfew-test-")
    atexit.register(shutil.rmtree, folder)
    os.chmod(folder, 0o755)
    for name in (os.path.basename(path), *others):
        beside = os.path.join(os.path.dirname(os.path.abspath(path)), name)
        if os.path.exists(beside):
            shutil.copy(beside, folder)
    return os.path.join(folder, os.path.basename(path))


NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def users():
    """What to put before a command, for it to be run as who can make control groups, and who can't."""
    return [[], NOBODY] if os.getuid() == 0 else [[]]


class Shell(Terminal):
    """Bash, as people have it, less what they have set."""

    def __init__(self, *prefix, **environment):
        super().__init__([*prefix, "bash", "--norc", "--noprofile", "-i"], **environment)


def shells(**environment):
    """Those that are here, as Shell, each with a session of its own."""
    for argv in ["bash", "--norc", "--noprofile", "-i"], ["dash", "-i"], ["zsh", "-f", "-i"]:
        if shutil.which(argv[0]):
            yield Terminal(argv, **environment)


def main(tests):
    """Run all of them, or those named on the command line behind the program."""
    failed = 0
    wanted = sys.argv[2:]
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        try:
            test()
            print("ok", test.__name__, flush=True)
        except Exception:  # each of them is to be seen
            failed += 1
            print("failed:", test.__name__, flush=True)
            traceback.print_exc(file=sys.stdout)
    sys.exit(failed > 0)
