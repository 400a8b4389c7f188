#!/bin/sh
# smtp-deliver --dry-run: what would happen, at four depths, and nothing does.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"

need perl
PATH=$BUILD/helpers:$PATH
export RELAYKIT_QUEUE="$T/q" RELAYKIT_CONFIG="$T/conf"
q=$T/q
trap_start
closed=$(free_port)
cat >"$T/conf" <<END
delivery = queue
hostname = h.example
resolver = "127.0.0.1@$(free_port)"
timeout_dns = 1s
route "good.example" { relay = "127.0.0.1:$PORT" }
route "closed.example" { relay = "127.0.0.1:$closed" }
route "both.example" { relay = "127.0.0.1:$closed, 127.0.0.1:$PORT" }
route "tls.example" { relay = "127.0.0.1:$PORT" tls = encrypt }
END
printf 'Subject: x\r\n\r\nbody\r\n' >"$T/m"
put() { qput "$q" "$@" <"$T/m" >/dev/null; }
put -f a@s.example one@good.example reject-550@good.example defer-451@good.example
put -d closed.example -f a@s.example two@closed.example
put -d both.example -f a@s.example three@both.example
put -d tls.example -f a@s.example four@tls.example
put -d nodns.example -f a@s.example five@nodns.example
put -d good.example -u $(($(date +%s) + 5000)) six@good.example
put -d good.example -D $(($(date +%s) + 50000)) notdue@good.example
before=$(find "$q" -type f -exec md5sum {} + | sort)

# dry DEPTH [OPTION...]: without the ids
dry() {
	depth=$1
	shift
	smtp-deliver --dry-run="$depth" "$@" | cut -f2- | sed "s/:$PORT/:PORT/g; s/:$closed/:CLOSED/g; s/	/|/g" | sort
}
is "$(dry route)" "defer-451@good.example|send|127.0.0.1:PORT||||
five@nodns.example|send|||||by the MX records of the domain
four@tls.example|send|127.0.0.1:PORT||||
one@good.example|send|127.0.0.1:PORT||||
reject-550@good.example|send|127.0.0.1:PORT||||
six@good.example|wait|||||its sender wants it to be held until later
three@both.example|send|$(dry route | sed -n 's/^three.*send|\([^|]*\).*/\1/p')||||
two@closed.example|send|127.0.0.1:CLOSED||||" 'route: by the configuration alone'
like "$(dry dns | grep ^five)" '^five@nodns.example\|defer\|\|\|\|4.4.3\|MX of nodns.example: name server 127.0.0.1: ' 'dns: a name server that fails'
is "$(dry dns | grep ^four)" 'four@tls.example|send|127.0.0.1:PORT|127.0.0.1[127.0.0.1:PORT]|encrypt||' 'dns: the address, and what it is held to'
like "$(dry connect | grep ^two)" '^two@closed.example\|defer\|127.0.0.1:CLOSED\|\|\|4.4.1\|.*Connection refused$' 'connect: nobody there'
is "$(dry connect | grep ^three | cut -d'|' -f 2,4-)" 'send|127.0.0.1[127.0.0.1:PORT]|may||' 'connect: the second relay'
like "$(dry connect | grep ^four)" '\|defer\|.*\|4.7.4\|STARTTLS is not offered, and it is demanded by tls = encrypt$' 'connect: no TLS where it is demanded'
is "$(dry rcpt | grep good.example | cut -d'|' -f 1-2,6)" 'defer-451@good.example|defer|4.3.0
one@good.example|send|
reject-550@good.example|fail|5.1.1
six@good.example|wait|' 'rcpt: what the server says to each' || dry rcpt | sed 's/^/# /'
is "$(dry dns --now | grep -c notdue)" 1 '--now: what is not due, too'
is "$(dry route --now | grep six)" 'six@good.example|wait|||||its sender wants it to be held until later' 'but what its sender wants later waits'
is "$(dry dns --site "127.0.0.1:$PORT" | cut -d'|' -f1 | tr '\n' ' ')" \
    'defer-451@good.example four@tls.example one@good.example reject-550@good.example six@good.example ' '--site'
id=$(smtp-queue --json list | python3 -c 'import json, sys
print([json.loads(l)["queue_id"] for l in sys.stdin if "two@closed" in l][0])' 2>/dev/null)
[ -z "$id" ] || is "$(dry dns --id "$id" | cut -d'|' -f1)" two@closed.example '--id'
is "$(find "$q" -type f -exec md5sum {} + | sort)" "$before" 'nothing in the queue has changed'
is "$(find "$T/trap/new" -type f 2>/dev/null | wc -l)" 0 'and nothing has arrived'
smtp-submit -O requiretls=yes -f a@s.example strict@good.example <"$T/m" >/dev/null
is "$(dry rcpt | grep ^strict | cut -d'|' -f 2,6)" 'fail|5.7.30' 'what the message asks for counts, as when it is sent'
fails 'another depth' 64 "smtp-deliver: --dry-run: none of route, dns, connect, rcpt: \"deep\"
$(smtp-deliver --help)" smtp-deliver --dry-run=deep
done_testing
