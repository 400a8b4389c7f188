#!/bin/sh
# What next hops are held to: a signed zone by NSD, Unbound as validating resolver on loopback, traps with
# and without fitting certificates in a namespace of their own.  Where Postfix's posttls-finger is
# there, it says of each host the same.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/peers.sh"

[ "$(id -u)" -eq 0 ] || skip_all 'network namespaces need root'
need ip unshare nsenter python3 openssl ldns-keygen ldns-signzone mount
for p in nsd unbound; do
	[ -f "$PEERS/$p/libpath" ] || skip_all "no $p in build/peers: scripts/peers $p"
done
if [ -z "${IN_NAMESPACE-}" ]; then
	unshare -n -m true 2>/dev/null || skip_all 'no namespaces here'
	rm -rf "$T"
	IN_NAMESPACE=yes exec unshare -n -m "$0"
fi

NET=198.51.100
bg unshare -n sleep 600
WORLD=$!
world() { nsenter -t $WORLD -n "$@"; }
other() { [ "$(readlink /proc/$WORLD/ns/net)" != "$(readlink /proc/self/ns/net)" ]; }
until_true 40 other
ip link add here type veth peer name there netns $WORLD 2>/dev/null || skip_all 'no veth devices here'
ip link set lo up
ip addr add $NET.1/24 dev here
ip link set here up
world ip link set lo up
for i in 10 11 12 13 14 15 53; do world ip addr add $NET.$i/24 dev there; done
world ip link set there up

# --- certificates: ee for mx-ee.example, ta under a CA, old expired
cd "$T" || exit 1
printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n' >ca.ext
certificate() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" 2>/dev/null
	openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr" 2>/dev/null
}
sign() {
	name=$1
	printf 'subjectAltName=DNS:%s\n' "$2" >"$name.ext"
	shift 2
	openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -set_serial $((serial = serial + 1)) \
	    -extfile "$name.ext" -out "$name.pem" "$@" 2>/dev/null
	cat ca.pem >>"$name.pem"
}
serial=100
certificate ca
openssl x509 -req -in ca.csr -signkey ca.key -set_serial 1 -extfile ca.ext -days 90 -out ca.pem 2>/dev/null
for c in ee ta old; do certificate $c; done
sign ee somebody.example -days 90
sign ta mx-ta.example -days 90
sign old mx-old.example -days -1
spki() { openssl x509 -in "$1.pem" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1; }

# --- zones: example is signed, plain is not
mkdir zones
cat >zones/example.in <<END
\$ORIGIN example.
\$TTL 300
@        SOA  ns root 1 3600 600 86400 60
@        NS   ns
ns       A    $NET.53
mx-ee    A    $NET.10
mx-ta    A    $NET.11
mx-old   A    $NET.12
mx-bare  A    $NET.13
mx-sick  A    $NET.14
mx-self  A    $NET.15
ee       MX   10 mx-ee
ta       MX   10 mx-ta
old      MX   10 mx-old
self     MX   10 mx-self
_25._tcp.mx-ee   TLSA 3 1 1 $(spki ee)
_25._tcp.mx-ta   TLSA 2 1 1 $(spki ca)
_25._tcp.mx-old  TLSA 2 1 1 $(spki ca)
_25._tcp.mx-bare TLSA 3 1 1 $(spki ee)
_25._tcp.mx-sick TLSA 3 1 1 $(spki ee)
bare     MX   10 mx-bare
sick     MX   10 mx-sick
wrong    MX   10 mx-wrong
mx-wrong A    $NET.10
_25._tcp.mx-wrong TLSA 3 1 1 $(spki ta)
name     MX   10 mx-name
mx-name  A    $NET.11
_25._tcp.mx-name TLSA 2 1 1 $(spki ca)
two      MX   10 mx-two
mx-two   A    $NET.10
_25._tcp.mx-two TLSA 3 1 1 $(spki ta)
_25._tcp.mx-two TLSA 3 1 1 $(spki ee)
odd      MX   10 mx-odd
mx-odd   A    $NET.15
_25._tcp.mx-odd TLSA 1 1 1 $(spki ee)
oddbare  MX   10 mx-oddbare
mx-oddbare A  $NET.13
_25._tcp.mx-oddbare TLSA 0 0 1 $(spki ee)
bogus    MX   10 mx-bogus
mx-bogus A    $NET.10
_25._tcp.mx-bogus TLSA 3 1 1 $(spki ee)
second   MX   10 mx-wrong
second   MX   20 mx-ee
implicit A    $NET.10
_25._tcp.implicit TLSA 3 1 1 $(spki ee)
force    MX   10 mx-self
casign   MX   10 mx-ta
noca     MX   10 mx-self
crypt    MX   10 mx-bare
never    MX   10 mx-ee
may      MX   10 mx-wrong
END
cat >zones/plain <<END
\$ORIGIN plain.
\$TTL 300
@        SOA  ns.example. root 1 3600 600 86400 60
@        NS   ns.example.
mx       A    $NET.10
far      A    $NET.13
@        MX   10 mx
_25._tcp.mx TLSA 3 1 1 $(spki ta)
cross    MX   10 mx-wrong.example.
END
(cd zones && ksk=$(ldns-keygen -k -a ECDSAP256SHA256 example) && zsk=$(ldns-keygen -a ECDSAP256SHA256 example) &&
    ldns-signzone -n -f example example.in "$zsk" "$ksk" && cat "$ksk.key" >../anchor) || skip_all 'no zone can be signed'
