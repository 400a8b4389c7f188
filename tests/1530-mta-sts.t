#!/bin/sh
# mta-sts: what it fetches and what it does not take for a policy; what it remembers, and for how long.
# RFC 8461's sections stand at the tests of their MUSTs.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/sts.sh"

need python3 certtool
cd "$T" || exit 1
mkdir www queue
export RELAYKIT_CONFIG=$T/conf
ca ca && ca other || skip_all 'certtool makes no certificates here'
cert www/default.pem ca '*.example.com'
cert www/mta-sts.expired.example.com.pem ca mta-sts.expired.example.com 'activation_date = "2020-01-01 00:00:00"' \
    'expiration_date = "2020-02-01 00:00:00"'
cert www/mta-sts.stranger.example.com.pem other mta-sts.stranger.example.com
cert www/mta-sts.name.example.com.pem ca mta-sts.elsewhere.example
printf 'queue = "%s"\nhostname = "relay.test"\nsts_ca_file = "%s"\n' "$T/queue" "$T/ca.pem" >conf
chmod 700 queue
policies_start

POLICY='version: STSv1
mode: enforce
mx: mx.example.com
mx: *.example.net
max_age: 86400'
# Each domain is NAME.example.com; *.example.com is for mta-sts.example.com alone, so each host has a certificate.
domain() {
	[ -e "www/mta-sts.$1.pem" ] || cert "www/mta-sts.$1.pem" ca "mta-sts.$1"
	printf '%s\n' "$POLICY" >"www/mta-sts.$1"
	printf '_mta-sts.%s TXT "v=STSv1; id=%s;"\nmta-sts.%s A 192.0.2.80\n' "$1" "${2:-1}" "$1" >>keys
}
how() { echo "$2" >"www/mta-sts.$1.json"; }
sts() { mta-sts --keys keys --connect-to "::127.0.0.1:$WEB" "$@"; }

domain example.com 20160831085700Z
is "$(sts example.com)" "$POLICY" 'the policy as it came'
is "$(cat www/log)" 'GET mta-sts.example.com /.well-known/mta-sts.txt - 0' '3.3: of that host and path'
is "$(sts example.com) $(requests)" "$POLICY 1" '5.1: what is remembered is used, without another request'
is "$(sts EXAMPLE.com.)" "$POLICY" 'capitals, and the last dot'
sts --json example.com >out
is "$(python3 -c '
import json
j = json.load(open("out"))
print(j["domain"], j["code"], j["id"], j["mode"], j["max_age"], j["mx"], j["age_s"] < 60, j["fetched"][:2])')" \
    "example.com 0 20160831085700Z enforce 86400 ['mx.example.com', '*.example.net'] True 20" '--json'
is "$(stat -c %a queue/state/sts/example.com)" 600 'kept in state/sts'
is "$(sts --refresh example.com) $(requests)" "$POLICY 2" '--refresh'
sed -i 's/id=20160831085700Z/id=2/' keys
POLICY2=$(printf '%s\n' "$POLICY" | sed 's/enforce/testing/')
printf '%s\n' "$POLICY2" >www/mta-sts.example.com
is "$(sts example.com) $(requests)" "$POLICY2 3" '3.1: another id: fetched anew'

