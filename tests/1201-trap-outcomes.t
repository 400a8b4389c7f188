#!/bin/sh
# smtp-trap over the wire: outcomes, delays, limits, and clients that do not behave.
. "$(dirname "$0")/lib.sh"
need python3

cat >"$T/talk.py" <<'END'
# What the tests below speak with.  Replies are joined by "|", "-" is a closed connection.
import socket, sys, threading, time
port = int(sys.argv[1])

class Client:
    def __init__(self):
        self.s = socket.create_connection(("127.0.0.1", port), 20)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.f = self.s.makefile("rb")
        self.hello = self.reply()
    def reply(self):
        try:
            lines = [self.f.readline()]
            while lines[-1][3:4] == b"-":
                lines.append(self.f.readline())
        except ConnectionResetError:
            return "-"
        return "|".join(l.decode().strip() for l in lines) or "-"
    def send(self, text):
        try:
            self.s.sendall(text if type(text) is bytes else text.encode())
        except (BrokenPipeError, ConnectionResetError):
            pass
    def say(self, *lines):
        out = []
        for line in lines:
            self.send(line + "\r\n")
            out.append(self.reply()[:3])
        return " ".join(out)
    def begin(self, *rcpts):
        return self.say("EHLO c", "MAIL FROM:<a@b>", *["RCPT TO:<%s@d>" % r for r in rcpts])
    def group(self, n, text):
        self.send(text)
        return " ".join(self.reply()[:3] for _ in range(n))
    def close(self):
        self.f.close()
        self.s.close()

def since(t):
    return int(1000 * (time.monotonic() - t))

def between(ms, low, high):
    return "in time" if low <= ms <= high else "%d ms" % ms

exec(sys.stdin.read())
END
talk() {
	timeout 60 python3 "$T/talk.py" "$PORT"
}

trap_run --log "$T/log" --discard
is "$(talk <<'END'
c = Client()
print(c.begin("x", "reject-550", "defer-451", "toomany", "multiline-450", "reject-552-5.2.2+a"))
print(c.say("DATA", "hi\r\n.", "QUIT", "NOOP"))
END
)" '250 250 250 550 451 452 450 552
354 250 221 -' 'some recipients are taken, some are not'
is "$(talk <<'END'
c = Client(); print(c.begin("data-reject-554"), c.say("DATA", "hi\r\n."))
c = Client(); print(c.begin("drop-at-rcpt"))
c = Client(); print(c.begin("drop-after-data"), c.say("DATA"))
c = Client(); print(c.begin("drop-after-data"), c.say("BDAT 1 LAST"))
c = Client(); print(c.begin("drop-after-dot"), c.say("DATA", "hi\r\n."))
c = Client(); print(c.begin("421-at-rcpt"), c.say("NOOP"))
END
)" '250 250 250 354 554
250 250 -
250 250 250 -
250 250 250 -
250 250 250 354 -
250 250 421 -' 'outcomes behind RCPT'
is "$(talk <<'END'
c = Client()
c.say("EHLO c")
print(c.group(2, b"MAIL FROM:<a@b>\r\nRCPT TO:<421-at-rcpt@d>\r\nBDAT 8000000 LAST\r\n" + 8000000 * b"x"), c.reply())
END
)" '250 421 -' 'who is told to go reads it, however much was on its way'
is "$(talk <<'END'
c = Client(); d = Client()
c.begin("a"); d.begin("a")
t = time.monotonic()
c.send("RCPT TO:<slow-1500ms@d>\r\nRCPT TO:<x@d>\r\n")
print(d.say("RCPT TO:<y@d>"), between(since(t), 0, 1400))
print(c.reply()[:3], between(since(t), 1500, 9000))
print(c.reply()[:3], between(since(t), 1500, 9000))
c.say("RCPT TO:<data-slow-700ms@d>", "DATA")
t = time.monotonic()
print(c.say("."), between(since(t), 700, 9000))
END
)" '250 in time
250 in time
250 in time
250 in time' 'one who waits keeps nobody waiting, and its replies in order'
is "$(talk <<'END'
def once(rcpt):
    c = Client(); got = c.begin(rcpt)[-3:]; c.close(); return got
print(once("greylist-3"), once("greylist-3"), once("greylist-3+other"))
time.sleep(3.1)
print(once("greylist-3"), once("greylist-3+third"))
END
)" '451 451 451
250 451' 'greylisting'
is "$(talk <<'END'
a = Client(); a.say("EHLO c")
a.s.settimeout(1)
block = b"NOOP\r\n" * 20000
sent = 0
try:
    while sent < 100e6:
        sent += a.s.send(block)
except (socket.timeout, TimeoutError):
    pass
b = Client()
print("stopped" if sent < 100e6 else "swallows everything", b.begin("x"))
a.s.settimeout(20)
n = 0
a.s.shutdown(socket.SHUT_WR)
while True:
    line = a.f.readline()
    if not line: break
    n += 1
