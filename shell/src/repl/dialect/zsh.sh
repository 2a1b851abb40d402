# What zsh is told first; see the one for bash. Lines that begin with # are not sent.
exec @TERMINAL@<&2
__agentsh_hidden=1 __agentsh_own= __agentsh_others=()
__agentsh_ps1='%m%# ' __agentsh_ps2='%_> ' __agentsh_rps1=
typeset +x PS1 PS2
__agentsh_show() {
    __agentsh_s=$? __agentsh_hidden= __agentsh_end= __agentsh_traced=
    [[ ! -o xtrace ]] || __agentsh_traced='setopt xtrace; { __agentsh_back && :; } 2>/dev/null; '
    __agentsh_give
    return $__agentsh_s
}
# The person may have set any option.
__agentsh_give() {
    emulate -L zsh
    PS1=$__agentsh_ps1 PS2=$__agentsh_ps2 RPS1=$__agentsh_rps1
    [[ -z $__agentsh_own ]] || functions[precmd]=$__agentsh_own
    precmd_functions=($__agentsh_others __agentsh_hide)
}
__agentsh_back() { return $__agentsh_s; }
__agentsh_over() {
    __agentsh_s=${__agentsh_end:-$?}
    __agentsh_keep
    return $__agentsh_s
}
__agentsh_keep() {
    emulate -L zsh
    (( $precmd_functions[(Ie)__agentsh_hide] )) || precmd_functions+=(__agentsh_hide)
}
__agentsh_hide() {
    { unsetopt ZLE PROMPT_SP; [[ -n $__agentsh_hidden ]] || __agentsh_take; } 2>/dev/null
}
__agentsh_take() {
    emulate -L zsh
    __agentsh_hidden=1 __agentsh_ps1=$PS1 __agentsh_ps2=$PS2 __agentsh_rps1=$RPS1
    PS1= PS2= RPS1=
    __agentsh_own=${functions[precmd]-}
    [[ -z $__agentsh_own ]] || unfunction precmd
    __agentsh_others=(${precmd_functions:#__agentsh_hide})
    precmd_functions=(__agentsh_hide)
}
__agentsh() {
    __agentsh_s=$?
    __agentsh_hide
    [[ -z $1 ]] || builtin print -s -- "$1"
    {
        builtin printf '%s %s\0%s\0' "$__agentsh_s" "$PWD" "$PATH"
        builtin print -rl -- ${(k)parameters}; builtin printf '\0'
        builtin print -rl -- ${(k)builtins} ${(k)functions} ${(k)aliases} ${(k)reswords}; builtin printf '\0'
        builtin print -rl -- ${(M)jobstates:#suspended*}; builtin printf '\0'
    } >&@REPORT@ 2>/dev/null
    return $__agentsh_s
}
__agentsh_show; [[ ! -r ~/.zshrc ]] || . ~/.zshrc @ENDS@; { unset HISTFILE; unsetopt ZLE PROMPT_SP; (( ! $+functions[precmd] )) || unfunction precmd; precmd_functions=(__agentsh_hide); } 2>/dev/null
