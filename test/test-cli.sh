#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test-cli.sh PROGRAM: what curfew does as a program.
#
# shellcheck disable=SC2016 # what is in single quotes is for another shell
# shellcheck source=test/cli.sh
. "${0%/*}/cli.sh"

### The command's own end is passed on.

run 10 true; status 0; out ''; err ''
run 10 false; status 1
run 10 sh -c 'exit 7'; status 7
run 10 sh -c 'exit 124'; status 124
run 0 sh -c 'exit 3'; status 3
run inf sh -c 'exit 3'; status 3
run 1e400 true; status 0
run 10 echo a 'b  c' -v --help; out 'a b  c -v --help'
run 10 sh -c 'echo out; echo err >&2'; out out; err err
echo in | "$curfew" 10 cat >out
args='cat'; out in
"$curfew" 10 readlink /proc/self/fd/0 <&- >out
args='closed stdin'; out /dev/null

# Other descriptors are passed on, and none of curfew's own; with a job server in them make works.
"$curfew" 10 sh -c 'echo here >&9; read -r line <&8; echo "$line" >&9' 8<<END 9>out
there
END
args='descriptors'; out 'here
there'
"$curfew" 10 sh -c 'ls /proc/$$/fd' 7>&1 >out; args='descriptors'; out '0
1
2
7'

run -v 10 "$curfew" 10 sh -c 'kill -TERM $$'; status 143; err '*died of signal TERM;*'
run -v 10 "$curfew" 10 sh -c 'kill -KILL $$'; status 137; err '*died of signal KILL;*'
run -v 10 "$curfew" 10 sh -c 'kill -HUP $$'; status 129; err '*died of signal HUP;*'
run -v 10 sh -c 'exit 143'; status 143; err '*exit status 143;*'

# SIGCHLD ignored or blocked by the parent, and children that it had before.
sh -c "trap '' CHLD; exec \"\$1\" 10 sh -c 'exit 3'" sh "$curfew"; status=$?; args='CHLD ignored'
status 3
sh -c 'sleep 1000 & echo $! >pid; exec "$1" 10 sh -c "exit 3"' sh "$curfew"; status=$?
args='with a job of the shell'; status 3
kill -0 "$(cat pid)" || fail 'the job of the shell was killed'
sh -c 'sleep 1000 & echo $! >>pid; exec "$1" .1 sleep 1000' sh "$curfew"; status=$?
args='with a job of the shell, timed out'; status 124
while read -r job; do
        kill "$job" || fail 'the job of the shell was killed'
done <pid

### Timing out.

run .1 sleep 1000; status 124; out ''; err ''
run 1e-10000 sleep 1000; status 124
run .1s sleep 1000; status 124
run 0x1p-4 sleep 1000; status 124
run 0.001m sleep 1000; status 124
run -s INT .1 sleep 1000; status 124
run -s KILL .1 sleep 1000; status 137
run --signal=137 .1 sleep 1000; status 137
run -s CONT -k .1 .1 sleep 1000; status 137
run -s CONT -k 0 -v .1 sleep 1; status 124; err '*sending signal CONT*'
case $(cat err) in *KILL*) fail '-k 0 kills' ;; esac

run -p .1 sleep 1000; status 143
run -p -s KILL .1 sleep 1000; status 137
run -p -s CONT .1 sh -c 'sleep 1; exit 7'; status 7
run -p -s CONT .1 sleep 1; status 0
run -s CONT .1 sh -c 'sleep 1; exit 7'; status 124

### What it closes is closed.

# It ends when whoever reads its output, or writes what it doesn't read, has seen that.
for fd in 0 1 5; do
        mkfifo "closed-$fd" "seen-$fd"
done
for fd in 1 5; do
        (cat "closed-$fd" >/dev/null && echo >"seen-$fd") &
        eval "\"\$curfew\" 10 sh -c 'exec $fd>&-; read -r _ <seen-$fd; exit 4' $fd>closed-$fd &"
        wait $!
        status=$?; args="whose command closes $fd"; status 4