print("all answered" if n == (sent + 5) // 6 or n == sent // 6 else (n, sent))
END
)" 'stopped 250 250 250
all answered' 'a client that reads no replies is not read from, and gets them all in the end'
is "$(talk <<'END'
c = Client()
print(c.group(1, b"x" * (1 << 20) + b"\r\n"), c.say("NOOP"))
print(c.group(1, b"NO\0OP\r\n"), c.group(1, b"NOOP\n"), c.say("NOOP"))
for i in range(50):
    last = c.say("FOO")
    if last == "421": break
print(i, last, c.reply())
END
)" '500 250
500 500 250
46 421 -' 'lines without end, NUL, LF, and what is not SMTP'
is "$(talk <<'END'
c = Client()
c.say("EHLO c"); c.send("MAIL FROM:<a@b>\r\nRCPT TO:<x@d>\r\nDATA\r\n")
print(c.reply()[:3], c.reply()[:3], c.reply()[:3])
body = (b"y" * 70 + b"\r\n..stuffed\r\n") * 100000
c.send(body + b".\r\nQUIT\r\n")
print(c.reply()[:3], c.reply()[:3], len(body) - 100000)
END
)" "250 250 354
250 221 8200000" 'eight megabytes with dots'
ok '... are counted without them' until_true 40 grep -q '"size":8200000,"outcome":"accepted"' "$T/log"
trap_ends 'ends'

trap_run --discard --latency 100
is "$(talk <<'END'
t = time.monotonic()
everyone = []
def one():
    c = Client(); c.say("EHLO c")
    everyone.append(c.group(3, "MAIL FROM:<a@b>\r\nRCPT TO:<x@d>\r\nBDAT 2 LAST\r\n\r\n"))
all = [threading.Thread(target=one) for _ in range(100)]
for x in all: x.start()
for x in all: x.join()
print(set(everyone), between(since(t), 300, 9000))
END
)" "{'250 250 250'} in time" 'latency: 100 clients at once, three round trips'
trap_ends 'ends'

trap_run --discard --max-connections 2 --max-messages-per-connection 1 --max-recipients 2 --timeout 3
is "$(talk <<'END'
a = Client(); b = Client(); c = Client()
print(a.hello[:3], b.hello[:3], c.hello, c.reply())
b.say("QUIT"); b.close()
b = Client()
print(b.begin("x", "y", "z"), b.say("DATA", ".", "MAIL FROM:<a@b>"), b.reply())
print(a.reply(), a.reply())
END
)" '220 220 421 4.3.2 too many connections -
250 250 250 250 452 354 250 421 -
421 4.4.2 silent for too long -' 'limits: connections, recipients, messages, silence'
trap_ends 'ends'

trap_run --discard
is "$(talk <<'END'
c = Client(); c.send("EHLO c\r\n"); print(c.hello); print(c.reply())
END
)" '220 trap.invalid ESMTP smtp-trap
250-trap.invalid|250-PIPELINING|250-8BITMIME|250-SMTPUTF8|250-DSN|250-CHUNKING|250-ENHANCEDSTATUSCODES|250 SIZE 104857600' 'what is offered'
trap_ends 'ends'
trap_run --discard --name t.example --no-pipelining --no-chunking --no-8bitmime --no-smtputf8 --no-dsn \
    --no-size --no-enhanced
is "$(talk <<'END'
c = Client(); c.send("EHLO c\r\n"); print(c.hello); print(c.reply())
c.send("MAIL FROM:<a@b>\r\n"); print(c.reply())
END
)" '220 t.example ESMTP smtp-trap
250-t.example|250 HELP
250 sender OK' '... and what need not be'
trap_ends 'ends'
trap_run --discard --no-ehlo --size-limit 10
is "$(talk <<'END'
c = Client(); print(c.say("EHLO c", "HELO c", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA", "12345678\r\n."))
print(c.say("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA", "123456789\r\n."))
END
)" '502 250 250 250 354 250
250 250 354 552' 'HELO only; ten bytes and eleven'
trap_ends 'ends'
trap_run --discard --always-354
is "$(talk <<'END'
c = Client(); print(c.begin("reject-550"), c.say("DATA", "."))
END
)" '250 250 550 354 554' '354 for nobody'
trap_ends 'ends'
trap_run --discard --seed 4 --defer-percent 50
a=$(talk <<'END'
c = Client(); print(c.begin(*["x"] * 40))
END
)
trap_ends 'ends'
trap_run --discard --seed 4 --defer-percent 50
b=$(talk <<'END'
c = Client(); print(c.begin(*["x"] * 40))
END
)
is "$b" "$a" 'one seed, one fate'
like "$a" '250.*451|451.*250' '... of both kinds'
trap_ends 'ends'

trap_run --discard
is "$(talk <<'END'
many = [Client() for _ in range(500)]
print({c.begin("x") for c in many})
END
)" "{'250 250 250'}" '500 clients'
rss=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$PID/status")
case $BUILD in
*sanitize* | *tsan*) ;; # its memory is the sanitizer's
*) ok "... in $rss KiB" test "$rss" -lt 20000 ;;
esac
trap_ends 'ends'
done_testing
