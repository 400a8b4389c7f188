# dane.sh - a signed zone by NSD, Unbound as validating resolver on loopback, traps in a namespace of their own.
#
# Behind lib.sh and peers.sh; the test may have defined these before, to add what it needs:
#     certificates_more   more of them, by `certificate` and `sign`
#     zone_more           prints records of the signed zone example
#     plain_more          the same of plain, which is not signed
#     zone_spoil          changes zones/example after it was signed
# Then: `finger_ready` and `judge DOMAIN` ask Postfix, `tls_trap HOST OPTIONS...` is one more server, `post DOMAIN...` sends, `outcome DOMAIN`, `went` and
# `went_like` say what became of it.
for f in certificates_more zone_more plain_more zone_spoil; do
	command -v $f >/dev/null || eval "$f() { :; }"
done

need python3 openssl ldns-keygen ldns-signzone
. "$TOP/tests/world.sh"
world_start 10 11 12 13 14 15 16 17 18 53

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
sign old mx-old.example $(over)
certificates_more
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
zone_more >>zones/example.in
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
plain_more >>zones/plain
(cd zones && ksk=$(ldns-keygen -k -a ECDSAP256SHA256 example) && zsk=$(ldns-keygen -a ECDSAP256SHA256 example) &&
    ldns-signzone -n -f example example.in "$zsk" "$ksk" && cat "$ksk.key" >../anchor) || skip_all 'no zone can be signed'
zone_spoil
# One record is another after it was signed.
sed -i "/^_25._tcp.mx-bogus.example.*TLSA.*3 1 1/s/3 1 1 ..../3 1 1 0000/" zones/example

names_start
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
names_ready ee.example

# --- Postfix's own verdict
finger=$PEERS/postfix/usr/sbin/posttls-finger
finger_ready() {
	printf 'nameserver 127.0.0.1\noptions trust-ad\n' >resolv.conf
	mount --bind resolv.conf /etc/resolv.conf || return
	mkdir -p pf && printf '%s\n' 'compatibility_level = 3.6' 'myhostname = relay.test' 'smtp_dns_support_level = dnssec' \
	    "mail_owner = $POSTFIX_USER" "setgid_group = $POSTFIX_GROUP" >pf/main.cf
}
# What is not Verified is not used with DANE; from 3.10 on Postfix says where it is the name alone that is wrong.
UNVERIFIED='(Untrusted|Trusted)'
# judge DOMAIN: Verified, Trusted, Untrusted, Anonymous, or nothing
judge() {
	LD_LIBRARY_PATH="$(cat "$PEERS/postfix/libpath")" MAIL_CONFIG="$T/pf" timeout 60 "$finger" -c -l dane -L summary \
	    -t 10 -T 10 "$1" 2>&1 | tee -a finger.log | sed -n 's/.*: \([A-Z][a-z]*\) TLS connection established.*/\1/p'
}
