#!/bin/sh
# MTA-STS as the deliverer heeds it: nsd and unbound (a signed zone and one that is not), policies by nginx
# where scripts/peers has unpacked it (else by Python's server), traps as mail exchangers, all in a namespace
# of their own.  RFC 8461's sections, and those of RFC 7672 that meet them, stand at the tests of their MUSTs.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/peers.sh"
. "$TOP/tests/sts.sh"

need python3 certtool openssl ldns-keygen ldns-signzone
. "$TOP/tests/world.sh"
world_start 10 11 12 13 14 15 16 53 80 82

# --- certificates: good for mx-good.plain, old expired, strange by another CA, name for another name
cd "$T" || exit 1
mkdir www zones queue
chmod 700 queue
ca ca && ca other || skip_all 'certtool makes no certificates here'
cert good ca mx-good.plain
cert old ca mx-old.plain 'activation_date = "2020-01-01 00:00:00"' 'expiration_date = "2020-02-01 00:00:00"'
cert strange other mx-strange.plain
cert name ca mx-elsewhere.plain
cert sni ca mx-sni.plain
cert early ca mx-early.plain

# --- zones and policies: plain is not signed, example is
: >policies
# domain NAME MODE 'MX HOSTS' 'PATTERNS': NAME.plain
domain() {
	for h in $3; do echo "$1 MX ${h%:*} ${h#*:}.plain." >>zones/plain; done
	[ -n "$2" ] || return 0
	printf '_mta-sts.%s TXT "v=STSv1; id=%s1;"\nmta-sts.%s A %s.80\n' "$1" "$(echo "$1" | tr -d -)" "$1" $NET >>zones/plain
	{
		printf 'version: STSv1\nmode: %s\nmax_age: 604800\n' "$2"
		for p in $4; do echo "mx: $p"; done
	} >"www/mta-sts.$1.plain"
	echo "$1" >>policies
}
cat >zones/plain <<END
\$ORIGIN plain.
\$TTL 300
@         SOA ns.example. root 1 3600 600 86400 60
@         NS  ns.example.
mx-good    A $NET.10
mx-old     A $NET.11
mx-strange A $NET.12
mx-name    A $NET.13
mx-bare    A $NET.14
mx-sni     A $NET.15
mx-early   A $NET.16
END
domain good enforce 10:mx-good 'mx-good.plain'
domain wild enforce 10:mx-good '*.plain'
domain old enforce 10:mx-old '*.plain'
domain strange enforce 10:mx-strange '*.plain'
domain name enforce 10:mx-name '*.plain'
domain bare enforce 10:mx-bare '*.plain'
domain unlisted enforce 10:mx-good 'mx.other.example'
domain second enforce '10:mx-bare 20:mx-good' '*.plain'
domain rogue enforce '10:mx-old 20:mx-good' 'mx-good.plain'
domain testing testing 10:mx-old '*.plain'
domain none none 10:mx-bare ''
domain broken enforce 10:mx-bare '*.plain'
domain brief enforce 10:mx-bare '*.plain'
domain nosts '' 10:mx-good
domain lost '' 10:mx-bare
domain sni enforce 10:mx-sni '*.plain'
domain early enforce 10:mx-early '*.plain'
domain demand enforce 10:mx-good '*.plain'
domain demanded '' 10:mx-good
domain tested testing 10:mx-old '*.plain'
# RFC 8461 3.4: a relay is its own policy domain
domain mx-old enforce '' 'mx-old.plain'
echo "relayed MX 10 mx-good" >>zones/plain
for d in via1 via2 via3; do echo "$d MX 10 mx-good" >>zones/plain; done
printf '_mta-sts.mx-bare TXT "v=STSv1; id=new"\nmta-sts.mx-bare A %s.82\n' $NET >>zones/plain
# A policy host that takes connections and says nothing
for d in slow1 slow2 slow3; do
	printf '%s MX 10 mx-bare\n_mta-sts.%s TXT "v=STSv1; id=1"\nmta-sts.%s A %s.82\n' $d $d $d $NET >>zones/plain
