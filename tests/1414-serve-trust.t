#!/bin/sh
# Who is believed what by smtp-serve: logins before and after STARTTLS, channel bindings, lines too long
# to be looked at, clients behind front ends and behind pipes; and the end of a listener.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"
need python3 openssl

certificate one.example
certificate ann
python3 - "$T/users" "$(openssl passwd -6 -salt abcdefgh 'p w')" <<'PY'
import base64, hashlib, hmac, os, sys
b = lambda x: base64.b64encode(x).decode()
salt, n = b"0123456789abcdef", 4096
s = hashlib.pbkdf2_hmac("sha256", b"p w", salt, n)
stored = hashlib.sha256(hmac.digest(s, b"Client Key", "sha256")).digest()
with open(sys.argv[1], "w") as f:
    os.fchmod(f.fileno(), 0o600)
    f.write("relaykit-users 1 %s\nann %s SCRAM-SHA-256$%d:%s$%s:%s from=*\n" % (b(b"seed" * 4), sys.argv[2], n,
            b(salt), b(stored), b(hmac.digest(s, b"Server Key", "sha256"))))
PY
printf '#!/bin/sh\ncase $(tr "\\0" "\\n" <&3 | sed -n 2p) in good) echo ann ;; *) exit 1 ;; esac\n' >"$T/token"
chmod +x "$T/token"
sed '$s/$/ disabled/' "$T/users" >"$T/disabled"
chmod 600 "$T/disabled"
base="networks = \"127.0.0.9\" users = \"$T/users\" front_ends = \"127.0.0.1\""
rest="certificate \"1\" { cert = \"$T/one.example.pem\" key = \"$T/one.example.key\" }
listen \"both\" { proxy = yes xclient = yes }
listen \"loginx\" { xclient = yes }
listen \"proxytls\" { proxy = yes tls = implicit }"
for part in auth plus no_plus names connections token disabled lines both loginx external proxytls eightbit stop; do
	as=
	case $part in
	no_plus) serve_conf "serve { $base mechanisms = \"SCRAM-SHA-256\" }
$rest" ;;
	names) serve_conf "serve { $base } limit \"user\" { recipients_minute = 2 }
$rest" ;;
	connections) serve_conf "serve { $base } limit \"user\" { connections_minute = 2 }" ;;
	external) serve_conf "serve { $base client_ca = \"$T/ann.pem\" }
$rest" ;;
	disabled) serve_conf "serve { users = \"$T/disabled\" token = \"$T/token\" }
$rest" ;;
	token) serve_conf "serve { token = \"$T/token\" }
$rest" ;;
	eightbit | stop) serve_conf 'serve { networks = "127.0.0.1" eightbit = refuse }' ;;
	*) serve_conf "serve { $base }
$rest" ;;
	esac
	case $part in both | loginx | proxytls) as=$part ;; external | names) as=loginx ;; esac
	rm -rf "$T/q"
	serve_start ${as:+--as} $as
	python3 "$TOP/tests/servetrust.py" "$part" "$PORT" "$T" "$SERVE_PID" >"$T/part" 2>&1
	rc=$?
	while IFS= read -r line; do
		case $line in
		'ok '*) result 0 "$part: ${line#ok }" ;;
		'not ok '*) result 1 "$part: ${line#not ok }" ;;
		*) echo "# $line" ;;
		esac
	done <"$T/part"
	is $rc 0 "$part: the client came to its end"
	case $part in stop) wait "$SERVE_PID" ;; *) serve_stop ;; esac
	is $? 0 "$part: ends by a signal"
	like "$(grep -v 'listening at' "$T/serve.err")" '^$' "$part: nothing on standard error"
done

# --- behind a pipe
serve_conf 'serve { networks = "192.0.2.0/24 2001:db8::/32" }'
try() {
	say 'EHLO me' 'MAIL FROM:<a@x.example>' 'RCPT TO:<b@y.example>' DATA . QUIT | grep -c '^250 2.0.0 Ok: queued'
}
is "$(try)" 1 'a local program may relay'
is "$(TCPREMOTEIP=198.51.100.1 try)" 0 'not who is behind it, as ucspi says'
is "$(TCPREMOTEIP=192.0.2.1 try)" 1 'but from a listed network'
like "$(cat "$T"/q/new/* | tr -d '\r')" 'Received: from me \(\[192\.0\.2\.1\]\)' 'and is told in Received'
is "$(NCAT_REMOTE_ADDR=198.51.100.1 try)" 0 'ncat'
is "$(SOCAT_PEERADDR='[2001:db8::1]' try)" 1 'socat, from a listed network'
is "$(SOCAT_PEERADDR='[2001:db9::1]' try)" 0 'socat, from another'
is "$(REMOTE_HOST=192.0.2.9 try)" 1 'stunnel, from a listed network'
for bad in '' '[' '[]' 'host.example' '192.0.2.1 '; do
	is "$(REMOTE_HOST=$bad try)" 0 "no address: '$bad'"
done
done_testing