# --- 3.3: what is remembered counts where nothing better can be had
how example.com '{"status": 500}'
sed -i 's/id=2;/id=3;/' keys
is "$(sts example.com 2>err) $(requests)" "$POLICY2 4" '3.3: a failed fetch: the remembered policy'
is "$(cat err)" 'mta-sts: example.com: the remembered policy is used: mta-sts.example.com: HTTP status 500' 'and it says so'
is "$(sts example.com 2>/dev/null) $(requests)" "$POLICY2 4" '3.3: the same id is not tried again at once'
sts --refresh example.com >/dev/null 2>&1
is "$(requests)" 5 'unless --refresh says so'
sed -i 's/id=3;/id=4;/' keys
is "$(sts example.com 2>/dev/null) $(requests)" "$POLICY2 6" 'another id is'
grep -v '^_mta-sts.example.com' keys >keys.without
is "$(mta-sts --keys keys.without example.com)" "$POLICY2" '3.1, 3.3: no record any more: the remembered policy'
(cat keys.without && echo '_mta-sts.example.com SERVFAIL') >keys.fail
is "$(mta-sts --keys keys.fail example.com)" "$POLICY2" 'nor an answer'
rm www/mta-sts.example.com.json
is "$(sts --json --refresh example.com | grep -c '"error"')" 0 'a good attempt ends it'
sts example.com >/dev/null
n=$(requests)
state example.com -43100
is "$(sts example.com >/dev/null; requests)" "$n" 'nearly half of its max_age old: not yet fetched again'
state example.com -200
is "$(sts example.com >/dev/null; requests)" $((n + 1)) '3.3: refreshed ahead of its end'
state example.com -86200
is "$(mta-sts --keys keys.without example.com)" "$POLICY2" '5.1: remembered for max_age seconds'
state example.com -400
fails 'and no longer' 69 \
    'mta-sts: example.com: TXT record at _mta-sts.example.com: no record begins with v=STSv1;' \
    mta-sts --keys keys.without example.com
echo damaged >queue/state/sts/example.com
is "$(sts example.com)" "$POLICY2" 'a remembered file that is none is replaced'

# --- what is no policy
fail() { # WHAT DOMAIN CODE ERROR
	fails "$1" "$3" "mta-sts: $2: $4" sts "$2"
}
fail '3.1: no record' nowhere.example.com 69 'TXT record at _mta-sts.nowhere.example.com: no record begins with v=STSv1;'
printf '_mta-sts.two.example.com TXT "v=STSv1; id=1"\n_mta-sts.two.example.com TXT "v=STSv1; id=2"\n' >>keys
fail '3.1: two records' two.example.com 69 'TXT record at _mta-sts.two.example.com: 2 records begin with v=STSv1;'
printf '_mta-sts.odd.example.com TXT "v=STSv1; id=a-b"\n' >>keys
fail '3.1: an id that is none' odd.example.com 69 'TXT record at _mta-sts.odd.example.com: its id is not 1 to 32 letters and digits'
printf '_mta-sts.sub.example.com SERVFAIL\n' >>keys
fail 'no answer' sub.example.com 75 'TXT record at _mta-sts.sub.example.com: no answer'
n=$(requests)
sts a.b.example.com 2>/dev/null
is "$(requests)" "$n" '3.4: no policy of the parent zone'
domain expired.example.com; domain stranger.example.com; domain name.example.com
sts expired.example.com 2>err
like "$? $(cat err)" '^75 mta-sts: expired.example.com: mta-sts.expired.example.com: .*verification failed' \
    '3.3: an expired certificate, in the words of this libcurl'
