#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# test-report.py PROGRAM MANUAL SCHEMA EXAMPLE...: what --report and --events write, of real runs, is
# what the schema says and what has happened; and what 'curfew show' makes of it.
#
# Commands that have to be ready before something is done to them say so through a pipe.

import array
import atexit
import errno
import fcntl
import json
import os
import pty
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import unittest

from terminal import CTRL_C, Terminal

try:
    import jsonschema
except ImportError:
    print('skipped: there is no python3-jsonschema')
    sys.exit(1 if os.environ.get('CURFEW_MUST_WORK') else 77)


def be(uid):
    """For preexec_fn: somebody who isn't root."""
    def become():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    return become


NOBODY = 65534


def share(program):
    """A copy that everybody can execute, and of what it finds beside itself."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    os.chmod(folder, 0o755)
    for path in program, f'{program}-full':
        shutil.copy(path, folder)
    return os.path.join(folder, os.path.basename(program))


CURFEW = share(os.path.abspath(sys.argv[1]))
MANUAL = sys.argv[2]
EXAMPLES = [os.path.abspath(path) for path in sys.argv[4:]]
BOUND = 60  # only catches a hang


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def load(path):
    return json.loads(read(path))


SCHEMA = load(sys.argv[3])


def close_objects(part):
    """What the schema allows a later version to add, is a fault in this one."""
    if isinstance(part, dict):
        for value in part.values():
            close_objects(value)
        if 'properties' in part:
            part.setdefault('unevaluatedProperties', False)
    elif isinstance(part, list):
        for value in part:
            close_objects(value)


def make_validators():
    strict = json.loads(json.dumps(SCHEMA))
    close_objects(strict)
    # Of an event or a sent signal, the parts are spread over several places.
    for name in ('sent', 'event'):
        strict['$defs'][name].pop('unevaluatedProperties', None)
    for kind in strict['$defs']['event']['oneOf']:
        kind.pop('unevaluatedProperties', None)
    strict['$defs']['event']['unevaluatedProperties'] = False
    event = {'$ref': '#/$defs/event', '$defs': strict['$defs']}
    kind = jsonschema.Draft202012Validator
    kind.check_schema(SCHEMA)
    checker = jsonschema.FormatChecker()
    return kind(strict, format_checker=checker), kind(event, format_checker=checker)


REPORT, EVENT = make_validators()


def every_path(value, path=()):
    """Every place in a JSON value, by the keys that lead there; of a list, in the first item."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else \
        list(enumerate(value))[:1] if isinstance(value, list) else []
    for key, part in items:
        yield from every_path(part, (*path, key))


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)
        self.report = os.path.join(self.dir, 'report.json')
        self.events = os.path.join(self.dir, 'events.jsonl')

    def curfew(self, *args, **kwargs):
        kwargs.setdefault('cwd', self.dir)
        return subprocess.run([CURFEW, *args], capture_output=True, timeout=BOUND, **kwargs)

    def check_report(self, data):
        report = json.loads(data)
        REPORT.validate(report)
        self.assertTrue(data.endswith(b'}\n'))
        self.check_sense(report)
        return report

    def check_sense(self, report):
        """What a schema can't say."""
        times = report['times']
        for process in report['processes']:
            if process['ended'] is not None:
                self.assertLessEqual(process['started'], process['ended'])
                self.assertLessEqual(process['ended'], times['end'])
        before = 0
        for step in report['steps']:
            self.assertLessEqual(before, step['time'])
            before = step['time']
        if report['command']['pid'] is not None:
            self.assertEqual(report['command']['pid'], report['processes'][0]['pid'])
            self.assertEqual(times['exit'], report['processes'][0]['ended'])

    def check_events(self, data):
        self.assertTrue(data.endswith(b'}\n'))
        events = [json.loads(line) for line in data.splitlines()]
        for event in events:
            EVENT.validate(event)
        times = [event['time'] for event in events]
        self.assertEqual(times, sorted(times))
        return events

    def run_both(self, *args, status=0, **kwargs):
        done = self.curfew('--report', self.report, '--events', self.events, *args, **kwargs)
        self.assertEqual(done.returncode, status, done.stderr)
        report = self.check_report(read(self.report))
        events = self.check_events(read(self.events))
        self.check_alike(report, events)
        return report, events

    def check_alike(self, report, events):
        """Events and report tell the same."""
        processes = report.pop('processes')
        self.assertEqual(events[-1]['report'], report)
        report['processes'] = processes
        kinds = [event['event'] for event in events]
        self.assertEqual(kinds.count('seen'), len(processes))
        self.assertEqual(kinds.count('step'), len(report['steps']))
        self.assertEqual(kinds.count('exit'), 1 if report['times']['exit'] is not None else 0)
        ended = {event['pid'] for event in events if event['event'] == 'ended'}
        self.assertEqual(ended, {p['pid'] for p in processes if p['ended'] is not None})


