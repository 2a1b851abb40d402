# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_agentsh_global_optspecs
    string join \n color= h/help V/version
end

function __fish_agentsh_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_agentsh_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_agentsh_using_subcommand
    set -l cmd (__fish_agentsh_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c agentsh -n "__fish_agentsh_needs_command" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_needs_command" -s V -l version -d 'Print version'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "session" -d 'Make, list, show and end sessions'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "exec" -d 'Run a command in a session'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "shell" -d 'Work in a session by hand: a line editor over a real shell (also `agentsh` alone)'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "attach" -d 'Look at a command\'s terminal while it runs, and type into it'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "kill" -d 'End a command or a session with all of its processes, or everything'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "approve" -d 'Answer what sessions ask'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "grants" -d 'Answers that cover calls to come'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "policy" -d 'What may happen in sessions'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "config" -d 'How this host runs sessions'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "proxy" -d 'What programs reach through sessions\' proxies'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "llm" -d 'Use of language models'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "status" -d 'Say whether the broker runs, and what it serves'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "detect" -d 'Find out what this host can hold, by using it, and which security mode follows'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "doctor" -d 'Check everything that sessions need on this host, and say what to do about what is wrong'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "events" -d 'What happened in sessions'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "why" -d 'Explain a denial, from outside or from inside of a session'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "audit" -d 'The integrity of the record'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "output" -d 'Print what `exec --output json` kept of a command whose output was long'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "replay" -d 'Watch a recorded terminal, or export it'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "search" -d 'Look for a text in all recordings'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "trash" -d 'What sessions deleted or overwrote, and the way back'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "checkpoint" -d 'States of a workspace to go back to'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "gc" -d 'Remove the records of sessions that ended long ago, or that take too much room'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "logs" -d 'Show what broker and supervisors wrote about themselves (what sessions did is in `events`)'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "shim" -d 'The stand-ins for shells'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "broker" -d 'Start and stop the broker'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and not __fish_seen_subcommand_from create list info destroy help" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and not __fish_seen_subcommand_from create list info destroy help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and not __fish_seen_subcommand_from create list info destroy help" -f -a "create" -d 'Make a session: a workspace, a policy, and one set of rules for all commands in it'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and not __fish_seen_subcommand_from create list info destroy help" -f -a "list" -d 'Show the sessions, newest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and not __fish_seen_subcommand_from create list info destroy help" -f -a "info" -d 'Show a session: its layers, what is not held or not seen, its commands'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and not __fish_seen_subcommand_from create list info destroy help" -f -a "destroy" -d 'End a session with all of its processes; its record stays'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and not __fish_seen_subcommand_from create list info destroy help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from create" -l workspace -d 'The folder that the session works in' -r -F
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from create" -l policy -d 'A policy by name, or the file of one' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from create" -l name -d 'A name for the session, usable in place of its id' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from create" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from create" -l json -d 'Print JSON (also if stdout is no terminal)'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from list" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from info" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from info" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from info" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from destroy" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from destroy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from help" -f -a "create" -d 'Make a session: a workspace, a policy, and one set of rules for all commands in it'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show the sessions, newest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from help" -f -a "info" -d 'Show a session: its layers, what is not held or not seen, its commands'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from help" -f -a "destroy" -d 'End a session with all of its processes; its record stays'
complete -c agentsh -n "__fish_agentsh_using_subcommand session; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand exec" -l output -d 'How the result is told: the command\'s own streams, or one JSON object' -r -f -a "human\t'The command\'s output as it comes'
json\t'One object with output, end, resources, policy and events'"
complete -c agentsh -n "__fish_agentsh_using_subcommand exec" -l events -d 'Which events the JSON object holds; its counts are always complete' -r -f -a "all\t'Every event'
summary\t'What ran, changed something, reached the network, or was not simply allowed'
blocked\t'What was denied'
none\t'None'"
complete -c agentsh -n "__fish_agentsh_using_subcommand exec" -l timeout -d 'End the command with all of its processes after this time (`90s`, `5m`, `1h30m`)' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand exec" -l cwd -d 'Start in this folder instead of the current one' -r -F
complete -c agentsh -n "__fish_agentsh_using_subcommand exec" -l env -d 'Set a variable in the command\'s environment (policy may still remove it)' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand exec" -l program -d 'The program\'s file, where ARGV begins with another name for it' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand exec" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand exec" -l pty -d 'Run on a terminal of its own'
complete -c agentsh -n "__fish_agentsh_using_subcommand exec" -l detach -d 'Do not wait: print the command\'s id; `agentsh attach` shows its terminal'
complete -c agentsh -n "__fish_agentsh_using_subcommand exec" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand shell" -l session -d 'The session: id, unique beginning of it, or name' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand shell" -l policy -d 'The policy of the session if one is made: a name, or a file' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand shell" -l with -d 'The shell that runs the lines' -r -f -a "bash\t'GNU bash'
zsh\t'Z shell'
dash\t'Debian\'s small POSIX shell'"
complete -c agentsh -n "__fish_agentsh_using_subcommand shell" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand shell" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand attach" -l size -d 'Whose window the command\'s terminal follows while this one is attached' -r -f -a "fixed\t'Its caller\'s, as without anybody attached'
latest\t'That of whoever typed or resized last'
smallest\t'The least columns and rows of all'
largest\t'The most columns and rows of all'"
complete -c agentsh -n "__fish_agentsh_using_subcommand attach" -l except -d 'A command that is not meant, for who is on its terminal already' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand attach" -l detach-key -d 'The key that leaves' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand attach" -l take-key -d 'The key that takes the terminal and gives it back' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand attach" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand attach" -l watch -d 'Look only'
complete -c agentsh -n "__fish_agentsh_using_subcommand attach" -l take -d 'Take the terminal at once'
complete -c agentsh -n "__fish_agentsh_using_subcommand attach" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand kill" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand kill" -l all -d 'The kill switch: end every session, refuse new commands until --lift'
complete -c agentsh -n "__fish_agentsh_using_subcommand kill" -l lift -d 'Take the kill switch back'
complete -c agentsh -n "__fish_agentsh_using_subcommand kill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and not __fish_seen_subcommand_from list show allow deny help" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and not __fish_seen_subcommand_from list show allow deny help" -l watch -d 'Show questions as they come, and ask for answers if stdin is a terminal'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and not __fish_seen_subcommand_from list show allow deny help" -l json -d 'With --watch, print JSON, one change a line'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and not __fish_seen_subcommand_from list show allow deny help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and not __fish_seen_subcommand_from list show allow deny help" -f -a "list" -d 'Show what waits for an answer, oldest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and not __fish_seen_subcommand_from list show allow deny help" -f -a "show" -d 'Show one question whole'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and not __fish_seen_subcommand_from list show allow deny help" -f -a "allow" -d 'Let it happen'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and not __fish_seen_subcommand_from list show allow deny help" -f -a "deny" -d 'Refuse it'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and not __fish_seen_subcommand_from list show allow deny help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from list" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from show" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from allow" -l reason -d 'Goes into the record' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from allow" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from allow" -l once -d 'Only what waits now, or one identical retry (the default)'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from allow" -l session -d 'Every identical call until the session ends'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from allow" -l always -d 'Every identical call in every session of this policy, written to the user\'s configuration'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from allow" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from deny" -l reason -d 'Goes into the record' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from deny" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from deny" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show what waits for an answer, oldest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show one question whole'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from help" -f -a "allow" -d 'Let it happen'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from help" -f -a "deny" -d 'Refuse it'
complete -c agentsh -n "__fish_agentsh_using_subcommand approve; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand grants; and not __fish_seen_subcommand_from list revoke help" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand grants; and not __fish_seen_subcommand_from list revoke help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand grants; and not __fish_seen_subcommand_from list revoke help" -f -a "list" -d 'Show what was allowed for calls to come'
complete -c agentsh -n "__fish_agentsh_using_subcommand grants; and not __fish_seen_subcommand_from list revoke help" -f -a "revoke" -d 'Take one back: the next such call asks again'
complete -c agentsh -n "__fish_agentsh_using_subcommand grants; and not __fish_seen_subcommand_from list revoke help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand grants; and __fish_seen_subcommand_from list" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand grants; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand grants; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand grants; and __fish_seen_subcommand_from revoke" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand grants; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand grants; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show what was allowed for calls to come'
complete -c agentsh -n "__fish_agentsh_using_subcommand grants; and __fish_seen_subcommand_from help" -f -a "revoke" -d 'Take one back: the next such call asks again'
complete -c agentsh -n "__fish_agentsh_using_subcommand grants; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and not __fish_seen_subcommand_from list show new validate test explain schema help" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and not __fish_seen_subcommand_from list show new validate test explain schema help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and not __fish_seen_subcommand_from list show new validate test explain schema help" -f -a "list" -d 'Show the policies that can be named'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and not __fish_seen_subcommand_from list show new validate test explain schema help" -f -a "show" -d 'Print a policy: that of a session with its variables resolved, or one by name'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and not __fish_seen_subcommand_from list show new validate test explain schema help" -f -a "new" -d 'Write a policy of one\'s own, to begin with another one\'s rules'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and not __fish_seen_subcommand_from list show new validate test explain schema help" -f -a "validate" -d 'Check policies: every error with its file, line and column'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and not __fish_seen_subcommand_from list show new validate test explain schema help" -f -a "test" -d 'Ask a policy about one operation, or run a file of cases against it'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and not __fish_seen_subcommand_from list show new validate test explain schema help" -f -a "explain" -d 'Explain an answer of a policy: all rules that match, which wins, what would change it'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and not __fish_seen_subcommand_from list show new validate test explain schema help" -f -a "schema" -d 'Print the JSON Schema of what people write, for editors'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and not __fish_seen_subcommand_from list show new validate test explain schema help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from list" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from show" -l session -d 'The resolved policy of this session' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from show" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from new" -l from -d 'The policy that it begins as' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from new" -l output -d 'The file to write (else among the user\'s policies, where it is found by name)' -r -F
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from new" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from new" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from validate" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from validate" -l json -d 'Print JSON: a list of outcomes'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from validate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from test" -l policy -d 'A policy by name, or the file of one (else the configured default)' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from test" -l workspace -d 'The folder that a session would work in (else the outermost git tree around this one, or this one)' -r -F
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from test" -l session -d 'The policy that this session has' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from test" -l cases -d 'A file of cases, each an operation with the answer that is right' -r -F
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from test" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from test" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from explain" -l policy -d 'A policy by name, or the file of one (else the configured default)' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from explain" -l workspace -d 'The folder that a session would work in (else the outermost git tree around this one, or this one)' -r -F
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from explain" -l session -d 'The policy that this session has' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from explain" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from explain" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from schema" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show the policies that can be named'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "show" -d 'Print a policy: that of a session with its variables resolved, or one by name'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "new" -d 'Write a policy of one\'s own, to begin with another one\'s rules'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "validate" -d 'Check policies: every error with its file, line and column'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "test" -d 'Ask a policy about one operation, or run a file of cases against it'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "explain" -d 'Explain an answer of a policy: all rules that match, which wins, what would change it'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "schema" -d 'Print the JSON Schema of what people write, for editors'
complete -c agentsh -n "__fish_agentsh_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and not __fish_seen_subcommand_from show path validate help" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and not __fish_seen_subcommand_from show path validate help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and not __fish_seen_subcommand_from show path validate help" -f -a "show" -d 'Show every key with its value and the file that gives it'
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and not __fish_seen_subcommand_from show path validate help" -f -a "path" -d 'Show which files are read, the strongest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and not __fish_seen_subcommand_from show path validate help" -f -a "validate" -d 'Check configuration files'
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and not __fish_seen_subcommand_from show path validate help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and __fish_seen_subcommand_from show" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and __fish_seen_subcommand_from path" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and __fish_seen_subcommand_from path" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and __fish_seen_subcommand_from path" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and __fish_seen_subcommand_from validate" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and __fish_seen_subcommand_from validate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show every key with its value and the file that gives it'
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "path" -d 'Show which files are read, the strongest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "validate" -d 'Check configuration files'
complete -c agentsh -n "__fish_agentsh_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand proxy; and not __fish_seen_subcommand_from status help" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand proxy; and not __fish_seen_subcommand_from status help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand proxy; and not __fish_seen_subcommand_from status help" -f -a "status" -d 'Show what the proxy of a session leads to'
complete -c agentsh -n "__fish_agentsh_using_subcommand proxy; and not __fish_seen_subcommand_from status help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand proxy; and __fish_seen_subcommand_from status" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand proxy; and __fish_seen_subcommand_from status" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand proxy; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand proxy; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show what the proxy of a session leads to'
complete -c agentsh -n "__fish_agentsh_using_subcommand proxy; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand llm; and not __fish_seen_subcommand_from usage help" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand llm; and not __fish_seen_subcommand_from usage help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand llm; and not __fish_seen_subcommand_from usage help" -f -a "usage" -d 'Show tokens and cost of sessions, by model'
complete -c agentsh -n "__fish_agentsh_using_subcommand llm; and not __fish_seen_subcommand_from usage help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand llm; and __fish_seen_subcommand_from usage" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand llm; and __fish_seen_subcommand_from usage" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand llm; and __fish_seen_subcommand_from usage" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand llm; and __fish_seen_subcommand_from help" -f -a "usage" -d 'Show tokens and cost of sessions, by model'
complete -c agentsh -n "__fish_agentsh_using_subcommand llm; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand status" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand status" -l json -d 'Print JSON (`null` if no broker runs)'
complete -c agentsh -n "__fish_agentsh_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand detect" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand detect" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand detect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand doctor" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand doctor" -l json -d 'Print JSON: a list of checks'
complete -c agentsh -n "__fish_agentsh_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and not __fish_seen_subcommand_from tail query help" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and not __fish_seen_subcommand_from tail query help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and not __fish_seen_subcommand_from tail query help" -f -a "tail" -d 'Show a session\'s last events, and new ones as they come, until the session ends'
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and not __fish_seen_subcommand_from tail query help" -f -a "query" -d 'Search events, the newest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and not __fish_seen_subcommand_from tail query help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from tail" -s n -l lines -d 'How many of the last events to begin with' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from tail" -l command -d 'Of this command: id, or the beginning of it' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from tail" -l type -d 'Of this type, or of all types that begin so (`file_*`); may be repeated' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from tail" -l decision -d 'With this decision (`deny`, `audit` ...); may be repeated' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from tail" -l path -d 'On this file, on what is below this folder, or on what this glob matches' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from tail" -l since -d 'Not before this time (RFC 3339, or how long ago: `10m`)' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from tail" -l until -d 'Before this time' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from tail" -l text -d 'With this text in a program, argument, path, host, rule, message or field' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from tail" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from tail" -l no-follow -d 'End after those'
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from tail" -l json -d 'Print JSON, one event a line'
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from tail" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from query" -l command -d 'Of this command: id, or the beginning of it' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from query" -l type -d 'Of this type, or of all types that begin so (`file_*`); may be repeated' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from query" -l decision -d 'With this decision (`deny`, `audit` ...); may be repeated' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from query" -l path -d 'On this file, on what is below this folder, or on what this glob matches' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from query" -l since -d 'Not before this time (RFC 3339, or how long ago: `10m`)' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from query" -l until -d 'Before this time' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from query" -l text -d 'With this text in a program, argument, path, host, rule, message or field' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from query" -l limit -d 'At most so many' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from query" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from query" -l all -d 'In all sessions'
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from query" -l oldest-first -d 'The oldest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from query" -l count -d 'Only how many there are of each type and decision'
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from query" -l json -d 'Print JSON, one event a line'
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from query" -l csv -d 'Print CSV'
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from query" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from help" -f -a "tail" -d 'Show a session\'s last events, and new ones as they come, until the session ends'
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from help" -f -a "query" -d 'Search events, the newest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand events; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand why" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand why" -l last -d 'The newest denial (also if nothing is given)'
complete -c agentsh -n "__fish_agentsh_using_subcommand why" -l json -d 'Print JSON: a list of events'
complete -c agentsh -n "__fish_agentsh_using_subcommand why" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand audit; and not __fish_seen_subcommand_from verify help" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand audit; and not __fish_seen_subcommand_from verify help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand audit; and not __fish_seen_subcommand_from verify help" -f -a "verify" -d 'Check that records are what was written: no line edited, removed, added or cut off'
complete -c agentsh -n "__fish_agentsh_using_subcommand audit; and not __fish_seen_subcommand_from verify help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand audit; and __fish_seen_subcommand_from verify" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand audit; and __fish_seen_subcommand_from verify" -l json -d 'Print JSON: a list of verdicts'
complete -c agentsh -n "__fish_agentsh_using_subcommand audit; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand audit; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Check that records are what was written: no line edited, removed, added or cut off'
complete -c agentsh -n "__fish_agentsh_using_subcommand audit; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand output" -l stream -d 'One stream only, to stdout' -r -f -a "stdout\t''
stderr\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand output" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand output" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand output" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand replay" -l format -d 'The version of the asciicast file' -r -f -a "v2\t'For old players'
v3\t'What is recorded'"
complete -c agentsh -n "__fish_agentsh_using_subcommand replay" -s o -l out -d 'Export to this new file instead of stdout' -r -F
complete -c agentsh -n "__fish_agentsh_using_subcommand replay" -l at -d 'Begin at this time of the recording, or draw it (`90`, `1:30`, `1:02:03.5`)' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand replay" -l speed -d 'Play so many times faster, 0.1 to 100' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand replay" -l idle -d 'Cut pauses of what is played to this time (`2`, `0.5`), also of the page, and name that limit in the asciicast file; without, to the recording\'s own limit or 2 seconds' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand replay" -l search -d 'Look for this text at once' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand replay" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand replay" -l text -d 'Write everything that was printed, as text (what full-screen programs drew is not in it)'
complete -c agentsh -n "__fish_agentsh_using_subcommand replay" -l html -d 'Write a page that plays by itself'
complete -c agentsh -n "__fish_agentsh_using_subcommand replay" -l svg -d 'Write a picture of the screen at the end, or at --at'
complete -c agentsh -n "__fish_agentsh_using_subcommand replay" -l cast -d 'Write an asciicast file'
complete -c agentsh -n "__fish_agentsh_using_subcommand replay" -l json -d 'Print what the recording is, with its markers, as JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand search" -l session -d 'Only in this session: id, unique beginning of it, or name' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand search" -l limit -d 'Stop after so many places' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand search" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand search" -l json -d 'Print JSON, one object a line'
complete -c agentsh -n "__fish_agentsh_using_subcommand search" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and not __fish_seen_subcommand_from list show restore diff purge help" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and not __fish_seen_subcommand_from list show restore diff purge help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and not __fish_seen_subcommand_from list show restore diff purge help" -f -a "list" -d 'Show what sessions deleted or overwrote, newest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and not __fish_seen_subcommand_from list show restore diff purge help" -f -a "show" -d 'Show an entry: what it was, who deleted it, where it is kept'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and not __fish_seen_subcommand_from list show restore diff purge help" -f -a "restore" -d 'Bring entries back to where they were; nothing that is there is overwritten'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and not __fish_seen_subcommand_from list show restore diff purge help" -f -a "diff" -d 'Compare what is kept (-) with what is at its place now (+)'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and not __fish_seen_subcommand_from list show restore diff purge help" -f -a "purge" -d 'Remove entries for ever'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and not __fish_seen_subcommand_from list show restore diff purge help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from list" -l session -d 'Only what this session lost: id, unique beginning of it, or name' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from list" -l path -d 'Only what was here, or below here' -r -F
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from list" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from show" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from restore" -l to -d 'Bring the entry back here' -r -F
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from restore" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from restore" -l beside -d 'Take a free name next to what is in the way'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from diff" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from diff" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from purge" -l older-than -d 'Those that were deleted longer ago' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from purge" -l shrink-to -d 'The oldest, until the trash of each mount takes no more' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from purge" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from purge" -l all -d 'All'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from purge" -l json -d 'Print what was removed as JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from purge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show what sessions deleted or overwrote, newest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show an entry: what it was, who deleted it, where it is kept'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from help" -f -a "restore" -d 'Bring entries back to where they were; nothing that is there is overwritten'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from help" -f -a "diff" -d 'Compare what is kept (-) with what is at its place now (+)'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from help" -f -a "purge" -d 'Remove entries for ever'
complete -c agentsh -n "__fish_agentsh_using_subcommand trash; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and not __fish_seen_subcommand_from create list show rollback purge help" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and not __fish_seen_subcommand_from create list show rollback purge help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and not __fish_seen_subcommand_from create list show rollback purge help" -f -a "create" -d 'Keep the present state of a workspace, hidden and untracked files included, and print its id'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and not __fish_seen_subcommand_from create list show rollback purge help" -f -a "list" -d 'Show the checkpoints of a workspace, newest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and not __fish_seen_subcommand_from create list show rollback purge help" -f -a "show" -d 'Show a checkpoint, or what has changed since'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and not __fish_seen_subcommand_from create list show rollback purge help" -f -a "rollback" -d 'Bring a workspace back to a checkpoint; the state before is kept as a checkpoint too'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and not __fish_seen_subcommand_from create list show rollback purge help" -f -a "purge" -d 'Remove checkpoints of a workspace for ever'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and not __fish_seen_subcommand_from create list show rollback purge help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from create" -l session -d 'Those of this session\'s workspace: id, unique beginning of it, or name' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from create" -l workspace -d 'Those of this folder (else of the innermost workspace of a session that holds the current folder, else of that folder)' -r -F
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from create" -l label -d 'What to call it' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from create" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from create" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from list" -l session -d 'Those of this session\'s workspace: id, unique beginning of it, or name' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from list" -l workspace -d 'Those of this folder (else of the innermost workspace of a session that holds the current folder, else of that folder)' -r -F
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from list" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from show" -l session -d 'Those of this session\'s workspace: id, unique beginning of it, or name' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from show" -l workspace -d 'Those of this folder (else of the innermost workspace of a session that holds the current folder, else of that folder)' -r -F
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from show" -l diff -d 'What is different now; with a path of the workspace, how that file is (- then, + now)' -r -F
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from show" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from rollback" -l session -d 'Those of this session\'s workspace: id, unique beginning of it, or name' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from rollback" -l workspace -d 'Those of this folder (else of the innermost workspace of a session that holds the current folder, else of that folder)' -r -F
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from rollback" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from rollback" -l dry-run -d 'Only say what would change'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from rollback" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from rollback" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from purge" -l session -d 'Those of this session\'s workspace: id, unique beginning of it, or name' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from purge" -l workspace -d 'Those of this folder (else of the innermost workspace of a session that holds the current folder, else of that folder)' -r -F
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from purge" -l older-than -d 'Those that were made longer ago' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from purge" -l keep -d 'All but the newest so many' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from purge" -l max-size -d 'The oldest, until the store takes no more; the newest stays' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from purge" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from purge" -l json -d 'Print the ids that went as JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from purge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from help" -f -a "create" -d 'Keep the present state of a workspace, hidden and untracked files included, and print its id'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show the checkpoints of a workspace, newest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show a checkpoint, or what has changed since'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from help" -f -a "rollback" -d 'Bring a workspace back to a checkpoint; the state before is kept as a checkpoint too'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from help" -f -a "purge" -d 'Remove checkpoints of a workspace for ever'
complete -c agentsh -n "__fish_agentsh_using_subcommand checkpoint; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand gc" -l max-age -d 'Remove what ended longer ago (else as the configuration\'s `sessions.retention` says)' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand gc" -l max-size -d 'Remove the oldest until all together take no more (else as the configuration says)' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand gc" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand gc" -l dry-run -d 'Only say what would be removed'
complete -c agentsh -n "__fish_agentsh_using_subcommand gc" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand gc" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand logs" -s n -l lines -d 'How many of the last lines' -r
complete -c agentsh -n "__fish_agentsh_using_subcommand logs" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand logs" -s f -l follow -d 'Go on with what is added, until interrupted'
complete -c agentsh -n "__fish_agentsh_using_subcommand logs" -l json -d 'Print the lines as a JSON list of strings'
complete -c agentsh -n "__fish_agentsh_using_subcommand logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand shim; and not __fish_seen_subcommand_from status help" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand shim; and not __fish_seen_subcommand_from status help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand shim; and not __fish_seen_subcommand_from status help" -f -a "status" -d 'Show which shells have a stand-in, and whether shims are switched off'
complete -c agentsh -n "__fish_agentsh_using_subcommand shim; and not __fish_seen_subcommand_from status help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand shim; and __fish_seen_subcommand_from status" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand shim; and __fish_seen_subcommand_from status" -l json -d 'Print JSON'
complete -c agentsh -n "__fish_agentsh_using_subcommand shim; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand shim; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show which shells have a stand-in, and whether shims are switched off'
complete -c agentsh -n "__fish_agentsh_using_subcommand shim; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand broker; and not __fish_seen_subcommand_from start stop help" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand broker; and not __fish_seen_subcommand_from start stop help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand broker; and not __fish_seen_subcommand_from start stop help" -f -a "start" -d 'Start the broker, if none runs (other verbs and the shims do this by themselves)'
complete -c agentsh -n "__fish_agentsh_using_subcommand broker; and not __fish_seen_subcommand_from start stop help" -f -a "stop" -d 'End all sessions with their commands, and the broker'
complete -c agentsh -n "__fish_agentsh_using_subcommand broker; and not __fish_seen_subcommand_from start stop help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand broker; and __fish_seen_subcommand_from start" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand broker; and __fish_seen_subcommand_from start" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand broker; and __fish_seen_subcommand_from stop" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand broker; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand broker; and __fish_seen_subcommand_from help" -f -a "start" -d 'Start the broker, if none runs (other verbs and the shims do this by themselves)'
complete -c agentsh -n "__fish_agentsh_using_subcommand broker; and __fish_seen_subcommand_from help" -f -a "stop" -d 'End all sessions with their commands, and the broker'
complete -c agentsh -n "__fish_agentsh_using_subcommand broker; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "session" -d 'Make, list, show and end sessions'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "exec" -d 'Run a command in a session'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "shell" -d 'Work in a session by hand: a line editor over a real shell (also `agentsh` alone)'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "attach" -d 'Look at a command\'s terminal while it runs, and type into it'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "kill" -d 'End a command or a session with all of its processes, or everything'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "approve" -d 'Answer what sessions ask'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "grants" -d 'Answers that cover calls to come'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "policy" -d 'What may happen in sessions'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "config" -d 'How this host runs sessions'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "proxy" -d 'What programs reach through sessions\' proxies'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "llm" -d 'Use of language models'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "status" -d 'Say whether the broker runs, and what it serves'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "detect" -d 'Find out what this host can hold, by using it, and which security mode follows'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "doctor" -d 'Check everything that sessions need on this host, and say what to do about what is wrong'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "events" -d 'What happened in sessions'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "why" -d 'Explain a denial, from outside or from inside of a session'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "audit" -d 'The integrity of the record'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "output" -d 'Print what `exec --output json` kept of a command whose output was long'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "replay" -d 'Watch a recorded terminal, or export it'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "search" -d 'Look for a text in all recordings'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "trash" -d 'What sessions deleted or overwrote, and the way back'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "checkpoint" -d 'States of a workspace to go back to'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "gc" -d 'Remove the records of sessions that ended long ago, or that take too much room'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "logs" -d 'Show what broker and supervisors wrote about themselves (what sessions did is in `events`)'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "shim" -d 'The stand-ins for shells'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "broker" -d 'Start and stop the broker'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec shell attach kill approve grants policy config proxy llm status detect doctor events why audit output replay search trash checkpoint gc logs shim broker help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from session" -f -a "create" -d 'Make a session: a workspace, a policy, and one set of rules for all commands in it'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from session" -f -a "list" -d 'Show the sessions, newest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from session" -f -a "info" -d 'Show a session: its layers, what is not held or not seen, its commands'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from session" -f -a "destroy" -d 'End a session with all of its processes; its record stays'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from approve" -f -a "list" -d 'Show what waits for an answer, oldest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from approve" -f -a "show" -d 'Show one question whole'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from approve" -f -a "allow" -d 'Let it happen'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from approve" -f -a "deny" -d 'Refuse it'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from grants" -f -a "list" -d 'Show what was allowed for calls to come'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from grants" -f -a "revoke" -d 'Take one back: the next such call asks again'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "list" -d 'Show the policies that can be named'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "show" -d 'Print a policy: that of a session with its variables resolved, or one by name'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "new" -d 'Write a policy of one\'s own, to begin with another one\'s rules'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "validate" -d 'Check policies: every error with its file, line and column'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "test" -d 'Ask a policy about one operation, or run a file of cases against it'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "explain" -d 'Explain an answer of a policy: all rules that match, which wins, what would change it'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "schema" -d 'Print the JSON Schema of what people write, for editors'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'Show every key with its value and the file that gives it'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "path" -d 'Show which files are read, the strongest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "validate" -d 'Check configuration files'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from proxy" -f -a "status" -d 'Show what the proxy of a session leads to'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from llm" -f -a "usage" -d 'Show tokens and cost of sessions, by model'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from events" -f -a "tail" -d 'Show a session\'s last events, and new ones as they come, until the session ends'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from events" -f -a "query" -d 'Search events, the newest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from audit" -f -a "verify" -d 'Check that records are what was written: no line edited, removed, added or cut off'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from trash" -f -a "list" -d 'Show what sessions deleted or overwrote, newest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from trash" -f -a "show" -d 'Show an entry: what it was, who deleted it, where it is kept'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from trash" -f -a "restore" -d 'Bring entries back to where they were; nothing that is there is overwritten'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from trash" -f -a "diff" -d 'Compare what is kept (-) with what is at its place now (+)'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from trash" -f -a "purge" -d 'Remove entries for ever'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from checkpoint" -f -a "create" -d 'Keep the present state of a workspace, hidden and untracked files included, and print its id'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from checkpoint" -f -a "list" -d 'Show the checkpoints of a workspace, newest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from checkpoint" -f -a "show" -d 'Show a checkpoint, or what has changed since'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from checkpoint" -f -a "rollback" -d 'Bring a workspace back to a checkpoint; the state before is kept as a checkpoint too'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from checkpoint" -f -a "purge" -d 'Remove checkpoints of a workspace for ever'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from shim" -f -a "status" -d 'Show which shells have a stand-in, and whether shims are switched off'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from broker" -f -a "start" -d 'Start the broker, if none runs (other verbs and the shims do this by themselves)'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from broker" -f -a "stop" -d 'End all sessions with their commands, and the broker'
