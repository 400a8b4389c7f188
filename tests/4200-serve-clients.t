#!/bin/sh
# Other people's mail clients log in at smtp-serve and send: curl, swaks, msmtp, s-nail, Python's
# smtplib; GNU SASL's client with every mechanism.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"
need python3 openssl

# users: ann with all kinds of keys, bob with a hash alone (RFC 5802 3, RFC 2104, crypt(5))
python3 - "$T/users" "$(openssl passwd -6 -salt abcdefgh 'p w')" <<'PY'
import base64, hashlib, hmac, os, sys
b = lambda x: base64.b64encode(x).decode()
def scram(name, alg, pw, salt=b"0123456789abcdef", n=4096):
    s = hashlib.pbkdf2_hmac(alg, pw, salt, n)
    stored = hashlib.new(alg, hmac.new(s, b"Client Key", alg).digest()).digest()
    return "%s$%d:%s$%s:%s" % (name, n, b(salt), b(stored), b(hmac.new(s, b"Server Key", alg).digest()))
with open(sys.argv[1], "w") as f:
    os.fchmod(f.fileno(), 0o600)
    f.write("relaykit-users 1 %s\n" % b(b"seed" * 4))
    f.write("ann %s %s %s from=ann@x.example,@y.example\n" % (sys.argv[2],
            scram("SCRAM-SHA-256", "sha256", b"p w"), scram("SCRAM-SHA-1", "sha1", b"p w")))
    f.write("bob@x.example %s\n" % sys.argv[2])
    f.write("eve %s disabled\n" % sys.argv[2])
PY
certificate mail.example
# a client's certificate: of ann's, by our authority; and one by nobody
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca \
    -keyout "$T/ca.key" -out "$T/ca.pem" 2>"$T/.err"
client_certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$T/$1.key" \
	    -out "$T/$1.csr" 2>"$T/.err"
	printf 'extendedKeyUsage=%s\n' "$3" >"$T/$1.ext"
	openssl x509 -req -in "$T/$1.csr" -CA "$T/$4.pem" -CAkey "$T/$4.key" -CAcreateserial -days 2 \
	    -extfile "$T/$1.ext" -out "$T/$1.pem" 2>"$T/.err"
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=other \
    -keyout "$T/other.key" -out "$T/other.pem" 2>"$T/.err"
client_certificate ann ann clientAuth ca
client_certificate wrongca ann clientAuth other
client_certificate server ann serverAuth ca
serve_conf "serve { users = \"$T/users\" check_from = yes client_ca = \"$T/ca.pem\" }
certificate \"1\" { cert = \"$T/mail.example.pem\" key = \"$T/mail.example.key\" }
listen \"tls\" { tls = implicit }"
serve_start --as tls
TLSPORT=$PORT
serve_start

has() {
	command -v "$1" >/dev/null 2>&1 || { result 0 "$1 # SKIP it is not here"; return 1; }
}
# one WHAT: one message is there, from ann
one() {
	is "$(queued)" 1 "$1: a message"
	like "$(cat "$T"/q/new/* | grep -a '^sender=')" '^sender=<ann@x.example>' "$1: from ann"
	like "$(cat "$T"/q/new/* | tr -d '\r')" 'with (ESMTP|UTF8SMTP)SA' "$1: Received tells TLS and AUTH"
	empty_queue
}
printf 'From: ann@x.example\r\nTo: b@z.example\r\nSubject: s\r\n\r\n.dot\r\nbody\r\n' >"$T/mail"

# what is offered
python3 - "$PORT" >"$T/offers" <<'PY'
import smtplib, ssl, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]))
s.ehlo()
print("clear", s.esmtp_features.get("auth", "").strip())
c = ssl.create_default_context()
c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
s.starttls(context=c)
s.ehlo()
print("tls", s.esmtp_features.get("auth", "").strip())
PY
is "$(grep -c -e PLAIN -e LOGIN "$T/offers")" 1 'nothing that reveals a password without TLS'
like "$(cat "$T/offers")" '^clear SCRAM-SHA-256 SCRAM-SHA-1$' 'in clear'
like "$(cat "$T/offers")" '^tls SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN$' 'over TLS'