class Verdicts(Case):
    def test_exited(self):
        for code in (0, 7, 124):
            report, _ = self.run_both('10', 'sh', '-c', f'exit {code}', status=code)
            self.assertEqual(report['verdict'], 'exited')
            self.assertEqual(report['status'], {'exited': code})
            self.assertEqual(report['exit_status'], code)
            self.assertEqual(report['command']['argv'], ['sh', '-c', f'exit {code}'])
            self.assertEqual(report['command']['directory'], os.path.realpath(self.dir))
            self.assertEqual(report['processes'][0]['args'], ['sh', '-c', f'exit {code}'])
            self.assertAlmostEqual(report['deadline'], 10, delta=.1)
            self.assertEqual((report['reason'], report['steps'], report['end']),
                             (None, [], 'empty'))

    def test_no_deadline(self):
        self.assertIsNone(self.run_both('0', 'true')[0]['deadline'])

    def test_deadline(self):
        report, events = self.run_both('-s', 'INT', '-k', '5', '.2', 'sleep', '1000', status=124)
        self.assertEqual(report['verdict'], 'deadline')
        self.assertEqual(report['status'], {'signalled': 'INT', 'core': False})
        self.assertEqual(report['plan'], [{'signal': 'INT', 'whom': 'tree', 'grace': 5.0}])
        step, = report['steps']
        self.assertEqual((step['signal'], step['whom'], step['reached']), ('INT', 'tree', 1))
        self.assertEqual(step['ended'], [{'pid': report['command']['pid'], 'name': 'sleep'}])
        self.assertEqual((report['reason'], report['ended_by']), ('deadline', 1))
        self.assertEqual(report['cause']['text'], 'deadline')
        kinds = [event['event'] for event in events]
        self.assertEqual((kinds[0], kinds[-1]), ('start', 'end'))
        self.assertLess(kinds.index('step'), kinds.index('exit'))

    def test_keys(self):
        """A step that the terminal has taken: the second Ctrl-C begins the plan, the third kills."""
        script = 'trap "echo told" INT; trap "echo passed on" USR1; echo up; ' + \
            'while :; do sleep .1; done'
        argv = [CURFEW, '-v', '--report', self.report, '--stop=INT:50', '60', 'sh', '-c', script]
        with Terminal(argv) as term:
            term.expect('up')
            term.type(CTRL_C)
            term.expect('told')
            os.kill(term.pid, signal.SIGUSR1)
            term.expect('passed on')  # by curfew, which has seen the key by then
            term.type(CTRL_C)
            term.expect('0 processes; \\d+ had it from the terminal')
            term.type(CTRL_C)
            self.assertEqual(term.wait(), -signal.SIGINT)
        report = self.check_report(read(self.report))
        step, last = report['steps']
        self.assertEqual((step['signal'], step['reached'], last['signal']), ('INT', 0, 'KILL'))
        self.assertGreaterEqual(step['left_out'], 1)

    def test_own_status_at_the_deadline(self):
        report, _ = self.run_both('.2', 'sh', '-c', 'trap "exit 0" TERM; sleep 1000 & wait',
                                  status=124)
        self.assertEqual((report['verdict'], report['status']), ('deadline', {'exited': 0}))

    def test_killed(self):
        report, _ = self.run_both('--stop=CONT:.1', '.2', 'sh', '-c', 'sleep 1000 & wait',
                                  status=137)
        self.assertEqual(report['killed']['count'], 2)
        self.assertEqual({p['name'] for p in report['killed']['processes']}, {'sh', 'sleep'})
        self.assertEqual([step['signal'] for step in report['steps']], ['CONT', 'KILL'])
        self.assertEqual({p['name'] for p in report['steps'][1]['ended']}, {'sh', 'sleep'})
        self.assertEqual(report['ended_by'], 2)

    def test_signalled(self):
        report, _ = self.run_both('10', 'sh', '-c', 'kill -HUP $$', status=-signal.SIGHUP)
        self.assertEqual(report['verdict'], 'signalled')
        self.assertEqual(report['status'], {'signalled': 'HUP', 'core': False})
        self.assertEqual(report['exit_status'], 129)

    def test_died_of_the_warning(self):
        report, _ = self.run_both('--warn=USR1@100', '101', 'sleep', '1000',
                                  status=-signal.SIGUSR1)
        self.assertEqual(report['verdict'], 'warned')
        self.assertEqual((report['warned']['signal'], report['reason']), ('USR1', None))
        report, _ = self.run_both('--warn=WINCH@100', '101', 'sh', '-c',
                                  'trap "kill -USR1 $$" WINCH; while :; do sleep .1; done',
                                  status=-signal.SIGUSR1)
        self.assertEqual(report['verdict'], 'signalled')

    def test_killed_from_outside_before_the_deadline(self):
        report, _ = self.run_both('--wait-tree', '1', 'sh', '-c', 'sleep 1000 & kill -USR1 $$',
                                  status=-signal.SIGUSR1)
        self.assertEqual((report['verdict'], report['reason']), ('signalled', 'deadline'))
        report, _ = self.run_both('--wait-tree', '1', 'sh', '-c', 'sleep 1000 & exit 3',
                                  status=124)
        self.assertEqual((report['verdict'], report['status']), ('deadline', {'exited': 3}))

    # What it has left would have been stopped a moment later.
    def test_ended_just_before_the_deadline(self):
        for end, status in ('exit 3', 3), ('kill -USR1 $$', -signal.SIGUSR1):
            report, _ = self.run_both('.9', 'sh', '-c', 'sleep 1000 & ' + end, status=status)
            self.assertEqual(report['verdict'], 'exited' if status == 3 else 'signalled')
            self.assertEqual(report['end'], 'empty')

    def test_deadline_over_at_the_start(self):
        for duration in '1e-9', '.001':
            report, _ = self.run_both(duration, 'sleep', '1000', status=124)
            self.assertEqual(report['verdict'], 'deadline')
            self.assertIsNotNone(report['deadline'])
            self.assertLess(report['deadline'], .001)
        os.environ['CURFEW_DEADLINE'] = '1'
        try:
            report, _ = self.run_both('--no-deadline', 'sleep', '1000', status=124)
        finally:
            del os.environ['CURFEW_DEADLINE']
        self.assertEqual((report['verdict'], report['deadline']), ('deadline', 0))

    def test_leader_killed(self):
        report, _ = self.run_both('--leave', '--stop=leader:CONT:.1', '.2', 'sh', '-c',
                                  'sleep 3 & wait', status=137)
        self.assertEqual([p['name'] for p in report['killed']['processes']], ['sh'])
        self.assertEqual([p['name'] for p in report['survivors']['processes']], ['sleep'])
        self.assertEqual((report['end'], report['ended_by']), ('exit', 2))
        os.kill(report['survivors']['processes'][0]['pid'], signal.SIGKILL)

    def test_cancelled(self):
        done = subprocess.Popen(
            [CURFEW, '--report', self.report, '--events', self.events, '100', 'sh', '-c',
             'echo; exec sleep 1000'], stdout=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        done.stdout.readline()
        done.send_signal(signal.SIGINT)
        done.communicate(timeout=BOUND)
        self.assertEqual(done.returncode, -signal.SIGINT)
        report = self.check_report(read(self.report))
        self.check_alike(report, self.check_events(read(self.events)))
        self.assertEqual((report['verdict'], report['reason']), ('cancelled', 'cancelled'))
        self.assertEqual(report['cause'], {'code': signal.SIGINT, 'text': 'SIGINT'})
        self.assertEqual(report['exit_status'], 130)

    def test_idle(self):
        report, _ = self.run_both('--idle=.3', '100', 'sh', '-c', 'echo hello; exec sleep 1000',
                                  status=124)
        self.assertEqual((report['verdict'], report['reason']), ('idle', 'cancelled'))
        self.assertAlmostEqual(report['idle'], .3)
        self.assertEqual(report['output'], {'complete': True, 'error': None})
        self.assertGreaterEqual(report['steps'][0]['time'], .3)

    def test_cut(self):
        with open('/dev/full', 'w') as full:
            done = subprocess.run([CURFEW, '--report', self.report, '--idle=100', '100', 'echo',
                                   'hello'], stdout=full, stderr=subprocess.PIPE, timeout=BOUND)
        self.assertEqual(done.returncode, 125)
        report = self.check_report(read(self.report))
        self.assertEqual((report['verdict'], report['exit_status']), ('exited', 125))
        self.assertEqual(report['output'],
                         {'complete': False, 'error': 'No space left on device'})

    def test_warned(self):
        report, events = self.run_both(
            '--warn=USR1@99.7', '100', 'sh', '-c', 'trap "exit 3" USR1; sleep 1000 & wait', status=3)
        self.assertEqual(report['warn'], {'signal': 'USR1', 'whom': 'leader', 'before': 99.7})
        warned = report['warned']
        self.assertEqual((warned['signal'], warned['whom'], warned['reached']), ('USR1', 'leader', 1))
        self.assertGreaterEqual(warned['time'], .29)
        event, = [event for event in events if event['event'] == 'warn']
        self.assertEqual({**warned, 'event': 'warn'}, event)

    def test_leftovers(self):
        report, _ = self.run_both('100', 'sh', '-c', 'sleep 1000 & exit 3', status=3)
        self.assertEqual((report['verdict'], report['reason']), ('exited', 'leftovers'))
        self.assertEqual([p['name'] for p in report['steps'][0]['ended']], ['sleep'])
        self.assertLess(report['times']['exit'], report['times']['end'])

    def test_left(self):
        report, _ = self.run_both('--leave', '100', 'sh', '-c', 'sleep 1000 >/dev/null 2>&1 &')
        left = report['survivors']['processes']
        self.addCleanup(lambda: [os.kill(p['pid'], signal.SIGKILL) for p in left])
        self.assertEqual((report['end'], report['survivors']['count']), ('exit', 1))
        self.assertIsNone(report['ended_by'])
        for process in report['processes'][1:]:
            self.assertIsNone(process['ended'])
        told = self.curfew('show', self.report).stdout.decode()
        self.assertRegex(told, r'\nEnded +the command after [^ ]* s, curfew after [^ ]* s with status 0\n')

    def test_failed(self):
        for args, status, stage in ((['no-such-command'], 127, 'look up'), (['/'], 126, None)):
            report, events = self.run_both('10', *args, status=status)
            self.assertEqual((report['verdict'], report['exit_status']), ('failed', status))
            self.assertTrue(report['failure']['error'])
            self.assertEqual(report['failure']['errno'], errno.ENOENT if status == 127 else errno.EACCES)
            self.assertIn(report['failure']['stage'], (stage, 'look up', 'exec'))
            self.assertEqual([event['event'] for event in events], ['end'])
            self.assertEqual((report['processes'], report['status']), ([], None))

    def test_too_late(self):
        report, _ = self.run_both('10', 'true', status=124, env={**os.environ, 'CURFEW_DEADLINE': '1'})
        self.assertEqual((report['verdict'], report['failure']['stage']), ('deadline', 'context'))

    def test_init(self):
        # The namespace's own /proc, as in a container.
        unshare = ['unshare', '--pid', '--fork', '--mount-proc']
        if subprocess.run([*unshare, 'true'], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest('no PID namespace can be made here')
        subprocess.run([*unshare, CURFEW, '--report', self.report, '--events', self.events, '--init',
                        'sh', '-c', 'setsid sleep 1000 & exit 3'], timeout=BOUND)
        report = self.check_report(read(self.report))
        self.check_alike(report, self.check_events(read(self.events)))
        self.assertEqual((report['status'], report['reason']), ({'exited': 3}, 'leftovers'))


class Processes(Case):
    def test_tree(self):
        report, events = self.run_both(
            '10', 'sh', '-c', 'sh -c "sleep .2; :" & setsid sleep .1 & wait')
        leader = report['command']['pid']
        names = sorted(p['name'] for p in report['processes'])
        self.assertEqual(names, ['sh', 'sh', 'sleep', 'sleep'])
        by_pid = {p['pid']: p for p in report['processes']}
        inner = next(p for p in report['processes'] if p['args'] == ['sleep', '.2'])
        self.assertEqual(by_pid[inner['parent']]['parent'], leader)
        self.assertTrue(all(p['exact'] for p in report['processes']))
        self.assertAlmostEqual(inner['ended'] - inner['started'], .2, delta=.15)

    def test_exec(self):
        report, events = self.run_both('10', 'sh', '-c', 'sleep .1; exec sleep .1')
        exec_, = [e for e in events if e['event'] == 'exec' and e['pid'] == report['command']['pid']]
        self.assertEqual((exec_['name'], exec_['args']), ('sleep', ['sleep', '.1']))
        self.assertEqual(report['processes'][0]['name'], 'sleep')

    def test_crowd(self):
        report, _ = self.run_both(
            '--stop=TERM:30', '100', 'sh', '-c',
            'for i in $(seq 300); do sleep 1000 & done; sleep .3; kill -TERM $$', status=-15)
        sleepers = [p for p in report['processes'] if p['args'] == ['sleep', '1000']]
        self.assertEqual(len(sleepers), 300)
        self.assertTrue(all(p['exact'] for p in sleepers))
        self.assertEqual(len(report['steps'][0]['ended']), 300)

    def test_few_descriptors(self):
        """Beyond what may be had of them, the ends are those of the looks."""
        done = self.curfew('--report', self.report, '100', 'sh', '-c',
                           'for i in $(seq 100); do sleep .4 & done; wait',
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
        self.assertEqual(done.returncode, 0, done.stderr)
        report = self.check_report(read(self.report))
        sleepers = [p for p in report['processes'] if p['args'] == ['sleep', '.4']]
        self.assertEqual(len(sleepers), 100)
        exact = [p for p in report['processes'] if p['exact']]
        self.assertTrue(20 <= len(exact) <= 40, len(exact))
        self.assertTrue(all(p['ended'] is not None for p in report['processes']))

    def test_controls(self):
        """Those beyond ASCII are escaped as well: a report may be read at a terminal."""
        text = 'a\x1b\x7f\x80\x9b1m\u00a0'
        report, _ = self.run_both('10', 'sh', '-c', 'exit 0', text)
        self.assertEqual(report['command']['argv'][3], text)
        for path in self.report, self.events:
            self.assertIn('\\u009b1m\u00a0', read(path).decode())
            self.assertNotRegex(read(path).decode(), '[\x7f-\x9f]')

    def test_foreign_bytes(self):
        report, _ = self.run_both('10', 'sh', '-c', 'exit 0', b'\xff a\xc3\xa4\xed\xa0\x80\x1b[2J')
        self.assertEqual(report['command']['argv'][3], '\ufffd a\xe4\ufffd\ufffd\ufffd\x1b[2J')


class Files(Case):
    def mistake(self, pattern, *args, **kwargs):
        started = os.path.join(self.dir, 'started')
        done = self.curfew(*args, '10', 'touch', started, **kwargs)
        self.assertEqual(done.returncode, 125)
        self.assertRegex(done.stderr.decode(), f'^curfew: {pattern}[^\n]*\n$')
        self.assertFalse(os.path.exists(started))

    def test_unwritable(self):
        for option in ('report', 'events'):
            for path, why in (('no/such/r.json', 'No such file'), ('.', 'Is a directory'),
                              ('', 'No such file'), ('9', 'Bad file descriptor')):
                self.mistake(f"cannot write '{re.escape(path)}' for '--{option}': {why}",
                             f'--{option}={path}')
        with open('/dev/null') as file:
            self.mistake("cannot write '.*' for '--report': Bad file descriptor",
                         f'--report={file.fileno()}', pass_fds=[file.fileno()])

    def test_one_file_for_two(self):
        os.mkdir(os.path.join(self.dir, 'd'))
        there = os.path.join(self.dir, 'd', '..', 'r')
        options = [f'--{name}={self.dir}/r' for name in ('stdout', 'report', 'timeline', 'events')]
        for i, one in enumerate(options):
            for other in options[i + 1:]:
                name = one.split('=')[0]
                self.mistake(f"cannot write '.*' for '--[a-z]*': '{name}' goes there; each needs a "
                             'file of its own', one, other.split('=')[0] + '=' + there)
                self.assertFalse(os.path.exists(there))
        with open(there, 'w') as file:
            file.write('old')
        self.mistake("cannot write '.*': '--report' goes there", options[1], f'--events={there}')
        self.assertEqual(read(there), b'old')

        # What goes through one pipe comes in order.
        done = self.curfew('--report=1', '--events=/dev/stdout', '10', 'true')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count(b'"curfew-report/1"'), 2)

    def test_not_permitted(self):
        if os.getuid() != 0:
            self.skipTest('only root can be somebody else')
        os.chmod(self.dir, 0o755)
        with open(self.report, 'w') as file:
            file.write('old')
        os.chmod(self.report, 0o644)
        self.mistake("cannot write '.*' for '--report': Permission denied",
                     f'--report={self.report}', preexec_fn=be(NOBODY))
        self.mistake("cannot write '.*' for '--report': Permission denied",
                     f'--report={self.report}.new', preexec_fn=be(NOBODY))

        # A file that may be written in a folder that may not.
        os.chmod(self.report, 0o666)
        done = self.curfew(f'--report={self.report}', '10', 'true', preexec_fn=be(NOBODY))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_report(read(self.report))

    def test_full(self):
        for option in ('report', 'events'):
            for command, status in (('true', 125), ('false', 1)):
                done = self.curfew(f'--{option}=/dev/full', '10', command)
                self.assertEqual(done.returncode, status)
                self.assertEqual(done.stderr.decode(),
                                 f"curfew: cannot write '/dev/full' for '--{option}': "
                                 "No space left on device\n")

    def test_replaced(self):
        """Who reads the old report, reads all of it, up to the end of the run."""
        target = os.path.join(self.dir, 'target.json')
        with open(target, 'w') as file:
            file.write('old')
        os.chmod(target, 0o640)
        os.symlink('target.json', self.report)
        with open(target) as old:
            done = self.curfew('--report', self.report, '10', 'cat', target)
            self.assertEqual(done.stdout, b'old')
            self.assertEqual(old.read(), 'old')
        self.check_report(read(target))
        self.assertTrue(os.path.islink(self.report))
        self.assertEqual(os.stat(target).st_mode & 0o777, 0o640)
        self.assertEqual(sorted(os.listdir(self.dir)), ['report.json', 'target.json'])

    def test_killed(self):
        """The old report stays, nothing lies about, and the events are whole lines."""
        with open(self.report, 'w') as file:
            file.write('old')
        done = subprocess.Popen(
            [CURFEW, '--report', self.report, '--events', self.events, '100', 'sh', '-c',
             'until [ -s "$0" ]; do sleep .01; done; echo; exec sleep 1000', self.events],
            stdout=subprocess.PIPE)
        done.stdout.readline()
        done.kill()
        done.communicate(timeout=BOUND)
        self.assertEqual(read(self.report), b'old')
        events = self.check_events(read(self.events))
        self.assertEqual(events[0]['event'], 'start')
        self.assertEqual(sorted(os.listdir(self.dir)), ['events.jsonl', 'report.json'])

    def test_timeline(self):
        """The page has the report in it, and needs nothing else."""
        page = os.path.join(self.dir, 'page.html')
        done = self.curfew('--timeline', page, '--report', self.report, '10', 'echo', '</script>')
        self.assertEqual((done.returncode, done.stderr), (0, b''))
        html = read(page).decode()
        data, = re.findall('<script[^>]*type="application/json"[^>]*>(.*?)</script>', html, re.DOTALL)
        self.assertEqual(json.loads(data), self.check_report(read(self.report)))
        self.mistake("cannot write 'no/such' for '--timeline': No such file", '--timeline=no/such')

    def test_descriptors(self):
        with open(self.report, 'w') as report, open(self.events, 'w') as events:
            report.write('before\n')
            report.flush()
            done = self.curfew(f'--report={report.fileno()}', f'--events=/dev/fd/{events.fileno()}',
                               '10', 'ls', '/proc/self/fd',
                               pass_fds=[report.fileno(), events.fileno()])
            self.assertEqual(done.returncode, 0, done.stderr)
            report.write('after\n')
        self.assertEqual(done.stdout.split(), [b'0', b'1', b'2', b'3'])  # 3 is its own
        before, report, after = re.fullmatch(b'(before\n)(.*\n)(after\n)', read(self.report),
                                             re.DOTALL).groups()
        self.check_alike(self.check_report(report), self.check_events(read(self.events)))

    def test_stdout(self):
        for name in ('/dev/stdout', '-'):
            done = self.curfew(f'--report={name}', '10', 'echo', 'hello')
            self.assertTrue(done.stdout.startswith(b'hello\n{'))
            self.check_report(done.stdout[6:])
        done = self.curfew('--events=-', '10', 'true')
        self.check_events(done.stdout)
        self.assertTrue(self.curfew('--timeline', '-', '10', 'true').stdout.endswith(b'</html>\n'))
        self.assertEqual(os.listdir(self.dir), [])

    def test_mount_point(self):
        """A file that can't be replaced, as one that is mounted into a container, is written over."""
        script = 'mount --bind "$2" "$3" && exec "$1" --report="$3" 10 true'
        other = os.path.join(self.dir, 'other.json')
        for path, size in ((self.report, 0), (other, 100000)):
            with open(path, 'w') as file:
                file.write(' ' * size)
        if subprocess.run(['unshare', '--mount', 'mount', '--bind', other, self.report],
                          stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest('nothing can be mounted here')
        done = subprocess.run(['unshare', '--mount', 'sh', '-c', script, 'sh', CURFEW, other,
                               self.report], capture_output=True, timeout=BOUND)
        self.assertEqual((done.returncode, done.stderr), (0, b''))
        self.check_report(read(other))
        self.assertEqual(sorted(os.listdir(self.dir)), ['other.json', 'report.json'])

    def in_mount(self, options, script, *args):
        """A file system of its own on self.dir, with what the script does in there."""
        script = f'mount -t tmpfs -o {options} none . && cd "$PWD" || exit 77; {script}'
        done = subprocess.run(['unshare', '--mount', 'sh', '-c', script, CURFEW, *args],
                              capture_output=True, text=True, cwd=self.dir, timeout=BOUND)
        if done.returncode == 77 or done.stderr.startswith('unshare'):
            self.skipTest('nothing can be mounted here')
        return done

    def test_forbidden_link(self):
        """What the kernel refuses everybody isn't done by other means."""
        with tempfile.NamedTemporaryFile('w+') as other:
            other.write('old')
            other.flush()
            for option in ('report', 'timeline', 'events'):
                done = self.in_mount('nosymfollow', 'ln -s "$1" link; "$0" "$2" 10 touch started; '
                                     'echo $? *', other.name, f'--{option}=link')
                self.assertEqual(done.stdout, '125 link\n')
                self.assertEqual(done.stderr, f"curfew: cannot write 'link' for '--{option}': "
                                 'Too many levels of symbolic links\n')
                self.assertEqual(read(other.name), b'old')

    def test_strangers_link(self):
        if os.getuid() != 0 or read('/proc/sys/fs/protected_symlinks') != b'1\n':
            self.skipTest('it takes root and fs.protected_symlinks')
        os.chmod(self.dir, 0o1777)
        with open(self.events, 'w') as file:
            file.write('old')
        os.symlink(self.events, self.report)
        os.lchown(self.report, NOBODY, NOBODY)
        for option in ('report', 'timeline', 'events'):
            self.mistake("cannot write '.*': Permission denied", f'--{option}={self.report}')
        self.assertEqual(read(self.events), b'old')

    def test_sticky_folder(self):
        """Another's file, that may be written but not be replaced."""
        if os.getuid() != 0:
            self.skipTest('only root can be somebody else')
        os.chmod(self.dir, 0o1777)
        page = os.path.join(self.dir, 'page.html')
        for owner in (1, 0):
            os.chown(self.dir, owner, -1)
            for path in (self.report, page, self.events):
                with open(path, 'w') as file:
                    file.write('old')
                os.chmod(path, 0o666)
                os.chown(path, 1, -1)
            args = [f'--report={self.report}', f'--timeline={page}', f'--events={self.events}']
            if owner != 1 and read('/proc/sys/fs/protected_regular') != b'0\n':
                self.mistake("cannot write '.*': Permission denied", *args, preexec_fn=be(NOBODY))
                continue
            done = self.curfew(*args, '10', 'true', preexec_fn=be(NOBODY))
            self.assertEqual((done.returncode, done.stderr), (0, b''))
            report = self.check_report(read(self.report))
            self.check_alike(report, self.check_events(read(self.events)))
            self.assertTrue(read(page).startswith(b'<!'))
            self.assertEqual({os.stat(path).st_uid for path in (self.report, page, self.events)}, {1})
            self.assertEqual(len(os.listdir(self.dir)), 3)

    def test_dangling_link(self):
        """What it leads to is made, and it stays a link."""
        os.mkdir(os.path.join(self.dir, 'd'))
        target = os.path.join(self.dir, 'd', 'target')
        for option, path in (('report', self.report), ('events', self.events)):
            os.symlink('d/target', path)
            done = self.curfew(f'--{option}={path}', '10', 'true')
            self.assertEqual((done.returncode, done.stderr), (0, b''))
            self.assertTrue(os.path.islink(path))
            self.assertEqual(os.listdir(os.path.join(self.dir, 'd')), ['target'])
            self.assertEqual(json.loads(read(target).splitlines()[0] if option == 'events' else
                                        read(target))['schema'], f'curfew-{option}/1')
            os.remove(target)
        self.mistake("cannot write '.*': '--report' goes there", '--report', self.report,
                     '--timeline', self.events)

    def test_removed_meanwhile(self):
        """A build that begins by removing its folder."""
        folder = os.path.join(self.dir, 'd')
        os.mkdir(folder)
        for had in (False, True):
            path = os.path.join(folder, f'report-{had}')
            if had:
                with open(path, 'w') as file:
                    file.write('old')
            for script in ('rm -rf d; mkdir d', 'rm -f d/*', 'mv d e; mkdir d; rm -rf e'):
                done = self.curfew(f'--report={path}', '10', 'sh', '-c', script)
                self.assertEqual((done.returncode, done.stderr), (0, b''))
                self.check_report(read(path))
                if not had:
                    os.remove(path)

    def test_no_room(self):
        """The old report stays, and nothing lies about."""
        done = self.in_mount('size=16k', 'echo old >r; dd if=/dev/zero of=fill 2>/dev/null; '
                             '"$0" --report=r 10 true; echo $?; cat r; ls -A')
        self.assertEqual(done.stdout, '125\nold\nfill\nr\n')
        self.assertEqual(done.stderr,
                         "curfew: cannot write 'r' for '--report': No space left on device\n")

    def test_fifo(self):
        """It is waited for by who writes, as by a shell, and nothing starts before."""
        os.mkfifo(self.events)
        os.mkfifo(self.report)
        done = subprocess.Popen([CURFEW, '--report', self.report, '--events', self.events, '10',
                                 'true'])
        with open(self.report, 'rb') as report, open(self.events, 'rb') as events:
            told, made = events.read(), report.read()
        self.assertEqual(done.wait(timeout=BOUND), 0)
        self.check_alike(self.check_report(made), self.check_events(told))

    def test_one_write_each(self):
        """A message of this kind of socket is what one write has given."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        done = self.curfew(f'--events={theirs.fileno()}', '.3', 'sh', '-c',
                           'sleep 1000 & sleep 1000 & wait', pass_fds=[theirs.fileno()])
        self.assertEqual(done.returncode, 124, done.stderr)
        theirs.close()
        messages = []
        while True:
            message = ours.recv(1 << 20)
            if not message:
                break
            self.assertEqual(message.count(b'\n'), 1)
            messages.append(message)
        ours.close()
        self.assertGreater(len(messages), 7)
        self.check_events(b''.join(messages))

    def test_slow_reader(self):
        """It is not waited for while the command runs."""
        ours, theirs = os.pipe()
        os.set_blocking(theirs, True)
        done = subprocess.Popen(
            [CURFEW, f'--events={theirs}', '100', 'sh', '-c',
             'for i in $(seq 300); do sh -c "sleep .5; :" "$(seq 1000)" & done; wait; echo done'],
            pass_fds=[theirs], stdout=subprocess.PIPE)
        self.assertEqual(done.stdout.readline(), b'done\n')
        os.close(theirs)
        with open(ours, 'rb') as file:
            data = file.read()
        self.assertEqual(done.wait(timeout=BOUND), 0)
        done.stdout.close()
        self.assertGreater(len(data), 1 << 16)
        self.check_events(data)

    def test_long_command(self):
        """The first line and the last may be longer than anything that waits."""
        args = ['sh', '-c', 'read -r _; echo done', *['\x01' * 131000] * 8]
        done = self.curfew('--events', self.events, '100', *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        events = self.check_events(read(self.events))
        self.assertEqual((events[0]['event'], events[-1]['event']), ('start', 'end'))
        self.assertEqual(events[0]['command']['argv'], args)
        self.assertEqual(events[-1]['report']['command']['argv'], args)

        # What there was no room for meanwhile, is told.
        ours, theirs = os.pipe()
        os.set_blocking(theirs, True)
        done = subprocess.Popen([CURFEW, f'--events={theirs}', '100', *args], pass_fds=[theirs],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        waiting = array.array('i', [0])
        while waiting[0] < 1 << 16 or b') S ' not in read(f'/proc/{done.pid}/stat'):
            fcntl.ioctl(ours, termios.FIONREAD, waiting)  # until it waits for something to tell
        done.stdin.close()
        self.assertEqual(done.stdout.readline(), b'done\n')
        os.close(theirs)
        with open(ours, 'rb') as file:
            events = self.check_events(file.read())
        self.assertEqual(done.wait(timeout=BOUND), 0)
        done.stdout.close()
        kinds = [event['event'] for event in events]
        self.assertEqual((kinds[0], kinds[-1]), ('start', 'end'))
        self.assertGreater(events[kinds.index('omitted')]['lines'], 0)

    def test_own_signals(self):
        """What a write of curfew's own has raised is not for the command."""
        script = 'trap "echo raised" XFSZ PIPE; trap "exit 3" PWR; kill -PWR $PPID; ' + \
            'while :; do sleep .01; done'
        ours, theirs = os.pipe()
        os.close(ours)
        for path, why in ((self.events, 'File too large'), (str(theirs), 'Broken pipe')):
            done = self.curfew(f'--events={path}', '100', 'sh', '-c', script, pass_fds=[theirs],
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
            self.assertEqual((done.returncode, done.stdout), (3, b''))
            self.assertEqual(done.stderr.decode(),
                             f"curfew: cannot write '{path}' for '--events': {why}\n")
        os.close(theirs)

    def test_no_reader(self):
        ours, theirs = os.pipe()
        os.close(ours)
        done = self.curfew(f'--events={theirs}', '10', 'true', pass_fds=[theirs])
        os.close(theirs)
        self.assertEqual((done.returncode, done.stderr.decode()),
                         (125, f"curfew: cannot write '{theirs}' for '--events': Broken pipe\n"))

    def test_nothing_without_the_full_program(self):
        lonely = os.path.join(self.dir, 'curfew')
        shutil.copy(CURFEW, lonely)
        if os.path.exists('/usr/local/libexec/curfew/curfew-full'):
            self.skipTest('it is installed')
        for args in (['--report', self.report, '1', 'touch', 'started'], ['show', 'x']):
            done = subprocess.run([lonely, *args], capture_output=True, cwd=self.dir, timeout=BOUND)
            self.assertEqual(done.returncode, 125)
            self.assertRegex(done.stderr.decode(),
                             "^curfew: '(--report|curfew show)' needs the program 'curfew-full', "
                             "which is not installed: [^\n]*\n$")
        self.assertEqual(os.listdir(self.dir), ['curfew'])

        # Where an installation has it.
        os.makedirs(f'{self.dir}/bin')
        os.makedirs(f'{self.dir}/libexec/curfew')
        os.rename(lonely, f'{self.dir}/bin/curfew')
        shutil.copy(os.path.join(os.path.dirname(CURFEW), 'curfew-full'), f'{self.dir}/libexec/curfew')
        done = subprocess.run([f'{self.dir}/bin/curfew', '--report', self.report, '10', 'true'],
                              capture_output=True, timeout=BOUND)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_report(read(self.report))


class Show(Case):
    def show(self, path=None, **kwargs):
        env = {**os.environ, 'LC_ALL': 'C.UTF-8', 'TERM': 'xterm', 'COLUMNS': '80'}
        env.update(kwargs.pop('env', {}))
        return self.curfew('show', path or EXAMPLES[0], env=env, **kwargs)

    def test_words(self):
        out = self.show().stdout.decode()
        self.assertTrue(out.startswith("deadline  sh -c 'python3 worker.py & "))
        for text in ('Its time of 2.000 s was over; it died of signal INT; 1 process had to be '
                     'killed; nothing is left of it.\n', '\u25bcUSR1', 'KILL\u25bc',
                     'sh 4711', '  python3 4712', '    gcc 4716', '\u2717\n',
                     '2.000 s  INT   tree      4 reached; ended: sh 4711',
                     'Killed    python3 4712\n', 'builder in /srv/jobs, pid 4711\n'):
            self.assertIn(text, out)
        self.assertNotIn('\033', out)
        lines = out.splitlines()
        bars = [line for line in lines if '\u2588' in line]
        self.assertEqual(len(bars), 5)
        self.assertTrue(all(len(line) <= 80 for line in bars))

    def test_left_out(self):
        """What a key at the terminal has given some of them."""
        with open(EXAMPLES[0], encoding='utf-8') as file:
            report = json.load(file)
        report['steps'][0].update(reached=0, left_out=4)
        with open(self.report, 'w', encoding='utf-8') as file:
            json.dump(report, file)
        out = self.show(self.report).stdout.decode()
        self.assertIn('2.000 s  INT   tree      0 reached, 4 had it; ended: sh 4711', out)

    def test_own_124(self):
        out = self.show(EXAMPLES[1]).stdout.decode()
        self.assertIn('It exited with 124 after 0.042 s, a status of its own', out)

    def test_ascii(self):
        out = self.show(env={'LC_ALL': 'C'}).stdout
        self.assertTrue(out.isascii())
        self.assertIn(b'vUSR1', out)
        self.assertIn(b'=X\n', out)

    def test_terminal(self):
        def run(**env):
            ours, theirs = pty.openpty()
            subprocess.run(['stty', 'rows', '24', 'cols', '60'], stdin=theirs, check=True)
            subprocess.run([CURFEW, 'show', EXAMPLES[0]], stdout=theirs, timeout=BOUND, check=True,
                           env={**os.environ, 'LC_ALL': 'C.UTF-8', 'TERM': 'xterm', **env})
            os.close(theirs)
            data = b''
            try:
                while True:
                    piece = os.read(ours, 65536)
                    if not piece:
                        break
                    data += piece
            except OSError:  # how the end is told here
                pass
            os.close(ours)
            return data.decode()
        os.environ.pop('NO_COLOR', None)
        colored = run()
        self.assertIn('\033[33mdeadline\033[m', colored)
        self.assertNotIn('\033', run(NO_COLOR='1'))
        self.assertNotIn('\033', run(TERM='dumb'))
        plain = re.sub('\033\\[[0-9;]*m', '', colored)
        for line in plain.splitlines():
            if '\u2588' in line:
                self.assertEqual(len(line.rstrip('\r')), 60)

    def test_real(self):
        """What was recorded can be shown, whatever it is; a crowd is one line."""
        self.curfew('--report', self.report, '--stop=CONT:.1', '1', 'sh', '-c',
                    'for i in $(seq 50); do sleep 1000 & done; wait')
        out = self.show(self.report).stdout.decode()
        self.assertTrue(out.startswith('deadline  sh'))
        self.assertIn('  sleep \u00d750 ', out)
        self.assertIn('51 processes had to be killed', out)
        self.curfew('--report', self.report, '1', 'no-such-command')
        self.assertIn('It could not be started: No such file or directory (look up).\n',
                      self.show(self.report).stdout.decode())

    def test_many(self):
        """What is short is folded, whatever its names are; with --all each has a line."""
        def many(report):
            first = dict(report['processes'][0], pid=1, parent=0, started=0, ended=None)
            report['processes'] = [first]
            for i in range(120):
                started = i * .029
                report['processes'] += [
                    dict(first, pid=1000 + i, parent=1, name=f'a{i}', started=started,
                         ended=started + .02),
                    dict(first, pid=2000 + i, parent=1000 + i, name=f'b{i}', started=started + .01,
                         ended=started + .015 if i % 60 else 3.5017)]
        lines = self.with_report(many).stdout.decode().splitlines()
        self.assertLessEqual(len(lines), 60)
        self.assertIn('  (short) \u00d7236 ', '\n'.join(lines))  # not those that were killed
        for name in 'b0 2000', 'a60 1060', 'b60 2060':
            self.assertEqual(len([line for line in lines if line.lstrip().startswith(name)]), 1, name)
        self.assertRegex('\n'.join(lines), r"\n\(short\) took less than [^\n]*'curfew show --all'")
        for args in (['--all', self.report], [self.report, '--all']):
            done = self.curfew('show', *args).stdout.decode()
            for i in range(120):
                self.assertRegex(done, f'\n +a{i} {1000 + i} [^\n]*\n +b{i} {2000 + i} ')
            self.assertNotIn('short', done)
        self.assertRegex(self.curfew('show', '--al', self.report).stderr.decode(),
                         "^curfew: unknown option '--al' for 'curfew show': '--all'\n$")

    def test_stdin(self):
        self.assertEqual(self.show('-', input=read(EXAMPLES[0])).stdout, self.show().stdout)

    def with_report(self, change):
        report = load(EXAMPLES[0])
        change(report)
        with open(self.report, 'w') as file:
            json.dump(report, file)
        return self.show(self.report)

    def test_hostile(self):
        """Nothing from a report gets to the terminal as a command, and none brings it down."""
        def evil(report):
            text = 'a\033[2J\r\n\u202e\x9b1m'
            report['status'].update(signalled=text)
            report.update(host=text, verdict=text, started=text, backend=text)
            report['command'].update(argv=[text, ''], directory=text)
            report['processes'][1].update(name=text)
            report['steps'][0].update(signal=text, error=text)
        out = self.with_report(evil).stdout.decode()
        for bad in ('\033', '\r', '\u202e', '\x9b'):
            self.assertNotIn(bad, out)

        def circle(report):
            for process in report['processes']:
                process.update(pid=1, parent=1, started=-1e300, ended=1e300)
            report['times']['end'] = 1e-300
        self.assertEqual(self.with_report(circle).returncode, 0)

        def deep(report):
            report['processes'] = [
                dict(report['processes'][0], pid=i + 2, parent=i + 1) for i in range(5000)]
        self.assertEqual(self.with_report(deep).returncode, 0)

        def lost(report):
            report.update(verdict='lost', status=None, end='given up')
            report['times']['exit'] = None
            report['survivors'] = report['killed']
            report['output'] = {'complete': False, 'error': 'Broken pipe'}
        out = self.with_report(lost).stdout.decode()
        self.assertIn('It ended in a way that is not known; 1 process had to be killed; 1 process '
                      'left running.\n', out)
        self.assertIn('Output    cut: Broken pipe\n', out)

    def test_anything(self):
        """Whatever stands where a member should, it is shown or it is a mistake."""
        for path in every_path(load(EXAMPLES[0])):
            for value in (None, -1, 1e300, 'x', [], {}, True):
                def change(report):
                    for key in path[:-1]:
                        report = report[key]
                    report[path[-1]] = value
                done = self.with_report(change)
                self.assertIn(done.returncode, (0, 125), (path, value))
                self.assertEqual(done.stderr.count(b'\n'), done.returncode == 125)

    def test_no_report(self):
        for content, why in (('', "line 1, column 0: "), ('{"a": 1,\n  nope}', 'line 2, column 6: '),
                             ('[]', 'it has no "schema"'),
                             ('{"event": "start", "time": 0}\n{}\n', 'these are events'),
                             ('{"schema": "curfew-report/2"}', 'another version'),
                             ('{"schema": "curfew-report/1"}', 'Object item not found: command')):
            with open(self.report, 'w') as file:
                file.write(content)
            done = self.show(self.report)
            self.assertEqual((done.returncode, done.stdout), (125, b''))
            self.assertRegex(done.stderr.decode(), f"^curfew: '.*' is [^\n]*{re.escape(why)}[^\n]*\n$")
        for part in ('processes', 'steps', 'times', 'killed', 'command'):
            done = self.with_report(lambda report: report.update({part: 'x'}))
            self.assertEqual(done.returncode, 125, part)
            self.assertEqual(done.stderr.count(b'\n'), 1)
        self.assertRegex(self.show('nothing').stderr.decode(), "^curfew: cannot read 'nothing': No such")
        self.assertRegex(self.show('.').stderr.decode(), "^curfew: cannot read '.': Is a directory")
        self.assertRegex(self.curfew('show').stderr.decode(), "^curfew: 'curfew show' takes one REPORT")


class Schema(unittest.TestCase):
    def test_examples(self):
        for path in EXAMPLES:
            REPORT.validate(load(path))

    def test_manual(self):
        """It has every member, every kind of event and every word."""
        words = set(re.findall('[a-z_]+', read(MANUAL).decode().replace('\\(dq', ' ')))
        wanted = set()

        def collect(part):
            if isinstance(part, dict):
                wanted.update(part.get('properties', []))
                for word in [part.get('const'), *part.get('enum', [])]:
                    wanted.update(re.findall('^[a-z]+$', word or ''))
                for value in part.values():
                    collect(value)
            elif isinstance(part, list):
                for value in part:
                    collect(value)
        collect(SCHEMA)
        self.assertGreater(len(wanted), 70)
        self.assertEqual(wanted - words, set())

    def test_it_bites(self):
        """A schema that allows everything would say nothing."""
        for change in ({'verdict': 'fine'}, {'more': 1}, {'status': {'exited': 256}},
                       {'times': {'exit': -1, 'end': 0}}, {'started': '2026-11-27'}):
            report = load(EXAMPLES[0])
            report.update(change)
            self.assertFalse(REPORT.is_valid(report), change)
        self.assertFalse(EVENT.is_valid({'event': 'seen', 'time': 1}))
        self.assertFalse(EVENT.is_valid({'event': 'exit', 'time': 1, 'more': 1}))


if __name__ == '__main__':
    os.environ.pop('CURFEW_DEADLINE', None)
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    sys.exit(not result.wasSuccessful())
