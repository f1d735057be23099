# SPDX-License-Identifier: MIT
"""test-init.py PROGRAM: curfew as the first process of a container: what its command gets of the
signals that it is sent, beside what tini and dumb-init pass on; how it is stopped, and when.

What is sent to the first process of a PID namespace is sent from outside, as a container's runtime
does. A signal that comes from inside is the kernel's to withhold, whoever is the first process.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

from terminal import *

CURFEW = os.path.abspath(sys.argv[1])
MUST_WORK = bool(os.environ.get("CURFEW_MUST_WORK"))
NAMESPACE = ["unshare", "-pf" if os.getuid() == 0 else "-Urpf", "--kill-child=KILL", "--mount-proc"]
USER_NAMESPACE = [*NOBODY, "unshare", "-Urpf", *NAMESPACE[2:]]

# All that are there, but for what can't be caught, what is a wait's, and what glibc has for itself.
ALL = sorted(set(range(1, 65)) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, 32, 33})
LAST = 64  # of several that wait for a process it gets the lowest number first

PYTHON = shutil.which("python3", path="/usr/bin:/bin") or sys.executable  # for other users, too

# Around a command that heeds no signal: if it is killed itself, that one is at once.
INIT = [CURFEW, "--init", "-s", "KILL"]

# It prints the signals that it gets, each on a line.
WITNESS = [PYTHON, "-c", """if True:
    import signal
    all = set(range(1, 65)) - {9, 19, 32, 33}
    signal.pthread_sigmask(signal.SIG_BLOCK, all)
    print("ready", flush=True)
    while True:
        print(signal.sigwaitinfo(all).si_signo, flush=True)
"""]


def name(number):
    return signal.Signals(number).name[3:] if number < 32 else f"RTMIN+{number - 34}"


def skip(reason):
    print("skipped:", reason)
    assert not MUST_WORK, reason


def works(argv):
    return subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        check=False).returncode == 0


def child_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return int(children.read().split()[0])


class Container:
    """A command whose first process, of a PID namespace or not, is `argv`."""

    def __init__(self, place, argv, **options):
        environment = {"PATH": os.environ["PATH"] + ":/usr/sbin", "LC_ALL": "C"}
        self.process = subprocess.Popen([*place, *argv], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, bufsize=0,
            **options)
        self.place = place
        self.text = b""  # that has been said, and not looked at yet

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def line(self):
        while b"\n" not in self.text:
            assert select.select([self.process.stdout], [], [], PATIENCE)[0], "nothing is said"
            piece = os.read(self.process.stdout.fileno(), 4096)
            assert piece, self.end()
            self.text += piece
        line, _, self.text = self.text.partition(b"\n")
        return line.decode()

    def init(self):
        pid = self.process.pid
        return child_of(pid) if "unshare" in self.place else pid

    def send(self, number):
        os.kill(self.init(), number)

    def end(self):
        """Its status, as a shell has it, and what else it has said."""
        out, err = self.process.communicate(timeout=PATIENCE)
        status = self.process.returncode
        return (status if status >= 0 else 128 - status), (self.text + out).decode(), err.decode()


def shell(*argv, script):
    return [*argv, "sh", "-c", script]


# A command that is ready when a child of it says so, in which no signal is lost.
READY = 'sh -c "echo ready; exec sleep 1000" & wait; wait; wait'


def places():
    """Where there is a first process, and what is to be said of it."""
    yield "with --init", []
    others = {"as process 1": NAMESPACE}
    if os.getuid() == 0:
        others |= {"with --init, as a user": NOBODY, "as process 1, as a user": USER_NAMESPACE}
    for what, place in others.items():
        if works([*place, CURFEW, "--init", PYTHON, "-c", ""]):
            yield what, place
        else:
            print(f"    not {what}, which can't be had here")


def container():
    """Where it is process 1, or None."""
    return NAMESPACE if works([*NAMESPACE, "true"]) else None


### Every signal, as it is.


def passed(place, argv):
    """Which signals the first process passes on."""
    seen = []
    with Container(place, [*argv, *WITNESS]) as inside:
        assert inside.line() == "ready"
        for number in ALL:
            inside.send(number)
            if number != LAST:
                inside.send(LAST)
            lines = [int(inside.line())]
            while lines[-1] != LAST:
                lines.append(int(inside.line()))
            assert lines in ([number, LAST], [LAST]), (name(number), lines)
            seen.append(lines[0])
    return set(seen)


def test_every_signal():
    for what, place in places():
        missing = [name(number) for number in set(ALL) - passed(place, INIT)]
        assert not missing, (what, missing)


def test_every_signal_beside_others():
    """What they withhold is named; and there is none that they pass on and curfew doesn't."""
    place = container()
    peers = {"tini": ["tini", "--"], "dumb-init": ["dumb-init", "-c"]}
    for peer, argv in peers.items():
        if not place or not shutil.which(peer):
            skip(f"{peer} as process 1 can't be had here")
            continue
        withheld = set(ALL) - passed(place, argv)
        print(f"    {peer} withholds {' '.join(map(name, sorted(withheld))) or 'nothing'}")


