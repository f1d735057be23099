#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test-timeout.sh PROGRAM: what curfew does when it is called timeout. Prints a line for each check
# that fails. What GNU's own tests check is run by scripts/gnu-tests, too.
#
# At the end it stands beside the timeout of this machine, if that is GNU's: same arguments, same
# status, same outputs.
#
# About time and readiness see test-cli.sh.
#
# shellcheck disable=SC2016,SC1112 # what is in single quotes is for another shell, or a quote
set -u

# shellcheck source=test/cli.sh
. "$(dirname "$0")/cli.sh"

system=$PATH
mkdir bin
ln -s "$curfew" bin/timeout
PATH=$dir/bin:$PATH
program=timeout
export LC_ALL=C

# two MESSAGE ARGUMENT…: a mistake, and where to read on.
two() {
        message=$1
        shift
        run "$@"
        status 125
        out ''
        err "timeout: $message
Try 'timeout --help' for more information."
}

# dies SIGNAL ARGUMENT…: it dies of a signal itself, as its parent sees it.
dies() {
        signal=$1
        shift
        args=$*
        "$curfew" -v 10 timeout "$@" >out 2>outer
        died_of "$signal"
}

# until_stopped PID: wait for it; not if it has ended.
until_stopped() {
        while state=$(cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null); do
                [ "$state" != T ] || return 0
        done
        return 1
}

### Statuses.

run 10 true; status 0; out ''; err ''
run 10 sh -c 'exit 7'; status 7
run 10 sh -c 'exit 124'; status 124
run 0 sh -c 'exit 3'; status 3
run .1 sleep 1000; status 124; out ''; err ''
run -p .1 sleep 1000; status 143
run --preserve-status -s INT .1 sleep 1000; status 130
run -p -s CONT .1 sh -c 'sleep 1; exit 7'; status 7
run -s CONT .1 sh -c 'sleep 1; exit 7'; status 124
run -s 0 -k .1 .1 sleep 1000; status 137
run -f -s 0 -k .1 .1 sleep 1000; status 137
run -f -s KILL .1 sleep 1000; status 137
run -k 0 -s CONT .1 sleep 1; status 124
dies KILL -s KILL .1 sleep 1000
dies KILL -s CONT -k .1 .1 sleep 1000
for signal in TERM HUP INT KILL PIPE; do
        dies $signal 10 sh -c "kill -$signal \$\$"
done
run -- 10 echo -n; status 0
run 10 -- true; status 127

# A core is told of, if there can be one here, and dumped once.
# shellcheck disable=SC3045 # every shell has it here
if (ulimit -c unlimited) 2>/dev/null &&
        perl -e 'exit !(system("ulimit -c unlimited; kill -ABRT \$\$") & 128)'; then
        rm -f core*
        args='with a core'
        ASAN_OPTIONS=${ASAN_OPTIONS:-}:disable_coredump=0 "$curfew" -v 10 sh -c 'ulimit -c unlimited
                exec timeout 10 sh -c "kill -ABRT \$\$"' 2>outer
        cp outer err
        err '*timeout: the monitored command dumped core*'
        died_of ABRT
else
        echo 'skipped: dumped core: nothing dumps one here'
fi

### Durations.

for duration in .1 1e-1 +.1 ' .1' .1s 0x1p-4 .002m 1e-10000 .00002h .000001d; do
        run "$duration" sleep 1000; status 124
done
for duration in 0 0d inf infinity 1e400 1e400d 0x1d 9223372036854775808 2.34e+5d; do
        run "$duration" true; status 0
        run -k "$duration" 10 true; status 0
done
for duration in nan '' 1ms 1S '1 s' ' -0.1' ' -1e-10000' 1x 1ss s sleep; do
        two "invalid time interval '$duration'" "$duration" true
        two "invalid time interval '$duration'" -k "$duration" 1 true
done

### Signals by name.

for signal in INT int SIGINT sigint 2 130 258; do
        run -v -s $signal .1 sleep 1000; status 124
        err "timeout: sending signal INT to command 'sleep'"
done
# Which is the first real-time signal is for the C library to say; mostly this one's is told another's.
run -p -s RTMIN .1 sleep 1000
rtmin=$((status - 128))
for signal in RTMIN RTMIN+0 "$rtmin"; do
        run -v -s "$signal" .1 sleep 1000; err "timeout: sending signal RTMIN to command 'sleep'"
