# What bash is told first. Lines that begin with # are not sent.
exec @TERMINAL@<&2
# While a line runs the person's prompts and PROMPT_COMMAND stand where they belong; while one is read they are put
# aside: nothing is to be printed then, and what is read is twice as many lines as were typed. bash runs the last
# element of PROMPT_COMMAND whatever became of the line before. What is declared by `declare` may be readonly: a plain
# assignment to it would end the line.
__agentsh_hook='{ __agentsh_hide && :; } 2>/dev/null'
__agentsh_own=() __agentsh_hidden=1
__agentsh_ps0= __agentsh_ps1='\s-\v\$ ' __agentsh_ps2='> '
declare +x PS0 PS1 PS2
# A line that is traced (set -x) is traced without the words around it.
__agentsh_show() {
    __agentsh_s=$? __agentsh_hidden= __agentsh_end= __agentsh_traced=
    declare -g PS0="$__agentsh_ps0"; declare -g PS1="$__agentsh_ps1"; declare -g PS2="$__agentsh_ps2"
    ! builtin unset PROMPT_COMMAND || declare -ga PROMPT_COMMAND=("${__agentsh_own[@]}")
    declare -ga "PROMPT_COMMAND[1000]=$__agentsh_hook"
    [[ -z $PS0 ]] || builtin printf %s "${PS0@P}" >&@TERMINAL@
    [[ $- != *x* ]] || { set +x; __agentsh_traced='set -x; { __agentsh_back && :; } 2>/dev/null; '; }
    return "$__agentsh_s"
}
__agentsh_back() { return "$__agentsh_s"; }
# The line has ended by itself. A hook that it took away is put back.
__agentsh_over() {
    __agentsh_s=${__agentsh_end:-$?}
    declare -ga "PROMPT_COMMAND[1000]=$__agentsh_hook"
    return "$__agentsh_s"
}
__agentsh_hide() {
    __agentsh_now=$?
    [[ -z $__agentsh_hidden ]] || return "$__agentsh_now"
    __agentsh_hidden=1 __agentsh_ps0=${PS0-} __agentsh_ps1=${PS1-} __agentsh_ps2=${PS2-}
    declare -g PS0=; declare -g PS1=; declare -g PS2=
    __agentsh_own=()
    for __agentsh_one in "${PROMPT_COMMAND[@]}"; do
        [[ $__agentsh_one = "$__agentsh_hook" ]] || __agentsh_own+=("$__agentsh_one")
    done
    builtin unset PROMPT_COMMAND
    declare -ga "PROMPT_COMMAND[1000]=$__agentsh_hook"
    return "$__agentsh_now"
}
__agentsh() {
    __agentsh_s=$?
    __agentsh_hide
    [[ -z $1 ]] || builtin history -s -- "$1"
    {
        builtin printf '%s %s\0%s\0' "$__agentsh_s" "$PWD" "$PATH"
        builtin compgen -v; builtin printf '\0'
        builtin compgen -abk -A function; builtin printf '\0'
        builtin jobs -sp; builtin printf '\0'
    } >&@REPORT@ 2>/dev/null
    return "$__agentsh_s"
}
__agentsh_show; { set -o emacs; } 2>/dev/null; [[ ! -r ~/.bashrc ]] || . ~/.bashrc @ENDS@; { set +o emacs +o vi; } 2>/dev/null; unset HISTFILE PROMPT_COMMAND; set +o history; history -c; { __agentsh_over && :; } 2>/dev/null