done
echo "quick MX 10 mx-bare" >>zones/plain
# RFC 8461 3.4: the parent has a policy, the subdomain has none of its own
echo "sub.bare MX 10 mx-bare.plain." >>zones/plain
echo 'mode: broken' >www/mta-sts.broken.plain
sed -i 's/^max_age.*/max_age: 3/' www/mta-sts.brief.plain
printf '_mta-sts.lost TXT "v=STSv1; id=1"\nmta-sts.lost A %s.81\n' $NET >>zones/plain
cat >zones/example.in <<END
\$ORIGIN example.
\$TTL 300
@        SOA  ns root 1 3600 600 86400 60
@        NS   ns
ns       A    $NET.53
mx       A    $NET.10
mx-bad   A    $NET.10
both     MX   10 mx
both-bad MX   10 mx-bad
_25._tcp.mx     TLSA 3 1 1 $(openssl x509 -in good -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1)
_25._tcp.mx-bad TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000000
_mta-sts.both     TXT "v=STSv1; id=1"
_mta-sts.both-bad TXT "v=STSv1; id=1"
mta-sts.both      A $NET.80
mta-sts.both-bad  A $NET.80
END
# What DANE lets pass the policy need not name; what DANE refuses it cannot make good (RFC 8461 2).
printf 'version: STSv1\nmode: enforce\nmax_age: 604800\nmx: elsewhere.test\n' >www/mta-sts.both.example
printf 'version: STSv1\nmode: enforce\nmax_age: 604800\nmx: mx-bad.example\n' >www/mta-sts.both-bad.example
sans=
for d in $(sed 's/$/.plain/' policies) both.example both-bad.example; do
	[ -z "$sans" ] && first=mta-sts.$d || sans="$sans
dns_name = \"mta-sts.$d\""
	[ -n "$sans" ] || sans=' '
done
# shellcheck disable=SC2086
cert www/default.pem ca "$first" 'expiration_days = 30' "$sans"
(cd zones && ksk=$(ldns-keygen -k -a ECDSAP256SHA256 example) && zsk=$(ldns-keygen -a ECDSAP256SHA256 example) &&
    ldns-signzone -n -f example example.in "$zsk" "$ksk" && cat "$ksk.key" >../anchor) || skip_all 'no zone can be signed'
names_start

# --- the web server
nginx=$PEERS/nginx/usr/sbin/nginx
if [ -x "$nginx" ]; then
	cat >nginx.conf <<END
daemon off;
master_process off;
error_log $T/nginx.log;
pid $T/nginx.pid;
events { worker_connections 64; }
http {
	access_log $T/www/log;
	types { } default_type text/plain;
	client_body_temp_path $T; proxy_temp_path $T; fastcgi_temp_path $T; uwsgi_temp_path $T; scgi_temp_path $T;
	server {
		listen $NET.80:443 ssl;
		ssl_certificate $T/www/default.pem;
		ssl_certificate_key $T/www/default.pem.key;
		location = /.well-known/mta-sts.txt { root $T/www; try_files /\$host =404; }
	}
}
END
	bg nsenter -t $WORLD -n env LD_LIBRARY_PATH="$(cat "$PEERS/nginx/libpath")" "$nginx" -p "$T" -e "$T/nginx.log" -c "$T/nginx.conf"
else
	bg nsenter -t $WORLD -n python3 "$TOP/tests/sts.py" "$T/www" "$T/web.port" $NET.80:443
fi
WEBPID=$!
serves_web() { world python3 -c "import socket; socket.create_connection(('$NET.80', 443), 5)"; }
until_true 40 serves_web || { sed 's/^/# /' nginx.log; echo 'Bail out! no web server'; exit 1; }