done
run -v -s RTMIN+14 .1 sleep 1000; err '*signal RTMIN+14 to*'
run -v -s 50 .1 sleep 1000; err '*signal RTMAX-14 to*'
run -v -s RTMAX .1 sleep 1000; err '*signal RTMAX to*'
run -v -s 33 .1 sleep 1000; status 124; err "*signal 33 to*"
for signal in 0 EXIT exit; do
        run -v -f -s $signal -k .1 .1 sleep 1000
        status 137
        err "timeout: sending signal 0 to command 'sleep'
timeout: sending signal KILL to command 'sleep'"
done
for signal in 65 -1 FOO '' 'INT ' 9x SIG137 99999999999; do
        two "'$signal': invalid signal" -s "$signal" 1 true
done

### Options and mistakes.

run -pvs INT .1 sleep 1000; status 130; err '*INT*'
run -sINT -k5 -p .1 sleep 1000; status 130
run --sig INT --pres .1 sleep 1000; status 130
run --kill=5 --fore .1 sleep 1000; status 124
run --help; status 0; err ''
checks=$((checks + 1))
grep -q '^Usage: timeout \[OPTION\]... DURATION COMMAND' out || fail '--help'
[ "$(awk 'length > 85' out)" = '' ] || fail '--help is too wide'
run --version; status 0; out_like 'timeout (curfew) [0-9]*.[0-9]*.[0-9]*'
run --vers --unknown; status 0
run --help --unknown; status 0
for option in --help --version; do
        (timeout $option >/dev/full 2>err) 2>/dev/null; status=$?; args="$option >/dev/full"
        status 125
        err 'timeout: write error: No space left on device'
        (timeout $option >&- 2>err) 2>/dev/null; status=$?; args="$option >&-"
        status 125
done
run; status 125; err "Try 'timeout --help' for more information."
run 5; status 125; err "Try 'timeout --help' for more information."
two "unrecognized option '--kil-after=5'" --kil-after=5 1 true
two "unrecognized option '--stop'" --stop 1 true
two "invalid option -- '1'" -1 true
two "invalid option -- 'x'" -vx 1 true
two "option '--ver=3' is ambiguous; possibilities: '--verbose' '--version'" --ver=3 1 true
two "option '--verbose' doesn't allow an argument" --verb=3 1 true
two "option requires an argument -- 's'" -s
two "option '--kill-after' requires an argument" --kill
args='by its path'
"$dir/bin/timeout" -x 2>err; status=$?
status 125; err "$dir/bin/timeout: invalid option -- 'x'
Try '$dir/bin/timeout --help' for more information."

# Quotes are those of the character set.
two "invalid time interval 'it\\\\'s'" "it's" true
two 'invalid time interval '\''a\\nb\\t\\\\"\\303\\244\\001'\' "$(printf 'a\nb\t\\"ä\001')" true
LC_ALL=C.UTF-8
two "invalid time interval ‘it's’" "it's" true
two 'invalid time interval ‘a\\nb\\t\\\\"ä€😀\\001\\377\\342\\202\\302\\200\\300\\200’' \
        "$(printf 'a\nb\t\\"ä€😀\001\377\342\202\302\200\300\200')" true
two 'invalid time interval ‘a\\’b’' 'a’b' true
LC_ALL=C

### What can't be started.

run 10 ./no-such-command; status 127
err "timeout: failed to run command './no-such-command': No such file or directory"
run 10 no-such-command; status 127; err "*'no-such-command': No such file or directory"
run 10 ''; status 127; err "timeout: failed to run command '': No such file or directory"
run 10 .; status 126; err "timeout: failed to run command '.': Permission denied"
echo >plain; run 10 ./plain; status 126; err '*: Permission denied'
printf '#!/no/such/interpreter\n' >orphan; chmod +x orphan
run 10 ./orphan; status 127; err "*'./orphan': No such file or directory"

# As execvp(3): a script is a shell's, PATH may be relative, and what can't be run is passed over.
printf 'echo "$0:$#:$2"\nexit 9\n' >job.sh; chmod +x job.sh
run 10 ./job.sh a 'b  c'; status 9; out './job.sh:2:b  c'
saved=$PATH
PATH=$dir:$saved; run 10 job.sh a 'b  c'; status 9; out "$dir/job.sh:2:b  c"
PATH=$saved::; run 10 job.sh a 'b  c'; status 9; out 'job.sh:2:b  c'
mkdir sub denied denied/job.sh; printf 'exit 8\n' >sub/job.sh; chmod +x sub/job.sh
PATH=$saved:plain:nowhere:denied:sub; run 10 job.sh; status 8
PATH=$saved:denied:nowhere; run 10 job.sh; status 126; err '*: Permission denied'
PATH=$saved:plain; run 10 no-such-command; status 126; err '*: Not a directory'
PATH=$saved
args='without PATH'
env -i "$dir/bin/timeout" 10 sh -c 'exit 3'; status=$?; status 3

