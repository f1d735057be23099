#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test-relay.sh PROGRAM: the command's output. Files for it; and what passes through curfew, which is
# only what it has to look at.
#
# shellcheck disable=SC2016 # what is in single quotes is for another shell
# shellcheck source=test/cli.sh
. "${0%/*}/cli.sh"

same() {
        checks=$((checks + 1))
        cmp "$1" "$2" >difference 2>&1 || fail "curfew $args: $(cat difference)"
}

content() {
        checks=$((checks + 1))
        [ "$(cat "$1")" = "$2" ] || fail "curfew $args: in $1 is '$(cat "$1")', not '$2'"
}

both='echo out; echo err >&2; echo out; echo err >&2'
mkfifo other

### Files.

run --stdout=f 10 sh -c "$both"; status 0; out ''; err 'err
err'; content f 'out
out'
run --stderr=f 10 sh -c "$both"; status 0; out 'out
out'; err ''; content f 'err
err'
for idle in '' --idle=10; do
        echo full >a
        echo full >b
        run $idle --stdout=a --stderr b 10 sh -c "$both"; status 0; out ''; err ''
        content a 'out
out'
        content b 'err
err'
        run $idle --stdout=a --stderr=./a 10 sh -c "$both"; status 0; out ''; err ''
        content a 'out
err
out
err'
        run $idle --stdout=- --stderr=- 10 sh -c "$both"; status 0; err ''; out 'out
err
out
err'
        run $idle --stdout=a --stderr=- 10 sh -c "$both"; status 0; err ''; out 'err
err'
        content a 'out
out'
        run $idle --stdout=no/such 10 touch started; status 125; out ''
        err "curfew: cannot open 'no/such' for '--stdout': No such file or directory"
        echo full >a
        run $idle --stdout=a --stderr=/ 10 touch started; status 125; out ''
        err "curfew: cannot open '/' for '--stderr': Is a directory"
        content a full
        checks=$((checks + 1))
        [ ! -e started ] || fail 'started without its output'
        [ ! -e - ] || fail 'a file is called -'
done

# Without --idle nothing is in between.
run --stdout=a 10 readlink /proc/self/fd/1; content a "$(pwd -P)/a"
run --stdout=a --stderr=a 10 sh -c 'readlink /proc/self/fd/1 /proc/self/fd/2'; content a "$(pwd -P)/a
$(pwd -P)/a"
args='into a pipe'
"$curfew" 10 readlink /proc/self/fd/1 | cat >out
out_like 'pipe:*'

# A FIFO waits for its reader, and can be interrupted there.
cat other >left &
run --stdout=other 10 echo through; status 0
wait $!
content left through
env --default-signal "$curfew" --stdout=other 10 true &
pid=$!
while [ "$(cat "/proc/$pid/comm")" != curfew ]; do :; done
kill -INT "$pid"
wait "$pid"
status=$?; args='--stdout=fifo, interrupted'; status 130

### Silence.

run -v --idle=.5 10 sh -c 'echo out; echo err >&2; sleep 1000'; status 124; out out
err "err
curfew: sending signal TERM to command 'sh' after *s (idle), *"
run --idle=.5 -p 10 sleep 1000; status 143; err "*'sleep' has printed nothing; *PYTHONUNBUFFERED*"
run --idle=.5 -s KILL 10 sleep 1000; status 137
run --idle=.5 -s INT 10 sh -c 'trap "echo asked; exit 3" INT; while :; do sleep .1; done'
status 124; out asked
run --idle=.5 --no-deadline sleep 1000; status 124
run --idle=.5 --init sleep 1000; status 124
run -v --idle=5 .5 sleep 1000; status 124; err '*(deadline)*'
run --idle=0 .5 sleep 1000; status 124
run --idle=inf 10 echo out; status 0; out out
run --idle=.5 10 sh -c 'exec >&- 2>&-; sleep 1000'; status 124
run -v --idle=.5 --wait-tree 10 sh -c '(sleep 1000 &)'; status 124; err '*(idle)*'

# Either output will do, however little it is.
run --idle=1 20 sh -c 'for i in 1 2 3 4; do sleep .4; printf .; sleep .4; printf . >&2; done'
status 0; out ....; err ....

### What passes through is what comes out.

head -c 3000000 /dev/urandom >random
run --idle=10 60 sh -c 'cat random; tac random >&2'; status 0; same out random
tac random >left; same err left
run --idle=10 60 sh -c 'exit 7'; status 7
run --idle=10 60 sh -c 'kill -USR1 $$'; status 138
args='--idle 10 cat, through a pipe'
"$curfew" --idle=10 60 cat random | cat >out; same out random