tls_trap() {
	host=$1
	shift
	bg nsenter -t $WORLD -n smtp-trap --anywhere --maildir "$T/trap" --listen "$NET.$host:25" --port-file "$T/port.$host" "$@"
}
tls_trap 10 --tls --cert good.crt --key good.key
tls_trap 11 --tls --cert old.crt --key old.key
tls_trap 12 --tls --cert strange.crt --key strange.key
tls_trap 13 --tls --cert name.crt --key name.key
tls_trap 14
# A server that tells which name it was asked for, and one that knows no TLS younger than 1.1.
cat >tls.py <<'END'
import socket, ssl, sys, threading
addr, pem, first = sys.argv[1:4]
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
c.load_cert_chain(pem)
if first == "early":
    c.set_ciphers("ALL:@SECLEVEL=0")
    c.minimum_version = c.maximum_version = ssl.TLSVersion.TLSv1_1
c.sni_callback = lambda s, name, ctx: print(name, file=open(first + ".sni", "a"), flush=True)

def talk(s):
    f = s.makefile("rwb", 0)
    f.write(b"220 here\r\n")
    while True:
        line = f.readline().upper()
        if not line or line.startswith(b"QUIT"):
            return
        if line.startswith(b"EHLO"):
            f.write(b"250-here\r\n250 STARTTLS\r\n")
        elif line.startswith(b"STARTTLS"):
            f.write(b"220 go\r\n")
            try:
                s = c.wrap_socket(s, server_side=True)
            except OSError:
                return
            f = s.makefile("rwb", 0)
        elif line.startswith(b"DATA"):
            f.write(b"354 go\r\n")
            while f.readline() not in (b".\r\n", b""):
                pass
            f.write(b"250 taken\r\n")
        else:
            f.write(b"250 well\r\n")

l = socket.create_server((addr, 25))
print(addr, file=open(first + ".up", "w"), flush=True)
while True:
    threading.Thread(target=talk, args=(l.accept()[0],), daemon=True).start()
END
bg nsenter -t $WORLD -n python3 tls.py $NET.15 sni sni
bg nsenter -t $WORLD -n python3 tls.py $NET.16 early early
until_true 40 test -s sni.up
until_true 40 test -s early.up
for i in 10 11 12 13 14; do until_true 40 test -s "$T/port.$i"; done
cat >conf <<END
queue = "$T/queue"
hostname = "relay.test"
domain = "relay.test"
resolver = "127.0.0.1"
delivery = queue
retry_min = 1h
sts_ca_file = "$T/ca.pem"
route "demand.plain" { relay = mx tls = sts }
route "demanded.plain" { relay = mx tls = sts }
route "tested.plain" { relay = mx tls = sts }
route "relayed.plain" { relay = "mx-old.plain" }
END
RELAYKIT_CONFIG=$T/conf
export RELAYKIT_CONFIG
PATH=$BUILD/helpers:$PATH
names_ready good.plain

# session DOMAIN: of its session events: policy's type, mode and domain, the result
session() {
	python3 -c '
import glob, json, sys
seen = []
for f in sorted(glob.glob("queue/log/*.jsonl")):
    for e in map(json.loads, open(f)):
        if e["type"] == "session" and e["domain"] == sys.argv[1]:
            p = e["policy"]
            t = " ".join([p["type"], p.get("mode", "-"), p["domain"], e.get("result", "good")])
            seen += [] if t in seen else [t]
print("; ".join(seen))' "$1"
}
ALL='good.plain wild.plain old.plain strange.plain name.plain bare.plain unlisted.plain second.plain rogue.plain testing.plain
none.plain broken.plain nosts.plain lost.plain relayed.plain sni.plain early.plain demand.plain demanded.plain tested.plain sub.bare.plain both.example both-bad.example'
# shellcheck disable=SC2086
post $ALL
is "$(cat err)" '' 'a run with policies'
went good.plain 'delivered sts:enforce' 'RFC 8461 4: STARTTLS, a certificate that holds, a host that is listed'
went wild.plain 'delivered sts:enforce' '4.1: a wildcard'
went_like old.plain "^deferred 4.7.5 mx-old.plain.$NET.11:25.: the MTA-STS policy of old.plain: the certificate expired on 2020-02-01" \
    '4.2, 5: an expired certificate: deferred, not in clear'