done
(trap '' PIPE; while echo; do :; done >closed-0 2>&-; echo >seen-0) &
"$curfew" 10 sh -c 'exec 0<&-; read -r _ <seen-0; exit 4' <closed-0 &
wait $!
status=$?; args='whose command closes 0'; status 4

### Its name.

for args in -a --argv0= '--argv0 '; do
        # shellcheck disable=SC2086 # one option or two words
        got=$("$curfew" $args"another" 10 sh -c 'tr "\0" " " </proc/$$/cmdline')
        checks=$((checks + 1))
        case $got in "another -c "*) ;; *) fail "with $args the name is '$got'" ;; esac
done

# A stopped command hears the signal: it didn't have to be killed.
run 1 sh -c 'kill -STOP $$; sleep 1000'; status 124

# Its descendants go with it: the pipe that they hold is at its end.
got=$("$curfew" 1 sh -c 'sleep 1000 & (sleep 1000 &) ; setsid sleep 1000 & sleep 1000')
status=$?; args='with descendants'; status 124
checks=$((checks + 1))
[ -z "$got" ] || fail "descendants printed '$got'"

### The stop plan.

run --stop=INT:5s,TERM:5s -v .1 sleep 1000; status 124; err '*sending signal INT*by step 1 (INT)'
run --stop CONT:.1,TERM:5s -v .1 sleep 1000; status 124
err '*sending signal CONT*sending signal TERM*by step 2 (TERM)'
run --stop leader:CONT:0,WINCH:0 -v .1 sleep 1000; status 137
err '*CONT*WINCH*KILL*by step 3 (KILL)'
run --stop group:USR1 -v .1 sleep 1000; status 124; err '*USR1*by step 1 (USR1)'

### What -v says.

run -v 10 true; status 0
err "curfew: command 'true' exited after *s
curfew: command 'true': exit status 0; nothing left after *s"
checks=$((checks + 1))
for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
        "$curfew" -v .05 sleep 1000
done 2>&1 | awk '/exited after/ { exited = $NF + 0 }
        /nothing left after/ { sub(",? by step.*", ""); if ($NF + 0 < exited) early++ }
        END { exit early > 0 }' || fail 'nothing was left before the command had exited'
run -v -s HUP .5 sh -c 'sleep 1000 & sleep 1000'; status 124
err "curfew: sending signal HUP to command 'sh' after *s (deadline), [123] process*
curfew: command 'sh' exited after *s
curfew: command 'sh': *; nothing left after *s, by step * (*)"
run -v .1 "$(printf 'no\nsuch')"; err "curfew: cannot run 'no?such': *"

# Nobody reads it. The signal that curfew gets for writing it isn't passed on.
{ "$curfew" -pv --stop=CONT:.2 .5 sh -c 'trap "exit 3" PIPE; sleep 1000 & wait'
        echo $? >status; } 2>&1 | :
status=$(cat status); args='-v into a closed pipe'; status 137

### Options.

run -pvs INT .1 sleep 1000; status 130; err '*INT*'
run -sINT -k5 -p .1 sleep 1000; status 130
run --sig INT --pres .1 sleep 1000; status 130
run --kill=5 --foreground .1 sleep 1000; status 124
run -s INT -s TERM -p .1 sleep 1000; status 143
run -- 10 echo -n; status 0
run 10 -- true; status 127
run --version; status 0; out 'curfew 0.1.0'
run doctor; status 0; out_like 'curfew 0.1.0 on Linux *keeper         tracked: *held as *'
run --help; status 0
checks=$((checks + 1))
grep -q '^Usage: curfew \[OPTION\]... DURATION COMMAND' out || fail '--help'
[ "$(awk 'length > 80' out)" = '' ] || fail '--help is wider than 80 columns'
run --vers --unknown; status 0
for option in --help --version; do
        ("$curfew" $option >/dev/full 2>err) 2>/dev/null; status=$?; args="$option >/dev/full"
        status 125
        err 'curfew: cannot write to standard output: *'
        ("$curfew" $option >&- 2>err) 2>/dev/null; status=$?; args="$option >&-"
        status 125
