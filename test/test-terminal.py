# SPDX-License-Identifier: MIT
"""test-terminal.py PROGRAM: curfew at a terminal, as a person uses it.

`test-terminal.py child VERB` are the commands that it is given.
"""

import os
import re
import signal
import subprocess
import sys
import termios
import time

from terminal import *

# What the commands do


def show(text):
    os.write(1, (text + "\n").encode())


def open_signals():
    """A signal that comes between two looks at what has come ends no pause(); it is in this pipe."""
    out, into = os.pipe()
    os.set_blocking(into, False)
    signal.set_wakeup_fd(into)
    return out


def handle_signals(pipe):
    while True:
        os.read(pipe, 64)


def set_modes(off):
    modes = termios.tcgetattr(0)
    modes[3] &= ~off
    termios.tcsetattr(0, termios.TCSANOW, modes)


def child_count():
    """Show each interrupt, and end when asked."""
    seen = []
    pipe = open_signals()

    def on_interrupt(number, _):
        seen.append(number)
        show(f"{signal.Signals(number).name}-{len(seen)}")

    def on_term(*_):
        show("asked")
        sys.exit(3)

    signal.signal(signal.SIGINT, on_interrupt)
    signal.signal(signal.SIGQUIT, on_interrupt)
    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGHUP, lambda *_: show("hung up"))
    signal.signal(signal.SIGUSR1, lambda *_: show("passed on"))
    show(f"started in {os.getpgrp()}")
    handle_signals(pipe)


def child_keys():
    """An editor: read keys, and make nothing of interrupts; `q` ends it, `!` in disorder."""
    before = termios.tcgetattr(0)
    signal.signal(signal.SIGINT, lambda *_: show("interrupted"))
    set_modes(termios.ICANON | termios.ECHO)
    show("started")
    while (key := os.read(0, 1)) not in b"q!":
        pass
    if key == b"q":
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def child_polite():
    """Leave the screen in order before stopping, which takes as long as somebody likes."""

    def on_stop(*_):
        show("leaving")
        with open("go", encoding="ascii") as go:
            go.read()
        show("left")
        os.kill(os.getpid(), signal.SIGSTOP)
        show("back")

    pipe = open_signals()
    signal.signal(signal.SIGTSTP, on_stop)
    show("started")
    handle_signals(pipe)


def child_stop():
    """Stop, and nobody else."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    show(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGSTOP)
    show("back")
    signal.pause()


def child_stubborn():
    """Not be stopped."""
    signal.signal(signal.SIGTSTP, lambda *_: show("no"))
    child_count()


def child_clean():
    """When interrupted, put things in order by a helper, which another interrupt would end; `held` is
    open until then. A daemon, started before, is asked by nobody but curfew, and says so there."""
    with open("held", "w", encoding="ascii", buffering=1) as held:
        daemon = subprocess.Popen([sys.executable, __file__, "child", "daemon"], stdout=subprocess.PIPE,
            stderr=held, start_new_session=True)
        daemon.stdout.readline()
        with open("lock", "x", encoding="ascii"):
            pass
        pipe = open_signals()
        signal.signal(signal.SIGUSR1, lambda *_: show("passed on"))
        try:
            show("started")
            handle_signals(pipe)
        except KeyboardInterrupt:
            subprocess.run(["sh", "-c", "sleep .7; rm lock"], check=True)
            held.write("cleaned\n")


def child_daemon():
    pipe = open_signals()
    signal.signal(signal.SIGINT, lambda *_: os.write(2, b"daemon asked\n"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    show("up")
    handle_signals(pipe)


def child_nothing():
    pass


def child_run(*argv):
    """As a Python program runs a command: once interrupted it waits a little, then kills it."""
    subprocess.run(argv, check=True)


def child_kill(*argv):
    """As a Go program does by default: it kills it at once."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    unblock = lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    with subprocess.Popen(argv, preexec_fn=unblock) as process:
        signal.sigwait([signal.SIGINT])
        process.kill()


