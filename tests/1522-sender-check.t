#!/bin/sh
# sender-check: each check from both sides, the weights of the profiles, exit codes, what-if.
. "$(dirname "$0")/lib.sh"
need openssl

openssl genrsa -out "$T/rsa.pem" 2048 2>/dev/null || skip_all 'openssl makes no keys here'
openssl genrsa -out "$T/mid.pem" 1024 2>/dev/null
openssl genrsa -out "$T/small.pem" 768 2>/dev/null
pub() { openssl rsa -in "$1" -pubout -outform DER 2>/dev/null | base64 -w0; }
cat >"$T/good" <<END
example.com TXT "v=spf1 ip4:192.0.2.0/24 include:other.example -all"
other.example TXT "v=spf1 ip6:2001:db8::/32 a:mail.example.com ?all"
example.com MX 10 mail.example.com
mail.example.com A 192.0.2.25
192.0.2.25 PTR mail.example.com
_dmarc.example.com TXT "v=DMARC1; p=reject; rua=mailto:dmarc@example.com"
_mta-sts.example.com TXT "v=STSv1; id=20261122T000000;"
_smtp._tls.example.com TXT "v=TLSRPTv1; rua=mailto:tls@example.com"
s1._domainkey.example.com TXT "v=DKIM1; k=rsa; p=$(pub "$T/rsa.pem")"
mid._domainkey.example.com TXT "p=$(pub "$T/mid.pem")"
small._domainkey.example.com TXT "p=$(pub "$T/small.pem")"
END
all() { sender-check --keys "$T/zone" --ip 192.0.2.25 --helo mail.example.com "$@" example.com; }

# check ID SEVERITY FOUND-PATTERN WHAT OPTION...: with the records of $T/zone
check() {
	id=$1 severity=$2 found=$3 what=$4
	shift 4
	all "$@" >"$T/out" 2>"$T/err"
	like "$(grep "^$id	" "$T/out" | cut -f1,2,4)" "^$id	$severity	.*$found" "$what" || sed 's/^/# /' "$T/err"
}
# zone LINE...: the good records without those of the names given here, and with these lines
zone() {
	cp "$T/good" "$T/zone"
	for line; do
		grep -v "^${line%% *} ${1:+$(echo "$line" | cut -d' ' -f2)}" "$T/zone" >"$T/zone.new"
		case $line in *' -') ;; *) printf '%s\n' "$line" >>"$T/zone.new" ;; esac
		mv "$T/zone.new" "$T/zone"
	done
}

zone
all --selector s1 --key "$T/rsa.pem" --profile strict >"$T/out"
is "$?" 0 'all is well'
is "$(cut -f1,2 "$T/out" | grep -v '^	' | tr '\t\n' '= ')" 'spf=pass spf-lookups=pass spf-open=pass dkim-key=pass dkim-strength=pass dkim-match=pass dkim-signature=not-checked dmarc=pass dmarc-policy=pass dmarc-reports=pass dmarc-alignment=not-checked ptr=pass ptr-forward=pass helo=pass mx=pass mx-tls=not-checked mta-sts=pass mta-sts-policy=not-checked tlsrpt=pass dnsbl=pass dnsbl=pass dnsbl=pass list-unsubscribe=not-checked rfc5322=not-checked size=not-checked ' \
    'what is seen passes, what is not is not checked'
is "$(grep '^	' "$T/out")" "$(printf '\t0\tip4:192.0.2.0/24\texample.com\n\t2\tinclude:other.example\texample.com\n\t0\t  ip6:2001:db8::/32\tother.example\n\t1\t  a:mail.example.com\tother.example\n\t0\t  ?all\tother.example\n\t0\t-all\texample.com')" \
    'the tree of the SPF record with its costs'
sender-check --keys "$T/zone" example.com >"$T/out"
is "$? $(grep -c 'not-checked.*no address is given' "$T/out")" '0 5' 'without an address five checks are not made'