done

# The group: another one, of its own; with -f the same as the shell's.
group=$(cut -d' ' -f5 /proc/self/stat)
run 10 sh -c 'echo $(($(cut -d" " -f5 /proc/self/stat) - $$))'; out 0
run -f 10 cut -d' ' -f5 /proc/self/stat; out "$group"
run -f .1 sleep 1000; status 124
run -f -s KILL .1 sleep 1000; status 137

### Mistakes.

mistake "missing DURATION and COMMAND. Try 'curfew --help'"
mistake "missing COMMAND after '5'. Try 'curfew --help'" 5
mistake "invalid duration '1x': a number, optionally followed by s, m, h or d" 1x true
mistake "invalid duration '': *" '' true
mistake "invalid duration 'sleep': *" sleep 5
mistake "invalid duration '1ms' for '--kill-after': *" -k 1ms 1 true
mistake "invalid duration ' -1': *" ' -1' true
mistake "invalid signal 'FOO' for '--signal': a name such as *" -s FOO 1 true
mistake "invalid signal '65' for '--signal': *" -s 65 1 true
mistake "invalid signal '0' for '--signal': it stops nothing" -s 0 1 true
mistake "invalid step 'TERM:5x' for '--stop': *" --stop INT:5s,TERM:5x 1 true
mistake "invalid step '' for '--stop': *" --stop= 1 true
mistake "too many steps for '--stop': at most 8" --stop 1,2,3,4,5,6,7,8,10 1 true
mistake "'--stop' says all that '--signal' and '--kill-after' could say: *" --stop INT -s INT 1 true
mistake "'--stop' says all *" -k 5 --stop INT 1 true
mistake "a 'group:' step needs a group of *" -f --stop group:INT 1 true
mistake "unknown option '--kil-after': did you mean '--kill-after'[?]" --kil-after=5 1 true
mistake "unknown option '--singal': did you mean '--signal'[?]" --singal INT 1 true
mistake "unknown option '--timeout'. Try 'curfew --help'" --timeout=5 true
mistake "unknown option '-x'. Try 'curfew --help'" -x 1 true
mistake "unknown option '-1'. Try 'curfew --help'" -1 true
mistake "unknown option '-x'. Try *" -vx 1 true
mistake "ambiguous option '--s': '--signal' or '--stop'" --s=INT 1 true
mistake "ambiguous option '--ver': '--verbose' or '--version'" --ver 1 true
mistake "option '--verbose' takes no argument, so not '3'" --verbose=3 1 true
mistake "option '--signal' needs its SIGNAL. Try 'curfew --help'" -s
mistake "option '--kill-after' needs its DURATION. Try *" --kill-after
mistake "unknown option '--a?b'*" "$(printf -- '--a\nb')"

# Nothing in a name is more than shown: no control, in ASCII or beyond, nothing that turns the direction of
# writing, and no byte that a terminal might make something of.
run 10 "$(printf './\033[2J\302\2331m\233\342\200\256\360\237\230\200\303\244\303')"; status 127
err "curfew: cannot run './?[2J?1m??$(printf '\360\237\230\200\303\244')?': No such file or directory (*)"

### What can't be started.

run 10 ./no-such-command; status 127
err "curfew: cannot run './no-such-command': No such file or directory (*)"
run 10 no-such-command; status 127
err "curfew: cannot run 'no-such-command': No such file or directory (look up)"
run 10 ''; status 127
run 10 -k 5 true; status 127; err "curfew: cannot run '-k': *options go before DURATION and COMMAND*"
run --init 10 true; status 127; err "curfew: cannot run '10': *there is no DURATION (look up)"
run --no-deadline 1m true; status 127; err "curfew: cannot run '1m': *there is no DURATION (look up)"
run 10 /; status 126; err "curfew: cannot run '/': *"
echo >plain; run 10 ./plain; status 126; err "curfew: cannot run './plain': Permission denied (*)"
printf '#!/no/such/interpreter\n' >orphan; chmod +x orphan
run 10 ./orphan; status 127; err "curfew: cannot run './orphan': the interpreter *(exec)"