is "$(sts --json expired.example.com 2>/dev/null | grep -o '"result":"[^"]*"')" '"result":"sts-webpki-invalid"' 'by its name in RFC 8460'
sts stranger.example.com 2>err
like "$? $(cat err)" '^75 .*verification failed' '3.3: a certificate by an unknown CA'
sts name.example.com 2>err
like "$? $(cat err)" '^75 mta-sts: name.example.com: mta-sts.name.example.com: .*(does not match|no alternative certificate)' \
    '3.3: a certificate for another name'
domain moved.example.com
how moved.example.com '{"status": 301, "location": "https://mta-sts.example.com/.well-known/mta-sts.txt"}'
n=$(requests)
fail '3.3: a redirect is not followed' moved.example.com 75 'mta-sts.moved.example.com: HTTP status 301'
is "$(requests)" $((n + 1)) 'not even asked for'
domain gone.example.com; how gone.example.com '{"status": 404}'
fail '3.3: status 404' gone.example.com 75 'mta-sts.gone.example.com: HTTP status 404'
domain other.example.com; how other.example.com '{"status": 204}'
fail '3.3: any but 200' other.example.com 75 'mta-sts.other.example.com: HTTP status 204'
domain strings.example.com
sed -i 's/^_mta-sts.strings.example.com .*/_mta-sts.strings.example.com TXT "v=STSv1; id=" "12"/' keys
is "$(sts --json strings.example.com | grep -o '"id":"[^"]*"')" '"id":"12"' '3.1: strings are joined'
domain html.example.com; how html.example.com '{"type": "text/html"}'
fail '3.2: another media type' html.example.com 75 'mta-sts.html.example.com: its type is "text/html", not text/plain'
domain notype.example.com; how notype.example.com '{"type": ""}'
fail 'none at all' notype.example.com 75 'mta-sts.notype.example.com: its type is "", not text/plain'
domain charset.example.com; how charset.example.com '{"type": "Text/Plain; charset=us-ascii"}'
is "$(sts charset.example.com)" "$POLICY" '3.2: its parameters do not count'
domain broken.example.com; printf 'version: STSv1\nmode: maybe\n' >www/mta-sts.broken.example.com
fail '3.2: no policy' broken.example.com 65 'the policy of broken.example.com: its mode is none of enforce, testing, none'
is "$(sts --json broken.example.com 2>/dev/null | grep -o '"result":"[^"]*"')" '"result":"sts-policy-invalid"' 'by its name in RFC 8460'
domain big.example.com
size=$(wc -c <www/mta-sts.big.example.com)
printf 'x: ' >>www/mta-sts.big.example.com
how big.example.com "{\"bytes\": $((65536 - size - 3))}"
is "$(sts big.example.com | head -5)" "$POLICY" '64 KiB are read'
how big.example.com "{\"bytes\": $((65537 - size - 3))}"
sts --refresh --json big.example.com 2>/dev/null >out
is "$(grep -o '"error":"[^"]*"' out)" '"error":"mta-sts.big.example.com: it has more than 65536 bytes"' 'and no byte more'
domain slow.example.com; how slow.example.com '{"drip": 1}'
sts --timeout 4 slow.example.com 2>err
like "$? $(cat err)" '^75 mta-sts: slow.example.com: mta-sts.slow.example.com: .*timed out' 'a byte a second: over at its deadline'
domain here.example.com
sed -i 's/^mta-sts.here.example.com A .*/mta-sts.here.example.com A 127.0.0.1/' keys
fails 'a policy host on this very machine' 75 'mta-sts: here.example.com: mta-sts.here.example.com: it has no address' \
    mta-sts --keys keys here.example.com

# --- several, all, and without a place to keep them
is "$(sts charset.example.com nowhere.example.com 2>err; echo $?)" "$(printf '%s\n' "$POLICY" | sed 's/^/charset.example.com	/')
69" 'several: each line behind its domain, the worst code'
rm -rf queue/state/sts
sts example.com charset.example.com >/dev/null
state example.com -43300
n=$(requests)
is "$(sts --all --json | wc -l) $(requests)" "2 $((n + 1))" '--all: what is remembered, fetched anew where it is old'
state charset.example.com -90000
grep -v '^_mta-sts.charset' keys >keys.less
mta-sts --keys keys.less --connect-to "::127.0.0.1:$WEB" --all >/dev/null 2>&1
is "$(ls queue/state/sts)" example.com 'what is over and has no record any more is forgotten'
is "$(sts --record example.com | head -2)" "relaykit-sts 1
domain=example.com" '--record'
rm -rf queue/state/sts
printf 'queue = "%s"\nhostname = "relay.test"\nsts_ca_file = "%s"\n' "$T/none" "$T/ca.pem" >conf
is "$(sts example.com)" "$POLICY2" 'without a queue it is printed all the same'
fails 'unless one is named' 66 "mta-sts: queue $T/none: no such directory" sts --queue "$T/none" example.com
fails 'a CA file that is not there' 75 "mta-sts: $T/no.pem: No such file or directory" sts --ca-file "$T/no.pem" example.com
fails 'not a domain' 65 'mta-sts: a..b: domain "a..b": it has a dot with nothing before or behind it' sts a..b
fails 'nor this' 65 'mta-sts: : domain "": it is empty' sts ''
done_testing