cat >"$T/lib.py" <<'PY'
import smtplib, ssl, sys
port, what = int(sys.argv[1]), sys.argv[2:]
c = ssl.create_default_context()
c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
s = smtplib.SMTP("127.0.0.1", port)
s.starttls(context=c)
s.ehlo()
s.user, s.password = what[0], what[1]
try:
    if what[2] == "LOGIN":
        s.auth("LOGIN", s.auth_login)
    else:
        s.auth("PLAIN", s.auth_plain)
    s.sendmail(what[3], ["b@z.example"], "From: %s\r\n\r\nx" % what[4])
    print("sent")
except smtplib.SMTPException as e:
    print(type(e).__name__, str(e)[:60])
PY
for m in PLAIN LOGIN; do
	is "$(python3 "$T/lib.py" "$PORT" ann 'p w' $m ann@x.example ann@x.example)" sent "smtplib, $m"
	one "smtplib, $m"
done
like "$(python3 "$T/lib.py" "$PORT" ann 'wrong' PLAIN a@b a@b)" '535' 'a wrong password'
like "$(python3 "$T/lib.py" "$PORT" eve 'p w' PLAIN a@b a@b)" '535' 'a disabled user'
like "$(python3 "$T/lib.py" "$PORT" nobody 'p w' PLAIN a@b a@b)" '535' 'no such user'
like "$(cat "$T"/q/log/events-*.jsonl)" '"type":"login".*"user":"ann","peer_address":\{.*"addr":"127.0.0.1"\},"response":\{"code":535,' \
    'a failure is an event'
like "$(cat "$T"/q/log/events-*.jsonl)" '"user":"ann".*"code":235' 'and so is a success'
is "$(grep -c 'p w' "$T"/q/log/events-*.jsonl)" 0 'no password in it'
like "$(python3 "$T/lib.py" "$PORT" ann 'p w' PLAIN z@x.example z@x.example)" 'SMTPSenderRefused.*553' 'not her address'
like "$(python3 "$T/lib.py" "$PORT" ann 'p w' PLAIN ann@x.example eve@x.example)" 'SMTPDataError.*553' 'not her From'
is "$(python3 "$T/lib.py" "$PORT" ann 'p w' PLAIN z@y.example q@y.example)" sent 'a domain of hers'
empty_queue
is "$(python3 "$T/lib.py" "$PORT" bob@x.example 'p w' PLAIN bob@x.example bob@x.example)" sent 'who is an address'
empty_queue

# EXTERNAL
cat >"$T/external.py" <<'PY'
import smtplib, ssl, sys
port, name, d = int(sys.argv[1]), sys.argv[2], sys.argv[3]
c = ssl.create_default_context()
c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
if name:
    c.load_cert_chain(d + "/" + name + ".pem", d + "/" + name + ".key")
s = smtplib.SMTP("127.0.0.1", port)
s.starttls(context=c)
s.ehlo()
print("EXTERNAL" in s.esmtp_features.get("auth", ""), s.docmd("AUTH", "EXTERNAL =")[0])
PY
is "$(python3 "$T/external.py" "$PORT" ann "$T")" 'True 235' 'EXTERNAL by a certificate'
is "$(python3 "$T/external.py" "$PORT" '' "$T")" 'False 504' 'without one'
is "$(python3 "$T/external.py" "$PORT" wrongca "$T")" 'False 504' 'by another authority'
is "$(python3 "$T/external.py" "$PORT" server "$T")" 'False 504' 'for servers'

if has curl; then
	ok 'curl, STARTTLS' curl -sS -k --ssl-reqd --url "smtp://127.0.0.1:$PORT" --user 'ann:p w' \
	    --mail-from ann@x.example --mail-rcpt b@z.example -T "$T/mail"
	one 'curl, STARTTLS'
	ok 'curl, implicit TLS' curl -sS -k --url "smtps://127.0.0.1:$TLSPORT" --user 'ann:p w' \
	    --mail-from ann@x.example --mail-rcpt b@z.example -T "$T/mail"
	one 'curl, implicit TLS'
	is "$(curl -sS -k --ssl-reqd --url "smtp://127.0.0.1:$PORT" --mail-from ann@x.example \
	    --mail-rcpt b@z.example -T "$T/mail" 2>&1)" 'curl: (55) MAIL failed: 530' 'curl without a login'