# A script that says nothing of a shell is run by one.
printf 'echo "$0:$#:$2"\nexit 9\n' >script; chmod +x script
run 10 ./script a 'b  c'; status 9; out './script:2:b  c'
saved=$PATH; PATH=$dir:$PATH
run 10 script a 'b  c'; status 9; out "$dir/script:2:b  c"
PATH=:$saved
run 10 script; status 126; err "curfew: cannot run 'script': PATH has it first relative to *"
PATH=$saved
args='without an environment'
env -i "$curfew" 10 sh -c 'exit 3'; status=$?; status 3
PATH='' "$curfew" 10 sh -c 'exit 3' 2>err; status=$?; status 127

### Deadlines cross processes.

run left; status 0; out inf
run 100 "$curfew" left; status 0
checks=$((checks + 1))
grep -Eqx '[0-9]{2}\.[0-9]{3}' out || fail "left: '$(cat out)'"

# The command's share is what the stop plan leaves, and one that never kills takes nothing.
run -k 20 100 "$curfew" left; status 0; out_like '7?.???'
run -k 0 100 "$curfew" left; status 0; out_like '9?.???'
run --stop INT:30,TERM:0 100 "$curfew" left; status 0; out_like '6?.???'
run 100 sh -c '"$1" "$("$1" left)" sh -c "exit 4"' sh "$curfew"; status 4
run 0 sh -c '"$1" "$("$1" left)" sh -c "exit 4"' sh "$curfew"; status 4
run 100 sh -c 'echo "${CURFEW_DEADLINE:+set}"'; out set
run 0 sh -c 'echo "${CURFEW_DEADLINE:+set}"'; out ''
run 2 "$curfew" -v 1000 sleep 1000; status 124; err '*TERM*(inherited deadline)*'
run 1000 "$curfew" -v .1 sleep 1000; status 124; err '*TERM*(deadline)*'
CURFEW_DEADLINE=1; export CURFEW_DEADLINE
run left; status 124; out 0.001
args='nothing left'; timeout "$("$curfew" left)" sleep 1000; status=$?; status 124
run 10 touch started; status 124; err "curfew: cannot run 'touch': the time that CURFEW_DEADLINE gives it is over already (context)"
[ ! -e started ] || fail 'started without time'
CURFEW_DEADLINE=5s
mistake "CURFEW_DEADLINE is '5s': *" left
run 10 sh -c 'exit 3'; status 3; err "curfew: CURFEW_DEADLINE is ignored: '5s' is no time *"
CURFEW_DEADLINE=
run left; status 0; out inf
run 10 sh -c 'exit 3'; status 3; err ''
run 10 sh -c 'echo "${CURFEW_DEADLINE:+set}"'; out set
unset CURFEW_DEADLINE
mistake "'curfew left' takes no argument, so not '5'" left 5
mistake "'curfew doctor' takes no argument, so not '-v'" doctor -v
for verb in left doctor show; do
        run $verb --help; status 0; out_like 'Usage: curfew *'
done
("$curfew" left >/dev/full 2>err); status=$?; args='left >/dev/full'; status 125

### Signals to curfew.

# Each asks for an end; what the command exits with is passed on, else curfew dies of the signal.
for signal in INT TERM HUP QUIT; do
        begin -v 0 sh -c 'trap "exit 3" TERM; sh -c "echo >ready; exec sleep 1000" & wait'
        kill -$signal "$pid"
        end
        exited 3
        err "*sending signal TERM to command 'sh' after *s (SIG$signal), *"

        begin 0 sh -c 'echo >ready; exec sleep 1000'
        kill -$signal "$pid"
        end
        died_of $signal
done

# In the grace of a deadline the first one takes nothing away.
begin -v -s CONT -k inf 1 sh -c 'trap "echo >again" USR1
        sh -c "echo >ready; read -r _ <go" & wait; wait; exit 3'
