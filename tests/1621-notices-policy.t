#!/bin/sh
# Whom notices go to, how many, in whose words, signed by whom; sites that are closed; ends of the way here.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/notices.sh"
. "$(dirname "$0")/peers.sh"

# --- nobody

configure
fresh
letter -f '<>' reject-550@x.example
deliver
is "$(count) $(places)" '0 failed 1' 'nobody is told of what nobody sent'
fresh
printf 'Subject: x\nFrom: a@d.example\nX-Relaykit-Notice:\n\tmailer-daemon@d.example\n\nhi\n' |
    smtp-submit -odq -f s@d.example reject-550@x.example
deliver
is "$(count) $(places)" '0 failed 1' 'nor of a notice that comes round'
fresh
letter -f reject-550@d.example reject-550@x.example
deliver
is "$(count) $(places)" '0 failed 2' 'nor of a notice that has failed'
configure 'notices { postmaster = "pm@d.example" }'
fresh
letter -f reject-550@d.example reject-550@x.example
letter -f '<>' defer-451@x.example
deliver
is "$(fact for) $(told)" '<pm@d.example> reject-550@d.example failed' 'but the postmaster'
later 18000
is "$(count)" 1 'to whom being late is nothing'
configure 'notices { postmaster = "reject-550@d.example" }'
fresh
letter -f '<>' reject-550@x.example
deliver
is "$(count) $(places)" '0 failed 2' 'and who is not told that he cannot be told'
# An alias leads from the postmaster to an address that is dead, too: what is forwarded keeps its header.
configure 'notices { postmaster = "pm@d.example" }'
fresh
letter -f reject-550@d.example reject-550@x.example
deliver
sed '1,/^X-Trap-Id: /d' "$(notices)" >"$T/to-pm"
rm -f "$T"/trap/new/*
smtp-submit -odq -f '<>' reject-550+alias@x.example <"$T/to-pm"
deliver
is "$(count)" 0 'nobody is told that the postmaster could not be told of a notice'
configure 'notices { postmaster = "pm@d.example"  from = "other@d.example" }'
rm -rf "$T/q"
smtp-submit -odq -f '<>' reject-550+alias@x.example <"$T/to-pm"
deliver
is "$(count)" 0 'whichever host it was, so that two of them do not go on for ever'

# --- by stream

configure 'stream "quiet" { bounce = none }' 'stream "desk" { bounce = "desk@d.example" }' \
    'stream "loud" { bounce = sender }' 'notices { bounce = "all@d.example" }'
fresh
for s in quiet desk loud other; do letter -O stream=$s reject-550@x.example; done
deliver
is "$(fact for | sort)" '<all@d.example>
<desk@d.example>
<s@d.example>' 'as its stream says, or else as all'
is "$(places)" 'failed 4' 'all have failed'

# --- words of one's own

configure "notices { text = \"$T/words\" }"
cat >"$T/words" <<'W'
[failed]
Subject: nix da: {subject}

{recipients}
[delayed]
Subject: x

{recipients}
[delivered]
Subject: x

{recipients}
[digest]
Subject: x

{recipients}
[end]
Gr{{}ße von {host}
W
fresh
letter reject-550@x.example
deliver
is "$(fact subject) $(fact defects)" 'nix da: lunch ' 'a text of our own'
like "$(cat "$(notices)")" '^Gr\{\}=C3=9Fe von h\.example' 'in UTF-8'
echo '{oops}' >>"$T/words"
fails 'one with a mistake' 78 "smtp-deliver: $T/words:19: \"{oops\" is no placeholder ({{ is a brace)" smtp-deliver
fails 'is told by a dry run, too' 78 "smtp-deliver: $T/words:19: \"{oops\" is no placeholder ({{ is a brace)" \
    smtp-deliver --dry-run=route
rm "$T/words"
fails 'one that is not there' 78 "smtp-deliver: $T/words: no such file" smtp-deliver

# --- too many for an hour

configure 'notices { hourly = 2 }'
fresh
tenth=$((3600 - $(date +%s) % 3600 + 600)) # ten minutes past: the hour does not end meanwhile
for i in 1 2 3 4 5; do letter -V "v$i" reject-550+$i@x.example ok@x.example; done
letter -f other@d.example reject-550@x.example
later $tenth
is "$(fact for | sort)" '<other@d.example>
<s@d.example>
<s@d.example>' 'as many as may be'
is "$(places)" 'failed 6' 'all have failed'
is "$(grep -c '"type":"notified".*"content":"failed 1, in a digest"' "$T"/q/log/*)" 3 'the log tells what is told later'
later $((tenth + 2400))
is "$(count)" 3 'not before the hour is over'
find "$T/q/state/notices" -type f | while read -r f; do printf '{"do":"keep","torn' >>"$f"; done
rm -f "$T"/trap/new/*
later $((tenth + 3600))
is "$(fact for)|$(fact subject)|$(fact parts)|$(fact defects)" \
    '<s@d.example>|3 more reports|text/plain message/delivery-status|' 'then what there was more, in a digest'
is "$(told | sed 's/+[0-9]//')" 'reject-550@x.example failed
reject-550@x.example failed
reject-550@x.example failed' 'every one of them'
is "$(told | sort -u | wc -l)" 3 'and no other'
is "$(ls "$T/q/state/notices" | sed 's/.*\.//' | sort -u)" told 'what is left of it says that it has been told'
later $((tenth + 7200))
is "$(count)" 1 'once'
LD_PRELOAD=$BUILD/faults/clockshift CLOCKSHIFT=$((tenth + 31 * 86400)) smtp-deliver --no-sandbox 2>"$T/run.out"
is "$(ls "$T/q/state/notices")" '' 'for a month'
configure

# --- late, at a site that is closed: what is moved on by its name is told of, too

dead=$(free_port)
configure "route \"x.example\" { relay = \"127.0.0.1:$dead\" }" "route \"*\" { relay = \"127.0.0.1:$PORT\" }"
run_at() {
	for now in --now ''; do
		# shellcheck disable=SC2086 # none or one
		LD_PRELOAD=$BUILD/faults/clockshift CLOCKSHIFT=$1 timeout 60 smtp-deliver --no-sandbox $now >"$T/run.out" 2>&1
		is "$?$(cat "$T/run.out")" 0 "a run, $1 seconds later $now"
	done
}
fresh
for i in 1 2 3; do letter u$i@x.example; done
run_at 60
is "$(count)" 0 'not yet'
run_at 14460
is "$(told | sort)" 'u1@x.example delayed
u2@x.example delayed
u3@x.example delayed' 'after four hours all of them are told of'
run_at 18000
is "$(count)" 3 'once'

# --- where the way ends here

configure "route \"box.example\" { maildir = \"$T/box\" create = yes }" "route \"*\" { relay = \"127.0.0.1:$PORT\" }"
fresh
letter -N success u@box.example
letter v@box.example
run_at 0
is "$(told)" 'u@box.example delivered' 'a maildir: delivered'
is "$(fact subject)" 'Delivered: lunch' 'and so it is called'

# --- DELIVERBY (RFC 2852)

configure
fresh
letter -O 'by=600;N' defer-451@x.example
letter -O 'by=600;N' -N failure defer-451+1@x.example
later 300
is "$(count)" 0 'in time'
later 660
is "$(told)" 'defer-451@x.example delayed' 'not by then: who wants to know is told'
fresh
letter -O 'by=600;N' ok@x.example
letter -O 'by=600;N' -N never ok2@x.example
letter -O 'by=600;R' ok3@x.example
deliver
is "$(told | sort)" 'ok3@x.example failed
ok@x.example relayed' 'the next hop does not know it: relayed in mode N, refused in mode R'

# --- until when: its lifetime begins when its sender has it sent, and BY in mode R may end it

until_is() {
	is "$(sed -n 's/^Will-Retry-Until: \(.*\)\r$/\1/p' $(notices))" "$(date -Rud "@$1")" "$2"
	is "$(date -d "$(smtp-queue why "$(ls "$T"/q/cur/*/* | sed 's/.*\.\([^,]*\),.*/\1/')" | sed -n 's/^ *expires *//p')" +%s)" \
	    "$1" 'smtp-queue why says the same'
}
configure 'notices { delay = 60s }' 'lifetime = 1d'
fresh
held=$(($(date +%s) + 8 * 3600))
letter -O holduntil=$held defer-451@x.example
later $((8 * 3600 + 30))
is "$(count)" 0 'not late while its sender held it'
later $((8 * 3600 + 90))
until_is $((held + 86400)) 'as long from then on'
fresh
configure "route \"x.example\" { relay = \"127.0.0.1:$dead\" }" "route \"*\" { relay = \"127.0.0.1:$PORT\" }" \
    'notices { delay = 60s }'