def test_group():
    """With -g all of its group gets it; else the command alone."""
    count = 'trap "echo got" USR1; sh -c \'trap "echo got" USR1; echo ready; while :; do ' \
            'read -r _ <&3; done\' & while :; do wait; done'
    for option, times in (([], 1), (["-g"], 2), (["--group"], 2)):
        with tempfile.TemporaryDirectory() as folder:
            os.mkfifo(f"{folder}/fifo")
            held = os.open(f"{folder}/fifo", os.O_RDWR)
            with Container([], shell(CURFEW, "--init", *option,
                    script=f"exec 3<>{folder}/fifo; {count}")) as inside:
                assert inside.line() == "ready"
                inside.send(signal.SIGUSR1)
                for _ in range(times):
                    assert inside.line() == "got"
                inside.send(signal.SIGTERM)
                status, out, _ = inside.end()
                assert (status, out) == (143, ""), (option, status, out)
            os.close(held)


def test_rewritten():
    rewrites = ["-r", "15:3", "--rewrite=INT:0", "-r", "HUP:USR1", "-r", "sigusr1:35",
        "-r", "STOP:KILL"]
    with Container([], [*INIT, *rewrites, *WITNESS]) as inside:
        assert inside.line() == "ready"
        for sent, got in ((15, 3), (2, None), (1, 10), (10, 35), (3, 3)):
            inside.send(sent)
            inside.send(LAST)
            if got:
                assert int(inside.line()) == got, sent
            assert int(inside.line()) == LAST, sent


def test_rewrites_that_are_none():
    for word in ("", "herp", "herp:derp", "15", "15::12", "15:derp", "0:3", "0", "1:32", "33:1", ":", "x" * 99):
        ran = subprocess.run([CURFEW, "--init", "-r", word, "true"], capture_output=True, text=True)
        assert ran.returncode == 125 and ran.stderr.startswith(
            f"curfew: invalid word '{word}' for '--rewrite': "), (word, ran)
    for option in (["-r", "15:3"], ["-g"]):
        ran = subprocess.run([CURFEW, *option, "5", "true"], capture_output=True, text=True)
        assert ran.returncode == 125 and "'--init' passes on" in ran.stderr, ran


def test_ignored_from_the_start():
    """A shell's background jobs are handed INT and QUIT ignored, and a server handles them."""
    def ignore():
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
    with Container([], [*INIT, *WITNESS], preexec_fn=ignore) as inside:
        assert inside.line() == "ready"
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            inside.send(number)
            assert int(inside.line()) == number


### A stop.


def test_no_limit_of_its_own():
    """It takes longer than any default, and is asked again meanwhile."""
    for what, place in places():
        with Container(place, shell(CURFEW, "--init", "-v",
                script='trap "echo draining" TERM; trap "echo drained; exit 4" USR1; '
                       'sh -c "echo ready; exec sleep 1000" & while :; do wait; done')) as inside:
            assert inside.line() == "ready"
            for _ in range(3):
                inside.send(signal.SIGTERM)
                assert inside.line() == "draining", what
            time.sleep(0 if place else 11.5)  # the default of other stops is 10 s
            inside.send(signal.SIGUSR1)
            status, out, err = inside.end()
            assert (status, out) == (4, "drained\n"), (what, status, out, err)
            assert err.count("signal TERM to command 'sh'") == 4, err  # and what was left
            assert err.count("(SIGTERM), 1 process") == 3, err
            assert "(left over)" in err and "(SIGUSR1)" in err, err


def test_limit():
    """With -k the command has so long, from the first time that it is asked, and what it has started
    is asked before anybody kills that."""
    for what, place in places():
        with Container(place, shell(CURFEW, "--init", "-k1",
                script='trap : TERM; sh -c \'trap "echo asked; exit" TERM; '
                       'sh -c "echo ready; exec sleep 1000" & wait\' & while :; do wait; done')) as inside:
            assert inside.line() == "ready"
            inside.send(signal.SIGTERM)
            inside.send(signal.SIGTERM)
            status, out, err = inside.end()
            assert (status, out) == (137, "asked\n"), (what, status, out, err)


