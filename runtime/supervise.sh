#!/bin/sh
# sh supervise.sh <scratch directory or ''> <grace in seconds> <command> [argument…]
# Runs one server that never outlives its parent, even if that is killed with SIGKILL. Standard input is the leash:
#   a line       ends the server: SIGTERM, and SIGKILL after the grace
#   end of file  the parent is gone: the same; with a scratch directory SIGKILL at once, and the directory is removed
scratch=$1 grace=$2
shift 2
exec 3<&0
"$@" </dev/null 3<&- &
server=$!

end_server() {
  kill -TERM "$server" 2>/dev/null
  left=$((grace * 10))
  while [ "$left" -gt 0 ] && kill -0 "$server" 2>/dev/null; do
    sleep 0.1
    left=$((left - 1))
  done
  kill -KILL "$server" 2>/dev/null
}

(
  trap '' HUP INT
  if read -r _ <&3; then
    end_server
  else
    # From here the removal must finish, whatever the shell above sends once the server is gone.
    trap '' TERM
    if [ -n "$scratch" ]; then
      kill -KILL "$server" 2>/dev/null
      while kill -0 "$server" 2>/dev/null; do sleep 0.1; done
      rm -rf "$scratch"
      # The last of several servers takes the directory that they shared with it.
      rmdir "$(dirname "$scratch")"
    else
      end_server
    fi
  fi
) >/dev/null 2>&1 &
leash=$!
exec 3<&- </dev/null

trap 'kill -TERM "$server" 2>/dev/null' TERM INT HUP
while :; do
  wait "$server"
  code=$?
  kill -0 "$server" 2>/dev/null || break
done
kill -TERM "$leash" 2>/dev/null
exit "$code"
