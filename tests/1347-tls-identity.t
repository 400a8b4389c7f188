#!/bin/sh
# TLS sessions that go on with a ticket, each once and only for whom it was given; certificates of our own; a
# provider that takes no <>.
. "$(dirname "$0")/lib.sh"

need python3 openssl
PATH=$BUILD/helpers:$PATH
cd "$T" || exit 1
export RELAYKIT_QUEUE="$T/q" RELAYKIT_CONFIG="$T/conf"

certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -subj "/CN=$1" \
	    -addext "subjectAltName=DNS:$2" -days 30 -out "$1.crt" 2>/dev/null
	cat "$1.key" "$1.crt" >"$1.pem"
}
certificate first localhost
certificate second localhost
certificate ann ann.example
certificate bob bob.example
cat ann.crt bob.crt >clients.crt

# peer OPTION...: a new one, PORT; its log is peer.log
peer() {
	rm -f port peer.log
	bg python3 "$TOP/tests/tlspeer.py" port peer.log "$@"
	until_true 40 test -s port
	PORT=$(cat port)
}
# conf KEYS TEXT: one connection a message, one after the other
conf() {
	rm -rf q
	printf 'hostname = h.example\ndelivery = queue\nconnection_messages = 1\nsite_connections = 1\ntls_ca_file = "%s/first.crt"\nroute "*" { relay = "localhost:%s" %s }\n%s\n' \
	    "$T" "$PORT" "$1" "${2-}" >conf
}
# send N [DOMAIN]
send() { printf 'x\r\n' | qput q -n "$1" -d "${2-d.example}" "b@${2-d.example}" >/dev/null; }
run() { smtp-deliver -v --now 2>&1; }
seen() { cut -d ' ' -f 1,2 peer.log; }

