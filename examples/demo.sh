#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The case curfew exists for: a worker that would clean up if only it were asked.
#
#     demo.sh CURFEW          CURFEW is the program
set -eu

curfew=$1
examples=$(dirname "$0")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

title() {
        printf '\n\033[1m%s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[01]*m//g'; fi
}

# What a run has left behind in a directory; ends the helper, if it is still there.
leftovers() {
        found=no
        for part in "$1"/*.part; do
                [ -e "$part" ] || continue
                echo "    left behind: $(basename "$part"), half-written"
                found=yes
        done
        if [ ! -e "$1/progress" ]; then
                echo "    left behind: no record of how far it came"
                found=yes
        fi
        if [ -e "$1/helper.pid" ]; then
                helper=$(cat "$1/helper.pid")
                if grep -q '^sleep' "/proc/$helper/cmdline" 2>/dev/null; then
                        echo "    left behind: its helper, process $helper, still running"
                        kill "$helper"
                        found=yes
                fi
        fi
        [ "$found" = yes ] || echo "    nothing was left behind; progress says $(cat "$1/progress") items"
}

title "curfew -v --stop=INT:5s,TERM:5s 2 python3 worker.py"
mkdir "$place/asked"
status=0
"$curfew" -v --stop=INT:5s,TERM:5s 2 python3 "$examples/worker.py" "$place/asked" || status=$?
echo "    exit status $status"
leftovers "$place/asked"

title "timeout -s KILL 2 python3 worker.py"
mkdir "$place/killed"
status=0
sh -c 'timeout -s KILL 2 python3 "$@"; exit $?' sh "$examples/worker.py" "$place/killed" \
        2>/dev/null || status=$?
echo "    exit status $status"
leftovers "$place/killed"
echo
