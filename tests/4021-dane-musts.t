#!/bin/sh
# What RFC 7672 and 7671 demand of a client that sends mail, as a table: each line is a domain of a signed zone
# made for it, and what must become of mail to it.  What lines cannot say follows below.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/peers.sh"

hex() { od -An -v -tx1 | tr -d ' \n'; }
whole() { openssl x509 -in "$1.pem" -outform DER | hex; }
key() { openssl x509 -in "$1.pem" -noout -pubkey | openssl pkey -pubin -outform DER | hex; }
digest() { openssl x509 -in "$2.pem" -outform DER | openssl dgst "-sha$1" -r | cut -d' ' -f1; }
key512() { openssl x509 -in "$1.pem" -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha512 -r | cut -d' ' -f1; }
certificates_more() {
	certificate dom
	sign dom domain.example,DNS:mx-ta201.example,DNS:mx-ta210.example -days 90
	# One that does not send its CA along.
	certificate alone
	sign alone mx-alone.example,DNS:mx-named.example -days 90
	openssl x509 -in alone.pem -out alone.only
	mv alone.only alone.pem
}
# host NAME ADDRESS TLSA...: a domain NAME with one MX host, mx-NAME, and its records
host() {
	name=$1
	printf '%s MX 10 mx-%s\nmx-%s A %s\n' "$name" "$name" "$name" "$NET.$2"
	shift 2
	for r; do printf '_25._tcp.mx-%s TLSA %s\n' "$name" "$r"; done
}
zone_more() {
	host ee301 10 "3 0 1 $(digest 256 ee)"
	host ee302 10 "3 0 2 $(digest 512 ee)"
	host ee300 10 "3 0 0 $(whole ee)"
	host ee310 10 "3 1 0 $(key ee)"
	host ee312 10 "3 1 2 $(key512 ee)"
	host eeold 12 "3 1 1 $(spki old)"
	host ta201 16 "2 0 1 $(digest 256 ca)"
	host ta210 16 "2 1 0 $(key ca)"
	host alone 17 "2 1 1 $(spki ca)"
	host alone200 17 "2 0 0 $(whole ca)"
	host named 17 "2 0 0 $(whole ca)"
	host agile 10 "3 1 2 $(key512 ta)" "3 1 1 $(spki ee)"
	host agile2 10 "3 1 2 $(key512 ee)" "3 1 1 $(spki ta)"
	host other 10 "3 1 2 $(key512 ee)" "3 0 1 $(digest 256 ta)"
	host mixed 10 "1 1 1 $(spki ta)" "3 1 1 $(spki ee)"
	host mixedbad 10 "1 1 1 $(spki ee)" "3 1 1 $(spki ta)"
	host pkixta 15 "0 0 1 $(digest 256 ca)"
	host selector 15 "3 2 1 $(spki ee)"
	host matching 15 "3 1 3 $(spki ee)"
	host short 15 "3 1 1 $(spki ee | cut -c 1-62)"
	host nomx 10 "3 1 1 $(spki ta)"
	host badmx 10
	host bada 10
	host badcname 10
	# aliases
	printf 'alias MX 10 mx-alias\nmx-alias CNAME mx-canon\nmx-canon A %s\n' "$NET.10"
	printf '_25._tcp.mx-canon TLSA 3 1 1 %s\n_25._tcp.mx-alias TLSA 3 1 1 %s\n' "$(spki ee)" "$(spki ta)"
	printf 'alias2 MX 10 mx-alias2\nmx-alias2 CNAME mx-canon2\nmx-canon2 A %s\n' "$NET.10"
	printf '_25._tcp.mx-alias2 TLSA 3 1 1 %s\n' "$(spki ee)"
	printf 'alias3 MX 10 mx-alias3\nmx-alias3 CNAME mx-canon3\nmx-canon3 A %s\n' "$NET.10"
	printf '_25._tcp.mx-canon3 TLSA 3 1 1 %s\n_25._tcp.mx-alias3 TLSA 3 1 1 %s\n' "$(spki ta)" "$(spki ee)"
	printf 'out MX 10 mx-out\nmx-out CNAME mx.plain.\n_25._tcp.mx-out TLSA 3 1 1 %s\n' "$(spki ee)"
	printf 'outbad MX 10 mx-outbad\nmx-outbad CNAME mx.plain.\n_25._tcp.mx-outbad TLSA 3 1 1 %s\n' "$(spki ta)"
	printf 'outnone MX 10 mx-outnone\nmx-outnone CNAME mx.plain.\n'
	printf 'tlsacname MX 10 mx-tlsacname\nmx-tlsacname A %s\n_25._tcp.mx-tlsacname CNAME shared-tlsa\nshared-tlsa TLSA 3 1 1 %s\n' \
	    "$NET.10" "$(spki ee)"
	printf 'domcname CNAME ee\n'
	printf 'sni MX 10 mx-sni\nmx-sni CNAME mx-snicanon\nmx-snicanon A %s\n_25._tcp.mx-snicanon TLSA 3 1 1 %s\n' \
	    "$NET.18" "$(spki ee)"
	host sni2 18 "3 1 1 $(spki ee)"
	# names
	printf 'mx-dom A %s\n_25._tcp.mx-dom TLSA 2 1 1 %s\ndomain MX 10 mx-dom\ndomain2 MX 10 mx-dom\n' "$NET.16" "$(spki ca)"
	printf 'first MX 10 mx-bare\nfirst MX 20 mx-ee\nall MX 10 mx-bare\nall MX 20 mx-wrong\n'
}
plain_more() {
	printf '@ MX 20 far\nclear MX 10 far\n_25._tcp.far TLSA 3 1 1 %s\n' "$(spki ee)"
}
# What was signed is another now: badmx's MX, bada's address.
zone_spoil() {
	sed -i -e '/^badmx\.example.*[[:space:]]MX[[:space:]]/s/10 mx-badmx/11 mx-badmx/' \
	    -e "/^mx-bada\.example.*[[:space:]]A[[:space:]]/s/$NET.10/$NET.11/" zones/example
}
. "$TOP/tests/dane.sh"
tls_trap 16 --tls --cert dom.pem --key dom.key
tls_trap 17 --tls --cert alone.pem --key alone.key
for i in 16 17; do until_true 40 test -s "$T/port.$i"; done

