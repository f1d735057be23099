#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A worker that can be asked to stop, if it is asked.

It makes items one after the other, each in a file that is half-written for a while, and keeps a
helper process of its own, in a session of its own as daemons do. On SIGINT it removes the
half-written file, writes down how far it has come, and stops its helper.

    worker.py DIRECTORY
"""

import itertools
import os
import pathlib
import subprocess
import sys
import time


def say(text):
    os.write(1, f"    worker: {text}\n".encode())


def make_item(path):
    """Half a second of work, during which the file is of no use to anybody."""
    with path.open("w") as file:
        for _ in range(5):
            file.write("some of it\n")
            file.flush()
            time.sleep(0.1)


def main(directory):
    helper = subprocess.Popen(["sleep", "300"], start_new_session=True)
    (directory / "helper.pid").write_text(f"{helper.pid}\n")
    say(f"pid {os.getpid()}, my helper is {helper.pid}; a hundred items to make")

    done = 0
    part = None
    try:
        for n in itertools.count(1):
            part = directory / f"item-{n}.part"
            make_item(part)
            part.rename(directory / f"item-{n}")
            done = n
            say(f"item {n} is ready")
            if n == 100:
                break
    except KeyboardInterrupt:
        say("SIGINT: cleaning up")
        part.unlink(missing_ok=True)
        say(f"removed the half-written {part.name}")

    (directory / "progress").write_text(f"{done}\n")
    say(f"committed the progress: {done} items")
    helper.terminate()
    helper.wait()
    (directory / "helper.pid").unlink()
    say("stopped my helper; goodbye")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