### What the command gets.

env -i Z=1 A=2 "$dir/bin/timeout" 10 env >out; args='environment'; out 'Z=1
A=2'
env -i CURFEW_DEADLINE=1 "$dir/bin/timeout" 10 env >out; args='deadline'; out 'CURFEW_DEADLINE=1'
timeout 10 sh -c 'echo x >&9; read -r line <&8; echo $line >&9' 9>out 8<plain
args='descriptors'; out 'x'
bash -c 'exec 40<plain; ulimit -n 24; exec timeout 10 sh -c "echo y >&9"' 9>out
args='a low limit on descriptors'; out 'y'
echo in | timeout 10 cat >out; args='stdin'; out in

# signals BLOCK IGNORE: of the command, when that is what timeout begins with, in hexadecimal. The two
# that only the kernel gives a name, and that make leaves ignored, are put right by the curfew around.
signals() {
        args="with $1 blocked and $2 ignored"
        "$curfew" 10 python3 -c 'import os, signal, sys
signal.pthread_sigmask(signal.SIG_SETMASK, eval("[%s]" % sys.argv[1]))
for number in range(1, 65):
    if number not in (9, 19, 32, 33):
        signal.signal(number, signal.SIG_DFL)
for number in eval("[%s]" % sys.argv[2]):
    signal.signal(number, signal.SIG_IGN)
os.execvp("timeout", ["timeout"] + sys.argv[3:])' "$@" 10 grep -E 'Sig(Blk|Ign)' /proc/self/status \
                >out
        sed 's/\t0*/ /; s/ $//' out | tr '\n' ' ' | sed 's/ $//' >short
        mv short out
}
signals '' ''; out 'SigBlk: SigIgn:'
signals '1,14,17,34' '1,2,17,14,21,22,34'; out 'SigBlk: 200000001 SigIgn: 200000003'
signals '' '2,3,15'; out 'SigBlk: SigIgn: 6'

# Blocked or ignored by the parent: CHLD, ALRM.
(trap '' CHLD; exec timeout 10 sh -c 'exit 3'); status=$?; args='CHLD ignored'; status 3
(trap '' CHLD ALRM; exec timeout .1 sleep 1000); status=$?; args='ALRM ignored'; status 124
python3 -c 'import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM, signal.SIGCHLD])
os.execlp("timeout", "timeout", ".1", "sleep", "1000")'
status=$?; args='ALRM and CHLD blocked'; status 124

# A child that it had before is none of its business.
sh -c 'sleep 1000 & echo $! >pid; exec timeout .1 sleep 1000'
status=$?; args='with a job of the shell'; status 124
kill "$(cat pid)" || fail 'the job of the shell was killed'
got=$(sleep .1 & exec timeout .5 sh -c 'sleep 1000; echo foo')
status=$?; status 124; [ -z "$got" ] || fail "with a job that ends: '$got'"

### The group.

# Its own, which the command is in; with -f the caller's.
run 10 sh -c 'echo $(($(cut -d" " -f5 /proc/self/stat) - PPID))'; out 0
run -f 10 cut -d' ' -f5 /proc/self/stat; out "$(cut -d' ' -f5 /proc/self/stat)"

# What is in it is asked, too, and what has left it is not; nor anything but the command with -f.
mkfifo told
exec 7<>told
cat >family <<'END'
one='trap "echo $0 >told; exit" USR1; sh -c "echo >again; exec sleep 1000" & wait; wait'
sh -c "$one" inside &
read -r _ <again
setsid sh -c "$one" outside &
read -r _ <again
trap "echo command >told; exit 3" USR1
sh -c 'trap "" USR1; echo >ready; exec sleep 1000' & wait
END
for option in -v -f; do
        begin $option -s USR1 0 sh family
        kill -USR1 "$pid"
        read -r first <&7
        [ $option = -f ] || read -r second <&7
        end
        exited 3
        echo end >&7
        read -r last <&7
        printf '%s\n' "$first" ${second:+"$second"} "$last" | sort >out
        if [ $option = -f ]; then
                out 'command
