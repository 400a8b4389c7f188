#!/bin/sh
# Postfix and Exim as receivers with certificates good and bad, each behind relays whose TLSA records are in a
# signed zone: what is delivered, and why the rest waits.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/peers.sh"

postfix_here && exim_here || skip_all "$REASON"
# PORT CERTIFICATE: a server each
servers='2511 rcv
2512 rcvold
2513 ee
2514 selfie'
# NAME PORT TLSA-CERTIFICATE USAGE: a relay pf-NAME and ex-NAME each; "-": no record
relays='ee 2511 rcv 3
ta 2511 ca 2
old 2512 ca 2
eeold 2512 rcvold 3
name 2513 ca 2
self 2514 ca 2
eeself 2514 selfie 3
verify 2514 - -'

certificates_more() {
	for c in rcv rcvold selfie; do certificate $c; done
	names=pf-ee.example
	for n in ta old; do names=$names,DNS:pf-$n.example,DNS:ex-$n.example; done
	sign rcv "$names" -days 90
	sign rcvold "$names" $(over)
	openssl x509 -req -in selfie.csr -signkey selfie.key -days 90 -out selfie.pem 2>/dev/null
}
zone_more() {
	echo "$relays" | while read -r name port of usage; do
		for host in pf-$name ex-$name; do
			echo "$host A 127.0.0.1"
			[ "$of" = - ] || echo "_$port._tcp.$host TLSA $usage 1 1 $(spki "$of")"
		done
	done
}
. "$TOP/tests/dane.sh"
chmod 755 "$T"
echo "$relays" | while read -r name port of usage; do
	[ "$of" = - ] && tls=verify || tls=auto
	for host in pf-$name ex-$name; do
		echo "route \"$host.test\" { relay = \"$host.example:$port\" tls = $tls }"
	done
done >>conf

free_port() { echo "$port"; }
# through PREFIX PORT: what goes to the relays there; what waits is not tried again when they are gone
through() {
	# shellcheck disable=SC2046
	post $(echo "$relays" | sed -n "s/^\([a-z]*\) $2 .*/$1-\1.test/p")
	find queue/cur -type f -delete
}
while read -r port cert; do
	postfix_start "$T/pf.$port" 'smtpd_tls_security_level = may' "smtpd_tls_chain_files = $T/$cert.key, $T/$cert.pem" \
	    'default_transport = discard' || { result 1 "Postfix with $cert"; continue; }
	through pf "$port"
	postfix_stop
	exim_start "$T/ex.$port" "$T/$cert.pem" "$T/$cert.key" || { result 1 "Exim with $cert"; continue; }
	through ex "$port"
	exim_stop
done <<END
$servers
END
for p in pf ex; do
	[ $p = pf ] && server=Postfix || server=Exim
	went $p-ee.test 'delivered DANE-EE 3 1 1' "$server: DANE-EE"
	went $p-ta.test 'delivered DANE-TA 2 1 1' "$server: DANE-TA"
	went_like $p-old.test '^deferred 4.7.5 .*TLSA records: the certificate expired on 20' "$server: DANE-TA, expired"
	went $p-eeold.test 'delivered DANE-EE 3 1 1' "$server: DANE-EE, expired (RFC 7672 3.1.1)"
	went_like $p-name.test "^deferred 4.7.5 .*the certificate is for another name than $p-name.example" "$server: DANE-TA, another name"
	went_like $p-self.test '^deferred 4.7.5 .*no TLSA record matches the certificate' "$server: self-signed, where a CA is asked for"
	went $p-eeself.test 'delivered DANE-EE 3 1 1' "$server: DANE-EE, self-signed"
	went_like $p-verify.test '^deferred 4.7.5 .*tls = verify: the certificate is self-signed' "$server: tls = verify, self-signed"
done
done_testing