def test_plan():
    """It begins with the signal that came, and in its own first step's time."""
    with Container([], shell(CURFEW, "--init", "-v", "--stop=INT:.3,tree:USR1:.3,leader:WINCH:.3",
            script=f'trap "echo came" QUIT; trap "" USR1; {READY}')) as inside:
        assert inside.line() == "ready"
        inside.send(signal.SIGQUIT)
        status, out, err = inside.end()
        assert (status, out) == (137, "came\n"), (status, out, err)
        steps = [line for line in err.splitlines() if "sending" in line]
        for step, want in zip(steps, ("signal QUIT", "signal USR1", "signal WINCH", "signal KILL")):
            assert want in step and "(SIGQUIT)" in step, err
        assert len(steps) == 4 and "signal USR1 to command 'sh' after" in steps[1], err


def test_what_is_named():
    """The signal of the plan asks for the end as well, WINCH for one; HUP doesn't, nor what isn't
    named."""
    for number, options, status in (
            (signal.SIGWINCH, ["-s", "WINCH", "-k.2"], 137), (signal.SIGWINCH, ["-k.2"], 3),
            (signal.SIGHUP, ["-k.2"], 3), (signal.SIGHUP, ["-s", "HUP", "-k.2"], 137),
            (37, ["-s", "37", "-k.2"], 137), (signal.SIGINT, ["-k.2"], 137),
            (signal.SIGHUP, ["-r", "HUP:QUIT", "-k.2"], 137),
            (signal.SIGTERM, ["-r", "TERM:WINCH", "-k.2"], 137),
            (signal.SIGTERM, ["-r", "TERM:0", "-k.2"], 3)):
        witness = [WITNESS[0], "-c", WITNESS[2].replace("while", "import sys, select\n    while") +
            "        select.select([], [], [], 1)\n        sys.exit(3)\n"]
        with Container([], [CURFEW, "--init", *options, *witness]) as inside:
            assert inside.line() == "ready"
            inside.send(number)
            inside.send(signal.SIGUSR2)
            got, _, err = inside.end()
            assert got == status, (name(number), options, got, err)


def test_what_is_left():
    """The plan is for that, when the command has ended as it was asked to. Who would wait for it
    doesn't, after a stop."""
    script = 'trap "exit 5" TERM; setsid sh -c \'trap "echo asked; exit" TERM; ' \
             'sh -c "echo ready; exec sleep 1000" & wait\' & wait'
    for what, place in places():
        for option in ([], ["--wait-tree"]):
            with Container(place, shell(CURFEW, "--init", *option, script=script)) as inside:
                assert inside.line() == "ready"
                inside.send(signal.SIGTERM)
                assert inside.end() == (5, "asked\n", ""), (what, option)
    script = 'L=$$ setsid sh -c \'trap "echo asked; exit" TERM; while [ -d /proc/$L ]; do :; done; ' \
             'sh -c "echo ready; exec sleep 1000" & wait\' & exit 6'
    with Container([], shell(CURFEW, "--init", "--wait-tree", script=script)) as inside:
        assert inside.line() == "ready"  # of what the command has left
        inside.send(signal.SIGTERM)
        assert inside.end() == (6, "asked\n", "")


def test_deadline():
    """It is none of the signals' business, and holds whatever has been asked."""
    place = container()
    if not place:
        skip("no PID namespace can be made here")
        return
    with Container(place, shell(CURFEW, "-k.2", "-v", "2",
            script='trap "echo asked" TERM HUP; echo ready; while :; do sleep .1; done')) as inside:
        assert inside.line() == "ready"
        inside.send(signal.SIGHUP)
        assert inside.line() == "asked"
        status, out, err = inside.end()
        assert status == 137 and "(deadline)" in err, (status, out, err)


### Its status.


def test_status():
    for status in (0, 1, 143, 255):
        for words, want in ((["-e", str(status)], 0), (["--success", str(status ^ 1)], status),
                            (["-e", str(status), "-e", "7"], 0)):
            ran = subprocess.run([CURFEW, "--init", *words, "sh", "-c", f"exit {status}"], check=False)
            assert ran.returncode == want, (status, words, ran)
    died = ["sh", "-c", "kill -TERM $$"]
    assert subprocess.run([CURFEW, "--init", *died], check=False).returncode == -15
    assert subprocess.run([CURFEW, "--init", "-e143", *died], check=False).returncode == 0
    assert subprocess.run([CURFEW, "-e", "124", ".1", "sleep", "1000"], check=False).returncode == 0
    # What curfew itself has to say is no status of the command's.
    assert subprocess.run([CURFEW, "-e", "127", "--init", "/no/such"], check=False,
        stderr=subprocess.DEVNULL).returncode == 127
    if container():
        for words, want in (([], 143), (["-e", "143"], 0)):
            argv = [*NAMESPACE, CURFEW, "--init", *words, *died]
            assert subprocess.run(argv, check=False).returncode == want, words
    for word in ("", "256", "-1", "x", "1x", " 1", "99999999999999999999"):
        ran = subprocess.run([CURFEW, "-e", word, "1", "true"], capture_output=True, text=True)
        assert ran.returncode == 125 and "for '--success'" in ran.stderr, (word, ran)