zone 'example.com TXT "v=spf1 ip4:198.51.100.0/24 -all"'
check spf failure 'fail: -all of example.com matches' 'SPF fails'
all >/dev/null
is "$?" 2 'a failure is 2'
zone 'example.com TXT -'
check spf failure 'none: example.com has no SPF record' 'no SPF record'
zone 'example.com TXT "v=spf1 a a a a a a a a a a a ip4:192.0.2.0/24 -all"' 'example.com A 198.51.100.1'
check spf-lookups failure '11 lookups, 0 void' 'eleven lookups'
zone 'example.com TXT "v=spf1 a a a a a a a a a a ip4:192.0.2.0/24 -all"' 'example.com A 198.51.100.1'
check spf-lookups pass '10 lookups, 0 void' 'ten'
zone 'example.com TXT "v=spf1 a:x.example.com a:y.example.com a:z.example.com -all"'
check spf-lookups failure '3 lookups, 3 void' 'three void ones'
zone 'example.com TXT "v=spf1 +all"'
check spf-open failure '203.0.113.255 passes: .all of example.com matches' 'SPF for everybody'
zone 'example.com TXT "v=spf1 ip4:192.0.2.0/24 ip6:::/0 -all"'
check spf-open failure '100::ffff passes: ip6:::/0 of example.com matches' 'SPF for everybody with an IPv6 address'
zone 'example.com TXT "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"'
check spf-open pass 'fail for 203.0.113.255, fail for 100::ffff' 'SPF for some'
zone 'example.com SERVFAIL' 'example.com TXT -'
check spf not-checked 'temperror: TXT of example.com: SERVFAIL' 'the DNS does not say'

zone
check dkim-key failure 'none._domainkey.example.com: does not exist' 'no key' --selector none
check dkim-strength warning 'mid._domainkey.example.com: RSA, 1024 bits' 'a weak key' --selector mid
check dkim-strength failure 'mid._domainkey.example.com: RSA, 1024 bits' 'weak is failure for strict' --selector mid --profile strict
check dkim-strength failure 'small._domainkey.example.com: RSA, 768 bits' 'a key that nobody accepts' --selector small --profile gmail
check dkim-match failure 'another key' 'a key that is not ours' --selector s1 --key "$T/mid.pem"
for r in 'v=DKIM1; p=' 'v=DKIM1' 'v=DKIM1; p=AAAA' "k=dsa; p=AAAA" "t=y; p=$(pub "$T/rsa.pem")" "s=web; p=$(pub "$T/rsa.pem")"; do
	zone "s1._domainkey.example.com TXT \"$r\""
	check dkim-key failure '' "a record that is no good: $(echo "$r" | cut -c1-20)" --selector s1
done
zone 's1._domainkey.example.com TXT "v=spf1 -all"'
check dkim-key failure '' 'a text that is no key' --selector s1
zone 's1._domainkey.example.com SERVFAIL' 's1._domainkey.example.com TXT -'
check dkim-key not-checked 'TXT of s1._domainkey.example.com: SERVFAIL' 'SERVFAIL' --selector s1
all --selector s1 >/dev/null
is "$?" 75 'what could not be found out is 75'

