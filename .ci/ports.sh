# ports N: so many free ones on 127.0.0.1, below those that outgoing connections get. For the scripts beside this one.
ports() {
  python3 - "$1" <<'P'
import random, socket, sys
free = []
while len(free) < int(sys.argv[1]):
    s = socket.socket()
    try: s.bind(("127.0.0.1", random.randint(12000, 32000)))
    except OSError: continue
    free.append(s)
print(*[s.getsockname()[1] for s in free])
P
}
