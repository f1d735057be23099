#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test-readers.sh PROGRAM: who doesn't read what curfew writes costs nothing: it waits, and doesn't
# look again and again; and no step waits for a line that tells of one. How long all that takes says
# nothing on a busy machine; how often curfew polls does.
#
# shellcheck disable=SC2016 # what is in single quotes is for another shell
# shellcheck source=test/cli.sh
. "${0%/*}/cli.sh"

if ! strace -qc -o /dev/null true 2>/dev/null; then
        echo "skipped: strace can't trace here"
        [ -z "${CURFEW_MUST_WORK:-}" ] || exit 1
        exit 77
fi
mkfifo other

# traced ARGUMENT…: the program with them, by whatever name, and its polls in a file.
traced() {
        strace -qq -e signal=none -e trace=poll,ppoll -o polls "$program" "$@"
}

# unread ARGUMENT…: what it prints goes to a pipe that is open, and not read until it has ended.
unread() {
        args=$*
        {
                traced "$@" 2>err
                echo $? >other
        } | { read -r _ <go; } &
        read -r status <other
        echo >go
        wait $!
}

polls() {
        checks=$((checks + 1))
        n=$(grep -c "$2" polls)
        [ "$n" -le "$1" ] || fail "$program $args: $n polls, $1 allowed"
}

# The deadline passes while what the command has left isn't read; then a signal comes.
head -c 100000 /dev/zero >zeros
unread --idle=50 .5 cat zeros; status 125; polls 60 .
unread --idle=50 --leave .5 sh -c 'cat zeros; setsid sleep 2 &'; status 125; polls 60 .
unread --idle=50 --report=report .5 cat zeros; status 125; polls 60 .
unread --idle=50 50 sh -c 'cat zeros; (sleep .5; kill $PPID) >/dev/null 2>&1 &'; polls 60 .

# Nor is it looked at more often while the command runs, or when the reader has gone.
unread --idle=.2 1.5 sh -c 'cat zeros zeros'; status 124; polls 60 .
args='a reader that has gone'
{ traced --idle=50 1 sh -c 'trap "" PIPE; echo >again; read -r _ <go; echo; echo >&2; sleep 1000' 2>err
        echo $? >other; } | { read -r _ <again; exec <&-; echo >go; } &
read -r status <other
wait $!
status 124; polls 60 .

# A line that nobody has room for is waited for when all is over, once.
full='yes >&2 & trap "" INT HUP QUIT; sleep .2; while :; do sleep .1; done'
plan=--stop=INT:.1,HUP:.1,QUIT:.1,CONT:.1
args="-v $plan"
{
        traced -v $plan .5 sh -c "$full" 2>&1
        echo $? >other
} | { read -r _ <go; } &
read -r status <other
echo >go
wait $!
status 137; polls 1 'poll(\[{fd=[0-9]*, events=POLLOUT}\], 1, [^0]'

finish
