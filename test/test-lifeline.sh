#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test-lifeline.sh PROGRAM: what ends a command besides its time: a lifeline that hangs up, and the parent.
#
# shellcheck disable=SC2016 # what is in single quotes is for another shell
# shellcheck source=test/cli.sh
. "${0%/*}/cli.sh"

mkfifo line

# A command that says that it is ready, and that it was asked.
asked='trap "echo asked; exit 3" TERM; sh -c "echo >ready; exec sleep 1000" & while :; do wait; done'

# hold: somebody has the other end of the line, and has said something. To let go of it: kill $holder.
hold() {
        (echo unread && exec sleep 1000) >line &
        holder=$!
}

### A lifeline.

# What was not read hides no hang-up, and is none.
hold
begin -v --lifeline=7 100 sh -c "$asked" 7<line
kill $holder
end
exited 3; out asked
err "*sending signal TERM to command 'sh' after *s (descriptor 7 hung up), *"

# Who doesn't choose how to exit has been ended by what SIGHUP stands for.
hold
begin --lifeline=7 --no-deadline sh -c 'sh -c "echo >ready"; exec sleep 1000' 7<line
kill $holder
end
died_of HUP; err ''

# Standard input, as of ssh, which the command has, too. (A shell's background job has another one.)
echo 'exec "$curfew" "$@" <line' >with_line
chmod +x with_line
export curfew
program=./with_line
hold
begin --lifeline=0 --no-deadline sh -c "read -r x; echo \$x; $asked"
program=$curfew
kill $holder
end
exited 3
out 'unread
asked'

# Who writes to a pipe that nobody reads.
# shellcheck disable=SC2217
(exec sleep 1000) <line &
holder=$!
begin --lifeline=7 100 sh -c "$asked" 7>line
kill $holder
end
exited 3

# While somebody holds it, the command ends by itself, and nothing of it is read.
hold
run --lifeline=7 100 sh -c 'read -r x <&7; echo $x; exit 4' 7<line
kill $holder
status 4; out unread

# One that has hung up by now starts nothing.
# shellcheck disable=SC2094
exec 8<>line 7<line 8>&-
run --lifeline=7 100 echo wrong
status 129; out ''
exec 7<&-

# The deadline holds as well.
hold
run -v --lifeline=7 .1 sleep 1000 7<line
kill $holder
status 124; err '*(deadline)*'

for fd in '' -1 +1 x 1x 0x1 ' 1' 2147483648 99999999999999999999; do
        mistake "invalid descriptor '$fd' for '--lifeline': a number, such as 0" "--lifeline=$fd" 1 true
done
mistake 'cannot see the lifeline hang up: Bad file descriptor' --lifeline=77 1 true
echo >file
exec 7<file
mistake 'cannot see the lifeline hang up: it is no pipe, socket or terminal' --lifeline=7 1 true
exec 7</dev/null
mistake 'cannot see the lifeline hang up: it is no pipe, socket or terminal' --lifeline=7 1 true
exec 7<&-

### The parent.

# Killed, as a shell that could say nothing any more.
run_in_dying_parent() {
        cat <go >err & # until all of it has ended
        reader=$!
        sh -c '"$@" >out 2>go & wait' sh "$curfew" -v --with-parent "$@" &
        parent=$!
        read -r _ <ready
        kill -KILL $parent
        wait $reader
        args=$*
}

run_in_dying_parent 100 sh -c "$asked"
out asked
err "*sending signal TERM to command 'sh' after *s (process $parent ended), *
*exit status 3; nothing left*"
run_in_dying_parent --no-deadline sh -c "$asked"
out asked

# A parent that lives on, though the thread that has started curfew has ended.
run_python() {
        python3 -c '
import subprocess, sys, threading
def start():
    global child
    child = subprocess.Popen(sys.argv[1:])
thread = threading.Thread(target=start)
thread.start()
thread.join()
open("go", "w").close()
sys.exit(child.wait())' "$@" >out 2>err
        status=$?
        args=$*
}
run_python "$curfew" --with-parent 100 sh -c 'read -r _ <go; exit 3'
status 3; err ''

# It means nothing for a command that has ended before.
run -v --with-parent 100 sh -c 'exit 3'
status 3; err '*exit status 3; nothing left*'

# From within a namespace, a parent outside can't be seen.
if unshare -Urpf true 2>/dev/null; then
        program="unshare"
        run -Urpf "$curfew" --with-parent 1 true
        status 125; err "curfew: '--with-parent' sees no parent: *"
        run -Urpf sh -c '"$1" --with-parent 10 sh -c "exit 5"; exit $?' sh "$curfew"
        status 5; err ''
        program=$curfew
fi

finish
