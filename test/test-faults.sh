#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test-faults.sh SCENARIO: make each system call fail that acquires something or blocks, one after
# the other, by strace; see scenario.c for what is done meanwhile and what must hold all the same.
#
# First a scenario is run as it is, and how often a process in it makes a call is counted. Then it
# is run again with the first of them failing, with the second, and so on; strace counts in each
# process by itself, so the k-th call fails in the host, in its keeper, and in what is about to be
# the command. CURFEW_ROUNDS is how many k are tried for a call, spread evenly where there are more.
#
# Then calls are made to fail always, with ENOSYS, as in a container whose filter is older than the
# kernel.
set -u

scenario=$1
shift

# What a call fails with. Not here are those that can't fail in a way that a program could answer,
# like close(2).
faults='
clone EAGAIN
clone3 EAGAIN
clone3 ENOMEM
close_range ENOMEM
dup3 EMFILE
epoll_create1 EMFILE
epoll_ctl ENOMEM
epoll_pwait EINTR
epoll_wait EINTR
eventfd2 EMFILE
execveat ENOMEM
faccessat EACCES
faccessat2 EACCES
fcntl EMFILE
ftruncate ENOMEM
futex EINTR
getdents64 ENOMEM
mkdirat EACCES
mkdirat ENOSPC
memfd_create EMFILE
mmap ENOMEM
mprotect ENOMEM
mremap ENOMEM
openat EMFILE
openat ENOMEM
pidfd_open EMFILE
pidfd_send_signal EPERM
pipe2 EMFILE
poll EINTR
ppoll EINTR
prctl EINVAL
pread64 EINTR
read EINTR
read ENOMEM
recvfrom EINTR
sendto ENOBUFS
setpgid EPERM
signalfd4 EMFILE
socketpair EMFILE
timerfd_create EMFILE
unlinkat EBUSY
wait4 EINTR
waitid EINTR
write EINTR
write ENOMEM
'

# What a filter or another kernel may lack.
absent='clone3 close_range execveat faccessat2 memfd_create openat2 pidfd_open pidfd_send_signal'

# The address sanitizer takes memory itself, and ends a process that doesn't get it.
if grep -q __asan_init "$scenario"; then
        faults=$(echo "$faults" | grep -v '^m[a-z]* ENOMEM')
fi

export GLIBC_TUNABLES=glibc.malloc.tcache_count=0
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" # which would trace what is traced already

# The directory of this process's control group; nothing where there is none.
own_group() {
        point=$(sed -n 's/^[^ ]* [^ ]* [^ ]* \/ \([^ ]*\) .* - cgroup2 .*/\1/p' \
                /proc/self/mountinfo | head -n 1)
        below=$(sed -n 's/^0:://p' /proc/self/cgroup)
        [ -z "$point" ] || [ -z "$below" ] || echo "$point$below"
}

# look GROUP: what is in the group but this shell is put into $left, and ended; so are the groups in
# it. Nothing is forked here, since that would be in it as well.
look() {
        while read -r pid; do
                [ "$pid" != $$ ] || continue
                read -r comm <"/proc/$pid/comm" || continue
                left="$left process $pid ($comm)"
                kill -KILL "$pid"
        done <"$1/cgroup.procs"
        for below in "$1"/*/; do
                [ -d "$below" ] && left="$left group $below"
        done
}

# sweep GROUP: remove it; what has just been ended in it takes a moment.
sweep() {
        tries=0
        while [ -d "$1" ] && [ "$tries" -lt 100 ]; do
                for below in "$1"/*/; do
                        [ -d "$below" ] && rmdir "$below" 2>/dev/null
                done
                rmdir "$1" 2>/dev/null || sleep 0.05
                tries=$((tries + 1))
        done
}