end'
        else
                out 'command
end
inside'
        fi
        second=
done

# A command that has left the group is signalled all the same, a stopped one is continued, and each
# gets a signal once: real-time signals are counted by the kernel.
cat >counter <<'END'
import os, signal, sys
if len(sys.argv) > 1:
    os.setsid()
signal.pthread_sigmask(signal.SIG_BLOCK, [40, signal.SIGCONT])
open("ready", "w").write("\n")
print(signal.sigwait([40]) == 40, signal.sigwait([signal.SIGCONT]) > 0,
      signal.sigtimedwait([40], 0))
END
for where in stay leave; do
        begin -s 40 0 python3 counter ${where#stay}
        kill -ALRM "$pid"
        end
        exited 124
        out 'True True None'
done
for option in -v -f; do
        begin $option -k .1 0 sh -c 'echo $$ >leader; echo >ready; exec sleep 1000'
        kill -STOP "$(cat leader)"
        until_stopped "$(cat leader)"
        kill -ALRM "$pid"
        end
        if [ $option = -v ]; then exited 124; else exited 137; fi
done

# STOP doesn't stop timeout; what is to follow does.
dies KILL -s STOP -k .1 .1 sleep 1000
run -v -f -s STOP -k .1 .1 sleep 1000; status 137; err '*signal STOP*signal KILL*'
for option in -v -f; do
        args="$option -s STOP"
        timeout $option -s STOP 0 sh -c 'echo $$ >leader; echo >ready; exec sleep 1000' 2>err &
        read -r _ <ready
        pid=$(cat leader)
        kill -ALRM $!
        wait $!
        status=$?; status 124
        # In a group of its own it is an orphan, which the kernel may have ended by now.
        [ $option = -v ] || until_stopped "$pid" || fail "$args: has not left it stopped"
        kill -KILL "$pid" 2>/dev/null
done

# Those that GNU's waits with.
run -s CHLD .1 sleep 1; status 124
begin -s ALRM -k .1 0 sh -c 'trap "" ALRM; echo >ready; exec sleep 1000'
kill -ALRM "$pid"
end
died_of KILL

# What it leaves running in the background lives on.
run 10 sh -c 'sleep 1000 >/dev/null 2>&1 & echo $! >pid'; status 0
checks=$((checks + 1))
kill "$(cat pid)" || fail 'a process in the background was ended'

### Signals to timeout.

# They are passed on as they are; what the command makes of it is what counts.
for signal in INT TERM HUP QUIT USR2 PIPE ALRM XCPU SEGV "$rtmin" 40; do
        begin -v 0 sh -c 'echo >ready; exec sleep 1000'
        kill -"$signal" "$pid"
        end
        case $signal in
        ALRM) exited 124; err "timeout: sending signal TERM to command 'sh'" ;;
        "$rtmin") died_of RTMIN ;;
        40) died_of RTMIN+$((40 - rtmin)) ;;
        *) died_of "$signal"; err "timeout: sending signal $signal to command 'sh'" ;;
        esac
done
for option in -v -f; do
        begin $option 0 sh -c 'trap "exit 3" INT; sh -c "echo >ready; exec sleep 1000" & wait'
        kill -INT "$pid"
        end
        exited 3
done

# The first one starts the time to the KILL, with which it has timed out; also a signal that the
# command has survived.
begin -k .1 0 sh -c 'trap "" INT; sh -c "echo >ready; exec sleep 1000"'
kill -INT "$pid"
end
died_of KILL
begin -f -k .1 0 sh -c 'trap "" INT; echo >ready; exec sleep 1000'
kill -INT "$pid"
end
exited 137

# From then on the deadline is a KILL, too.
begin -f -v -k 1000 0 sh -c 'trap "" INT; echo >ready; exec sleep 1000'
kill -INT "$pid"
while ! grep -q INT err; do :; done
kill -ALRM "$pid"
end
exited 137
err '*signal INT*signal KILL*'

# Copies of one that has been passed on are ignored; not with -f, where they come to the command.
for option in -v -f; do
        begin $option 0 sh -c 'trap "echo again >told" USR1; trap "exit 3" USR2
                sh -c "trap \"\" USR1; echo >ready; exec sleep 1000" & wait; wait; wait'
        kill -USR1 "$pid"
        read -r _ <&7
        kill -USR1 "$pid"
        [ $option = -v ] || read -r _ <&7
        kill -USR2 "$pid"
        end
        exited 3
