# SPDX-License-Identifier: MIT
"""test-sessions.py PROGRAM: what people use curfew for, from the beginning to the end."""

import os
import re
import signal
import subprocess
import sys
import tempfile


from terminal import *

CURFEW = share(sys.argv[1], "curfew-full")


class Work:
    """A folder of its own, and commands in it that have no terminal, as where no person is."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.environment = {"PATH": os.environ["PATH"], "CURFEW": CURFEW, "HOME": "/"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(self.path(name), 0o755)

    def read(self, name):
        with open(self.path(name), encoding="ascii") as file:
            return file.read()

    def fifo(self, name):
        os.mkfifo(self.path(name))

    def start(self, script):
        return subprocess.Popen(["sh", "-c", script], cwd=self.folder.name, text=True,
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True)

    def finish(self, process):
        """Its status and what it has printed; a pipe is at its end when nobody is left."""
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err

    def run(self, script):
        return self.finish(self.start(script))

    def names(self):
        return sorted(os.listdir(self.folder.name))


# A build with a server that has gone into the background, where INT is ignored, and a trap that
# tidies up while the server is still there.
BUILD = """#!/bin/sh
mkdir workspace
mkfifo server
(setsid sh -c 'trap "echo flushed >server.log; exit" TERM
        echo up >server; while :; do sleep .1; done' &)
read -r _ <server
trap 'sleep .2; rm -r workspace; echo cleaned up; exit 1' INT
echo building
echo up >ready
while :; do sleep .1; done
"""


def test_step_of_a_build():
    """At its deadline it tidies up, and so does what it has started; the log says what was done."""
    with Work() as work:
        work.fifo("ready")
        work.write("build.sh", BUILD)
        step = work.start("$CURFEW -v --stop=leader:INT:3s,TERM:50s 2 ./build.sh")
        assert work.read("ready") == "up\n"
        status, out, err = work.finish(step)
        assert (status, out) == (124, "building\ncleaned up\n"), (status, out, err)
        assert re.search(r"sending signal INT to command './build.sh' after [\d.]*s \(deadline\)", err), err
        assert "exit status 1; nothing left after" in err, err
        assert work.read("server.log") == "flushed\n"
        assert "workspace" not in work.names()


def test_step_that_is_cancelled():
    """The runner cancels it by signalling what it has started, and kills that when it's patience is
    over."""
    with Work() as work:
        work.fifo("ready")
        work.write("build.sh", BUILD)
        step = work.start("exec $CURFEW --stop=leader:INT:3s,TERM:50s 1h ./build.sh")
        assert work.read("ready") == "up\n"
        step.send_signal(signal.SIGTERM)
        status, out, err = work.finish(step)
        assert (status, out) == (1, "building\ncleaned up\n"), (status, out, err)
        assert work.read("server.log") == "flushed\n"
        assert "workspace" not in work.names()


def test_step_of_which_curfew_is_killed():
    with Work() as work:
        work.fifo("ready")
        work.write("build.sh", BUILD)
        step = work.start("exec $CURFEW --stop=leader:INT:3s,TERM:50s 1h ./build.sh")
        assert work.read("ready") == "up\n"
        step.kill()
        status, out, err = work.finish(step)
        assert (status, out) == (-signal.SIGKILL, "building\ncleaned up\n"), (status, out, err)
        assert "workspace" not in work.names()


# What a job of cron's adds to the line that it is started by.
CRON = "--stdout=job.log --stderr=job.err -v"


def test_job_of_cron():
    """Its output is in files, of the last run; what curfew says of it is what cron mails."""
    job = f"$CURFEW {CRON} %s sh -c 'echo saved; echo warning >&2; %s'"
    with Work() as work:
        status, out, err = work.run(job % ("1h", "exit 3"))
        assert (status, out) == (3, ""), (status, out, err)
        assert work.read("job.log") == "saved\n"
        assert work.read("job.err") == "warning\n"
        assert "command 'sh': exit status 3; nothing left" in err, err

        status, out, err = work.run(job % ("1", "sleep 1000"))
        assert (status, out) == (124, ""), (status, out, err)
        assert work.read("job.log") == "saved\n"
        assert re.search(r" after [\d.]*s \(deadline\)", err), err

        status, out, err = work.run(job.replace("job.log", "no/job.log") % ("1h", "touch started"))
        assert (status, out) == (125, ""), (status, out, err)
        assert err == "curfew: cannot open 'no/job.log' for '--stdout': No such file or directory\n"
        assert "started" not in work.names()


def can_contain():
    argv = ["unshare", "-pf", "--mount-proc", "true"]
    return subprocess.run(argv, stderr=subprocess.DEVNULL, check=False).returncode == 0


# Debian 11's unshare leaves INT and TERM ignored.
CONTAINER = "exec unshare -pf --kill-child=KILL --mount-proc env --default-signal "

# Five daemons that end before the server does, and which nobody waits for but pid 1.
SERVER = """#!/bin/sh
for i in 1 2 3 4 5; do (setsid sh -c 'exit 3' &); done
(setsid sh -c 'trap "echo daemon stopped; exit" TERM; echo up >ready; while :; do sleep .1; done' &)
read -r _ <ready
trap 'echo server stopped; exit 4' TERM
while grep -qs '^State:.Z' /proc/[0-9]*/status; do :; done
echo "serving as $$ of $(grep -lsx curfew /proc/[0-9]*/comm | tr -dc 0-9)"
while :; do sleep .1; done
"""


def init_of(container):
    """The first process in it, as it is called out here."""
    with open(f"/proc/{container.pid}/task/{container.pid}/children", encoding="ascii") as children:
        return int(children.read())


def test_container():
    """It is stopped, as by `docker stop`: by a signal to its first process."""
    if not can_contain():
        print("skipped: test_container: no PID namespace can be made here")
        return
    with Work() as work:
        work.fifo("ready")
        work.write("server", SERVER)
        container = work.start(CONTAINER + "$CURFEW --init ./server")
        line = container.stdout.readline()
        assert line.startswith("serving as ") and line.endswith(" of 1\n"), line
        os.kill(init_of(container), signal.SIGTERM)
        status, out, err = work.finish(container)
        assert status == 4, (status, out, err)
        assert sorted(out.splitlines()) == ["daemon stopped", "server stopped"], (out, err)


def test_container_with_a_deadline():
    """As pid 1 it needs no telling. A process that was brought in from outside is asked, too."""
    if not can_contain():
        print("skipped: test_container_with_a_deadline: no PID namespace can be made here")
        return
    with Work() as work:
        work.fifo("ready")
        work.write("server", SERVER)
        container = work.start(CONTAINER + "$CURFEW 4 ./server")
        container.stdout.readline()
        guest = subprocess.Popen(["nsenter", "-t", str(init_of(container)), "-p", "-m", "sh", "-c",
            "trap 'echo guest stopped; exit' TERM; echo in; while :; do sleep .1; done"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert guest.stdout.readline() == "in\n"
        status, out, err = work.finish(container)
        assert status == 124, (status, out, err)
        assert sorted(out.splitlines()) == ["daemon stopped", "server stopped"], (out, err)
        assert guest.communicate(timeout=PATIENCE)[0] == "guest stopped\n"


def test_interactive_shell():
    """An hour of work in a shell, with what one does there; and one whose time is over."""
    with Shell(C=CURFEW) as term:
        term.line("$C 1h bash --norc --noprofile -i")
        term.line("echo wri''ting; cat >notes")
        term.expect("writing\n")
        term.input("a line")
        term.type(CTRL_D)
        term.line("sh -c 'echo sta''rted; exec sleep 1000'")
        term.expect("started\n")
        term.type(CTRL_Z)
        term.expect("Stopped")
        term.line("jobs")
        term.expect("Stopped")
        term.line("kill %1; cat notes")
        term.expect("a line\n")
        term.line("exit")
        term.expect_status(0)
        term.line("$C -s HUP 2 bash --norc --noprofile -i")
        term.expect(PROMPT)
        term.expect_status(124)
        term.line("cat notes")
        term.expect("a line\n")


def find(program):
    with Work() as work:
        for name in ("quick", "slow", "quicker", "slower"):
            work.write(name, f"#!/bin/sh\ncase $0 in *slow*) sleep 1000 ;; esac\necho ran {name}\n")
        os.symlink(CURFEW, work.path(program))
        status, out, err = work.run(f"find . -type f ! -exec ./{program} .5 {{}} \\; -print")
        assert (status, err) == (0, ""), (status, out, err)
        assert sorted(out.splitlines()) == ["./slow", "./slower", "ran quick", "ran quicker"], out
        status, out, err = work.run(f"find . -name 'q*' -print0 | xargs -0 -n1 ./{program} 9")
        assert (status, sorted(out.splitlines())) == (0, ["ran quick", "ran quicker"]), (out, err)


def test_find():
    find("curfew")


def test_find_and_timeout():
    find("timeout")


def test_find_is_interrupted():
    """Ctrl-C ends all of it: the command, curfew, and find, which would else go on."""
    with Shell(C=CURFEW) as term:
        term.line("touch 1 2 3; "
                  "find . -name '[123]' -exec $C 1h sh -c 'echo at $0; exec sleep 1000' '{}' ';'")
        term.expect(r"at \./\d")
        term.type(CTRL_C)
        seen = term.expect(PROMPT)
        assert "at" not in seen, seen


# It saves its state when it is warned, and goes on.
JOB = """#!/bin/sh
trap 'echo state >saved; echo saved' USR1
trap 'echo stopped; exit 5' TERM
echo started
while :; do sleep .1; done
"""


def test_three_days():
    """Of which others have left it a few seconds: that is what it is warned of."""
    with Work() as work:
        work.write("job", JOB)
        status, out, err = work.run("$CURFEW -k 2 6 $CURFEW -v --warn=USR1@2 3d ./job")
        assert (status, out) == (124, "started\nsaved\nstopped\n"), (status, out, err)
        assert "sending signal USR1 to command './job' after" in err, err
        assert "(warning), 1 process\n" in err and "(inherited deadline)" in err, err
        assert work.read("saved") == "state\n"


def test_three_days_interrupted():
    """A warning belongs to the deadline: there is none here."""
    with Work() as work:
        work.write("job", JOB)
        job = work.start("exec $CURFEW -v --warn=USR1@30s 3d ./job")
        assert job.stdout.readline() == "started\n"
        job.send_signal(signal.SIGUSR1)  # but anybody may ask it to save
        assert job.stdout.readline() == "saved\n"
        job.send_signal(signal.SIGTERM)
        status, out, err = work.finish(job)
        assert (status, out) == (5, "stopped\n"), (status, out, err)
        assert "warning" not in err and "(SIGTERM)" in err, err


def test_three_days_left():
    """What it has been given is three days, less the grace."""
    with Work() as work:
        status, out, err = work.run("$CURFEW 3d $CURFEW left")
        assert status == 0 and 3 * 86400 - 11 - PATIENCE < float(out) < 3 * 86400 - 10, (out, err)


if __name__ == "__main__":
    main([test for name, test in list(globals().items()) if name.startswith("test_")])
