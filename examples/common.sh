# Sourced by the examples: services that are started, waited for and ended together. POSIX shell.
# DRAGONFLY names the program, where it is not on the PATH and not in this checkout.

here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${DRAGONFLY:-}" ]; then
  DRAGONFLY=$(command -v dragonfly || echo "$here/../../bin/dragonfly")
fi
PATH=$PATH:/usr/sbin # where Debian keeps nginx
state=$(mktemp -d "${TMPDIR:-/tmp}/df-XXXXXX")
pids=

finish() {
  # The newest first: daemons say good-bye to the scheduler.
  for pid in $pids; do
    kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
  done
  rm -rf "$state"
}
trap finish EXIT
trap 'exit 130' INT TERM

fail() {
  echo "$*" >&2
  exit 1
}

# until_true WHAT COMMAND…: tries it ten times a second, for a minute.
until_true() {
  what=$1
  shift
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || fail "$what: not within a minute; $(tail -n 20 "$state"/*.log)"
    sleep 0.1
  done
}

# background NAME COMMAND…: runs until the example ends, its output in NAME.log.
background() {
  name=$1
  shift
  "$@" >"$state/$name.log" 2>&1 &
  pids="$! $pids"
}

# service NAME PROGRAM [arguments]: a service of Dragonfly, ready when this returns. Its addresses are in NAME.ready.
service() {
  name=$1
  shift
  : >"$state/$name.ready"
  "$DRAGONFLY" "$@" --console --ready-fd 3 3>"$state/$name.ready" >"$state/$name.log" 2>&1 &
  pid=$!
  pids="$pid $pids"
  until_true "$name" ready_or_ended "$name" "$pid"
}

ready_or_ended() {
  [ -s "$state/$1.ready" ] && return
  kill -0 "$2" 2>/dev/null || fail "$1 ended: $(tail -n 20 "$state/$1.log")"
  return 1
}

# address NAME LISTENER: host:port of a service that is ready.
address() {
  sed -n "s/.*\"$2\":\"\\([^\"]*\\)\".*/\\1/p" "$state/$1.ready"
}

answers() {
  curl -s -o "$state/answer" "$1"
}