# One record is another after it was signed.
sed -i "/^_25._tcp.mx-bogus.example.*TLSA.*3 1 1/s/3 1 1 ..../3 1 1 0000/" zones/example

nsd_conf $NET.53 example plain >nsd.conf
bg nsenter -t $WORLD -n env LD_LIBRARY_PATH="$(cat "$PEERS/nsd/libpath")" "$PEERS/nsd/usr/sbin/nsd" -d -c nsd.conf
cat >unbound.conf <<END
server:
	interface: 127.0.0.1
	interface: $NET.1
	do-ip6: no
	do-daemonize: no
	use-syslog: no
	logfile: "$T/unbound.log"
	pidfile: "$T/unbound.pid"
	username: ""
	chroot: ""
	directory: "$T"
	module-config: "validator iterator"
	trust-anchor-file: "$T/anchor"
	domain-insecure: "plain"
	domain-insecure: "arpa"
	access-control: 0.0.0.0/0 allow
remote-control:
	control-enable: no
stub-zone:
	name: "example"
	stub-addr: $NET.53
stub-zone:
	name: "plain"
	stub-addr: $NET.53
END
bg env LD_LIBRARY_PATH="$(cat "$PEERS/unbound/libpath")" "$PEERS/unbound/usr/sbin/unbound" -d -c unbound.conf
tls_trap() {
	host=$1
	shift
	bg nsenter -t $WORLD -n smtp-trap --anywhere --maildir "$T/trap" --listen "$NET.$host:25" --port-file "$T/port.$host" "$@"
}
tls_trap 10 --tls --cert ee.pem --key ee.key
tls_trap 11 --tls --cert ta.pem --key ta.key
tls_trap 12 --tls --cert old.pem --key old.key
tls_trap 13
tls_trap 14 --tls-fail
tls_trap 15 --tls
for i in 10 11 12 13 14 15; do until_true 40 test -s "$T/port.$i"; done

cat >conf <<END
queue = "$T/queue"
hostname = "relay.test"
domain = "relay.test"
resolver = "127.0.0.1"
delivery = queue
retry_min = 1h
tls_ca_file = "$T/ca.pem"
route "force.example" { relay = mx tls = dane }
route "casign.example" { relay = mx tls = verify }
route "noca.example" { relay = mx tls = verify }
route "crypt.example" { relay = mx tls = encrypt }
route "never.example" { relay = mx tls = none }
route "may.example" { relay = mx tls = may }
route "relay.plain" { relay = "mx-wrong.example" }
END
RELAYKIT_CONFIG=$T/conf
export RELAYKIT_CONFIG
PATH=$BUILD/helpers:$PATH
serves() { dnsq -r 127.0.0.1 -t 1000 ee.example | grep -q ^site; }
until_true 40 serves || {
	sed 's/^/# /' nsd.log unbound.log
	skip_all 'the name servers do not start here'
}

# outcome DOMAIN: TYPE CODE TLS of the last event
outcome() {
	python3 -c '
import glob, json, sys
last = {"type": "nothing"}
tls = ""
for f in sorted(glob.glob("queue/log/*.jsonl")):
    for e in map(json.loads, open(f)):
        if e.get("recipient") == sys.argv[1]:
            last = e
tls = " ".join(last.get("tls", "clear").split()[2:]) or ("TLS" if "tls" in last else "clear")
r = last.get("response", {})
print(last["type"], tls if last["type"] == "delivered" else r.get("enhanced_code", "") + " " + r.get("content", ""))' "user@$1"
}
post() {
	for d; do printf 'Subject: to %s\n\nHello.\n' "$d" | smtp-submit -f sender@relay.test "user@$d"; done
	smtp-deliver --now >out 2>err
}
post ee.example ta.example old.example bare.example sick.example wrong.example name.example two.example odd.example \
    oddbare.example bogus.example second.example implicit.example self.example force.example casign.example \
    noca.example crypt.example never.example may.example plain cross.plain relay.plain
