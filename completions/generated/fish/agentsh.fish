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
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "kill" -d 'End a command or a session with all of its processes, or everything'
complete -c agentsh -n "__fish_agentsh_needs_command" -f -a "status" -d 'Say whether the broker runs, and what it serves'
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
complete -c agentsh -n "__fish_agentsh_using_subcommand exec" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand exec" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand kill" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand kill" -l all -d 'The kill switch: end every session, refuse new commands until --lift'
complete -c agentsh -n "__fish_agentsh_using_subcommand kill" -l lift -d 'Take the kill switch back'
complete -c agentsh -n "__fish_agentsh_using_subcommand kill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c agentsh -n "__fish_agentsh_using_subcommand status" -l color -d 'When output has colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set (no-color.org) or TERM is `dumb`'
always\t''
never\t''"
complete -c agentsh -n "__fish_agentsh_using_subcommand status" -l json -d 'Print JSON (`null` if no broker runs)'
complete -c agentsh -n "__fish_agentsh_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
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
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec kill status broker help" -f -a "session" -d 'Make, list, show and end sessions'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec kill status broker help" -f -a "exec" -d 'Run a command in a session'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec kill status broker help" -f -a "kill" -d 'End a command or a session with all of its processes, or everything'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec kill status broker help" -f -a "status" -d 'Say whether the broker runs, and what it serves'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec kill status broker help" -f -a "broker" -d 'Start and stop the broker'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and not __fish_seen_subcommand_from session exec kill status broker help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from session" -f -a "create" -d 'Make a session: a workspace, a policy, and one set of rules for all commands in it'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from session" -f -a "list" -d 'Show the sessions, newest first'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from session" -f -a "info" -d 'Show a session: its layers, what is not held or not seen, its commands'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from session" -f -a "destroy" -d 'End a session with all of its processes; its record stays'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from broker" -f -a "start" -d 'Start the broker, if none runs (other verbs and the shims do this by themselves)'
complete -c agentsh -n "__fish_agentsh_using_subcommand help; and __fish_seen_subcommand_from broker" -f -a "stop" -d 'End all sessions with their commands, and the broker'