while ! grep -q 'signal CONT' err; do :; done
kill -INT "$pid"
kill -USR1 "$pid"
read -r _ <again
echo >go
end
exited 124

# The others are passed on.
begin 0 sh -c 'trap "kill \$!; exit 6" USR1; sh -c "echo >ready; exec sleep 1000" & wait'
kill -USR1 "$pid"
end
exited 6
for signal in USR2 ALRM PIPE; do
        begin 0 sh -c 'echo >ready; exec sleep 1000'
        kill -$signal "$pid"
        end
        died_of $signal
done

# Those that were ignored still are: once USR1 has come through, so has what was sent before it.
args='with HUP and INT ignored'
(trap '' HUP INT; exec "$curfew" -v 0 sh -c 'trap "echo >again" USR1
        sh -c "echo >ready; read -r _ <go" & wait; wait; exit 3' 2>err) &
read -r _ <ready
kill -HUP $!
kill -INT $!
kill -USR1 $!
read -r _ <again
echo >go
wait $!
status=$?; status 3
case $(cat err) in *sending*) fail "an ignored signal was not: $(cat err)" ;; esac

# A curfew that is killed stops all the same, a daemon too, with the signal that was asked for: the
# pipe is at its end when the last of them has ended.
mkfifo held
"$curfew" 20 cat held >left &
reader=$!
begin -s USR1 0 sh -c 'exec >held
        (setsid sh -c "trap \"echo daemon asked; exit\" USR1
                sh -c \"echo >ready; exec sleep 1000\" & wait" &)
        trap "echo asked; exit" USR1; sleep 1000 & wait'
kill -KILL "$pid"
end
wait $reader
status=$?; args='killed itself'; status 0
sort left >out; out 'asked
daemon asked'

### What a command leaves running.

daemon='(setsid sh -c "exec >held; echo >ready; exec sleep 1000" &) ; read -r _ <ready; exit 3'
cat held >/dev/null &
run 10 sh -c "$daemon"; status 3; err "curfew: stopping what command 'sh' has left running *"
wait $!
run -s USR1 -v 10 sh -c '(setsid sleep 1000 &) ; exit 3'
status 3; err '*USR1*(left over), 1 process*nothing left *by step 1 (USR1)'

# The same where there is no right to make a control group: a keeper reports to the program, which may
# have been built with another C library.
if [ "$(id -u)" -eq 0 ]; then
        program=$dir/unprivileged
        chmod 755 "$dir"
        cp "$curfew" copy
        echo "exec setpriv --reuid=65534 --regid=65534 --clear-groups '$dir/copy' \"\$@\"" >"$program"
        chmod 755 "$program" copy
        run --require=tracked 10 sh -c '(setsid sleep 1000 &) ; exit 3'
        status 3; err "curfew: stopping what command 'sh' has left running *"
        run --require=sealed 10 sh -c 'echo started'; status 125; out ''
        err "curfew: cannot run 'sh': *'--require' demands: see 'curfew doctor' (tree)"
        program=$curfew
fi

run --wait-tree 10 sh -c '(setsid sh -c "read -r _ <go; echo waited" &) ; (echo >go &) ; exit 3'
status 3; out waited; err ''
run --wait-tree .2 sh -c '(setsid sleep 1000 &) ; exit 3'; status 124; err ''

# Left alone it lives on, until the reader of its pipe has gone.
daemon='(setsid sh -c "exec >held; trap \"\" PIPE; echo >ready; while echo; do :; done" 2>/dev/null &)
        read -r _ <ready; exit 3'
"$curfew" 20 sh -c 'read -r _ <go; exec head -c 100000' <held >left &
run --leave 10 sh -c "$daemon"; status 3; err ''
echo >go
wait $!
checks=$((checks + 1))
[ "$(wc -c <left)" -eq 100000 ] || fail "what was left did not live on"

### A status that counts as 0.

