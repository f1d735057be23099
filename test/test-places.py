# SPDX-License-Identifier: MIT
#
# test-places.py CURFEW: what is promised holds where something is missing that is there mostly: in
# mount namespaces where /proc hides what is others', or is not there, or is another PID namespace's;
# where a security module lets nobody read it; where the control groups are hidden under something
# else, or no file may have any size.
#
# In each place there are the same commands, by somebody who is not root and by root.

import ctypes
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

NOBODY = 65534
CURFEW = sys.argv.pop(1)
VILLAIN = os.environ['VILLAIN']
TRAP = 'trap "rm -f $0; echo cleaned; exit 0" TERM; sleep 100 & wait'

libc = ctypes.CDLL(None, use_errno=True)


def check(value):
    if value < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return value


def mount(kind, where, options=''):
    check(libc.mount(b'none', where.encode(), kind.encode(), 0, options.encode()))


def private_mounts():
    check(libc.unshare(0x00020000))  # CLONE_NEWNS
    check(libc.mount(b'none', b'/', None, 0x4000 | 0x40000, None))  # MS_REC | MS_PRIVATE


def proc_that_hides(how):
    def enter():
        private_mounts()
        mount('proc', '/proc', f'hidepid={how}')
    return enter


def no_proc():
    private_mounts()
    mount('tmpfs', '/proc')


def anothers_proc():
    """That of a PID namespace which this process, whose child runs the command, is not in."""
    private_mounts()
    pid = os.fork()
    if pid == 0:
        check(libc.unshare(0x20000000))  # CLONE_NEWPID
        init = os.fork()
        if init == 0:
            mount('proc', '/proc')
            os._exit(0)
        os.waitpid(init, 0)
        os._exit(0)
    os.waitpid(pid, 0)


def hidden_groups():
    private_mounts()
    with open('/proc/self/mountinfo', encoding='ascii') as file:
        points = [line.split()[4] for line in file if ' - cgroup2 ' in line]
    for point in points:
        mount('tmpfs', point)


def no_size():
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def landlock():
    """All may be read but /proc."""
    handled = 1 << 2 | 1 << 3  # READ_FILE, READ_DIR
    attributes = (ctypes.c_uint64 * 1)(handled)
    ruleset = check(libc.syscall(444, attributes, 8, 0))
    for name in os.listdir('/'):
        path = '/' + name
        if path == '/proc' or not os.path.isdir(path):
            continue
        fd = os.open(path, os.O_PATH)
        rule = ctypes.create_string_buffer(
            handled.to_bytes(8, 'little') + fd.to_bytes(4, 'little'), 12)
        check(libc.syscall(445, ruleset, 1, rule, 0))
        os.close(fd)
    check(libc.prctl(38, 1, 0, 0, 0))  # PR_SET_NO_NEW_PRIVS
    check(libc.syscall(446, ruleset, 0))


