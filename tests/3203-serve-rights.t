#!/bin/sh
# smtp-serve started by root: the key is read by root, the client's process is the queue's owner, confined.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"
need python3 openssl
[ "$(id -u)" = 0 ] || skip_all 'not root'
uid=$(id -u nobody) || skip_all 'no user nobody'

chmod 755 "$T"
mkdir "$T/q"
chown nobody "$T/q"
certificate mail.example
chmod 600 "$T/mail.example.key"
serve_conf "serve { networks = \"127.0.0.1\" }
certificate \"1\" { cert = \"$T/mail.example.pem\" key = \"$T/mail.example.key\" }
limit \"address\" { messages_day = 10 }"
serve_start
python3 - "$PORT" "$SERVE_PID" >"$T/out" 2>&1 <<'PY'
import smtplib, ssl, subprocess, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]))
c = ssl.create_default_context()
c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
s.starttls(context=c)
s.sendmail("a@x.example", "b@y.example", "Subject: s\r\n\r\nx")
child = subprocess.run(["pgrep", "-P", sys.argv[2]], capture_output=True, text=True).stdout.split()[0]
for line in open("/proc/%s/status" % child):
    if line.split(":")[0] in ("Uid", "NoNewPrivs", "Seccomp"):
        print(" ".join(line.split()))
s.quit()
PY
sanitized && confined='NoNewPrivs: 0
Seccomp: 0' || confined='NoNewPrivs: 1
Seccomp: 2'
is "$(cat "$T/out")" "Uid: $uid $uid $uid $uid
$confined" 'the process of a client'
is "$(stat -c %u "$T"/q/new/*)" "$uid" "the message is the owner's"
is "$(stat -c %u "$T"/q/state/quota)" "$uid" 'and so are the counters'
is "$(find "$T/q" ! -user nobody | wc -l)" 0 'nothing in the queue is of root'
ok 'ended' serve_stop

done_testing
