#!/bin/sh
# spf-check, dkim-verify and sender-check with a real name server and real mail servers: NSD and
# smtp-trap on port 25, in a network namespace of their own, with documentation's addresses.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/peers.sh"
. "$TOP/tests/sts.sh"

[ "$(id -u)" -eq 0 ] || skip_all 'network namespaces need root'
need ip unshare openssl smtp-trap python3 certtool
[ -f "$PEERS/nsd/libpath" ] || skip_all 'no nsd in build/peers: scripts/peers nsd'
if [ -z "${IN_NAMESPACE-}" ]; then
	unshare -n true 2>/dev/null || skip_all 'no network namespaces here'
	rm -rf "$T"
	IN_NAMESPACE=yes exec unshare -n "$0"
fi
NET=198.51.100
ip link set lo up
for i in 10 11 12 13 25 53; do
	ip addr add $NET.$i/32 dev lo
done

D=$TOP/tests/data/dkim
openssl genrsa -out "$T/key.pem" 4096 2>/dev/null
pub=$(openssl rsa -in "$T/key.pem" -pubout -outform DER 2>/dev/null | base64 -w0)
mkdir "$T/zones"
{
	cat <<END
\$ORIGIN example.com.
\$TTL 300
@        SOA  ns root 1 3600 600 86400 60
@        NS   ns
ns       A    $NET.53
@        TXT  "v=spf1 ip4:$NET.25 in" "clude:big.example.com include:six.example.com -all" ; one record in two strings
@        TXT  "another text"
@        MX   10 tls
@        MX   20 tls2
tls      A    $NET.10
tls2     A    $NET.10
mail     A    $NET.25
clear    A    $NET.11
closed   A    $NET.12
mixed    MX   10 tls
mixed    MX   20 clear
shut     MX   10 closed
alias    CNAME mail
_dmarc   TXT  "v=DMARC1; p=reject; rua=mailto:d@example.com"
$(for d in good miss gone shut nowhere strange broken none implied; do
		[ $d = implied ] && echo "$d A $NET.10" || echo "$d MX 10 tls"
		echo "_mta-sts.$d TXT \"v=STSv1; id=1;\""
		case $d in shut) echo "mta-sts.$d A $NET.12" ;; nowhere) ;; *) echo "mta-sts.$d A $NET.13" ;; esac
	done)
miss     MX   20 clear
six      TXT  "v=spf1 ip6:2001:db8::/32 exists:%{ir}.l.%{d2} a:odd\\\\name.example.com ?all"
25.100.51.198.l A 127.0.0.2
s        CNAME s2
s1._domainkey TXT ( "v=DKIM1; k=rsa; "
END
	echo "p=$pub" | fold -w 200 | sed 's/.*/"&"/'
	echo ')'
	echo 's2._domainkey CNAME s1._domainkey'
	# 6 KB in one record: it fits no datagram.
	printf 'big TXT "v=spf1 "'
	i=0
	while [ $i -lt 300 ]; do
		printf ' "ip4:203.0.%d.%d "' $((i / 200)) $((i % 200))
		i=$((i + 1))
	done
	printf ' "?all"\n'
	echo 'sub NS nowhere.elsewhere.'
} >"$T/zones/example.com"
cat >"$T/zones/100.51.198.in-addr.arpa" <<END
\$ORIGIN 100.51.198.in-addr.arpa.
\$TTL 300
@   SOA ns.example.com. root.example.com. 1 3600 600 86400 60
@   NS  ns.example.com.
25  PTR mail.example.com.
11  PTR nobody.example.com.
END
cat >"$T/zones/bl.example" <<END
\$ORIGIN bl.example.
\$TTL 300
@   SOA ns.example.com. root.example.com. 1 3600 600 86400 60
@   NS  ns.example.com.
11.100.51.198 A 127.0.0.4
11.100.51.198 TXT "seen sending"
END
nsd_conf $NET.53 example.com 100.51.198.in-addr.arpa bl.example >"$T/nsd.conf"
LD_LIBRARY_PATH="$(cat "$PEERS/nsd/libpath")" bg "$PEERS/nsd/usr/sbin/nsd" -d -c "$T/nsd.conf"
bg smtp-trap --anywhere --tls --listen $NET.10:25 --discard --port-file "$T/port1"
bg smtp-trap --anywhere --listen $NET.11:25 --discard --port-file "$T/port2"
printf 'resolver = "%s"\nhostname = "look.example.com"\n' $NET.53 >"$T/conf"
RELAYKIT_CONFIG=$T/conf
export RELAYKIT_CONFIG
serves() { spf-check --timeout 1s --ip $NET.25 example.com; }
until_true 20 serves || {
	sed 's/^/# /' "$T/nsd.log"
	serves | sed 's/^/# /'
	skip_all 'NSD does not start here'
}
until_true 10 test -s "$T/port1"
until_true 10 test -s "$T/port2"