done
echo end >&7
read -r last <&7
args='copies'; echo "$last" >out; out end

# A key at the terminal comes to all of the group, and is not sent once more, however late timeout
# is: USR1 comes after it.
cat >listener <<'END'
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGUSR1])
print("ready", flush=True)
signal.sigwait([signal.SIGINT])
print("got", flush=True)
signal.sigwait([signal.SIGUSR1])
print("twice" if signal.SIGINT in signal.sigpending() else "once", flush=True)
END
cat >terminal <<'END'
import os, pty, signal, sys
timeout, terminal = pty.fork()
if timeout == 0:
    os.execvp("timeout", ["timeout"] + sys.argv[1:] + ["0", "python3", "listener"])
lines = os.fdopen(terminal, "rb", 0)
def say(word):
    while word not in lines.readline():
        pass
say(b"ready")
os.kill(timeout, signal.SIGSTOP)
os.waitpid(timeout, os.WUNTRACED)
os.write(terminal, b"\x03")
say(b"got")
os.kill(timeout, signal.SIGUSR1)
os.kill(timeout, signal.SIGCONT)
print(lines.readline().decode().strip())
os.waitpid(timeout, 0)
END
for option in -p -f; do
        args="$option at a terminal"
        python3 terminal $option >out; status=$?; status 0; out once
done

