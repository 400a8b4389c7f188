#!/bin/sh
# Accounts: each sender by its own relay with its own login, at a real Exim and a real Postfix.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
exim_here || skip_all "$REASON"
postfix_here || skip_all "$REASON"
need openssl perl

EXIM_PID= POSTFIX_PID=
trap 'exim_stop; postfix_stop; cleanup' EXIT
chmod 755 "$T"
certificate "$T"
cd "$T" || exit 1
export RELAYKIT_QUEUE="$T/queue" RELAYKIT_CONFIG="$T/conf"
EXIM_AUTH='begin authenticators
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{ann}{pencil}{${if eq{$auth1}{bob}{crayon}fail}}}
  server_set_id = $auth1
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if or{{and{{eq{$auth2}{ann}}{eq{$auth3}{pencil}}}}{and{{eq{$auth2}{bob}}{eq{$auth3}{crayon}}}}}}
  server_set_id = $auth2'
exim_start "$T/exim" "$T/cert.pem" "$T/key.pem" || exit 1
postfix_start "$T/postfix" 'virtual_mailbox_domains = rcpt.example other.example' 'virtual_transport = discard' \
    'smtpd_recipient_restrictions = reject_unauth_destination' || exit 1
printf 'pencil\n' >ann.pw
printf 'crayon\n' >bob.pw
chmod 600 ann.pw bob.pw
exim="relay = \"127.0.0.1:$EXIM_PORT\" tls = encrypt"
cat >conf <<END
hostname = "relay.example"
delivery = queue
route "ann@a.example" { $exim user = ann password_file = "$T/ann.pw" auth = PLAIN }
route "@b.example" { $exim user = bob password_file = "$T/bob.pw" }
route "carol@c.example" { $exim user = bob password_file = "$T/ann.pw" }
route "*" { relay = "127.0.0.1:$POSTFIX_PORT" }
END
mail() { printf 'Subject: x\n\nhello\n' | smtp-submit -odq -f "$1" "$2"; }
# by SENDER: whom Exim took its mail from
by() { sed -n "s/.* <= $1 .* A=\([a-z0-9]*:[a-z]*\) .*/\1/p" exim/log/main | sort | uniq -c | sed 's/^ *//'; }

for n in 1 2 3 4 5; do
	mail ann@a.example b@rcpt.example
	mail bob@b.example b@rcpt.example
	mail Ann@A.example b@rcpt.example
	mail nobody@n.example b@rcpt.example
done
mail bob@b.example 'b@rcpt.example, c@other.example'
is "$(smtp-deliver --dry-run=rcpt | cut -f 3,5 | sed "s/:$EXIM_PORT/:exim/; s/:$POSTFIX_PORT/:postfix/" | sort | uniq -c | sed 's/^ *//')" \
    '17 send	127.0.0.1[127.0.0.1:exim]
5 send	127.0.0.1[127.0.0.1:postfix]' 'a dry run logs in for each and asks'
is "$(by ann@a.example)$(by bob@b.example)" '' 'and sends nothing'
is "$(smtp-deliver -v 2>&1)" 'delivered 22 deferred 0 failed 0 expired 0' 'all are delivered'
is "$(by ann@a.example) $(by Ann@A.example)" '5 plain:ann 5 plain:ann' 'an address: its user, its mechanism'
is "$(by bob@b.example)" '6 cram:bob' 'a domain: another user at the same relay'
is "$(grep -c 'A=' exim/log/main)" 16 'nobody else came there'
took() { [ "$(grep -c 'from=<nobody@n.example>' postfix/log)" -ge 5 ]; }
ok 'all others by the relay for all' until_true 40 took
is "$(cat queue/log/*.jsonl | grep '"type":"delivered"' | grep -o '"site":"[^"]*"' | sort -u | wc -l)" 3 'three sites: accounts share no connections'

# --- a password that is wrong is the trouble of its own account
mail carol@c.example b@rcpt.example
mail carol@c.example b@rcpt.example
mail ann@a.example b@rcpt.example
like "$(smtp-deliver -v 2>&1)" '^delivered 1 deferred [12] failed 0 expired 0$' 'a wrong password: others go'
like "$(cat queue/log/*.jsonl)" '"deferred".*"sender":"carol@c.example".*login as bob by [A-Z0-9-]*: 535' 'with the reason'
is "$(grep -l '^sender=<carol@c.example>' queue/cur/*/* | wc -l)" 2 'and both wait'
like "$(smtp-queue why rcpt.example)" 'closed' 'smtp-queue why: the site of its account is closed'
done_testing
