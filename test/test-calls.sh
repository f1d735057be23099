#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test-calls.sh REPEAT TINY [CURFEW]: how many system calls the same takes, exactly, where times are
# noise: what 20 of it make more than 10; and the whole program, which brings its own C library. Who
# adds one has to say so here.
#
# TINY makes one of its own, to exit. Of what is repeated those about memory are left out: when there
# are any is the C library's business.
set -u

repeat=$1 tiny=$2 curfew=${3:-}
failed=0
memory=brk,madvise,mmap,mprotect,mremap,munmap

if ! strace -qc -o /dev/null true 2>/dev/null; then
        echo "skipped: strace can't trace here"
        [ -z "${CURFEW_MUST_WORK:-}" ] || exit 1
        exit 77
fi

# calls N OPTION… -- BACKEND WHAT COMMAND…: how many N of them make.
calls() {
        n=$1 options=
        shift
        while [ "$1" != -- ]; do
                options="$options $1"
                shift
        done
        shift
        # shellcheck disable=SC2086 # several words
        strace $options -qc -e "trace=!$memory" -U calls,name -o /dev/stdout \
                "$repeat" "$n" "$@" 2>/dev/null | awk '$2 == "total" { print $1 }'
}

# expect LIMIT OPTION… -- BACKEND WHAT COMMAND…
expect() {
        limit=$1
        shift
        ten=$(calls 10 "$@") twenty=$(calls 20 "$@")
        if [ -z "$ten" ] || [ -z "$twenty" ]; then
                echo "not here: $*"
                return
        fi
        each=$(((twenty - ten + 5) / 10))
        echo "$*: $each, $limit allowed"
        [ "$each" -le "$limit" ] || failed=1
}

# output MIB VERB
output() {
        calls 1 -- group "$2" dd if=/dev/zero bs=64k "count=$((16 * $1))" status=none
}

# per_mib LIMIT VERB: what a MiB more of output takes; the least of three, since a host that keeps up
# with the command asks for its output more often.
per_mib() {
        least=
        for _ in 1 2 3; do
                little=$(output 1 "$2") much=$(output 33 "$2")
                each=$(((much - little + 16) / 32))
                [ -n "$least" ] && [ "$least" -le "$each" ] || least=$each
        done
        echo "group $2, a MiB: $least, $1 allowed"
        [ "$least" -le "$1" ] || failed=1
}

# outside WORD…: how many a command line that ends in $tiny makes, all processes together, but for the
# one that executes that. What is open here is not for it: each would be one more to pass on.
outside() {
        python3 -c 'import os, sys; os.closerange(3, 65536); os.execvp(sys.argv[1], sys.argv[1:])' \
                strace -f -qq -e signal=none -o /dev/stdout "$@" 2>/dev/null | awk -v tiny="$tiny" '
                /resumed>|\+\+\+/ { next }
                { ++n[$1] }
                index($0, "execve(\"" tiny "\"") { child = $1 }
                END { for (pid in n) if (pid != child) sum += n[pid]; print sum }'
}

# The caller's own; then with those of the child, of which 62 are dispositions: 8 and 78, and one for
# each 20 ms that the child takes. What the others make depends on who is faster (14, 18, 36 and 59 on
# a quiet machine), so there is room.
expect 12 -- group start "$tiny"
expect 84 -f -- group start "$tiny"
expect 18 -- cgroup start "$tiny"
expect 22 -- keeper start "$tiny"
expect 32 -- group stop /bin/sleep 100
expect 44 -- cgroup stop /bin/sleep 100
expect 64 -- keeper stop /bin/sleep 100
per_mib 10 capture
per_mib 10 call

# With a guard 128 to 130; timeout takes 129.
if [ -n "$curfew" ]; then
        each=$(outside "$curfew" 10 "$tiny")
        echo "the whole of curfew: $each, 144 allowed; of timeout: $(outside timeout 10 "$tiny")"
        [ "$each" -le 144 ] || failed=1
fi

# What only prints something starts nothing, and makes no group.
if [ -n "$curfew" ]; then
        for option in --version --help; do
                strace -f -qq -e signal=none -e trace='?fork,?vfork,clone,clone3,?mkdir,mkdirat,execve' \
                        -o /dev/stderr "$curfew" "$option" 2>&1 >/dev/null | grep -v 'execve(.*curfew' &&
                        failed=1
        done
fi
exit $failed
