#!/usr/bin/env python3
# SPDX-License-Identifier: MIT

# Python's way of the benchmarks' work, as ../peer.h describes it: subprocess. Each line of stdin is
# a verb and its arguments, and is answered with how long that took in ns.

import os
import resource
import subprocess
import sys
from subprocess import DEVNULL, PIPE
from time import monotonic_ns

memory = []
many = []
resident_before = 0


def spawn(*argv, stdout=DEVNULL, bufsize=-1):
    return subprocess.Popen(argv, bufsize, stdin=DEVNULL, stdout=stdout, stderr=DEVNULL)


def start(n, program):
    before = monotonic_ns()
    for _ in range(n):
        subprocess.run([program], stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)
    return monotonic_ns() - before


def grow(mib):
    before = monotonic_ns()
    memory.append(b"\1" * (mib << 20))
    return monotonic_ns() - before


def discard(n, program):
    before = monotonic_ns()
    size = 0
    with spawn(program, str(n), stdout=PIPE, bufsize=0) as child:
        while piece := child.stdout.read(64 << 10):
            size += len(piece)
    assert size == n
    return monotonic_ns() - before


def keep(n, program):
    before = monotonic_ns()
    child = subprocess.run([program, str(n)], stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    assert len(child.stdout) == n
    return monotonic_ns() - before


def cancel(n, program):
    took = 0
    for _ in range(n):
        with spawn(program, stdout=PIPE) as child:
            child.stdout.readline()
            before = monotonic_ns()
            child.terminate()
            child.wait()
            took += monotonic_ns() - before
    return took


def start_many(n, program):
    global resident_before
    resident_before = resident()
    before = monotonic_ns()
    for _ in range(n):
        many.append(spawn(program))
    return monotonic_ns() - before


def memory_of_many():
    return resident() - resident_before


def end_many():
    before = monotonic_ns()
    for child in many:
        child.terminate()
    for child in many:
        child.wait()
    many.clear()
    return monotonic_ns() - before


def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


verbs = {
    "start": start,
    "grow": grow,
    "discard": discard,
    "keep": keep,
    "cancel": cancel,
    "many": start_many,
    "memory": memory_of_many,
    "end": end_many,
}

limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
for line in sys.stdin:
    name, *args = line.split()
    verb = verbs.get(name)
    print(verb(*map(int, args[:1]), *args[1:]) if verb else "-", flush=True)
end_many()