nomatch='TLSA records: no TLSA record matches the certificate'
tab=$(printf '\t')
# RFC and section; domain; what must become of it; why.  $NET is the servers'.
cat >musts <<END
7672 1.3.2	ee.example	delivered DANE-EE 3 1 1	TLS where TLSA records are, authenticated by them
7672 2.1.3	bogus.example	deferred 4.7.5 TLSA records of _25._tcp.mx-bogus.example: .*SERVFAIL	a lookup that fails is no answer: the host is not used
7672 2.1.3	badmx.example	deferred 4.4.3 MX of badmx.example: .*SERVFAIL	nor is an MX lookup that fails
7672 2.1.3	bada.example	deferred 4.4.3 addresses of mx-bada.example: .*SERVFAIL	nor one for addresses
7672 2.1.1	plain	delivered TLS	what is not signed is as if there were no records
7672 2.2	self.example	delivered TLS	no records, securely: opportunistic as ever
7672 2.2	bare.example	deferred 4.7.4 .*STARTTLS is not offered, and it is demanded by TLSA records	records are there: TLS is demanded, never clear text
7672 2.2	sick.example	deferred 4.7.5 .*TLS handshake	nor when the handshake fails
7672 2.2	odd.example	delivered TLS	records, none usable: TLS without authentication
7672 2.2	oddbare.example	deferred 4.7.4 .*STARTTLS is not offered, and it is demanded by TLSA records, of which none can be used	but TLS it must be
7672 2.2.1	cross.plain	delivered TLS	an MX from an unsigned zone makes no use of its hosts' records
7672 2.2.1	clear.plain	delivered clear	even where that means clear text
7672 2.2.1	second.example	delivered DANE-EE 3 1 1	a host that fails is no reason not to try the next
7672 2.2.1	first.example	delivered DANE-EE 3 1 1	likewise without STARTTLS
7672 2.2.1	all.example	deferred 4.7.5 .*$nomatch	but each is held to its own records
7672 2.2.2	implicit.example	delivered DANE-EE 3 1 1	a destination without MX: its own name
7672 2.2.2	relay.plain	deferred 4.7.5 .*$nomatch	a configured relay: its own name
7672 2.2.2	domcname.example	delivered DANE-EE 3 1 1	a domain that is an alias, its MX set secure
7672 2.2.3	alias.example	delivered DANE-EE 3 1 1	a host that is an alias: the records of the name it leads to come first
7672 2.2.3	alias3.example	deferred 4.7.5 .*$nomatch	and count, whatever its own say
7672 2.2.3	alias2.example	delivered DANE-EE 3 1 1	where those are none, its own
7672 2.2.3	out.example	delivered DANE-EE 3 1 1	an alias into an unsigned zone: its own, for its own name is secure
7672 2.2.3	outbad.example	deferred 4.7.5 .*$nomatch	and they are heeded
7672 2.2.3	outnone.example	delivered TLS	where there are none it is opportunistic
7672 2.2.3	tlsacname.example	delivered DANE-EE 3 1 1	records behind a CNAME
7672 3.1	two.example	delivered DANE-EE 3 1 1	any record that matches will do
7672 3.1	wrong.example	deferred 4.7.5 .*$nomatch	none that matches: deferred
7672 3.1.1	eeold.example	delivered DANE-EE 3 1 1	DANE-EE: the certificate's dates do not count
7672 3.1.1	nomx.example	deferred 4.7.5 .*$nomatch	but its key does
7672 3.1.1	ee301.example	delivered DANE-EE 3 0 1	the certificate's SHA-256
7671 5.1	ee302.example	delivered DANE-EE 3 0 2	its SHA-512
7671 5.1	ee300.example	delivered DANE-EE 3 0 0	all of it
7671 5.1	ee310.example	delivered DANE-EE 3 1 0	all of the key
7671 5.1	ee312.example	delivered DANE-EE 3 1 2	the key's SHA-512
7672 3.1.2	ta.example	delivered DANE-TA 2 1 1	DANE-TA: an anchor that the server sends
7672 3.1.2	ta201.example	delivered DANE-TA 2 0 1	by the digest of all of it
7671 5.2	ta210.example	delivered DANE-TA 2 1 0	by its key
7672 3.1.2	old.example	deferred 4.7.5 .*the certificate expired on	DANE-TA: dates count
7671 5.2.2	alone.example	deferred 4.7.5 .*$nomatch	an anchor that is a digest must be sent
7671 5.2.3	named.example	delivered DANE-TA 2 0 0	one that stands in the DNS whole need not be
7671 5.2.3	alone200.example	deferred 4.7.5 .*the certificate is for another name than mx-alone200.example	and the name counts there, too
7672 3.1.3	pkixta.example	delivered TLS	PKIX-TA(0) is unusable
7672 3.1.3	mixed.example	delivered DANE-EE 3 1 1	unusable records beside usable ones are passed over
7672 3.1.3	mixedbad.example	deferred 4.7.5 .*$nomatch	a PKIX-EE(1) record that would match is none
7671 4.1	selector.example	delivered TLS	an unknown selector is unusable
7671 4.1	matching.example	delivered TLS	an unknown matching type
7671 4.1	short.example	delivered TLS	a digest of another length
7671 9	agile.example	deferred 4.7.5 .*$nomatch	of several digests the strongest counts
7671 9	agile2.example	delivered DANE-EE 3 1 2	and no other
7671 9	other.example	delivered DANE-EE 3 1 2	apart for each usage and selector
7672 3.2.2	name.example	deferred 4.7.5 .*the certificate is for another name than mx-name.example	DANE-TA: the certificate must be for the host
7672 3.2.2	domain.example	delivered DANE-TA 2 1 1	or for the domain whose MX it is
7672 3.2.2	domain2.example	deferred 4.7.5 .*the certificate is for another name than mx-dom.example	but not for another domain with the same host
END
# shellcheck disable=SC2046
post $(cut -f 2 musts)
while IFS=$tab read -r rfc domain want why; do
	like "$(outcome "$domain")" "^$want" "RFC $rfc: $domain: $why"