# --- TLS 1.3
peer cert=first.pem
conf 'tls = verify'
send 4
is "$(run)" 'delivered 4 deferred 0 failed 0 expired 0' 'four connections'
is "$(seen)" 'TLSv1.3 full
TLSv1.3 resumed
TLSv1.3 resumed
TLSv1.3 resumed' 'the first makes a full handshake, each of the others goes on with a ticket'
is "$(cat q/log/*.jsonl | grep '"delivered"' | grep -o '"tls":"[^"]*"' | sed 's/TLS1.3 [^ "]*/TLS1.3/' | sort | uniq -c | tr -s ' ')" \
    ' 3 "tls":"TLS1.3 resumed verified"
 1 "tls":"TLS1.3 verified"' 'the certificate is judged every time'
send 1
run >/dev/null
is "$(tail -1 peer.log | cut -d ' ' -f 2)" full 'another run has no tickets'

# --- TLS 1.2, and a server that gives none
peer cert=first.pem max=1.2
conf 'tls = verify'
send 3
run >/dev/null
is "$(seen | tr '\n' ',')" 'TLSv1.2 full,TLSv1.2 resumed,TLSv1.2 full,' 'TLS 1.2: who goes on with one is given no other'
for v in '' max=1.2; do
	# shellcheck disable=SC2086
	peer cert=first.pem tickets=0 $v
	conf 'tls = verify'
	send 2
	is "$(run) $(cut -d ' ' -f 2 peer.log | tr '\n' ',')" 'delivered 2 deferred 0 failed 0 expired 0 full,full,' "no tickets $v"
done

# --- one connection has one ticket to take: of four at once none is resumed, nor is one used twice
peer cert=first.pem
conf 'tls = verify'
sed -i 's/site_connections = 1/site_connections = 4/' conf
send 12
run >/dev/null
python3 - <<'E' >once
full = resumed = 0
for l in open("peer.log"):
    full += " full " in l
    resumed += " resumed " in l
print(full + resumed, full <= 5 and resumed >= 7)
E
is "$(cat once)" '12 True' 'beside each other'

# --- never another policy: what nobody has judged is not taken for what was
peer cert=second.pem
conf 'tls = encrypt' "route \"strict.example\" { relay = \"localhost:$PORT\" tls = verify }"
send 2
is "$(run)" 'delivered 2 deferred 0 failed 0 expired 0' 'any certificate will do'
send 1 strict.example
is "$(run)" 'delivered 0 deferred 1 failed 0 expired 0' 'not for those who verify'
rm -rf q
send 2
send 1 strict.example
is "$(run)" 'delivered 2 deferred 1 failed 0 expired 0' 'nor in the same run'
is "$(seen | tr '\n' ',' | grep -c 'TLSv1.3 full,TLSv1.3 resumed')" 1 'where the others were resumed'

# --- a server that has forgotten, or cannot go on
peer cert=first.pem cert=second.pem
conf 'tls = verify'
send 2
is "$(run)" 'delivered 1 deferred 1 failed 0 expired 0' 'another certificate is judged for itself'
peer cert=first.pem fail-resumed
conf 'tls = verify'
send 3
is "$(run) $(grep -c full peer.log)" 'delivered 3 deferred 0 failed 0 expired 0 3' 'what breaks with a ticket is tried without'

# --- certificates of our own, by route
peer cert=first.pem ca=clients.crt
conf "tls = verify tls_certificate = \"$T/ann.pem\"" \
    "route \"bob.example\" { relay = \"localhost:$PORT\" tls = verify tls_certificate = \"$T/bob.crt\" tls_key = \"$T/bob.key\" }
route \"none.example\" { relay = \"localhost:$PORT\" tls = verify }
route \"external.example\" { relay = \"localhost:$PORT\" tls = verify tls_certificate = \"$T/ann.pem\" auth = EXTERNAL }
route \"user.example\" { relay = \"localhost:$PORT\" tls = verify tls_certificate = \"$T/ann.pem\" auth = EXTERNAL user = other }
route \"missing.example\" { relay = \"localhost:$PORT\" tls_certificate = \"$T/nobody.pem\" }"
send 3
for d in bob none external user missing; do send 2 $d.example; done
is "$(run)" 'delivered 11 deferred 1 failed 0 expired 0' 'each route by its own certificate'
is "$(cut -d ' ' -f 3,4 peer.log | sort | uniq -c | tr -s ' ')" ' 2 - -
 3 ann -
 2 ann AUTH_EXTERNAL_=
 2 ann AUTH_EXTERNAL_b3RoZXI=
 2 bob -' 'is seen as who it is, resumed or not, and logs in by it'
is "$(grep -c resumed peer.log)" 6 'each goes on with its own tickets'
like "$(cat q/log/*.jsonl | grep '"deferred"')" '"enhanced_code":"4.3.5","content":"localhost\[.*\]: tls_certificate: .*nobody.pem' 'one that is not there is its own trouble'

# --- by a certificate alone: no route has a user, and yet somebody logs in
peer cert=first.pem ca=clients.crt
conf "tls = verify tls_certificate = \"$T/ann.pem\" auth = EXTERNAL"
send 2
is "$(run) $(cut -d ' ' -f 3,4 peer.log | sort -u)" 'delivered 2 deferred 0 failed 0 expired 0 ann AUTH_EXTERNAL_=' 'a login without a user'

# --- a provider that takes no <>
peer cert=first.pem
conf 'tls = verify rewrite_null_sender = "bounces@h.example"' "route \"other.example\" { relay = \"localhost:$PORT\" tls = verify }"
for to in u@d.example u@other.example; do printf 'Subject: x\n\nx\n' | smtp-submit -f '<>' $to; done
printf 'Subject: x\n\nx\n' | smtp-submit -f a@h.example u@d.example
run >/dev/null
is "$(grep -o 'FROM:<.*>' peer.log | sort)" 'FROM:<>
FROM:<a@h.example>
FROM:<bounces@h.example>' 'rewrite_null_sender'
done_testing