# one FOLDER BACKEND VERB CALL ERROR [WHEN]: one run, in a group of its own. A line says how it was.
one() {
        folder=$1 backend=$2 verb=$3 call=$4 error=$5 when=${6:-}
        name="$backend $verb: $call $error ${when:-always}"
        log=$folder/$$.log out=$folder/$$.out left='' group=''

        above=$(own_group)
        if [ -n "$above" ] && mkdir "$above/test-faults-$$" 2>/dev/null; then
                group=$above/test-faults-$$
                echo $$ >"$group/cgroup.procs"
        fi

        # Where a SIGKILL comes between two of its calls, strace may give up: that was no run.
        for _ in 1 2 3; do
                left=''
                timeout -s KILL 35 strace --seccomp-bpf -f -qq -o "$log" -e "trace=$call" \
                        -e "inject=$call:error=$error${when:+:when=$when}" \
                        "$scenario" "$verb" "$backend" >"$out" 2>&1
                status=$?
                [ -z "$group" ] || look "$group" 2>/dev/null
                grep -q '^strace: ptrace(' "$out" || break
        done

        if [ -n "$group" ]; then
                echo $$ >"$above/cgroup.procs"
                sweep "$group"
        fi
        case $status in
        0 | 3) [ -n "$left" ] || rm "$log" ;;
        esac
        if [ -e "$log" ]; then
                echo "FAILED $name: status $status${left:+, left:$left}: $(cat "$out")"
                tail -n 20 "$log" | sed 's/^/        /'
        else
                echo "ok $name: status $status: $(cat "$out")"
        fi
        rm -f "$log" "$out"
}

# counts FILE: "CALL M N" for each call in a log: of the first process, M are before its main(), which
# begins with alarm(2), and are not ours; N is the most that any process makes.
counts() {
        awk '{ name = $2; if (!sub(/\(.*/, "", name)) next
               if (!first) first = $1
               if (name == "alarm" && $1 == first) begun = 1
               if (!begun) before[name]++
               n = ++all[$1, name]
               if (n > most[name]) most[name] = n }
             END { for (name in most) print name, before[name] + 0, most[name] }' "$1"
}

# plan FOLDER BACKEND VERB: the arguments of the runs to be made, a line each.
plan() {
        strace -f -qq -o "$1/whole" "$scenario" "$3" "$2" >"$1/whole.out" 2>&1 || {
                echo "FAILED $2 $3: untouched: $(cat "$1/whole.out")" >&2
                return 1
        }
        counts "$1/whole" >"$1/counts"
        echo "$faults" | while read -r call error; do
                sed -n "s/^$call //p" "$1/counts" | while read -r before n; do
                        spread "$before" "$n" | while read -r k; do
                                echo "$1 $2 $3 $call $error $k"
                        done
                done
        done
}

# spread M N: the numbers above M and up to N, or as many of them as there are to be rounds.
spread() {
        awk -v m="$1" -v n="$2" -v rounds="$rounds" 'BEGIN {
                if (n - m <= rounds) for (k = m + 1; k <= n; k++) print k
                else for (i = 0; i < rounds; i++) print m + 1 + int(i * (n - m - 1) / (rounds - 1))
        }'
}

if [ "${1:-}" = one ]; then
        shift
        one "$@"
        exit
fi

skip() {
        echo "skipped: $1" >&2
        [ "${CURFEW_MUST_WORK:-}" = 1 ] && exit 1
        exit 77
}

strace -f -o /dev/null true 2>/dev/null || skip 'strace is missing, or may not trace'
rounds=${CURFEW_ROUNDS:-3}
[ "$rounds" -ge 2 ] || rounds=2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

backends='group keeper'
"$scenario" start cgroup >/dev/null && backends="$backends cgroup"

for backend in $backends; do
        for verb in start stop kill host-death; do
                [ "$backend $verb" != 'group host-death' ] || continue
                plan "$folder" "$backend" "$verb" >>"$folder/jobs" || exit 1
        done
done
for backend in any $backends; do
        for call in $absent; do
                echo "$folder $backend kill $call ENOSYS"
                [ "$backend" = group ] || echo "$folder $backend host-death $call ENOSYS"
        done
done >>"$folder/jobs"

xargs -P "$(nproc)" -L 1 sh "$0" "$scenario" one <"$folder/jobs" >"$folder/results"
grep -v '^ok .*[0-9]: status' "$folder/results"
grep ' always: ' "$folder/results"
all=$(wc -l <"$folder/jobs") ok=$(grep -c '^ok ' "$folder/results")
echo "$ok of $all runs as they should be"
[ "$ok" -eq "$all" ] || exit 1
case $backends in
*cgroup) ;;
*) skip 'no control group can be made here; all else has been tried' ;;
esac
