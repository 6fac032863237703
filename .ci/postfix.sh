# Postfix instances of our own, and the servers around them, for the scripts beside this one: nothing of /etc is used or changed. Needs
# root. Sets w, a folder that goes when the script ends, and started, the processes that end with it.
set -euo pipefail
. .ci/ports.sh
[ "$(id -u)" = 0 ] || { echo "Postfix starts as root only: run this as root, such as in a container"; exit 1; }
w=$(mktemp -d)
chmod 755 "$w" # other users' processes look into it
started=()
instances=()
cleanup() {
  local d p
  for d in "${instances[@]}"; do postfix -c "$d/etc" stop >/dev/null 2>&1 || true; done
  for p in "${started[@]}"; do kill "$p" 2>/dev/null || true; done
  for p in "${started[@]}"; do wait "$p" 2>/dev/null || true; done
  rm -rf "$w"
}
trap cleanup EXIT

# need COMMAND:PACKAGE...: installs from Debian what is missing.
need() {
  local missing=() x
  for x in "$@"; do [[ -e ${x%%:*} ]] || command -v "${x%%:*}" >/dev/null || missing+=("${x#*:}"); done
  [ ${#missing[@]} = 0 ] && return
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q >/dev/null
  apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
}

# answers HOST:PORT: waits until it does.
answers() {
  for _ in $(seq 300); do (exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null && return; sleep .1; done
  echo "FAIL $1 does not answer"; exit 1
}

# postfix_new DIR < SETTINGS: an instance that listens nowhere yet.
postfix_new() {
  local d=$1
  mkdir -p "$d/etc" "$d/spool/pid" "$d/data"
  chown postfix "$d/data"
  { cat <<K
compatibility_level = 3.6
queue_directory = $d/spool
data_directory = $d/data
maillog_file = $d/log
maillog_file_prefixes = $d
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.mail.test
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
alias_database =
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 200
smtpd_peername_lookup = no
K
    cat; } > "$d/etc/main.cf"
  cat > "$d/etc/master.cf" <<K
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
K
}

# postfix_listens DIR HOST:PORT [-o NAME=VALUE]...
postfix_listens() {
  local d=$1 at=$2
  shift 2
  printf '%s inet n - n - - smtpd' "$at" >> "$d/etc/master.cf"
  [ $# = 0 ] || printf ' %s' "$@" >> "$d/etc/master.cf"
  echo >> "$d/etc/master.cf"
}

postfix_start() {
  instances+=("$1")
  postfix -c "$1/etc" start >/dev/null 2>&1 || { echo "FAIL Postfix does not start"; cat "$1/log"; exit 1; }
}