went() { is "$(outcome "$1")" "$2" "$3"; }
went_like() { like "$(outcome "$1")" "$2" "$3"; }
went ee.example 'delivered DANE-EE 3 1 1' 'DANE-EE, whatever the name in the certificate (RFC 7671 5.1)'
went ta.example 'delivered DANE-TA 2 1 1' 'DANE-TA'
went_like old.example "^deferred 4.7.5 mx-old.example.$NET.12:25.: TLSA records: the certificate expired on 20" 'DANE-TA, expired'
went bare.example "deferred 4.7.4 mx-bare.example[$NET.13:25]: STARTTLS is not offered, and it is demanded by TLSA records" 'no STARTTLS: not in clear'
went_like sick.example "^deferred 4.7.5 mx-sick.example.$NET.14:25.: TLS: TLS handshake: " 'a failed handshake: not in clear'
went wrong.example "deferred 4.7.5 mx-wrong.example[$NET.10:25]: TLSA records: no TLSA record matches the certificate" 'no record matches'
went name.example "deferred 4.7.5 mx-name.example[$NET.11:25]: TLSA records: the certificate is for another name than mx-name.example" 'DANE-TA, another name'
went two.example 'delivered DANE-EE 3 1 1' 'one of two records'
went odd.example 'delivered TLS' 'unusable records: any certificate (RFC 7672 2.2)'
went oddbare.example "deferred 4.7.4 mx-oddbare.example[$NET.13:25]: STARTTLS is not offered, and it is demanded by TLSA records, of which none can be used" 'but not in clear'
went_like bogus.example '^deferred 4.7.5 TLSA records of _25._tcp.mx-bogus.example: .*SERVFAIL' 'bogus records: not at all (RFC 7672 2.1.3)'
went second.example 'delivered DANE-EE 3 1 1' 'the next host of the MX set'
went implicit.example 'delivered DANE-EE 3 1 1' 'an implicit MX'
went self.example 'delivered TLS' 'no records: opportunistic'
went plain 'delivered TLS' 'records of a zone that is not signed are none'
went cross.plain 'delivered TLS' 'nor are those of a host that an unsigned MX names'
went relay.plain "deferred 4.7.5 mx-wrong.example[$NET.10:25]: TLSA records: no TLSA record matches the certificate" \
    'those of a configured relay count (RFC 7672 2.2.2)'
went force.example 'deferred 4.7.5 mx-self.example has no TLSA records that are secure and can be used, and tls = dane' 'tls = dane'
went casign.example 'delivered verified' 'tls = verify'
went noca.example "deferred 4.7.5 mx-self.example[$NET.15:25]: tls = verify: the certificate is self-signed" 'tls = verify, self-signed'
went crypt.example "deferred 4.7.4 mx-bare.example[$NET.13:25]: STARTTLS is not offered, and it is demanded by tls = encrypt" 'tls = encrypt'
went never.example 'delivered clear' 'tls = none'
went may.example 'delivered TLS' 'tls = may looks at nothing'
is "$(find queue/new queue/cur -type f | wc -l)" 11 'what could not go as it must waits'

# --- mx-lookup says the same beforehand
is "$(mx-lookup ee.example)" "10 mx-ee.example $NET.10  dane-ee" 'mx-lookup: DANE-EE'
is "$(mx-lookup ta.example)" "10 mx-ta.example $NET.11  dane-ta" 'DANE-TA'
is "$(mx-lookup 'Somebody <x' 2>&1; echo $?)" '5.1.2 domain "Somebody <x": it has a blank or control character (0x20)
65' 'not a domain'
is "$(mx-lookup user@EE.example.)" "10 mx-ee.example $NET.10  dane-ee" 'a mailbox'
is "$(mx-lookup second.example)" "10 mx-wrong.example $NET.10  dane-ee
20 mx-ee.example $NET.10  dane-ee" 'a line each host'
printf '%s\n' odd.example self.example nowhere.example never.example casign.example implicit.example '' >domains
is "$(mx-lookup <domains; echo $?)" "odd.example	10 mx-odd.example $NET.15  encrypt
self.example	10 mx-self.example $NET.15  may
nowhere.example	5.1.2 MX of nowhere.example: no such domain
never.example	10 mx-ee.example $NET.10  none
casign.example	10 mx-ta.example $NET.11  verify
implicit.example	0 implicit.example $NET.10  dane-ee
	5.1.2 not a domain
