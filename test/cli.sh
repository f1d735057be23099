# SPDX-License-Identifier: MIT
#
# cli.sh: what the tests of the program share. To be read by a test that is called as
# test-NAME.sh PROGRAM. $program is what is tested, which may be set to another one; $dir a folder of
# the test's own, which it is in. Prints a line for each check that fails.
#
# Nothing waits for time to pass but what is about a deadline, and no check depends on how much:
# CONT and WINCH stand for signals that don't stop a command, whenever they come. A command that has
# to be ready before it is signalled says so through a pipe. Where that is a shell with a trap, a
# child that has been executed says it, and the shell waits: anywhere else it could miss the signal
# for long, or its child could lose it between fork and exec.
#
# A test has no terminal: what curfew does with one is test-terminal.py's.
#
# shellcheck shell=sh disable=SC2016,SC2034 # what is in single quotes is for another shell
set -u

[ "${CURFEW_TEST:-}" = "$0" ] || CURFEW_TEST=$0 exec setsid -w sh "$0" "$@"

curfew=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
cd "$dir" || exit 1
mkfifo ready again go
unset CURFEW_DEADLINE
program=$curfew
checks=0
failures=0

fail() {
        failures=$((failures + 1))
        echo "failed: $*"
}

# run ARGUMENT...: the program with them, leaving $status, and its outputs in files.
run() {
        args=$*
        ("$program" "$@" >out 2>err; exit $?) 2>/dev/null # where the shell tells of a death
        status=$?
}

# status N, out TEXT, out_like PATTERN, err PATTERN (as of case): what the last run should have left.
status() {
        checks=$((checks + 1))
        [ "$status" = "$1" ] || fail "$program $args: status $status, not $1: $(head -n 3 err)"
}

out() {
        checks=$((checks + 1))
        [ "$(cat out)" = "$1" ] || fail "$program $args: printed '$(cat out)', not '$1'"
}

out_like() {
        checks=$((checks + 1))
        # shellcheck disable=SC2254 # a pattern is what it is
        case $(cat out) in
        $1) ;;
        *) fail "$program $args: printed '$(cat out)', not '$1'" ;;
        esac
}

err() {
        checks=$((checks + 1))
        # shellcheck disable=SC2254
        case $(cat err) in
        $1) ;;
        *) fail "$program $args: said '$(cat err)', not '$1'" ;;
        esac
}

# A mistake is one line that begins with the program's name, and status 125.
mistake() {
        pattern=$1
        shift
        run "$@"
        status 125
        out ''
        err "${program##*/}: $pattern"
        checks=$((checks + 1))
        [ "$(wc -l <err)" -eq 1 ] || fail "$program $args: $(wc -l <err) lines"
}

# begin ARGUMENT...: the program in the background, once its command has written a line into "ready".
# A curfew is around it, whose account tells a death by a signal from an exit status that looks
# like it; and it must not inherit that a shell ignores INT for what it puts there. The pid of the
# inner one is in $pid.
begin() {
        args=$*
        env --default-signal "$curfew" -v 0 \
                sh -c 'echo $$ >pid; exec 2>err "$@"' sh "$program" "$@" >out 2>outer &
        outer=$!
        read -r _ <ready
        pid=$(cat pid)
}

end() {
        wait $outer 2>/dev/null
        status=$?
}

# How the inner one ended, in the words of the outer one.
died_of() {
        checks=$((checks + 1))
        grep -q "died of signal $1" outer || fail "$program $args: not died of $1: $(cat outer)"
}

exited() {
        checks=$((checks + 1))
        grep -q "exit status $1;" outer || fail "$program $args: not exited with $1: $(cat outer)"
}

finish() {
        echo "$checks checks, $failures failed"
        [ $failures -eq 0 ]
}