went_like strange.plain "^deferred 4.7.5 mx-strange.plain.*: the MTA-STS policy of strange.plain: the certificate" '4.2: a CA that is not trusted'
went name.plain "deferred 4.7.5 mx-name.plain[$NET.13:25]: the MTA-STS policy of name.plain: the certificate is for another name than mx-name.plain" \
    '4.2: a certificate for another name'
went bare.plain "deferred 4.7.4 mx-bare.plain[$NET.14:25]: STARTTLS is not offered, and it is demanded by the MTA-STS policy of bare.plain" \
    '5: no STARTTLS: not in clear'
went unlisted.plain 'deferred 4.7.5 mx-good.plain is not in the MTA-STS policy of unlisted.plain' '4.1, 5: a host that is not listed'
went second.plain 'delivered sts:enforce' '5.1: the next host of the MX set'
went rogue.plain 'delivered sts:enforce' '4.1: the next host, past one that is not listed'
went testing.plain 'delivered sts:testing-unmet' '5: testing: delivered all the same'
went none.plain 'delivered clear' '5: none: as without'
went broken.plain 'delivered clear' '3.3: no policy to be had, and none remembered: as without'
went nosts.plain 'delivered TLS' 'no policy: opportunistic'
went lost.plain 'delivered clear' '3.3: a policy host that cannot be reached'
went sub.bare.plain 'delivered clear' '3.4: no policy of the parent zone'
went_like relayed.plain "^deferred 4.7.5 mx-old.plain.*: the MTA-STS policy of mx-old.plain: the certificate expired" '3.4: a relay is held to its own policy'
went sni.plain 'delivered sts:enforce' 'another server'
is "$(sort -u sni.sni)" mx-sni.plain '7.1: SNI is the MX host'
went_like early.plain '^deferred 4.7.5 mx-early.plain.*: TLS: TLS handshake: ' '7.2: TLS 1.1 is none'
went demand.plain 'delivered sts:enforce' 'tls = sts'
went demanded.plain 'deferred 4.7.5 mx-good.plain has no MTA-STS policy that can be had, and tls = sts' 'tls = sts without a policy'
went_like tested.plain '^deferred 4.7.5 mx-old.plain.*the certificate expired' 'tls = sts: testing counts as well'
went both.example 'delivered DANE-EE 3 1 1' 'RFC 7672, 8461 2: DANE before MTA-STS'
went_like both-bad.example '^deferred 4.7.5 .*no TLSA record matches' '8461 2: what DANE refuses no policy lets pass'

# --- what is told of the sessions, RFC 8460 4.3
is "$(session good.plain)" 'sts enforce good.plain good' 'session: good'
is "$(session old.plain)" 'sts enforce old.plain certificate-expired' 'session: expired'
is "$(session strange.plain)" 'sts enforce strange.plain certificate-not-trusted' 'session: not trusted'
is "$(session name.plain)" 'sts enforce name.plain certificate-host-mismatch' 'session: another name'
is "$(session bare.plain)" 'sts enforce bare.plain starttls-not-supported' 'session: no STARTTLS'
is "$(session unlisted.plain)" 'sts enforce unlisted.plain validation-failure' 'session: not listed'
is "$(session rogue.plain)" 'sts enforce rogue.plain validation-failure; sts enforce rogue.plain good' 'session: a host each'
is "$(session testing.plain)" 'sts testing testing.plain certificate-expired' 'session: testing'
is "$(session none.plain)" 'no-policy-found - none.plain starttls-not-supported' 'session: mode none'
is "$(session broken.plain)" 'no-policy-found - broken.plain starttls-not-supported; sts - broken.plain sts-policy-invalid' 'session: no good policy'
is "$(session lost.plain)" 'no-policy-found - lost.plain starttls-not-supported; sts - lost.plain sts-policy-fetch-error' 'session: no policy to be had'
is "$(session nosts.plain)" 'no-policy-found - nosts.plain good' 'session: no policy'
is "$(session both.example)" 'tlsa - mx.example good' 'session: DANE'
is "$(session both-bad.example)" 'tlsa - mx-bad.example certificate-not-trusted' 'session: DANE, not met'