68" 'a line each domain, in their order, and the worst code'
is "$(mx-lookup bogus.example >out; echo $?)" 75 'what cannot be found out is temporary'
like "$(cat out)" '^4.7.5 TLSA records of _25._tcp.mx-bogus.example: .*SERVFAIL' 'and says why'
is "$(mx-lookup --site ee.example; mx-lookup --hosts ee.example; mx-lookup --addresses ee.example; mx-lookup --policy ee.example)" \
    "mx-ee.example
10 mx-ee.example
$NET.10
dane-ee" 'parts of it'
is "$(mx-lookup --json ee.example | python3 -c '
import json, sys
a = json.load(sys.stdin)
h = a["hosts"][0]
print(a["query"], a["domain"], a["code"], a["secure"], a["ttl_s"] > 0, h["preference"], h["name"], h["port"], h["addresses"][0], h["secure"], h["policy"], h["tlsa"][0][:6])')" \
    "ee.example ee.example 0 True True 10 mx-ee.example 25 $NET.10 True dane 3 1 1 " 'as JSON'
mx-lookup --explain self.example >out
is "$(sed 's/, [0-9]* s)/)/' out)" "MX self.example: 10 mx-self.example (127.0.0.1, secure)
TXT _mta-sts.self.example: no such name (127.0.0.1, secure)
A+AAAA mx-self.example: $NET.15 (127.0.0.1, secure)
TLSA _25._tcp.mx-self.example: no such name (127.0.0.1, secure)
policy of mx-self.example: may, without TLSA records that are secure
10 mx-self.example $NET.15  may" '--explain: each question, its answer, and what follows'
like "$(mx-lookup --explain plain)" '^policy of mx.plain: may, DANE is off: the MX records are not signed$' 'why DANE is off'
mx-lookup --connect ee.example >out
like "$(sed -n 2p out)" "^    $NET.10:25: TLS1.3 .* DANE-EE 3 1 1$" '--connect: what the host really offers'
like "$(sed -n 3p out)" '^    .*PIPELINING' 'and says to EHLO'
is "$(mx-lookup --connect wrong.example | sed -n 2p)" "    $NET.10:25: TLSA records: no TLSA record matches the certificate" 'or why it would not do'

# --- a resolver that others could stand in front of
smtp-queue remove --all >/dev/null
sed -i "s/^resolver.*/resolver = \"$NET.1\"/" conf
post wrong.example
went wrong.example 'delivered TLS' 'a resolver that is not on loopback: its AD bit is not believed'
sed -i '1i trust_ad = yes' conf
post wrong.example
went_like wrong.example '^deferred 4.7.5 ' 'unless trust_ad says so'

# --- Postfix's own verdict
finger=$PEERS/postfix/usr/sbin/posttls-finger
if [ -x "$finger" ]; then
	echo 'nameserver 127.0.0.1
options trust-ad' >resolv.conf
	mount --bind resolv.conf /etc/resolv.conf || skip 'resolv.conf'
	mkdir -p pf && printf '%s\n' 'compatibility_level = 3.6' 'myhostname = relay.test' 'smtp_dns_support_level = dnssec' \
	    "mail_owner = $POSTFIX_USER" "setgid_group = $POSTFIX_GROUP" >pf/main.cf
	# judge DOMAIN: Verified, Trusted, Untrusted, Anonymous, or nothing
	judge() {
		LD_LIBRARY_PATH="$(cat "$PEERS/postfix/libpath")" MAIL_CONFIG="$T/pf" timeout 60 "$finger" -c -l dane -L summary \
		    -t 10 -T 10 "$1" 2>&1 | tee -a finger.log | sed -n 's/.*: \([A-Z][a-z]*\) TLS connection established.*/\1/p'
	}
	for d in ee ta two implicit; do is "$(judge $d.example)" Verified "posttls-finger: $d is verified"; done
	for d in old wrong name; do is "$(judge $d.example)" Untrusted "posttls-finger: $d is not"; done
	for d in bare sick bogus oddbare; do is "$(judge $d.example)" '' "posttls-finger: $d is not even encrypted"; done
	for d in odd.example self.example plain cross.plain; do
		like "$(judge $d)" 'Untrusted|Anonymous|Trusted' "posttls-finger: $d is encrypted"
	done
	[ $tap_bad -eq 0 ] || sed 's/^/# /' finger.log
else
	result 0 'posttls-finger # SKIP no postfix in build/peers: scripts/peers postfix'
fi
done_testing