# The tests


def begin(term):
    """Wait until the command has started, and return its group, which is curfew's pid."""
    return int(term.expect(r"started in \d+\n").split()[-1])


def interrupt(term, curfew, key, shown):
    """Press it once, and see to it that curfew knows, which has it before what it passes on."""
    term.type(key)
    term.expect(shown)
    os.kill(curfew, signal.SIGUSR1)
    term.expect("passed on")


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return stat.read().rpartition(")")[2].split()[0]


def wait_for_foreground(term, group):
    while os.tcgetpgrp(term.master) != group or state_of(group) == "T":
        pass


def child_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return int(children.read().split()[0])


def wait_for_stop(term):
    """Of a background job, as the shell tells of it before a prompt."""
    term.expect(PROMPT)
    term.type("\r")
    while "Stopped" not in term.expect(PROMPT):
        term.type("\r")


if sys.argv[1] != "child":
    CURFEW = share(sys.argv[1], "curfew-full")
    SCRIPT = share(__file__, "terminal.py")


def python(prefix):
    """One that can be executed so, or None: this one may be in somebody's home."""
    for path in sys.executable, "/usr/bin/python3":
        argv = [*prefix, "sh", "-c", command("nothing", path)]
        if subprocess.run(argv, stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return path
    return None


def command(verb, path=sys.executable):
    return f"{path} {SCRIPT} child {verb}"


def shell():
    return Shell(C=CURFEW)


def test_first_interrupt_is_the_commands():
    for key, name in ((CTRL_C, "SIGINT"), (QUIT, "SIGQUIT")):
        with shell() as term:
            term.line(f"$C -v 1h {command('count')}")
            interrupt(term, begin(term), key, f"{name}-1")
            term.type(key)
            seen = term.expect("nothing left")
            assert "asked" in seen, seen
            assert re.search(rf"sending signal TERM .* \({name}\), 1 process", seen), seen
            assert f"{name}-3" not in seen, seen
            term.expect_status(3)


def test_interrupt_ends_both():
    with shell() as term:
        term.line("$C 1h sh -c 'echo sta''rted; exec sleep 1000'")
        term.expect("started")
        term.type(CTRL_C)
        term.expect_status(130)


def clean_up_under(prefix, path, parent, outer=""):
    """What the command and its daemon have made of a Ctrl-C that has curfew killed by its parent."""
    with Shell(*prefix, C=CURFEW) as term:
        os.mkfifo(term.path("held"))
        os.chmod(term.path("held"), 0o666)
        curfews = f"{outer} $C --stop=INT:1,TERM:50 1h"
        term.line(f"{command(parent, path)} {curfews} {command('clean', path)}")
        with open(term.path("held"), encoding="ascii") as held:
            term.expect("started")
            os.kill(child_of(os.tcgetpgrp(term.master)), signal.SIGUSR1)
            term.expect("passed on")
            term.type(CTRL_C)
            seen = held.read()
        left = ["locked"] if os.path.exists(term.path("lock")) else []
        return seen.splitlines() + left


def test_parent_that_kills():
    """The command has the interrupt already, and its clean-up goes on; who hasn't got it gets it."""
    for prefix in users():
        path = python(prefix)
        if not path:
            print("skipped: test_parent_that_kills: who isn't root finds no Python")
            continue
        for parent in "run", "kill":
            for outer in "", "$C --stop=INT:5 1h":
                seen = clean_up_under(prefix, path, parent, outer)
                assert sorted(seen) == ["cleaned", "daemon asked"], (prefix, parent, outer, seen)


def test_interrupt_is_survived():
    """No time runs from it, but the step of its signal leaves out who had it a moment ago."""
    with shell() as term:
        term.line(f"$C -v --stop=INT:.05,TERM 1h {command('count')}")
        curfew = begin(term)
        interrupt(term, curfew, CTRL_C, "SIGINT-1")
        until = time.monotonic() + .3
        while time.monotonic() < until:
            os.kill(curfew, signal.SIGUSR1)
            term.expect("passed on")
        assert "sending" not in term.all, term.all
        os.kill(curfew, signal.SIGTERM)
        seen = term.expect("nothing left")
        assert "INT to command" in seen and "0 processes; 1 had it from the terminal" in seen, seen
        assert "SIGINT-2" not in seen and "asked" in seen, seen
        term.expect_status(3)


def test_second_interrupt_is_the_step():
    """The terminal has taken it: the command doesn't get it from curfew as well."""
    with shell() as term:
        term.line(f"$C -v --stop=INT:1h,TERM 1h {command('count')}")
        curfew = begin(term)
        interrupt(term, curfew, CTRL_C, "SIGINT-1")
        term.type(CTRL_C)
        told = r"signal INT .* \(SIGINT\), 0 processes; 1 had it from the terminal"
        term.expect(fr"SIGINT-2[\s\S]*{told}|{told}[\s\S]*SIGINT-2")
        term.type(CTRL_C)
        seen = term.expect("nothing left")
        assert "sending signal TERM" in seen and "asked" in seen, seen
        assert "SIGINT-4" not in seen, seen
        term.expect_status(3)


def test_third_interrupt_goes_on():
    with shell() as term:
        term.line("$C -v --stop CONT:1h,TERM 1h " + command("count"))
        interrupt(term, begin(term), CTRL_C, "SIGINT-1")
        term.type(CTRL_C)
        term.expect("sending signal CONT")
        term.type(CTRL_C)
        term.expect("asked")
        term.expect_status(3)


def test_term_stops_at_once():
    with shell() as term:
        term.line("$C 1h " + command("count"))
        os.kill(begin(term), signal.SIGTERM)
        term.expect("asked")
        term.expect_status(3)


def test_job_that_is_killed():
    """By the shell, which asks all of it, and again: who asks twice takes no clean-up's time away."""
    script = 'trap "sleep .3; echo cleaned; exit 3" TERM; ' + \
        'sh -c "echo started; exec sleep 1000" & wait; wait'
    with shell() as term:
        os.mkfifo(term.path("log"))
        term.line(f"$C -v -k 50 1h sh -c '{script}' >log 2>&1 &")
        with open(term.path("log"), encoding="ascii") as log:
            assert log.readline() == "started\n"
            term.line("kill %1")
            seen = ""
            while "sending signal TERM" not in seen:
                seen += log.readline()
            term.line("kill %1")
            seen += log.read()
            assert "cleaned\n" in seen and "by step 1 (TERM)" in seen, seen


def test_group_of_its_own():
    """A plan that asks a group needs one that isn't the shell's: there Ctrl-C reaches curfew."""
    with shell() as term:
        term.line("$C --stop group:TERM 1h " + command("count"))
        term.expect("started")
        term.type(CTRL_C)
        seen = term.expect("asked")
        assert "SIGINT" not in seen, seen
        term.expect_status(3)


def test_command_that_left_the_group():
    """The key doesn't reach it, so it can't be left to it."""
    with shell() as term:
        term.line("$C 1h setsid " + command("count"))
        term.expect("started")
        term.type(CTRL_C)
        seen = term.expect("asked")
        assert "SIGINT" not in seen, seen
        term.expect_status(3)


def test_stop_and_go_on():
    if not shutil.which("ps"):
        print("skipped: test_stop_and_go_on: there is no ps")
        return
    with shell() as term:
        term.line("$C 1h " + command("count"))
        curfew = begin(term)
        for way in ("fg", "fg", "bg"):
            term.type(CTRL_Z)
            term.expect("Stopped")
            term.line("ps -t $(tty) -o stat=,args= | grep -c '^T.*count'")
            assert term.expect(r"\d\n") == "2\n"
            term.line(way)
            if way == "fg":
                wait_for_foreground(term, curfew)
        term.line("fg")
        wait_for_foreground(term, curfew)
        interrupt(term, curfew, CTRL_C, "SIGINT-1")
        term.type(CTRL_C)
        term.expect("asked")
        term.expect_status(3)


def test_stopped_beyond_its_deadline():
    """Nobody has to continue it: not after a key, nor where all or curfew alone was stopped at once."""
    for stop in "key", "kill -STOP %1", "kill -STOP $!":
        with shell() as term:
            os.mkfifo(term.path("log"))
            term.line(f"$C 2 {command('count')} >log" + ("" if stop == "key" else " &"))
            with open(term.path("log"), encoding="ascii") as log:
                curfew = int(log.readline().split()[-1])
                if stop == "key":
                    term.type(CTRL_Z)
                    term.expect("Stopped")
                else:
                    term.line(stop)
                    while state_of(curfew) != "T":
                        pass
                assert log.read() == "asked\n"
            term.line("wait %1")
            term.expect_status(124)


def test_stopped_within_its_grace():
    """By what the command does when it is asked: the plan goes on, and ends it."""
    with shell() as term:
        os.mkfifo(term.path("log"))
        script = 'trap "echo asked; kill -STOP 0" TERM; while :; do sleep .1; done'
        term.line(f"$C -k .5 1 sh -c '{script}' >log &")
        with open(term.path("log"), encoding="ascii") as log:
            assert log.read() == "asked\n"
        term.line("wait %1")
        term.expect_status(137)


def test_stop_waits_for_the_command():
    with shell() as term:
        os.mkfifo(term.path("go"))
        term.line("$C 1h " + command("polite"))
        term.expect("started")
        term.type(CTRL_Z)
        term.expect("leaving")
        with open(term.path("go"), "w", encoding="ascii"):
            pass
        seen = term.expect("Stopped")
        assert "left" in seen, seen
        term.line("fg")
        term.expect("back")
        term.type(CTRL_C)
        term.expect_status(130)


def test_stop_that_the_command_refuses():
    with shell() as term:
        term.line("$C 1h " + command("stubborn"))
        curfew = begin(term)
        term.type(CTRL_Z)
        term.expect("no\n")
        interrupt(term, curfew, CTRL_C, "SIGINT-1")
        term.type(CTRL_C)
        seen = term.expect("asked")
        assert "Stopped" not in seen, seen
        term.expect_status(3)


def test_stop_by_a_process():
    """What stops only curfew is done, though the command goes on."""
    with shell() as term:
        os.mkfifo(term.path("log"))
        term.line(f"$C 1h {command('count')} >log &")
        with open(term.path("log"), encoding="ascii") as log:
            curfew = int(log.readline().split()[-1])
            os.kill(curfew, signal.SIGTSTP)
            wait_for_stop(term)
            assert state_of(curfew) == "T"
            term.type("fg\r")
            wait_for_foreground(term, curfew)
            term.type(CTRL_C)
            assert log.readline() == "SIGINT-1\n"
            os.kill(curfew, signal.SIGTERM)
            assert log.readline() == "asked\n"
        term.expect_status(3)


def test_command_that_stops_itself():
    """Nobody but the command is stopped; Ctrl-Z gives the shell back, fg has both go on."""
    with shell() as term:
        term.line("$C 1h " + command("stop"))
        pid = int(term.expect(r"\d+\n"))
        while state_of(pid) != "T":
            pass
        term.type(CTRL_Z)
        term.expect("Stopped")
        term.line("fg")
        term.expect("back")
        term.type(CTRL_C)
        term.expect_status(130)


# What has a background job stopped, by the kernel or by itself.
WANTERS = ("cat", "stty sane", "bash --norc --noprofile -ic true",
    f"{sys.executable} -c 'import getpass; getpass.getpass()'")
WANTS = r"command '[^']+' is stopped: it needs the terminal, and doesn't have it\n"


def test_background_job_ends():
    """It is stopped by touching the terminal, and has a deadline; a script that calls it goes on."""
    for wanter in WANTERS:
        for term in shells(C=CURFEW):
            with term:
                term.fifo("ended")
                term.script("ci.sh", f"$C -k .1 1 {wanter}\necho $? >ended\n")
                term.line("./ci.sh >log 2>&1 &")
                status = term.told("ended")
                assert status == ("137\n" if "bash" in wanter else "124\n"), (wanter, status)
                with open(term.path("log"), encoding="ascii") as log:
                    assert re.search(WANTS, log.read()), wanter


def test_background_pipeline_ends():
    for term in shells(C=CURFEW):
        with term:
            term.fifo("ended")
            term.line("(setsid -w sleep 0; $C 1 cat </dev/tty; echo $? >ended) | cat &")
            assert term.told("ended") == "124\n"


def test_background_job_hears():
    """Who would stop it needn't know that it is stopped."""
    for term in shells(C=CURFEW):
        with term:
            term.line("$C 1h cat & echo pid=$!")
            curfew = int(re.search(r"pid=(\d+)", term.expect(r"pid=\d+\n"))[1])
            term.expect(WANTS)
            os.kill(curfew, signal.SIGTERM)
            term.type("\r")
            term.line(f"wait {curfew}")
            term.expect_status(143)


def test_background_reader():
    """It has the terminal in the foreground, though the shell believes that it has been running."""
    for term in shells(C=CURFEW):
        with term:
            term.line("$C 1h cat &")
            term.expect(WANTS)
            term.type("\r")
            term.line("fg")
            term.expect("1h cat\n")
            term.input("hello")
            term.expect("hello\nhello\n")
            term.type(CTRL_Z)
            term.expect("[Ss](topped|uspended)")
            term.line("fg")
            term.expect("1h cat\n")
            term.input("again")
            term.expect("again\nagain\n")
            term.type(CTRL_D)
            term.expect_status(0)


def test_keys_are_the_commands():
    with shell() as term:
        term.line("$C 1h " + command("keys"))
        term.expect("started")
        for _ in range(4):
            term.type(CTRL_C)
            term.expect("interrupted")
        term.type("q")
        term.expect_status(0)


def test_modes_are_restored():
    """By a script's curfew, as a script restores nothing: after an end that it didn't choose."""
    with shell() as term:
        term.line(f"sh -c '$C -s KILL 1 {command('keys')}; echo ki''lled $?; exec sleep 1000'")
        term.expect("started")
        assert not term.is_canonical()
        term.expect("killed 137")
        assert term.is_canonical()
        term.type(CTRL_C)
        term.line(f"sh -c '$C 1h {command('keys')}; echo exi''ted $?; exec sleep 1000'")
        term.expect("started")
        term.type("!")
        term.expect("exited 0")
        assert not term.is_canonical()


def test_interactive_shell():
    with shell() as term:
        term.line("$C 1h bash --norc --noprofile -i")
        term.line("echo with''in $CURFEW_DEADLINE")
        term.expect(r"within \d+")
        term.line("sh -c 'echo sta''rted; exec sleep 1000'")
        term.expect("started")
        term.type(CTRL_C)
        term.line("echo st''ill here")
        term.expect("still here")
        term.line("cat")
        term.input("hello")
        term.expect("hello\nhello\n")
        term.type(CTRL_Z)
        term.expect("Stopped")
        term.line("fg")
        term.expect("cat\n")
        term.input("hello")
        term.expect("hello\nhello\n")
        term.type(CTRL_D)
        term.line("exit 7")
        term.expect_status(7)
        term.line("cat")
        term.input("hello")
        term.expect("hello\nhello\n")
        term.type(CTRL_D)
        term.expect_status(0)


def test_interactive_shell_that_is_killed():
    """While its own job has the terminal. What comes after curfew can read from it."""
    with shell() as term:
        term.line("sh -c '$C -s KILL 3 bash --norc --noprofile -i; echo ki''lled $?; cat'")
        term.line(command("keys"))
        term.expect("started")
        term.expect("killed 137")
        assert term.is_canonical()
        term.input("hello")
        term.expect("hello\nhello\n")
        term.type(CTRL_D)
        term.expect_status(0)


def test_stopped_output():
    """Nobody can say anything, and the deadline comes all the same; nor is that idle."""
    for options in "-v", "--idle=.5", "-v --idle=.5":
        with shell() as term:
            os.mkfifo(term.path("ended"))
            term.line(f"sh -c '$C {options} 2 yes 2>log; echo $? >ended'")
            term.expect("y\ny\n")
            term.type(CTRL_S)
            with open(term.path("ended"), encoding="ascii") as ended:
                assert ended.read() == "124\n"
            term.type(CTRL_Q)
            term.expect_status(0)
            if "-v" in options:
                with open(term.path("log"), encoding="ascii") as log:
                    assert "(deadline)" in log.read()


def test_stopped_account():
    with shell() as term:
        os.mkfifo(term.path("ended"))
        term.line("sh -c '$C -v 2 yes; echo $? >ended'")
        term.expect("y\ny\n")
        term.type(CTRL_S)
        with open(term.path("ended"), encoding="ascii") as ended:
            assert ended.read() == "124\n"
        term.type(CTRL_Q)
        term.expect_status(0)


def test_idle_at_a_terminal():
    """The time in which the job was stopped doesn't count; both outputs are one stream."""
    with shell() as term:
        script = "read -r _ _ _ _ group _ </proc/$$/stat; echo $group; read -r _; echo err >&2; echo out; exec cat"
        term.line(f"$C -v --idle=3 1h sh -c '{script}'")
        curfew = int(term.expect(r"\d+\n"))
        term.type(CTRL_Z)
        term.expect("Stopped")
        term.line("sleep 3; fg")
        wait_for_foreground(term, curfew)
        term.input("")
        term.expect("err\nout\n")
        term.input("typed")
        term.expect("typed\ntyped\n")
        term.expect(r"\(idle\)")
        term.expect_status(124)


def test_hangup():
    with shell() as term:
        os.mkfifo(term.path("log"))
        term.line(f"$C 1h {command('count')} >log")
        with open(term.path("log"), encoding="ascii") as log:
            assert log.readline().startswith("started")
            os.close(term.master)
            term.master = -1
            text = log.read()
            assert "asked\n" in text and "SIG" not in text, text


def test_hangup_with_idle():
    """What the command prints in its clean-up goes nowhere, but doesn't end it."""
    script = 'trap "" HUP; trap "echo; sleep .2; echo; echo >&2; echo cleaned >log; exit" TERM; ' + \
        'echo started; while :; do sleep .1; done'
    with shell() as term:
        term.fifo("log")
        term.line(f"$C --idle=1h 1h sh -c '{script}'")
        term.expect("started\n")
        os.close(term.master)
        term.master = -1
        assert term.told("log") == "cleaned\n"


def test_no_shell_to_go_on_by():
    """In a group that nobody would let go on, as the kernel sees it, nothing is stopped."""
    script = 'trap "echo SIGINT-1" INT; trap "echo passed on" USR1; ' + \
        'trap "echo asked; exit 3" TERM; echo started; while :; do read -r _; done'
    for prefix in users():
        with Terminal(prefix + [CURFEW, "1h", "sh", "-c", script]) as term:
            term.expect("started")
            term.type(CTRL_Z)
            interrupt(term, term.pid, CTRL_C, "SIGINT-1")
            term.type(CTRL_C)
            term.expect("asked")
            assert term.wait() == 3


if __name__ == "__main__":
    if sys.argv[1] == "child":
        globals()["child_" + sys.argv[2]](*sys.argv[3:])
    else:
        main([test for name, test in list(globals().items()) if name.startswith("test_")])