is "$(python3 -c '
import glob, json
for f in glob.glob("queue/log/*.jsonl"):
    for e in map(json.loads, open(f)):
        if e["type"] == "session" and "addr" in e["peer_address"]:
            print(e["source_address"]["addr"])' | sort -u)" $NET.1 'session: from where'

# --- reports of all this arrive in any case, and are not told of (RFC 8460 5.3.1)
n=$(grep -hc '"type":"session"' queue/log/*.jsonl)
for d in bare.plain both-bad.example demanded.plain; do
	printf 'Subject: report\n\nIt.\n' | smtp-submit -O stream=tls-report -f sender@relay.test "report@$d"
done
smtp-deliver --now --id "$(ls queue/new | sed -n 's/^[0-9]*\.\([^,]*\),tls-report.*/\1/p' | sed -n 1p)" \
    --id "$(ls queue/new | sed -n 's/^[0-9]*\.\([^,]*\),tls-report.*/\1/p' | sed -n 2p)" \
    --id "$(ls queue/new | sed -n 's/^[0-9]*\.\([^,]*\),tls-report.*/\1/p' | sed -n 3p)" >out 2>err
is "$(grep -h '"type":"delivered".*"recipient":"report@' queue/log/*.jsonl | wc -l)" 3 'stream tls-report: MTA-STS and DANE do not count'
is "$(grep -hc '"type":"session"' queue/log/*.jsonl)" "$n" 'nothing is told'
is "$(tls-report --date "$(date -u +%Y-%m-%d)" --print old.plain | python3 "$TOP/tests/tlsrpt.py")" good 'and their log makes a report'

# --- mx-lookup says it beforehand
is "$(mx-lookup good.plain)" "10 mx-good.plain $NET.10  sts:enforce" 'mx-lookup: sts:enforce'
is "$(mx-lookup --policy testing.plain)" sts:testing 'sts:testing'
is "$(mx-lookup unlisted.plain)" '4.7.5 mx-good.plain is not in the MTA-STS policy of unlisted.plain' 'a host that is not listed'
like "$(mx-lookup --explain rogue.plain | tr '\n' ' ')" 'MTA-STS policy of rogue.plain: enforce, id rogue1, fetched [0-9]+ s ago, max_age 604800 s mx-old.plain is not in it mx-good.plain is in it ' '--explain'
is "$(mx-lookup --json good.plain | python3 -c 'import json, sys; s = json.load(sys.stdin)["hosts"][0]["sts"]; print(s["id"], s["mode"], s["match"])')" 'good1 enforce True' '--json'
like "$(mx-lookup --connect good.plain | sed -n 2p)" 'sts:enforce$' '--connect'
is "$(smtp-deliver --dry-run=connect --now | cut -f 2,3,7 | grep bare)" "user@bare.plain	defer	4.7.4" '--dry-run=connect'

like "$(mx-lookup relayed.plain)" '^0 mx-old.plain [0-9.]*  sts:enforce$' 'a relay by its own policy'
like "$(mx-lookup --explain relayed.plain | tr '\n' ' ')" 'MTA-STS policy of mx-old.plain: enforce.* mx-old.plain is in it ' 'and why'
is "$(mx-lookup --json relayed.plain | python3 -c 'import json, sys; s = json.load(sys.stdin)["hosts"][0]["sts"]; print(s["domain"], s["match"])')" \
    'mx-old.plain True' 'as JSON'
is "$(smtp-deliver --dry-run=connect --now | cut -f 2,3,6,7 | grep relayed)" 'user@relayed.plain	defer		4.7.5' '--dry-run=connect'
is "$(mx-lookup demanded.plain)" '4.7.5 mx-good.plain has no MTA-STS policy that can be had, and tls = sts' 'tls = sts without one'

# --- mta_sts = no: where tls = sts asks for a policy it counts, and elsewhere none does
sed 's/^delivery/mta_sts = no\ndelivery/' conf >conf.no
is "$(mx-lookup -C conf.no --policy good.plain; mx-lookup -C conf.no --policy demand.plain; mx-lookup -C conf.no --policy relayed.plain)" \
    'may
sts:enforce
may' 'mta_sts = no'
mkdir -m 700 no
sed "s|^queue.*|queue = \"$T/no\"|" conf.no >conf.no2
for d in good demand; do printf 'Subject: x\n\ny\n' | smtp-submit -C conf.no2 -f sender@relay.test "user@$d.plain"; done
smtp-deliver -C conf.no2 --now >out 2>err
is "$(cat no/log/*.jsonl | sed -n 's/.*"type":"delivered".*"recipient":"user@\([a-z]*\).plain".*"tls":"[^ ]* [^ ]* *\([^"]*\)".*/\1 \2/p' | sort | tr '\n' ';')" \
    'demand sts:enforce;good ;' 'the deliverer does the same'

# --- without the program: what is remembered counts, and what asks for a policy waits
mkdir -m 700 alone bare
cp "$BUILD/bin/smtp-deliver" "$BUILD/bin/smtp-submit" "$BUILD/bin/mx-lookup" alone
sed "s|^queue.*|queue = \"$T/bare\"|" conf >conf.alone
is "$(PATH=/usr/bin:/bin alone/mx-lookup -C conf.alone --policy good.plain)" may 'without mta-sts: auto is as without a policy'
like "$(PATH=/usr/bin:/bin alone/mx-lookup -C conf.alone --explain good.plain)" '^MTA-STS policy of good.plain: none: mta-sts is not installed$' '--explain says so'
is "$(PATH=/usr/bin:/bin alone/mx-lookup -C conf.alone demand.plain)" \
    '4.7.5 mx-good.plain has no MTA-STS policy that can be had, and tls = sts: mta-sts is not installed' 'tls = sts: deferred, with the reason'
for d in old demand; do printf 'Subject: x\n\ny\n' | alone/smtp-submit -C conf.alone -f sender@relay.test "user@$d.plain"; done
PATH=/usr/bin:/bin alone/smtp-deliver -C conf.alone -v >out 2>&1
is "$(cat out)" 'delivered 1 deferred 1 failed 0 expired 0' 'and a run does as they say'
like "$(grep -h '"type":"deferred"' bare/log/*.jsonl)" 'user@demand.plain.*and tls = sts: mta-sts is not installed' 'with the reason'
is "$(grep -h '"type":"session"' bare/log/*.jsonl | grep -c sts-policy)" 0 'of which the domain is not told: it is no fault of its own'
install -d -m 700 bare/state/sts
cp queue/state/sts/good.plain bare/state/sts/
is "$(PATH=/usr/bin:/bin alone/mx-lookup -C conf.alone --policy good.plain)" sts:enforce 'what is remembered counts'

# --- a machine on which no CAs are installed: what asks for one waits, all other mail goes as ever
install -d -m 700 nocas nocas/state nocas/state/sts
cp queue/state/sts/good.plain nocas/state/sts/
sed "s|^queue.*|queue = \"$T/nocas\"|; /^sts_ca_file/d" conf >conf.nocas
for d in good nosts; do printf 'Subject: x\n\ny\n' | smtp-submit -C conf.nocas -f sender@relay.test "user@$d.plain"; done
unshare -m sh -c 'for d in /etc/ssl /etc/pki /etc/ca-certificates; do [ ! -d $d ] || mount -t tmpfs tmpfs $d; done
    exec smtp-deliver -C conf.nocas -v' >out 2>&1
is "$(cat out)" 'delivered 1 deferred 1 failed 0 expired 0' 'no CAs: a run'
like "$(cat nocas/log/*.jsonl)" '"type":"deferred".*user@good.plain.*MTA-STS policy of good.plain: the certificate' 'trusts nobody'

# --- what is remembered, when the world has changed
n=$(requests)
post good.plain
is "$(requests)" "$n" '5.1: what is remembered is used without being fetched'
cp queue/state/sts/good.plain kept
state good.plain -90000
post good.plain
is "$(requests)" $((n + 1)) '3.3: a day old: refreshed behind a delivery'
is "$(sed -n 's/^fetched=//p' queue/state/sts/good.plain | wc -c)" 11 'and remembered'
cp kept queue/state/sts/good.plain

# --- 5: a policy that is over between two attempts, of a domain that shares its hosts with another's mail
mkdir -m 700 brief
sed "s|^queue.*|queue = \"$T/brief\"|; s/^retry_min.*/retry_min = 1s\nretry_max = 2s/" conf >conf.brief
for d in brief bare; do printf 'Subject: x\n\ny\n' | smtp-submit -C conf.brief -f sender@relay.test "user@$d.plain"; done
bg smtp-deliver -C conf.brief --follow
RUN=$!
tried() { [ "$(cat brief/log/*.jsonl | grep -c '"type":"deferred".*"recipient":"user@bare.plain"')" -ge "$1" ] ||
    cat brief/log/*.jsonl | grep -q '"type":"delivered"'; }
until_true 40 tried 5
is "$(cat brief/log/*.jsonl | grep '"type":"delivered"' | cut -c1-200)" '' 'what it shares with others is not in clear when it is over'
kill $RUN
wait $RUN

# --- policies that nobody delivers: mail to others goes on meanwhile, though only one may be fetched at a time
cat >silent.py <<'END'
import socket, sys
s = socket.create_server((sys.argv[1], 443))
kept = []
while True:
    kept.append(s.accept())
    open("silent", "a").write("x")
END
bg nsenter -t $WORLD -n python3 silent.py $NET.82
SILENT=$!
silent() { world python3 -c "import socket; socket.create_connection(('$NET.82', 443), 5)"; }
until_true 40 silent
for d in slow1 slow2 slow3 quick; do printf 'Subject: x\n\ny\n' | smtp-submit -f sender@relay.test "user@$d.plain"; done
sed 's/^queue/connections = 4\nqueue/' conf >conf.few
smtp-deliver -C conf.few --now >out 2>err &
RUN=$!
bg_pids="$bg_pids $RUN"
quick_went() { [ "$(outcome quick.plain)" = 'delivered clear' ]; }
until_true 40 quick_went
is "$(outcome quick.plain) $(outcome slow1.plain)$(outcome slow2.plain)$(outcome slow3.plain)" 'delivered clear nothing  nothing  nothing  ' \
    '5.1: slow policy hosts keep no other mail'
# a relay of which another policy is remembered than the one that cannot be had now
{ sed 's/^queue/timeout_dns = 1s\nqueue/; s,/queue",/via",' conf
for d in via1 via2 via3; do echo "route \"$d.plain\" { relay = \"mx-bare.plain\" }"; done; } >conf.via
remember via mx-bare.plain
for d in via1 via2 via3; do for u in user other; do
	printf 'Subject: x\n\ny\n' | smtp-submit -C conf.via -f sender@relay.test "$u@$d.plain"
done; done
smtp-deliver -C conf.via --now >out 2>err
is "$(cat via/log/*.jsonl | grep -c '"type":"deferred".*"enhanced_code":"4.7.4".*the MTA-STS policy of mx-bare.plain') $(cat \
    via/log/*.jsonl | grep -c '"type":"delivered"')" '6 0' \
    '5.1: over each connection the one that is remembered counts, however long the fetch of one takes'
kill $SILENT
wait $RUN
is "$(outcome slow1.plain) $(outcome slow2.plain) $(outcome slow3.plain)" 'delivered clear delivered clear delivered clear' \
    '3.3: and theirs goes when they are gone'
kill $WEBPID
post good.plain bare.plain
went good.plain 'delivered sts:enforce' '3.3: without the web server too'
went_like bare.plain '^deferred 4.7.4 ' '10: whoever takes it away changes nothing'
done_testing