# In order, if both lead to the same place.
lines='i=0; while [ $i -lt 400 ]; do echo $i; i=$((i + 1)); echo $i >&2; i=$((i + 1)); done'
seq 0 399 >left
args='--idle, 2>&1'
"$curfew" --idle=10 60 sh -c "$lines" >out 2>&1; same out left
"$curfew" --idle=10 60 sh -c "$lines" 2>&1 | cat >out; same out left
args='--idle, twice the same file'
"$curfew" --idle=10 60 sh -c 'echo 1; echo 2 >&2' >out 2>>out; content out '1
2'

# Nothing is done to what others have as well.
args='flags'
(exec 3>&1; "$curfew" --idle=10 60 sh -c "$both"; cat /proc/self/fdinfo/3 >&2) 2>err | cat >out
err '*flags:	0*1
*'

### Readers.

# One that comes late gets all of it, though the command has ended.
args='a late reader'
{ "$curfew" --idle=.5 60 sh -c 'head -c 100000 random; echo >again'; echo $? >status; } |
        { read -r _ <go; cat >left; } &
read -r _ <again
echo >go
wait $!
head -c 100000 random >out; same out left
status=$(cat status); status 0

# Nobody is silent who isn't read; and the deadline comes.
args='no reader'
{ "$curfew" -v --idle=.3 -k .1 1.5 cat random random 2>err; echo $? >other; } | { read -r _ <go; } &
read -r status <other
echo >go
wait $!
status 124
err "*TERM*(deadline)*curfew: the output of command 'cat' is cut: it is not being read"

# That includes what the command has left behind, and who can't wait for it.
args='no reader, and an end'
{ "$curfew" --idle=.3 1 head -c 100000 random 2>err; echo $? >other; } | { read -r _ <go; } &
read -r status <other
echo >go
wait $!
status 125
err "curfew: the output of command 'head' is cut: it is not being read"
mkfifo stopped
{ env --default-signal sh -c 'echo $$ >pid; exec "$@"' sh "$curfew" --idle=9 60 \
        sh -c 'head -c 100000 random; echo >again' 2>err; echo $? >stopped; } | { read -r _ <go; } &
read -r _ <again
kill -TERM "$(cat pid)"
read -r status <stopped
echo >go
wait $!
args='no reader, and a signal'; status 143

# Nor does what curfew itself has to say make it late.
args='no reader of -v'
{ "$curfew" -v -k .1 .5 sh -c 'yes >&2' 2>&1; echo $? >other; } | { read -r _ <go; } &
read -r status <other
echo >go
wait $!
status 124

# One that goes away: the command is told as ever.
args='a reader that leaves'
"$curfew" -v 60 sh -c '"$1" --idle=10 60 yes | head -n 1; "$1" -v --idle=10 60 sh -c "
        trap \"\" PIPE; while echo y; do :; done; exit 6" | head -n 1' sh "$curfew" >out 2>err
out 'y
y'
err "*command 'sh': exit status 6;*"

# One that goes away without a word to read.
args='a reader that leaves a silent command'
{ "$curfew" --idle=20 60 sh -c 'echo >again; read -r _ <go; while echo lost; do :; done' 2>err
        echo $? >other; } | { read -r _ <again; exec <&-; echo >stopped; } &
read -r _ <stopped
echo >go
read -r status <other
wait $!
status 141

args='full'
"$curfew" --idle=10 60 sh -c 'echo lost' >/dev/full 2>err; status=$?; status 125
err "curfew: the output of command 'sh' is cut: No space left on device"
args='full, and a command that goes on'
"$curfew" --idle=10 60 sh -c 'for i in 1 2 3; do echo lost; sleep .1; done; touch ended' >/dev/full 2>err
status=$?; status 125
checks=$((checks + 1))
[ -e ended ] || fail 'a full disk has ended it'

# A socket that nobody reads.
args='a socket'
timeout 60 python3 -c '
import socket, subprocess, sys
ours, theirs = socket.socketpair()
status = subprocess.call(sys.argv[1:], stdout=theirs)
theirs.close()
data = b"".join(iter(lambda: ours.recv(1 << 20), b""))
open("left", "wb").write(data)
sys.exit(status)' "$curfew" --idle=.3 1 sh -c 'head -c 50000 random; exec yes' 2>err
status=$?; status 124
head -c 50000 left >out
head -c 50000 random >left
same out left

# What holds the pipe doesn't hold curfew.
run --idle=10 --leave 60 sh -c 'setsid sleep 1000 & echo $! >pid; echo out'; status 0; out out
kill "$(cat pid)" || fail 'it was not left'
run --idle=10 60 sh -c 'setsid sleep 1000 & echo out'; status 0; out out

finish