is "$(spf-check --ip $NET.25 example.com)" "spf=pass (ip4:$NET.25 of example.com matches) smtp.mailfrom=example.com" \
    'a record of two strings, beside another one'
is "$(spf-check --ip 203.0.1.99 example.com)" 'spf=pass (ip4:203.0.1.99 of big.example.com matches) smtp.mailfrom=example.com' \
    'a record that does not fit a datagram'
is "$(spf-check --ip 2001:db8::1 example.com)" 'spf=pass (ip6:2001:db8::/32 of six.example.com matches) smtp.mailfrom=example.com' \
    'IPv6'
is "$(spf-check --ip 203.0.1.200 six.example.com)" 'spf=neutral (?all of six.example.com matches) smtp.mailfrom=six.example.com' \
    'names that no host has are asked for as they are'
is "$(spf-check --ip $NET.25 six.example.com)" 'spf=pass (exists:%{ir}.l.%{d2} of six.example.com matches) smtp.mailfrom=six.example.com' \
    'a macro'
spf-check --ip $NET.25 --timeout 3s x.sub.example.com >"$T/out"
is "$?" 75 'what nobody answers for is 75'
like "$(cat "$T/out")" '^spf=temperror \(TXT of x.sub.example.com: ' 'and said to be temporary'
is "$(spf-check --ip $NET.25 none.example.com)" 'spf=none (none.example.com has no SPF record) smtp.mailfrom=none.example.com' \
    'NXDOMAIN'

# A key in three strings, and behind a CNAME.
printf 'From: ann@example.com\r\nSubject: x\r\n\r\nhello\r\n' >"$T/m"
for s in s1 s2; do
	dkim-sign -d example.com -s $s -k "$T/key.pem" <"$T/m" >"$T/signed.$s" 2>"$T/err" || sed 's/^/# /' "$T/err"
	like "$(dkim-verify <"$T/signed.$s")" "^dkim=pass \\(4096-bit key\\) header.d=example.com header.s=$s " "the key of $s"
done
like "$(dkim-verify --dmarc --ip $NET.25 --from ann@example.com <"$T/signed.s1" | tail -1)" \
    '^dmarc=pass \(DKIM of example.com is aligned, SPF of example.com is aligned; p=reject of example.com\)' 'and DMARC'
sed 's/d=example.com/d=sub.example.com/; s/^From: ann@/From: ann@sub./' "$T/signed.s1" >"$T/m2"
dkim-verify --timeout 2s <"$T/m2" >"$T/out"
is "$?" 75 'a key that nobody answers for is 75'

# found ID SEVERITY PATTERN WHAT
found() { like "$(grep "^$1	" "$T/out" | cut -f1,2,4)" "^$1	$2	.*$3" "$4"; }
sender-check --ip $NET.25 --helo mail.example.com --dnsbl bl.example --message "$T/signed.s1" --key "$T/key.pem" \
    --selector s1 example.com >"$T/out" 2>"$T/err"
sed 's/^/# /' "$T/err"
found spf pass '' 'sender-check: SPF'
found spf-lookups pass '4 lookups, 1 void' 'its costs'
found dkim-match pass '' 'the key'
found dmarc-alignment pass '' 'alignment'
found ptr-forward pass mail.example.com 'PTR and back'
found helo pass mail.example.com 'EHLO name'
found mx-tls pass 'tls.example.com: TLS1.3.*; tls2.example.com: TLS1.3' 'TLS at both mail servers'
found dnsbl pass 'not listed' 'a block list'
sender-check --ip $NET.11 --helo mail.example.com --dnsbl bl.example mixed.example.com >"$T/out"
found mx-tls warning 'clear.example.com: no STARTTLS' 'a mail server without TLS'
found ptr pass nobody.example.com 'a PTR record'
found ptr-forward failure 'nobody.example.com has not' 'to nobody'
found dnsbl failure 'listed: 127.0.0.4, seen sending' 'and listed'
found mx pass tls.example.com 'MX'
sender-check --dnsbl none shut.example.com >"$T/out"
found mx-tls not-checked 'closed.example.com: connect 198.51.100.12:25: Connection refused' 'a closed port is no verdict'
sender-check --no-connect --dnsbl none mixed.example.com >"$T/out"
found mx-tls not-checked 'nobody is connected to' '--no-connect'