letter -O 'by=7200;R' u@x.example
by=$(sed -n 's/^by=\([0-9]*\);R$/\1/p' "$T"/q/new/*)
run_at 90
until_is "$by" 'no longer than its sender wants it'
configure

# --- REQUIRETLS: a notice arrives all the same (RFC 8689 5), whatever stands in place of its null sender

configure "route \"*\" { relay = \"127.0.0.1:$PORT\" rewrite_null_sender = \"post@d.example\" }"
fresh
letter -O requiretls=yes ok@x.example
run_at 0
is "$(places)" 'failed 1' 'the message is refused, its notice is not'
is "$(grep -l '^X-Envelope-From: <post@d.example>' "$T"/trap/new/* | wc -l)" 1 'and it is there'
configure

# --- signatures: the rest waits for a key, a notice does not

if command -v openssl >/dev/null; then
	openssl genpkey -algorithm ed25519 -out "$T/e.pem" 2>/dev/null
	chmod 600 "$T/e.pem"
	configure "dkim \"d.example/e\" { key = \"$T/e.pem\" }"
	fresh
	letter reject-550@x.example
	deliver
	is "$(grep -c '^DKIM-Signature: .*d=d.example' "$(notices)")" 1 'a notice is signed'
	configure "dkim \"other.example/e\" { key = \"$T/e.pem\" }" 'dkim_unsigned = "mail.example"'
	fresh
	printf 'Subject: lunch\nFrom: a@mail.example\n\nhi\n' | smtp-submit -odq -f s@d.example reject-550@x.example
	printf 'Subject: lunch\nFrom: a@d.example\n\nhi\n' | smtp-submit -odq -f s@d.example ok@x.example
	deliver
	is "$(count) $(places)" '1 cur 1
failed 1' 'or else goes as it is, and other mail waits'
fi
done_testing
