#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test-signals.sh PROGRAM: the signals that a command is warned with, those that it inherits as ignored,
# and those that ask for its end again.
#
# shellcheck disable=SC2016 # what is in single quotes is for another shell
# shellcheck source=test/cli.sh
. "${0%/*}/cli.sh"

# The numbers of the signals that are ignored, as bits (proc_pid_status(5)); and none blocked.
ignored='sed -n "s/^SigIgn:\t0*//p; s/^SigBlk:\t0*\(.\)/blocked \1/p" /proc/self/status'

# Commands that a warning must find ready say so, and nothing depends on when they are: the deadline
# is far away, but for curfew, which is told of another one.

### Warnings.

# It asks for nothing, and only the leader gets it; the deadline comes all the same.
run -v --warn=USR1@.4 1 sh -c 'trap "echo warned" USR1; trap "echo asked; exit 3" TERM
        (trap "echo wrong" USR1; while :; do sleep .1; done) & while :; do wait; done'
status 124
out 'warned
asked'
err "curfew: sending signal USR1 to command 'sh' after *s (warning), 1 process
curfew: sending signal TERM to command 'sh' after *s (deadline), *"
case $(cat err) in *USR1*after\ 0.[0-5]*) fail "warned too early: $(cat err)" ;; esac

run -v --warn=tree:WINCH@.9 1 sh -c 'sleep 1000; true'
status 124
err "*signal WINCH to command 'sh' after *s (warning), 2 processes*"
run -v --warn=group:WINCH@.9 1 sh -c 'setsid sleep 1000; true'
status 124
err "*signal WINCH to command 'sh' after *s (warning), 1 process
*"

# Of the deadline that holds. One that would have been before the start comes when half the time is over,
# or a second, so that it doesn't end who is about to set a handler.
run -k 1 2 "$curfew" -v --warn=WINCH@1d 3d sleep 1000
status 124
err "*signal WINCH to command 'sleep' after *s (warning), 1 process
*TERM*(inherited deadline)*"
run -v --warn=USR1@1h 8 sh -c 'sleep .1; trap "echo warned; exit 3" USR1; while :; do sleep .1; done'
status 3; out warned
err "*signal USR1 to command 'sh' after *s (warning), 1 process*"
run -k 1 2 "$curfew" -v --warn=WINCH@1d --no-deadline sleep 1000
status 124
err '*(warning)*(inherited deadline)*'

# No deadline, no warning; nor once it has been asked to stop, or has ended.
run -v --warn=WINCH@1d 0 true; status 0; err 'curfew: command*'
run -v --warn=WINCH@1d --no-deadline true; status 0; err 'curfew: command*'
run -v --warn=WINCH@1d inf true; status 0; err 'curfew: command*'
run -v --warn=USR1@0 .1 sleep 1000; status 124; err 'curfew: sending signal TERM*'
run -v --warn=USR2@5 --warn=USR1@0 .1 sleep 1000; status 124; err 'curfew: sending signal TERM*'
begin -v --warn=USR1@20 -s CONT -k inf 21 sh -c 'echo >ready; read -r _ <go; sleep 1.5; exit 3'
kill -TERM "$pid"
echo >go
end
exited 3
case $(cat err) in *warning*) fail "a command that stops is warned: $(cat err)" ;; esac

# Who can't be reached is nobody.
run -v --warn=leader:WINCH@9.9 --wait-tree 10 sh -c '(sleep .5 &)'; status 0; err '*(warning), *'

mistake "invalid warning 'USR1' for '--warn': *" --warn=USR1 1 true
mistake "invalid warning 'USR1@' for '--warn': *" --warn=USR1@ 1 true
mistake "invalid warning 'USR1:3@5' for '--warn': *" --warn=USR1:3@5 1 true
mistake "invalid warning 'FOO@5' for '--warn': *" --warn=FOO@5 1 true
mistake "a 'group:' step needs a group of *" -f --warn group:USR1@5 1 true

### No deadline.

run --no-deadline sh -c 'echo "${CURFEW_DEADLINE:+set}"; exit 3'; status 3; out ''
run --no-deadline 5 true; status 127

### What is ignored stays ignored, but for what is to be sent.

clean() {
        env --default-signal "$@"
}

args='ignored'
clean sh -c "trap '' HUP QUIT PIPE USR2; exec \"\$1\" 10 sh -c \"\$2\"" sh "$curfew" "$ignored" >out
out 'blocked 0
1805'
args='ignored, nothing'
clean "$curfew" 10 sh -c "$ignored" >out
out 'blocked 0'
args='ignored, CHLD'
clean sh -c "trap '' CHLD; exec \"\$1\" 10 sh -c \"\$2\"" sh "$curfew" "$ignored" >out
out 'blocked 0'
args='ignored, but sent'
clean sh -c "trap '' INT HUP USR1 USR2; exec \"\$1\" --stop INT:5,TERM --warn=USR1@5 10 sh -c \"\$2\"" \
        sh "$curfew" "$ignored" >out
out 'blocked 0
801'
clean nohup "$curfew" 10 sh -c "$ignored" >out 2>err
args='nohup'; out 'blocked 0
1'

# A job of a shell without job control ignores INT, and times out by it all the same.
sh -c '"$1" -p -s INT .1 sleep 1000 & wait $!' sh "$curfew"
status=$?; args='-s INT in the background'; status 130

### Who asks again is not impatient: no grace is cut short by a process.

# PWR comes through after all that was sent before it, having a higher number.
for signal in HUP INT QUIT TERM; do
        begin -v --stop leader:TERM:inf,WINCH:inf 0 sh -c 'trap : TERM; trap "echo >again" PWR
                sh -c "echo >ready; read -r _ <go" & wait; wait; wait; exit 3'
        kill -TERM "$pid"
        while ! grep -q 'signal TERM' err; do :; done
        kill -$signal "$pid"
        kill -PWR "$pid"
        read -r _ <again
        echo >go
        end
        exited 3
        case $(cat err) in *WINCH*) fail "a second $signal goes on: $(cat err)" ;; esac
done

# Nor is a clean-up that has begun: GNU timeout asks its child and then the group that both are in, as a
# curfew around this one asks it and its keeper.
cleanup='trap "sleep .1; echo cleaned; exit 3" TERM
        sh -c "echo >ready; exec sleep 1000" & wait; wait'
for outer in timeout "$curfew"; do
        for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
                args="under $outer, round $round"
                "$outer" -k 60 60 "$curfew" -v -k 50 60 sh -c "$cleanup" >out 2>err &
                read -r _ <ready
                kill -TERM $!
                wait $!
                out cleaned
                err '*exit status 3; *by step 1 (TERM)*'
        done
done

finish