zone '_dmarc.example.com TXT -'
check dmarc failure 'example.com has no DMARC record' 'no DMARC record'
zone '_dmarc.example.com TXT "v=DMARC1; p=maybe"'
check dmarc failure 'p= is missing' 'a wrong one'
zone '_dmarc.example.com TXT "v=DMARC1; p=none"'
check dmarc-policy info 'p=none' 'p=none will do for the three' --profile gmail
check dmarc-policy failure 'p=none' 'not for strict' --profile strict
check dmarc-reports warning 'no rua=' 'no reports'
zone '_dmarc.example.com TXT "v=DMARC1; p=reject; t=y; rua=mailto:a@example.com"'
check dmarc-policy failure 'p=reject, t=y' 'a test is no policy' --profile strict
zone 'other.example TXT "v=spf1 ip4:192.0.2.25 -all"'
check dmarc-alignment not-checked 'SPF is not enough' 'SPF of another domain; DKIM is not known' --from bounce@other.example
zone 'mail.example.com TXT "v=spf1 a -all"'
check dmarc-alignment pass 'SPF of mail.example.com is aligned' 'SPF of a subdomain' --from x@mail.example.com
grep -v '^192.0.2.25 PTR' "$T/good" >"$T/zone"
check ptr failure 'does not exist' 'no PTR'
check ptr warning 'does not exist' 'which Microsoft does not ask for' --profile microsoft
check ptr-forward not-checked 'there is no PTR record' 'and nothing to confirm'
zone 'mail.example.com A 192.0.2.26'
check ptr-forward failure 'mail.example.com has not' 'a name that is not confirmed'
check helo warning 'mail.example.com has not' 'an EHLO name with another address'
sender-check --keys "$T/zone" --ip 192.0.2.25 --helo localhost example.com >"$T/out"
like "$(grep '^helo' "$T/out")" 'helo	warning.*localhost' 'one without a dot'
zone 'example.com MX 0 .'
check mx failure 'a null MX: it takes none' 'a null MX'
zone 'example.com MX -'
check mx failure 'neither MX nor address' 'no MX'
echo 'example.com A 192.0.2.25' >>"$T/zone"
check mx pass 'no MX, but an address' 'an implicit one'
zone '_mta-sts.example.com TXT -' '_smtp._tls.example.com TXT "v=TLSRPTv1;"'
check mta-sts info 'no record begins with v=STSv1;' 'no MTA-STS'
check mta-sts warning 'no record begins with v=STSv1;' 'a warning for strict' --profile strict
check tlsrpt info 'rua= is missing' 'TLSRPT without rua='
zone '_mta-sts.example.com TXT "v=STSv1 ; id=1"' '_smtp._tls.example.com TXT "v=TLSRPTv1 ;rua=mailto:a@b.c"'
check mta-sts pass 'v=STSv1 ; id=1' 'blanks as the grammar has them (RFC 8461 3.1)'
check tlsrpt pass 'v=TLSRPTv1 ;rua=mailto:a@b.c' 'and RFC 8460 3'
zone '_mta-sts.example.com TXT "v=STSv1; xid=1"' '_smtp._tls.example.com TXT "v=TLSRPTv1; rua"'
check mta-sts info 'id= is missing' 'another key that ends so'
check tlsrpt info 'no name=value at byte 12' 'what is no record'
zone '_mta-sts.example.com TXT "v=STSv1; id=2026-11-22"'
check mta-sts info 'its id is not 1 to 32 letters and digits' 'an id with which nobody fetches the policy'
zone '25.2.0.192.bl.example A 127.0.0.2' '25.2.0.192.bl.example TXT "spam\009seen"' '25.2.0.192.no.example A 127.255.255.254'
check dnsbl failure 'listed: 127.0.0.2, spam.x09seen' 'listed, and what the list says is escaped' --dnsbl bl.example
check dnsbl not-checked 'no.example answers 127.255.255.254, which is no entry' 'a list that does not answer us' --dnsbl no.example
check dnsbl not-checked 'no list is named' 'none' --dnsbl none

# A message
zone
D=$TOP/tests/data/dkim
cat "$D/keys" >>"$T/zone"
echo '_dmarc.football.example.com TXT "v=DMARC1; p=none"' >>"$T/zone"
message() { sender-check --keys "$T/zone" --ip 192.0.2.25 --message "$1" football.example.com >"$T/out"; }
found() { like "$(grep "^$1	" "$T/out" | cut -f1,2,4)" "^$1	$2	.*$3" "$4"; }
message "$D/rfc8463.eml"
found dkim-signature pass 'football.example.com, selector brisbane: 256-bit key' 'a signed message (RFC 8463 A.3)'
found dkim-key pass 'brisbane._domainkey.football.example.com: published' 'its keys are looked at'
found dkim-strength warning 'test._domainkey.football.example.com: RSA, 1024 bits' 'both of them'
found dmarc-alignment pass 'DKIM of football.example.com is aligned' 'and aligned'
found rfc5322 pass '' 'well-formed'
found list-unsubscribe failure 'no List-Unsubscribe; no List-Unsubscribe-Post' 'no way out'
found size pass '[0-9]+ bytes' 'small'
{ printf 'List-Unsubscribe: <mailto:a@b.c>, <https://b.c/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n'
cat "$D/rfc8463.eml"; } >"$T/m"
message "$T/m"
found list-unsubscribe failure 'no valid signature covers both' 'a way out that is not signed'
# RFC 8058 4: one signature that covers both
printf 'From: a@football.example.com\nDate: Fri, 11 Jul 2003 21:00:37 -0700\nMessage-ID: <1@football.example.com>\n' >"$T/m"
printf 'List-Unsubscribe: <https://b.c/u>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\n\nx\n' >>"$T/m"
cp "$T/zone" "$T/zone.bulk"
echo "s1._domainkey.football.example.com TXT \"p=$(pub "$T/rsa.pem")\"" >>"$T/zone"
sign() { dkim-sign -d football.example.com -s "$1" -k "$T/rsa.pem" --headers "$2"; }
sign s1 From:List-Unsubscribe:List-Unsubscribe-Post <"$T/m" >"$T/both"
message "$T/both"
found list-unsubscribe pass 'so it is' 'both are covered'
sign s1 From:List-Unsubscribe <"$T/m" | sign s1 From:List-Unsubscribe-Post >"$T/split"
message "$T/split"
found list-unsubscribe failure 'no valid signature covers both' 'each by another signature'
{ cat "$T/zone.bulk"; echo 's1._domainkey.football.example.com SERVFAIL'; } >"$T/zone"
message "$T/both"
found list-unsubscribe not-checked 'the signature that covers both could not be verified today' 'by one whose key cannot be had today'
mv "$T/zone.bulk" "$T/zone"
for m in 'Date: yesterday|Date is no date' 'Date: Sat, 11 Jul 2003 21:00:37 -0700|Date is no date' 'Date: 11 Jul 2003 21:00 GMT|' \
    'To: undisclosed-recipients:;|' 'To: ann@|To: ' 'Cc: a b c|Cc: ' 'Reply-To: <>|Reply-To: ' 'Sender: a@b.c, d@b.c|Sender with 2 addresses' \
    'From: a@b.c, d@b.c|2 authors and no Sender' 'Subject: ÿ|' "$(printf 'Subject: \377')|bytes over 127 in the header that are not UTF-8"; do
	field=${m%|*}
	{ printf '%s\n' "$field"
	printf 'From: a@b.c\nDate: Fri, 11 Jul 2003 21:00:37 -0700\nMessage-ID: <1@b.c>\n\n' | grep -v "^${field%%:*}:"; } >"$T/m"
	message "$T/m"
	if [ -n "${m##*|}" ]; then
		found rfc5322 failure "${m##*|}" "$field"
	else
		found rfc5322 pass 'so it is' "$field"
	fi