class Places(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='curfew-places-')
        os.chmod(self.dir, 0o777)
        self.addCleanup(shutil.rmtree, self.dir)
        for program in (CURFEW, VILLAIN):
            shutil.copy(program, self.dir)
        self.curfew = os.path.join(self.dir, os.path.basename(CURFEW))
        self.villain = os.path.join(self.dir, os.path.basename(VILLAIN))

    def run_in(self, enter, uid, *args):
        def become():
            enter()
            if uid != os.getuid():
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
                check(libc.prctl(4, 1, 0, 0, 0))  # PR_SET_DUMPABLE
        try:
            return subprocess.run([self.curfew, *args], preexec_fn=become, capture_output=True,
                                  text=True, timeout=60, check=False)
        except subprocess.SubprocessError as error:
            if 'preexec_fn' not in str(error):
                raise
            return self.skipTest('it can\'t be made here')

    def check_clean_up(self, enter, uid):
        lock = os.path.join(self.dir, 'lock')
        with open(lock, 'w', encoding='ascii'):
            os.chmod(lock, 0o666)
        done = self.run_in(enter, uid, '-v', '0.5', 'sh', '-c', TRAP, lock)
        self.assertEqual((done.stdout, done.returncode), ('cleaned\n', 124), done.stderr)
        self.assertFalse(os.path.exists(lock), done.stderr)

    def check_secret(self, enter, uid, which):
        """Somebody who can't be looked at is asked."""
        done = self.run_in(enter, uid, '-v', '-k', '5', '0.5', 'sh', '-c',
                           'exec "$0" secret "$1" 3>/dev/null 4>/dev/null 5>/dev/null',
                           self.villain, which)
        self.assertEqual((done.stdout, done.returncode), ('asked\n', 124), done.stderr)

    def check_place(self, enter, secrets, uids=(NOBODY, 0)):
        if os.getuid() != 0:
            self.skipTest('it takes root')
        for uid in uids:
            with self.subTest(uid=uid):
                self.check_clean_up(enter, uid)
                for which in secrets:
                    with self.subTest(uid=uid, which=which):
                        self.check_secret(enter, uid, which)

    def test_here(self):
        self.check_place(lambda: None, ['child', 'session', 'daemon'])

    def test_hidepid_1(self):
        self.check_place(proc_that_hides(1), ['child', 'session', 'daemon'])

    def test_hidepid_2(self):
        self.check_place(proc_that_hides(2), ['child', 'session', 'daemon'])

    def test_hidepid_4(self):
        self.check_place(proc_that_hides(4), ['child', 'session', 'daemon'])

    def test_hidden_groups(self):
        self.check_place(hidden_groups, ['child', 'session', 'daemon'])

    def test_no_proc(self):
        """By whoever is root all are found in their group, else those of the leader's."""
        self.check_place(no_proc, ['child'])
        self.check_secret(no_proc, 0, 'daemon')

    def test_no_reaper(self):
        """Without a /proc, under a first process that waits for nobody but its child: a zombie is nothing
        that is left."""
        def become():
            check(libc.unshare(0x20000000))  # CLONE_NEWPID
            init = os.fork()
            if init > 0:
                os._exit(os.waitstatus_to_exitcode(os.waitpid(init, 0)[1]))
            no_proc()
            child = os.fork()
            if child > 0:
                os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            os.setsid()
        if os.getuid() != 0:
            self.skipTest('it takes root')
        for uid in NOBODY, 0:
            for script, status in (('sleep .2 & exit 3', 3), ('sleep 100 & exit 3', 3),
                                   ('trap "" TERM; sleep 100 & wait; sleep 100', 137)):
                with self.subTest(uid=uid, script=script):
                    done = self.run_in(become, uid, '-v', '-k', '.5', '2', 'sh', '-c', script)
                    self.assertRegex(done.stderr, r'nothing (found )?left after [^\n]*\n$')
                    self.assertEqual(done.returncode, status, done.stderr)

    def test_anothers_proc(self):
        self.check_place(anothers_proc, ['child'])

    def test_landlock(self):
        self.check_place(landlock, ['child'], (NOBODY,))

    def check_closed(self, enter, uid, program, closed):
        """What the command has in place of each, and whether that can only be read or written."""
        script = r"""exec 9>"$0"
            for fd; do
                flags=$(sed -n 's/^flags:.*\(.\)$/\1/p' /proc/$$/fdinfo/$fd)
                echo "$fd $(readlink /proc/$$/fd/$fd) $flags" >&9
            done"""
        told = os.path.join(self.dir, 'told')

        def become():
            enter()
            if uid != os.getuid():
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            for fd in closed:
                os.close(fd)
        subprocess.run([program, '20', 'sh', '-c', script, told, *map(str, closed)],
                       preexec_fn=become, timeout=60, check=True)
        with open(told, encoding='utf-8') as file:
            lines = file.read().splitlines()
        os.remove(told)
        return [re.sub(':.*]', '', line) for line in lines]

    def test_closed_descriptors(self):
        """With and without a /dev/null, by each name."""
        if os.getuid() != 0:
            self.skipTest('it takes root')

        def no_dev():
            private_mounts()
            mount('tmpfs', '/dev')
        timeout = os.path.join(self.dir, 'timeout')
        os.symlink(self.curfew, timeout)
        for enter, link in (lambda: None, '/dev/null'), (no_dev, 'pipe'):
            for number in range(8):
                closed = [fd for fd in range(3) if number >> fd & 1]
                for program, uid in (self.curfew, 0), (self.curfew, NOBODY), (timeout, 0):
                    with self.subTest(link=link, closed=closed, program=program, uid=uid):
                        self.assertEqual(self.check_closed(enter, uid, program, closed),
                                         [f'{fd} {link} {int(fd == 0)}' for fd in closed])

    def test_many_groups(self):
        """Of a process's status the sets of signals come last: however long it is, they are read."""
        if os.getuid() != 0:
            self.skipTest('it takes root')
        script = 'sed -n "s/^SigIgn:.0*//p" /proc/self/status'
        for digits in range(2600, 3600, 8):  # so that 4096 bytes end somewhere in there once
            groups = list(range(10**8, 10**8 + digits // 10)) + [10**(digits % 10)]
            def become(groups=groups):
                os.setgroups(groups)
                for number in (signal.SIGPIPE, signal.SIGUSR2, signal.SIGXFSZ):
                    signal.signal(number, signal.SIG_IGN)
            done = subprocess.run([self.curfew, '20', 'sh', '-c', script], preexec_fn=become,
                                  restore_signals=False, capture_output=True, text=True, timeout=60,
                                  check=False)
            self.assertEqual(done.stdout, '1001800\n', len(groups))

    def test_no_executable_memory(self):
        """Where files in memory may not be executed, the one that was installed is."""
        if os.getuid() != 0:
            self.skipTest('it takes root')
        image = os.path.join(os.environ['BUILD'], 'curfew-keeper')
        script = f"""
            echo 2 >/proc/sys/vm/memfd_noexec || exit 77
            mount -t tmpfs none /usr/local && mkdir -p /usr/local/libexec/curfew || exit 77
            "$0" doctor >"$1/without"
            cp '{image}' /usr/local/libexec/curfew/curfew-keeper
            "$0" doctor >"$1/with"
            exec setpriv --reuid=65534 --clear-groups "$0" -v -k 5 .5 sh -c \
                'exec "$0" secret daemon 3>/dev/null 4>/dev/null 5>/dev/null' "$2" """
        done = subprocess.run(['unshare', '--pid', '--fork', '--mount-proc', 'sh', '-c', script,
                               self.curfew, self.dir, self.villain],
                              capture_output=True, text=True, timeout=60, check=False)
        if 'unshare:' in done.stderr:
            self.skipTest(done.stderr.strip())
        if done.returncode == 77:
            self.skipTest('this kernel has no vm.memfd_noexec')
        with open(os.path.join(self.dir, 'without'), encoding='utf-8') as file:
            self.assertIn('memfd_noexec', file.read())
        with open(os.path.join(self.dir, 'with'), encoding='utf-8') as file:
            self.assertRegex(file.read(), r'keeper +tracked')
        self.assertEqual((done.stdout, done.returncode), ('asked\n', 124), done.stderr)

    def test_no_execveat(self):
        """Of Debian's 5.10.0-32: no descriptor can be executed, but its name in /proc."""
        if not shutil.which('strace'):
            self.skipTest('it takes strace')
        done = subprocess.run(['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=execveat',
                               '-e', 'inject=execveat:error=ENOENT', self.curfew, 'doctor'],
                              capture_output=True, text=True, timeout=60, check=False)
        if 'ptrace' in done.stderr:
            self.skipTest('strace can\'t trace here')
        self.assertRegex(done.stdout, r'keeper +tracked')

    def test_no_size(self):
        self.check_place(no_size, ['child'], (NOBODY,))


def own_group():
    with open('/proc/self/cgroup', encoding='ascii') as file:
        own = [line[3:].strip() for line in file if line.startswith('0::')]
    with open('/proc/self/mountinfo', encoding='ascii') as file:
        points = [line.split()[4] for line in file if ' - cgroup2 ' in line]
    return points[0] + own[0].rstrip('/') if own and points else None


class Nested(unittest.TestCase):
    """One curfew in another's control group."""

    def groups(self):
        return [name for name in os.listdir(own_group()) if name.startswith('curfew-')]

    def check_none_stays(self, script):
        if os.getuid() != 0 or own_group() is None or not os.access(own_group(), os.W_OK):
            self.skipTest('no control group can be made')
        before = self.groups()
        reader, writer = os.pipe()
        subprocess.run([CURFEW, '--leave', '20', 'sh', '-c', script, CURFEW],
                       pass_fds=[writer], check=True)
        os.close(writer)
        self.assertEqual(os.read(reader, 1), b'')  # until nobody has the other end
        os.close(reader)
        until = time.monotonic() + 20
        while set(self.groups()) - set(before) and time.monotonic() < until:
            time.sleep(0.01)
        self.assertEqual(set(self.groups()) - set(before), set())

    def test_inner_is_left(self):
        self.check_none_stays('"$0" 10 sleep .5 & sleep .2')

    def test_inner_is_left_and_killed(self):
        self.check_none_stays('"$0" 10 sleep 5 & sleep .3; kill -9 $!')


if __name__ == '__main__':
    unittest.main()