# What-if beside the real DNS: the rest still comes from there.
printf '_dmarc.example.com TXT "v=DMARC1; p=none"\nmail.example.com A 203.0.113.1\n' >"$T/over"
sender-check --overlay "$T/over" --no-connect --dnsbl none --ip $NET.25 example.com >"$T/out"
found dmarc pass 'p=none' 'an overlay'
found ptr-forward failure 'mail.example.com has not' 'counts for addresses, too'
found spf pass '' 'what it does not have is asked for'
found mx pass 'tls.example.com' 'of every type'

# --- the policy that the record promises, by HTTPS from a server of its own
cd "$T" || exit 1
ca ca && ca other || skip_all 'certtool makes no certificates here'
mkdir www
cert www/default.pem ca nobody.example.com
policy() { # NAME MODE 'PATTERNS'
	cert "www/mta-sts.$1.example.com.pem" "${4-ca}" "mta-sts.$1.example.com"
	{
		printf 'version: STSv1\nmode: %s\nmax_age: 604800\n' "$2"
		for p in $3; do echo "mx: $p"; done
	} >"www/mta-sts.$1.example.com"
}
policy good enforce '*.example.com'
policy miss testing 'tls.example.com'
policy gone enforce '*.example.com'
rm www/mta-sts.gone.example.com
policy strange enforce '*.example.com' other
policy broken maybe '*.example.com'
policy none none 'mx.elsewhere.example'
policy implied enforce 'implied.example.com'
policies_start $NET.13:443
printf 'resolver = "%s"\nhostname = "look.example.com"\nsts_ca_file = "%s"\n' $NET.53 "$T/ca.pem" >conf
# sts NAME SEVERITY PATTERN WHAT [OPTION...]
sts() {
	domain=$1.example.com severity=$2 pattern=$3 what=$4
	shift 4
	sender-check --dnsbl none "$@" "$domain" >"$T/out" 2>"$T/err"
	sed 's/^/# /' "$T/err"
	found mta-sts-policy "$severity" "$pattern" "policy: $what"
}
sts good pass 'mode enforce, max_age 604800; in it: tls.example.com$' 'fetched, and each MX is in it'
sts implied pass 'in it: implied.example.com$' 'the implicit MX'
sts miss warning 'mode testing, max_age 604800; not in it: clear.example.com$' 'an MX that it does not name'
sts miss failure 'not in it' 'which is a failure for strict' --profile strict
sts gone warning 'mta-sts.gone.example.com: HTTP status 404$' 'a record without a policy'
sts nowhere warning 'mta-sts.nowhere.example.com: it has no address$' 'without a server'
sts strange warning 'mta-sts.strange.example.com: .*certificate' 'a certificate by nobody who is trusted'
sts broken warning 'mode' 'one that is none'
sts none pass 'mode none, max_age 604800$' 'mode none names nobody'
sts shut not-checked 'mta-sts.shut.example.com: .*' 'a port that is closed is no verdict'
is "$(sender-check --json --dnsbl none shut.example.com | grep mta-sts-policy | grep -o '"temporary":[a-z]*')" '"temporary":true' 'but for now'
sts mixed not-checked 'there is no record that promises one$' 'no record'
sts good not-checked 'nobody is connected to$' '--no-connect' --no-connect
printf '_mta-sts.mixed.example.com TXT "v=STSv1; id=7"\nmta-sts.mixed.example.com A %s\n' $NET.13 >over
policy mixed enforce 'tls.example.com clear.example.com'
sts mixed pass 'in it: tls.example.com, clear.example.com$' 'an overlay: before the record is published' --overlay "$T/over"
echo 'mta_sts = no' >>conf
sts good not-checked 'the configuration heeds no policies$' 'mta_sts = no'
sed -i '$d' conf
mkdir alone
cp "$BUILD/bin/sender-check" alone
is "$(alone/sender-check --dnsbl none good.example.com | grep '^mta-sts-policy' | cut -f 2,4)" 'not-checked	mta-sts is not there' \
    'not installed'
is "$(find . -name sts -type d | wc -l)" 0 'nothing is kept'
done_testing