done
sed 's/We lost/We won/' "$D/rfc8463.eml" >"$T/m"
message "$T/m"
found dkim-signature failure 'fail \(body hash did not verify\)' 'a broken signature'
found dmarc-alignment failure 'neither SPF nor DKIM' 'is not aligned'
{ printf 'Date: x\r\nMessage-ID: x\r\nSubject: a\r\nSubject: b\r\n\r\n'; head -c 999 /dev/zero | tr '\0' x; printf '\r\nbare\nlf, bare\rcr, \000\r\n'; } >"$T/m"
message "$T/m"
found rfc5322 failure 'no From; 2 Subject fields; Message-ID is not <left@right>; Date is no date; a line of 999 bytes; a NUL; a bare CR; a bare LF among CRLFs' \
    'all that can be wrong'
{ cat "$D/rfc8463.eml"; head -c 26214400 /dev/zero; } >"$T/m"
message "$T/m"
found size warning '[0-9]+ bytes' 'large'
rm "$T/m"

# What-if, JSON, wrong use
echo '_dmarc.example.com TXT "v=DMARC1; p=reject"' >"$T/over"
is "$(sender-check --overlay "$T/over" --resolver 127.0.0.1@9 --timeout 1s --no-connect example.com | grep '^dmarc	' | cut -f2,4)" \
    'pass	_dmarc.example.com: v=DMARC1; p=reject' 'what-if'
is "$(all --json | grep '"id":"mx"')" '{"id":"mx","severity":"pass","expected":"the domain takes mail","found":"MX mail.example.com","fix":"","reference":"RFC 7505 4.2","temporary":false}' \
    'JSON'
fails 'no domain' 64 "$(sender-check --help)" sender-check
fails 'not a domain' 65 'sender-check: domain "a..b": it has a dot with nothing before or behind it' sender-check a..b
fails 'another profile' 64 'sender-check: --profile: none of gmail, yahoo, microsoft, strict: "aol"' sender-check --profile aol a.b
fails 'no address' 64 'sender-check: --ip: "x" is no address' sender-check --ip x a.b
fails 'a key without its selector' 64 'sender-check: --key wants one --selector, whose key it is' sender-check --key k a.b
fails 'no such message' 66 "sender-check: $T/no: no such file" sender-check --keys "$T/zone" --message "$T/no" a.b
fails 'a full disk is not success' 75 'sender-check: stdout: No space left on device' \
    sh -c 'sender-check --keys "$1" a.b >/dev/full' sh "$T/zone"
done_testing
