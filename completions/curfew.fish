# SPDX-License-Identifier: MIT
#
# Completion of curfew(1) for fish.

# The words before the cursor, and the one at it, from the first operand on.
function __curfew_operands
        set -l words (commandline -opc) (commandline -ct)
        set -l i 2
        while test $i -lt (count $words); and string match -q -- '-*' $words[$i]
                if contains -- $words[$i] -s -k --signal --kill-after --stop --warn --idle --lifeline --require \
                                --stdout --stderr --report --events --timeline -r --rewrite -e --success -a --argv0
                        set i (math $i + 1)
                end
                set i (math $i + 1)
        end
        if test $i -le (count $words)
                string escape -- $words[$i..-1]
        end
end

# Whether it is an option or the first operand that is being typed.
function __curfew_no_operand
        test (count (__curfew_operands)) -le 1
end

# With one of these there is no DURATION.
function __curfew_no_duration
        contains -- --init (commandline -opc); or contains -- --no-deadline (commandline -opc)
end

function __curfew_command
        set -l words (__curfew_operands)
        if not __curfew_no_duration
                set -e words[1]
        end
        complete -C (string join ' ' -- $words)
end

function __curfew_has_verb
        set -l words (commandline -opc)
        contains (count $words) 2 3; and test $words[2] = show
end

complete -c curfew -f
complete -c curfew -n '__curfew_no_operand; and not __curfew_no_duration' -a '10s 1m 10m 1h' -d Duration
complete -c curfew -n __curfew_no_operand -a left -d 'Print the time that is left'
complete -c curfew -n __curfew_no_operand -a doctor -d 'Say what this machine allows'
complete -c curfew -n __curfew_no_operand -a show -d 'Show a report'
complete -c curfew -n __curfew_has_verb -F
complete -c curfew -n __curfew_has_verb -l all -d 'Show each process'
complete -c curfew -n '__curfew_no_duration; or not __curfew_no_operand; and not __curfew_has_verb' -a '(__curfew_command)'

complete -c curfew -n __curfew_no_operand -s s -l signal -x -a 'TERM INT HUP QUIT USR1 USR2 KILL' -d 'Ask with this signal'
complete -c curfew -n __curfew_no_operand -s k -l kill-after -x -a '5s 10s 30s 1m' -d 'Kill so long after asking'
complete -c curfew -n __curfew_no_operand -l stop -x -a 'INT:5s,TERM:5s leader:INT:5s,tree:TERM:5s' -d 'Ask in steps'
complete -c curfew -n __curfew_no_operand -l warn -x -a 'USR1@30s USR1@5m' -d 'Send a signal before the deadline'
complete -c curfew -n __curfew_no_operand -l idle -x -a '30s 1m 5m' -d 'No output for so long is a deadline, too'
complete -c curfew -n __curfew_no_operand -l no-deadline -d 'There is no DURATION'
complete -c curfew -n __curfew_no_operand -l with-parent -d 'Stop when the process that started curfew ends'
complete -c curfew -n __curfew_no_operand -l lifeline -x -a 0 -d 'Stop when the other end of a descriptor is gone'
complete -c curfew -n __curfew_no_operand -l leave -d 'Leave alone what COMMAND leaves running'
complete -c curfew -n __curfew_no_operand -l wait-tree -d 'Wait for what COMMAND leaves running'
complete -c curfew -n __curfew_no_operand -l require -x -a 'sealed tracked group' -d 'Run only if held so well'
complete -c curfew -n __curfew_no_operand -s f -l foreground -d 'Ask COMMAND alone'
complete -c curfew -n __curfew_no_operand -s a -l argv0 -x -d 'Tell COMMAND that this is its name'
complete -c curfew -n __curfew_no_operand -s p -l preserve-status -d 'Exit as COMMAND did even if it timed out'
complete -c curfew -n __curfew_no_operand -l stdout -r -F -d 'Write the output there'
complete -c curfew -n __curfew_no_operand -l stderr -r -F -d 'Write the errors there'
complete -c curfew -n __curfew_no_operand -l report -r -F -d 'Write there how it went, in JSON'
complete -c curfew -n __curfew_no_operand -l events -r -F -d 'The same as it happens'
complete -c curfew -n __curfew_no_operand -l timeline -r -F -d 'The same as a picture, in HTML'
complete -c curfew -n __curfew_no_operand -l init -d 'Be the first process of a container'
complete -c curfew -n __curfew_no_operand -s g -l group -d 'Its signals are for the group of COMMAND'
complete -c curfew -n __curfew_no_operand -s r -l rewrite -x -a 'TERM:QUIT TERM:INT HUP:0' -d 'One of its signals is another'
complete -c curfew -n __curfew_no_operand -s e -l success -x -a '143 130 124' -d 'Exit with 0 where the status would be this one'
complete -c curfew -n __curfew_no_operand -s v -l verbose -d 'Say what is done and how it ended'
complete -c curfew -n __curfew_no_operand -l help -d 'Print a summary'
complete -c curfew -n __curfew_no_operand -l version -d 'Print the version'
