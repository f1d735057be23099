# SPDX-License-Identifier: MIT
#
# Completion of curfew(1) for bash. It needs no other, but uses bash-completion for COMMAND where
# that is loaded.

# The number of the word that COMMAND is or would be, in $command. Before that there is a DURATION,
# unless an option says that there is none.
_curfew_find_command() {
        local has_duration=1 i=1

        for (( ; i < COMP_CWORD; ++i)); do
                case ${COMP_WORDS[i]} in
                -s | -k | --signal | --kill-after | --stop | --warn | --idle | --lifeline | --require | \
                        --stdout | --stderr | --report | --events | --timeline | -r | --rewrite | \
                        -e | --success | -a | --argv0)
                        [[ ${COMP_WORDS[++i]} != = ]] || ((++i))
                        ;;
                --init | --no-deadline) has_duration=0 ;;
                --)
                        ((++i))
                        break
                        ;;
                -*) ;;
                *) break ;;
                esac
        done
        command=$((i + has_duration))
}

_curfew_complete() {
        # shellcheck disable=SC2207 # none of these has a blank in it
        COMPREPLY=($(compgen -W "$1" -- "$cur"))
}

_curfew_argument() {
        case $1 in
        -s | --signal) _curfew_complete 'TERM INT HUP QUIT USR1 USR2 KILL' ;;
        --stop) _curfew_complete 'INT:5s,TERM:5s leader:INT:5s,tree:TERM:5s TERM:30s' ;;
        --warn) _curfew_complete 'USR1@30s USR1@5m tree:USR1@30s' ;;
        -r | --rewrite) _curfew_complete 'TERM:QUIT TERM:INT HUP:0' ;;
        -e | --success) _curfew_complete '143 130 124' ;;
        --require) _curfew_complete 'sealed tracked group' ;;
        -k | --kill-after | --idle) _curfew_complete '5s 10s 30s 1m 5m 1h' ;;
        --stdout | --stderr | --report | --events | --timeline)
                compopt -o filenames
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                ;;
        *) return 1 ;;
        esac
}

_curfew() {
        local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command

        COMPREPLY=()
        # bash takes '=' for a word of its own.
        [[ $cur != = ]] || cur=''
        [[ $prev != = ]] || prev=${COMP_WORDS[COMP_CWORD - 2]}
        _curfew_argument "$prev" && return

        if ((COMP_CWORD == 2 || COMP_CWORD == 3)) && [[ ${COMP_WORDS[1]} == show ]]; then
                compopt -o filenames
                mapfile -t COMPREPLY < <(compgen -f -W --all -- "$cur")
                return
        fi

        _curfew_find_command
        if ((COMP_CWORD >= command)); then
                if declare -F _command_offset >/dev/null; then
                        _command_offset "$command"
                elif ((COMP_CWORD == command)); then
                        mapfile -t COMPREPLY < <(compgen -c -- "$cur")
                else
                        compopt -o filenames
                        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                fi
        elif [[ $cur == -* ]]; then
                _curfew_complete '-s -k -f -p -a -g -r -e -v --signal= --kill-after= --stop= --warn= --idle=
                        --no-deadline --with-parent --lifeline= --leave --wait-tree --require=
                        --foreground --preserve-status --argv0= --stdout= --stderr= --report= --events=
                        --timeline= --init --group --rewrite= --success= --verbose --help --version'
                [[ ${COMPREPLY[0]} != *= ]] || compopt -o nospace
        elif ((COMP_CWORD == 1)); then
                _curfew_complete '10s 1m 10m 1h left doctor show'
        else
                _curfew_complete '10s 1m 10m 1h'
        fi
} && complete -F _curfew curfew
