# A daemon of its own on free loopback ports, with the members Sam and Tess, for the scripts beside this one. Sets w (a folder that
# goes when the script ends; $extra is added to its configuration), mx, submission, imap and internet (the port that outgoing mail is sent to), and daemon (its process). With
# http=yes there is also web, the port of the HTTP door, and platform, a port whose pages may embed the contact form by links signed with
# the secret in $w/token.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. .ci/ports.sh
w=$(mktemp -d)
daemon=
cleanup() {
  [ -z "$daemon" ] || { kill "$daemon" 2>/dev/null || true; wait "$daemon" 2>/dev/null || true; }
  rm -rf "$w"
}
trap cleanup EXIT
fail() { echo "FAIL $*"; echo "--- daemon"; tail -20 "$w/log"; exit 1; }

go build -o "$w/stagedoor" ./cmd/stagedoor
read -r mx submission imap internet web platform < <(ports 6)
pages="listen = []"
if [ "${http:-no}" = yes ]; then
  (umask 077; head -c 24 /dev/urandom | base64 > "$w/token")
  pages="listen = [\"127.0.0.1:$web\"]
base_url = \"http://127.0.0.1:$web\"
embed_origins = [\"http://localhost:$platform\"]
api_token_file = \"$w/token\""
fi
cat > "$w/relay.toml" <<C
domain = "msg.test"
[storage]
dsn = "sqlite:$w/stagedoor.db"
key_file = "$w/secret.key"
[limits]
new_member_days = 0
new_threads_per_hour = 0
new_threads_per_day = 0
messages_per_hour = 0
[smtp]
listen = ["127.0.0.1:$mx"]
[submission]
listen = ["127.0.0.1:$submission"]
listen_tls = []
[imap]
listen = ["127.0.0.1:$imap"]
listen_tls = []
allow_insecure_auth = true
[http]
$pages
[sender_auth]
policy = "envelope"
[outbound]
smarthost = "smtp://127.0.0.1:$internet"
${extra:-}
C
sd() { "$w/stagedoor" "$@" --config "$w/relay.toml"; }
"$w/stagedoor" serve --config "$w/relay.toml" 2>"$w/log" &
daemon=$!
for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$imap") 2>/dev/null && break; sleep .1; done

echo tess-secret | sd member add tess --name "Tess Talent" --address tess.real@mail.example --password-stdin >/dev/null
echo sam-secret | sd member add sam --name "Sam Casting" --address sam.real@agency.example --password-stdin >/dev/null
sd production add hamlet --title Hamlet --owner sam >/dev/null
sd role add hamlet/ophelia --title Ophelia >/dev/null