done <musts

# --- and Postfix's verdict is the same, host by host.  Left out is what is about several hosts or a relay: it
# tells of one connection.
if [ -x "$finger" ] && finger_ready; then
	while IFS=$tab read -r rfc domain want why; do
		case $domain in second.* | first.* | all.* | relay.*) continue ;; esac
		case $want in
		'delivered DANE-'*) theirs='^Verified$' ;;
		'delivered TLS') theirs='^(Untrusted|Anonymous|Trusted)$' ;;
		'deferred 4.7.5 '*certificate*) theirs="^$UNVERIFIED\$" ;;
		*) theirs='^$' ;;
		esac
		like "$(judge "$domain")" "$theirs" "posttls-finger: $domain: $rfc"
	done <musts
else
	result 0 'posttls-finger # SKIP no postfix in build/peers: scripts/peers postfix'
fi

# --- RFC 7672 3.2.2 once more: a connection that is for one domain is not lent to another with the same hosts
smtp-queue remove --all >/dev/null
for i in 1 2 3; do
	for d in domain2 domain; do printf 'Subject: %s\n\nHello.\n' $i | smtp-submit -f sender@relay.test "user@$d.example"; done
done
printf 'Subject: both\n\nHello.\n' | smtp-submit -f sender@relay.test both@domain.example both@domain2.example
before=$(cat queue/log/*.jsonl | wc -l)
smtp-deliver --now >out 2>err
tail -n "+$((before + 1))" queue/log/*.jsonl >new.jsonl
is "$(python3 - <<'END'
import json
n = {}
for e in map(json.loads, open("new.jsonl")):
    if e["type"] in ("delivered", "deferred"):
        k = (e["type"], e["recipient"].split("@")[1])
        n[k] = n.get(k, 0) + 1
print(dict(sorted(n.items())))
END
)" "{('deferred', 'domain2.example'): 4, ('delivered', 'domain.example'): 4}" \
    'RFC 7672 3.2.2: domain2 gets nothing over the connection for domain, which does not wait for that'

# --- RFC 7672 2.1.3: what the resolver that is trusted calls bogus, another that validates nothing does not mend
smtp-queue remove --all >/dev/null
sed -i "s/^resolver.*/resolver = \"127.0.0.1,$NET.53\"/" conf
post bogus.example bada.example
went_like bogus.example '^deferred 4.7.5 .*SERVFAIL' 'RFC 7672 2.1.3: a second name server, which does not validate'
went_like bada.example '^deferred 4.4.3 .*SERVFAIL' 'likewise for addresses'
like "$(mx-lookup --explain bogus.example)" '^TLSA _25._tcp.mx-bogus.example: failed' 'and mx-lookup says so'

# --- RFC 7672 3.2.1: what is asked for by SNI is the name that the records belong to
smtp-queue remove --all >/dev/null
sed -i 's/^resolver.*/resolver = "127.0.0.1"/' conf
cat ee.key ee.pem >ee.both
bg nsenter -t $WORLD -n python3 "$TOP/tests/tlspeer.py" sni.port sni.log "cert=$T/ee.both" "at=$NET.18"
until_true 40 test -s sni.port
post sni.example sni2.example
went sni.example 'delivered DANE-EE 3 1 1' 'an alias'
is "$(sort -u sni.log.sni | tr '\n' ' ')" 'mx-sni2.example mx-snicanon.example ' 'RFC 7672 3.2.1: SNI names the TLSA base domain'
done_testing
