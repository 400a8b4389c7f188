#!/bin/sh
# tls-report: what RFC 8460 asks of a report, by mail and by HTTPS; sent once, whatever comes between.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/sts.sh"

need python3 certtool
cd "$T" || exit 1
mkdir www queue
chmod 700 queue
ca ca || skip_all 'certtool makes no certificates here'
cert www/default.pem ca reports.example
printf 'queue = "%s"\nhostname = "relay.test"\ndomain = "sender.test"\nsts_ca_file = "%s"\ndelivery = queue\n' \
    "$T/queue" "$T/ca.pem" >conf
export RELAYKIT_CONFIG=$T/conf
policies_start
smtp-deliver # makes what is missing
# Yesterday: what was sent for a day that is long past is forgotten.
yesterday() { date -u -d "@$(($(date +%s) - 86400))" "$1"; }
DAY=$(yesterday +%Y-%m-%d) PLAIN=$(yesterday +%Y%m%d)
BEGUN=$(date -u -d "$DAY" +%s)
log=queue/log/events-$PLAIN.jsonl
# session DOMAIN POLICY [RESULT HOST ADDR WHY]
session() {
	[ $# -lt 3 ] || more=",\"result\":\"$3\",\"response\":{\"content\":\"$6\"}"
	[ $# -ge 3 ] || more=
	printf '{"type":"session","timestamp":"%sT10:00:00.000000Z","domain":"%s","peer_address":{"name":"%s","addr":"%s"},"source_address":{"addr":"192.0.2.25"},"policy":%s%s}\n' \
	    "$DAY" "$1" "${4:-mx.$1}" "${5:-203.0.113.1:25}" "$2" "$more"
}
STS='{"type":"sts","domain":"a.example","id":"1","mode":"testing","lines":["version: STSv1","mode: testing","mx: *.a.example","max_age: 86400"]}'
NONE='{"type":"no-policy-found","domain":"b.example"}'
{
	for i in 1 2 3; do session a.example "$STS"; done
	session a.example "$STS" certificate-expired mx1.a.example 203.0.113.7:25 'the certificate expired on 2026-11-01'
	session a.example "$STS" certificate-expired mx1.a.example 203.0.113.7:25 'the certificate expired on 2026-11-01'
	session a.example "$STS" starttls-not-supported mx2.a.example '[2001:db8::2]:25' 'no'
	session a.example '{"type":"tlsa","domain":"mx3.a.example","lines":["3 1 1 00ff"]}' certificate-not-trusted mx3.a.example 203.0.113.9:25 none
	echo '{"type":"delivered","domain":"a.example"}'
	echo '{"type":"session","domain":'
	session b.example "$NONE"
	session c.example '{"type":"no-policy-found","domain":"c.example"}'
	session silent.example '{"type":"no-policy-found","domain":"silent.example"}'
	session odd.example '{"type":"no-policy-found","domain":"odd.example"}'
	session '../../evil' '{"type":"no-policy-found","domain":"x"}'
	session 192.0.2.1 '{"type":"no-policy-found","domain":"x"}'
	printf '{"type":"session","domain":"torn'
} >$log
cat >keys <<END
_smtp._tls.a.example TXT "v=TLSRPTv1; rua=mailto:tls%2Ba@a.example, https://reports.example/v1/tlsrpt?x=1"
_smtp._tls.b.example TXT "v=TLSRPTv1;rua=https://reports.example/b"
_smtp._tls.c.example TXT "v=TLSRPTv1;rua=mailto:c@c.example"
_smtp._tls.c.example TXT "v=TLSRPTv1;rua=mailto:d@c.example"
_smtp._tls.odd.example TXT "v=TLSRPTv1; rua=ftp://odd.example/x"
END
report() { tls-report --keys keys --connect-to "::127.0.0.1:$WEB" --date $DAY "$@"; }

# --- the report
report --print a.example >a.json
is "$(python3 "$TOP/tests/tlsrpt.py" <a.json)" good 'RFC 8460 4.4: its shape'
is "$(python3 -c '
import json
r = json.load(open("a.json"))
print(r["organization-name"], r["contact-info"], r["report-id"], r["date-range"]["start-datetime"], r["date-range"]["end-datetime"])
for p in r["policies"]:
    q = p["policy"]
    print(q["policy-type"], q["policy-domain"], q["policy-string"][:2], q.get("mx-host"), *p["summary"].values())
    for d in p["failure-details"]:
        print(*d.values(), sep=",")')" "sender.test postmaster@sender.test $PLAIN.a.example@relay.test ${DAY}T00:00:00Z ${DAY}T23:59:59Z
sts a.example ['version: STSv1', 'mode: testing'] ['*.a.example'] 3 3
certificate-expired,192.0.2.25,mx1.a.example,203.0.113.7,2,the certificate expired on 2026-11-01
starttls-not-supported,192.0.2.25,mx2.a.example,2001:db8::2,1,no
tlsa mx3.a.example ['3 1 1 00ff'] None 0 1
certificate-not-trusted,192.0.2.25,mx3.a.example,203.0.113.9,1,none" 'what it says'
is "$(report --print | wc -l) $(report --print | grep -c torn)" '7 0' 'a line each domain; a torn line is none'
is "$(report --print --organization 'Example Inc.' --from tls@reports.test b.example | cut -d, -f 1,4)" \
    '{"organization-name":"Example Inc.","contact-info":"tls@reports.test"' '--organization, --from'
is "$(requests)$(find queue/new -type f | wc -l)" 00 '--print sends nothing'

# --- sent
is "$(report 2>err; echo $?)" 'a.example	queued	tls+a@a.example
a.example	posted	https://reports.example/v1/tlsrpt?x=1
b.example	posted	https://reports.example/b
0' 'by mail and by HTTPS'
is "$(cat err)" 'tls-report: odd.example: "ftp://odd.example/x" is neither mailto: nor https: as it should be' 'and why not'
is "$(cut -d' ' -f1-4 www/log)" 'POST reports.example /v1/tlsrpt?x=1 application/tlsrpt+gzip
POST reports.example /b application/tlsrpt+gzip' '5.4: posted, gzip'
is "$(gzip -dc <www/posted)" "$(report --print b.example)" 'what --print shows'
like "$(ls queue/new)" '^[0-9]+\.[^,]*,tls-report,[0-9]+,a.example$' 'a stream of its own'
is "$(report 2>/dev/null)" 'a.example	known	tls+a@a.example
a.example	known	https://reports.example/v1/tlsrpt?x=1
b.example	known	https://reports.example/b' 'sent once'
is "$(requests) $(find queue/new -type f | wc -l)" '2 1' 'indeed'
trap_start
smtp-deliver --relay "127.0.0.1:$PORT"
cat trap/new/* >message
cat >look.py <<'END'
import email, email.policy, gzip, sys
m = email.message_from_binary_file(open("message", "rb"), policy=email.policy.default)
print(m["From"], m["To"], m["TLS-Report-Domain"], m["TLS-Report-Submitter"])
print(" ".join(m["Subject"].split()))
print(m.get_content_type(), m["Content-Type"].params["report-type"])
a, b = m.iter_parts()
print(a.get_content_type(), b.get_content_type(), b.get_filename())
print(gzip.decompress(b.get_content()) == open("a.json", "rb").read())
END
is "$(python3 look.py)" "postmaster@sender.test tls+a@a.example a.example sender.test
Report Domain: a.example Submitter: sender.test Report-ID: <$PLAIN.a.example@relay.test>
multipart/report tlsrpt
text/plain application/tlsrpt+gzip sender.test!a.example!$BEGUN!$((BEGUN + 86399))!001.json.gz
True" '5.3: the message'

# --- what comes between
rm -rf queue/state/tlsrpt
echo '{"status": 503}' >www/reports.example.json
fails 'a server that fails' 75 'tls-report: b.example: https://reports.example/b: HTTP status 503' report b.example
rm www/reports.example.json
is "$(report b.example)" 'b.example	posted	https://reports.example/b' 'is tried again by the next run'
echo 'sending https://reports.example/b' >queue/state/tlsrpt/$PLAIN/b.example
n=$(requests)
fails 'what was cut short is not sent twice' 75 \
    'tls-report: b.example: it is not known whether the report to https://reports.example/b was sent; --again sends it' report b.example
is "$(requests)" "$n" 'indeed'
is "$(report --again b.example)" 'b.example	posted	https://reports.example/b' '--again'
is "$(cat queue/state/tlsrpt/$PLAIN/b.example)" 'sent https://reports.example/b' 'is known now'
bg python3 -c '
import fcntl, time
f = open("queue/state/tlsrpt/lock", "r+")
fcntl.lockf(f, fcntl.LOCK_EX)
open("locked", "w").write("x")
time.sleep(600)'
until_true 40 test -s locked
fails 'one at a time' 75 'tls-report: another is sending reports' report
kill $!
wait $! 2>/dev/null
mkdir queue/state/tlsrpt/20200101 && touch queue/state/tlsrpt/20200101/x.example
report b.example >/dev/null
is "$(ls queue/state/tlsrpt)" "$PLAIN
lock" 'days long past are forgotten'
is "$(report --date 2026-11-20; echo $?)" 0 'a day without a log'
fails 'not a day' 64 'tls-report: --date: "yesterday" is not yyyy-mm-dd' tls-report --date yesterday
fails 'not a sender' 64 'tls-report: --from: "nobody" is no mailbox' report --from nobody
fails 'no queue' 66 "tls-report: queue $T/none: no such directory" report --queue "$T/none"
is "$(report --print c.example | python3 "$TOP/tests/tlsrpt.py")" good 'without a policy'
is "$(report c.example silent.example)" '' '3: two records, or none: nobody asks'
echo '_smtp._tls.b.example SERVFAIL' >fail.keys
fails 'the DNS fails' 75 'tls-report: b.example: TXT record at _smtp._tls.b.example: no answer' \
    tls-report --keys fail.keys --date $DAY b.example
done_testing