# Those that were ignored are not passed on, once USR2 has come through; but the deadline's is.
args='with HUP and INT ignored'
(trap '' HUP INT; exec timeout -v 0 sh -c 'trap "exit 3" USR2
        sh -c "echo >ready; exec sleep 1000" & wait' 2>err) &
read -r _ <ready
kill -HUP $!
kill -INT $!
kill -USR2 $!
wait $!
status=$?; status 3; err "timeout: sending signal USR2 to command 'sh'"
(trap '' INT; exec timeout -s INT .1 sleep 1000); status=$?; args='-s INT ignored'; status 124

# The command goes where a timeout that is killed went.
mkfifo held
cat held >left &
reader=$!
begin -s USR1 0 sh -c 'exec >held; trap "echo asked; exit" USR1
        sh -c "echo >ready; exec >/dev/null sleep 1000" & wait'
kill -KILL "$pid"
wait $reader
end
args='killed itself'; cp left out; out asked

# One in another: the inner one, in a group of its own, hears it and passes it on.
begin -s ALRM 1000 timeout -s USR1 1000 sh -c 'trap "echo asked; exit" USR1
        sh -c "echo >ready; exec sleep 1000" & wait'
kill -ALRM "$pid"
end
exited 124
out asked

# As a child of pid 1, and as that.
if unshare -pf --mount-proc true 2>/dev/null; then
        unshare -pf --mount-proc sh -c 'timeout 10 sh -c "exit 3"; exit $?'
        status=$?; args='below pid 1'; status 3
        unshare -pf --mount-proc sh -c 'timeout .1 sleep 1000; exit $?'
        status=$?; status 124
        unshare -pf --mount-proc timeout 10 sh -c 'exit 3'; status=$?; args='as pid 1'; status 3
        unshare -pf --mount-proc timeout .1 sleep 1000; status=$?; status 124
        unshare -pf --mount-proc timeout -s KILL .1 sleep 1000; status=$?; status 137
else
        echo 'skipped: pid 1: no PID namespace can be made here'
fi

### Output that can't be written.

{
        timeout -v 0 sh -c 'echo $PPID >pid; trap "echo piped >told" PIPE; trap "exit 3" USR1
                sh -c "echo >ready; exec sleep 1000" & wait; wait' 2>&1
        echo $? >told
} | {
        exec </dev/null
        echo >again
} &
read -r _ <ready
read -r _ <again
kill -USR1 "$(cat pid)"
read -r status <&7
args='-v into a closed pipe'; status 125
args='-v into a file that may not grow'
(ulimit -f 0; timeout -v -s WINCH .1 sh -c 'trap "echo raised" XFSZ
        for i in 1 2 3 4 5 6 7 8 9 10; do sleep .05; done' 2>err) | cat >out
out ''
(trap '' PIPE; timeout 10 yes 2>err | :); args='PIPE ignored'; err '*Broken pipe*'
for file in /dev/full '&-'; do
        args="-v 2>$file"
        eval "timeout -vp -s CONT .1 sleep 1 2>$file"; status=$?; status 124
        eval "timeout -p -s CONT .1 sleep 1 2>$file"; status=$?; status 0
done
lose_output="strace -qq -o /dev/null -P $dir/lost -e trace=close -e inject=close:error=EIO"
if $lose_output true 2>/dev/null; then
        # A look for leaks is a trace of its own.
        saved=${ASAN_OPTIONS:-}
        export ASAN_OPTIONS="$saved:detect_leaks=0"
        $lose_output timeout 10 true >lost 2>err; status=$?; args='output lost'
        status 125; err 'timeout: write error: Input/output error'
        $lose_output timeout -p .1 sleep 1000 >lost 2>err; status=$?
        status 124; err 'timeout: write error: Input/output error'
        ASAN_OPTIONS=$saved
else
        echo 'skipped: output lost: no call can be traced here'
fi

### Beside the timeout of this machine.

# beside ARGUMENT…: both with the same arguments do the same.
beside() {
        run "$@"
        (PATH=$system timeout "$@" >out.gnu 2>err.gnu; exit $?) 2>/dev/null
        theirs=$?
        args="beside GNU's: LC_ALL=$LC_ALL $args"
        status $theirs
        out "$(cat out.gnu)"
        checks=$((checks + 1))
        cmp -s err err.gnu || fail "timeout $args: said '$(cat err)', not '$(cat err.gnu)'"
}

# differs STATUS STATUS ARGUMENT…: what 9.1 did, and 9.10 does.
differs() {
        before=$1 now=$2
        shift 2
        run "$@"; status "$now"
        (PATH=$system timeout "$@" >out 2>err; exit $?) 2>/dev/null; status=$?
        args="of 9.1 $args"; status "$before"
}

its_version=$(PATH=$system timeout --version 2>/dev/null | sed -n '1s/^timeout (GNU coreutils) //p')
case $its_version in
[1-8].*) its_version='' ;; # whose status after a KILL in the foreground is another
esac
if [ -n "$its_version" ]; then
        for LC_ALL in C C.UTF-8; do
                beside
                beside 5
                for duration in '' nan 1x 1ms "it's" "$(printf 'a\nb\t\\"ä\001\377’')" ' -1'; do
                        beside "$duration" true
                        beside -k "$duration" 1 true
                        beside -s "$duration" 1 true
                        beside -v .1 "$duration"
                done
        done
        LC_ALL=C
        for duration in 5 5s .1m 0x1p4 ' 7' +7 0 inf 1e400d; do
                beside "$duration" sh -c 'echo out; echo err >&2; exit 3'
        done
        real_time='RTMAX-3 60'
        [ "$rtmin" -ne 34 ] || real_time="$real_time RTMIN RTMIN+2 34 40"
        for signal in TERM int SIGHUP 9 137 KILL USR1 $real_time IOT IO CLDX 65; do
                beside -v -s $signal .1 sleep 1000
                beside -v --preserve-status -s $signal .1 sleep 1000
                beside -v --foreground -s $signal .1 sleep 1000
        done
        for signal in CONT WINCH URG TSTP; do
                beside -v -s $signal -k .1 .1 sleep 1000
                beside -v --preserve -s $signal .1 sleep .7
        done
        beside --foo=3 1 true
        beside --ver=3 1 true
        beside --verbose=3 1 true
        beside -x 1 true
        beside -vx 1 true
        beside -k
        beside --sig
        beside --signal= 1 true
        beside -- 5 echo -n x
        beside 5 -- echo
        beside 5 nosuch
        beside 5 ./plain
        beside 5 ./orphan
        beside 5 ./job.sh a b
        beside 5 .
        beside 5 ''
        beside 5 sh -c 'kill -HUP $$'
        beside 5 sh -c 'kill -KILL $$'
        beside .1 sh -c 'kill -STOP $$; sleep 1000'
        beside 5 grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status
        else
        echo "skipped: beside GNU's: the timeout of this machine is another one, or older than 9.0"
fi
if [ "$its_version" = 9.1 ]; then
        differs 125 0 -f 5 true
        differs 125 143 -p .1 sleep 1000
        differs 0 124 1e-10000 sleep .5
        differs 0 125 ' -1e-10000' true
        differs 125 124 -s 32 .1 sleep 1000
fi

finish