### At a terminal.

COUNTS = """trap 'echo got INT' INT; trap 'echo got WINCH' WINCH; trap 'echo got TERM' TERM
        sh -c 'trap "" INT; echo ready; exec sleep 1000' & while :; do wait; done"""


def test_key():
    """Who has a signal from a key doesn't get it again."""
    for prefix in users():
        with Terminal([*prefix, CURFEW, "--init", "bash", "-c", COUNTS]) as term:
            term.expect("ready\n")
            for _ in range(3):
                term.type(CTRL_C)
                term.expect("got INT\n")
            termios.tcsetwinsize(term.master, (33, 100))
            term.expect("got WINCH\n")
            os.kill(term.pid, signal.SIGTERM)
            term.expect("got TERM\n")
            assert term.all.count("INT") == 3 and term.all.count("WINCH") == 1, term.all
            os.kill(term.pid, signal.SIGUSR1)
            assert term.wait() == -signal.SIGUSR1


def test_group_at_a_terminal():
    """A command with a group of its own is in the foreground, and can read."""
    with Terminal([CURFEW, "--init", "-g", "sh", "-c", "read -r line; echo read $line; exit 6"]) as term:
        term.type("a line\r")
        term.expect("read a line\n")
        assert term.wait() == 6


### A server of the world's.

NGINX = """daemon off; {user} pid {folder}/pid; error_log {folder}/log;
events {{ }}
http {{
    access_log off; client_body_temp_path {folder}/t; proxy_temp_path {folder}/t;
    fastcgi_temp_path {folder}/t; uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
    server {{
        listen 127.0.0.1:{port} sndbuf=8k; root {folder};
        location /version {{ return 200 "version {version}"; }}
    }}
}}
"""


class Nginx:
    """As of Debian, with a file of 300,000 bytes."""

    def __init__(self, place, argv):
        self.folder = tempfile.TemporaryDirectory()
        os.chmod(self.folder.name, 0o755)
        with open(f"{self.folder.name}/file", "wb") as file:
            file.write(b"x" * 300000)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.configure(1)
        self.container = Container(place, [*argv, "nginx", "-c", f"{self.folder.name}/conf"])

    def __enter__(self):
        self.wait_for(1)
        return self

    def __exit__(self, *_):
        self.container.__exit__()
        self.folder.cleanup()

    def configure(self, version):
        user = "user root;" if os.getuid() == 0 else ""
        with open(f"{self.folder.name}/conf", "w", encoding="ascii") as file:
            file.write(NGINX.format(folder=self.folder.name, port=self.port, version=version, user=user))

    def ask(self, path):
        """A connection with a small buffer that has asked for something, or None."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE)
        try:
            connection.connect(("127.0.0.1", self.port))
            connection.sendall(f"GET /{path} HTTP/1.0\r\n\r\n".encode())
        except ConnectionError:
            connection.close()
            return None
        return connection

    def get(self, path):
        connection = self.ask(path)
        if not connection:
            return b""
        with connection:
            return read_all(connection)

    def wait_for(self, version):
        until = time.monotonic() + PATIENCE
        while f"version {version}".encode() not in self.get("version"):
            assert self.container.process.poll() is None, self.container.end()
            assert time.monotonic() < until, version
            time.sleep(.02)

    def download(self, stop):
        """How much of the file comes if it is asked to stop meanwhile, and no longer listens."""
        with self.ask("file") as connection:
            begun = connection.recv(512)
            self.container.send(stop)
            while self.get("version"):
                time.sleep(.02)
            text = begun + read_all(connection)
        return len(text) - len(text.partition(b"\r\n\r\n")[0]) - 4


def read_all(connection):
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionError:
        pass
    return data


def test_nginx():
    """Its image's STOPSIGNAL is QUIT, by which a download is finished; with HUP it has a new
    configuration, and the container goes on."""
    if not shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"):
        skip("nginx can't be had here")
        return
    firsts = [[CURFEW, "--init"]]
    firsts += [[peer, "--"] for peer in ("tini", "dumb-init") if shutil.which(peer)]
    for what, place in places():
        if NOBODY[0] in place or "-Urpf" in place:  # where it takes itself for root, and isn't
            continue
        for first in firsts if place else firsts[:1]:
            with Nginx(place, first) as nginx:
                nginx.configure(2)
                nginx.container.send(signal.SIGHUP)
                nginx.wait_for(2)
                n = nginx.download(signal.SIGQUIT)
                status, _, err = nginx.container.end()
                print(f"    {os.path.basename(first[0])} {what}: {n} of 300000 bytes")
                assert (n, status) == (300000, 0), (first, what, n, status, err)


if __name__ == "__main__":
    main([test for name, test in list(globals().items()) if name.startswith("test_")])