run -e 3 10 sh -c 'exit 3'; status 0
run --success=4 -e 5 10 sh -c 'exit 3'; status 3
run -e143 10 sh -c 'kill -TERM $$'; status 0
run -e 124 .1 sleep 1000; status 0
run -e 255 -e 0 10 sh -c 'exit 255'; status 0
run -e 127 10 ./no-such-command; status 127 # which is not the command's
for word in '' 256 -1 x 1x ' 1' 99999999999999999999; do
        mistake "invalid status '$word' for '--success': *" -e "$word" 10 true
done

### Guarantees.

run --require=group 10 true; status 0
run --require=tracked 10 true; status 0
mistake "invalid word 'best' for '--require': sealed, tracked or group" --require=best 5 true

### Plans that don't name all.

# What they don't name is left alone where that is wanted; with -f it is.
lives() {
        args=$*
        env --default-signal "$curfew" -v "$@" 0 sh -c 'trap "exit 3" TERM
                setsid sh -c "echo >ready; read -r _ <go; echo lived >again" & wait; wait' 2>err &
        pid=$!
        read -r _ <ready
        kill -TERM $pid
        wait $pid
        status=$?
        status 3
        err '*signal TERM*1 process
*exited*
*exit status 3; 1 process left *'
        echo >go
        "$curfew" 20 cat again >out
        out lived
}
lives -f
lives -f -k 0
lives --leave --stop=leader:TERM
lives --leave --stop=group:TERM

# Else it is asked, too, before it is killed.
cat >asked <<'END'
trap 'echo asked; exit' TERM
sh -c 'echo >ready; exec sleep 1000' & wait
END
asks() {
        begin -v "$@" 0 sh -c 'trap "exit 3" TERM; setsid sh asked & wait; wait'
        kill -TERM "$pid"
        end
        exited 3
        out asked
}
asks --stop=leader:TERM
asks --stop=group:TERM
asks --wait-tree -f -k 2

# Whoever asks a curfew within this one asks for all that it has started, and asks nobody else there.
# (One that leaves its command alone may be through before its keeper has told it so.)
begin 0 "$curfew" -f 0 sh -c 'trap "exit 3" TERM; setsid sh asked & wait; wait'
kill -TERM "$pid"
end
exited 3

# One curfew in another: the inner one is asked, and stops its own command, which hears of it once.
begin 0 "$curfew" 0 sh -c 'trap "echo asked; sleep .1; exit 3" TERM
        sh -c "echo >ready; exec sleep 1000" & wait; wait'
kill -TERM "$pid"
end
exited 3
out asked

### The first process of a container, or one that acts like it.

run --init sh -c 'exit 3'; status 3
run --init -v -s USR1 sh -c '(setsid sleep 1000 &) ; exit 3'
status 3; err '*USR1*(left over), 1 process*nothing left*'
mistake "missing COMMAND. *" --init
if unshare -pf --mount-proc true 2>/dev/null; then
        begin --init sh -c 'trap "exit 4" TERM; sh -c "echo >ready; exec sleep 1000" & wait'
        kill -TERM "$pid"
        end
        exited 4

        # As pid 1 it needs no telling, reaps what isn't its command's, and asks that before it ends.
        "$curfew" 60 sh -c 'echo $$ >pid; exec unshare -pf --mount-proc "$@"' sh "$curfew" -s USR1 0 \
                sh -c 'echo >ready; read -r _ <go; exit 5' &
        container=$!
        while ! read -r _ <ready; do :; done 2>/dev/null
        pid=$(cat pid)
        read -r init </proc/"$pid"/task/"$pid"/children
        nsenter -t "$init" -p -m sh -c 'cd "$1"; (sh -c "exit 1" &)
                trap "echo asked >left; exit" USR1
                sh -c "echo >again; exec sleep 1000" & wait' sh "$dir" &
        while ! read -r _ <again; do :; done 2>/dev/null
        echo >go
        wait $container
        status=$?; args='as pid 1'; status 5
        wait $!
        cp left out; out asked
else
        echo 'skipped: --init as pid 1: no PID namespace can be made here'
fi

finish