fi
if has swaks; then
	for m in PLAIN LOGIN; do
		ok "swaks, $m" swaks --silent 3 -tls -s 127.0.0.1 -p "$PORT" -a $m -au ann -ap 'p w' \
		    -f ann@x.example -t b@z.example --h-From ann@x.example
		one "swaks, $m"
	done
	ok 'swaks, implicit TLS' swaks --silent 3 -tlsc -s 127.0.0.1 -p "$TLSPORT" -a PLAIN -au ann -ap 'p w' \
	    -f ann@x.example -t b@z.example --h-From ann@x.example
	one 'swaks, implicit TLS'
fi
if has msmtp; then
	by_msmtp() {
		msmtp --host=127.0.0.1 --port="$PORT" --tls=on --tls-certcheck=off --auth="$1" --user=ann \
		    --passwordeval='echo p w' -f ann@x.example -d b@z.example <"$T/mail"
	}
	for m in plain login scram-sha-256-plus scram-sha-1-plus scram-sha-256 scram-sha-1; do
		case " $(msmtp --version | xargs) " in
		*" $m "*) ;;
		*) result 0 "msmtp, $m # SKIP this one does not know it"; continue ;;
		esac
		by_msmtp $m >"$T/msmtp" 2>&1
		rc=$?
		# 1.8.28 hands GNU SASL 2.2 a channel binding without PLUS too, which then ends at its own first message.
		if [ $rc -ne 0 ] && ! grep -q '^--> AUTH' "$T/msmtp"; then
			result 0 "msmtp, $m # SKIP it ends before it says AUTH: $(grep '^msmtp: ' "$T/msmtp" | head -n 1)"
			continue
		fi
		is $rc 0 "msmtp, $m" || sed 's/^/# /' "$T/msmtp"
		one "msmtp, $m"
	done
fi
if has s-nail; then
	ok 's-nail' sh -c 'echo body | s-nail -:/ -Sv15-compat -Smta="smtp://ann:p%20w@127.0.0.1:$0" \
	    -Ssmtp-auth=plain -Ssmtp-use-starttls -Stls-verify=ignore -Shostname=me -Sfrom=ann@x.example \
	    -r ann@x.example -s s b@z.example' "$PORT"
	one 's-nail'
fi
# Debian's packages lie where its own Node looks, and another one does not.
NODE_PATH=${NODE_PATH:+$NODE_PATH:}/usr/share/nodejs
export NODE_PATH
if has node && node -e 'require("nodemailer")' 2>/dev/null; then
	ok 'nodemailer' node -e '
	    require("nodemailer").createTransport({host: "127.0.0.1", port: process.argv[1], requireTLS: true,
	      tls: {rejectUnauthorized: false}, auth: {user: "ann", pass: "p w"}})
	    .sendMail({from: "ann@x.example", to: "b@z.example", subject: "s", text: "x"})
	    .then(() => process.exit(0), e => { console.error(e); process.exit(1); })' "$PORT"
	one 'nodemailer'
else
	result 0 'nodemailer # SKIP it is not here: node-nodemailer'
fi
# The independent client of every mechanism.  Its -PLUS needs a binding that both know.
if has gsasl; then
	for m in PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256; do
		ok "gsasl, $m" sh -c 'gsasl --smtp --client --connect="127.0.0.1:$0" --mechanism="$1" \
		    --authentication-id=ann --password="p w" --no-cb --x509-ca-file= </dev/null 2>&1 |
		    tee "$2" | grep -q "^235"' "$PORT" $m "$T/gsasl"
	done
	ok 'gsasl, SCRAM-SHA-256-PLUS' sh -c 'gsasl --smtp --client --connect="127.0.0.1:$0" \
	    --mechanism=SCRAM-SHA-256-PLUS --authentication-id=ann --password="p w" --x509-ca-file= \
	    --priority=NORMAL:-VERS-TLS1.3 </dev/null 2>&1 | tee "$1" | grep -q "^235"' "$PORT" "$T/gsasl"
fi
done_testing
