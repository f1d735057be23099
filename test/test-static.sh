#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test-static.sh PROGRAM: the program in one file runs where there is nothing else, not even /proc or
# /dev, and does there all that it does elsewhere.
set -u

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
failures=0

fail() {
        failures=$((failures + 1))
        echo "failed: $*"
}

# inside ARGUMENT…: the program with them, in there, leaving $status.
inside() {
        $enter chroot "$dir" /curfew "$@" <&9 >"$dir/stdout" 2>"$dir/stderr"
        status=$?
}

# expect STATUS PATTERN ARGUMENT…: what it exits with, and prints (as of case).
expect() {
        wanted=$1 pattern=$2
        shift 2
        inside "$@"
        [ "$status" = "$wanted" ] || fail "$*: status $status, not $wanted: $(cat "$dir/stderr")"
        # shellcheck disable=SC2254 # a pattern is what it is
        case $(cat "$dir/stdout") in
        $pattern) ;;
        *) fail "$*: printed '$(cat "$dir/stdout")', not '$pattern'" ;;
        esac
}

enter=
[ "$(id -u)" -eq 0 ] || enter='unshare -r'
cp "$1" "$dir/curfew"
mkfifo "$dir/never"
exec 9<>"$dir/never"
if ! $enter chroot "$dir" /curfew --help >/dev/null 2>"$dir/stderr"; then
        echo "skipped: no chroot here: $(cat "$dir/stderr")"
        [ -z "${CURFEW_MUST_WORK:-}" ] || exit 1
        exit 77
fi

expect 0 'curfew 0.*' --version
expect 1 '*held as*' doctor
expect 0 '*.???' 60 /curfew left
expect 124 '' .2 /curfew show - # which waits for what never comes
expect 127 '' 5 /nothing
expect 0 '*.???' -v 5 /curfew left
grep -q 'nothing found left' "$dir/stderr" || fail 'without a guarantee it is sure of the end'
expect 0 '*.???' --report=/report --timeline=/page.html --events=/events 5 /curfew left
grep -q '"verdict": *"exited"' "$dir/report" || fail 'the report'
grep -q '"event": *"end"' "$dir/events" || fail 'the events'
grep -q '</html>' "$dir/page.html" || fail 'the timeline'
expect 0 'exited */curfew left*' show /report

[ "$failures" -eq 0 ]
