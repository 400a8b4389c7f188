#!/bin/sh
# What we tell senders, read by others and by ourselves: every action, several recipients, UTF-8.
. "$(dirname "$0")/lib.sh"
need perl
RELAYKIT_CONFIG=$T/conf
RELAYKIT_QUEUE=$T/q
export RELAYKIT_CONFIG RELAYKIT_QUEUE
cat >"$T/conf" <<'E'
hostname = "h.example"
domain = "d.example"
connection_idle = 50ms
notices { delay = 1s }
E
trap_start --no-dsn
letter() {
	printf 'Subject: grüße\nFrom: a@d.example\nTo: list:;\n\nat noon\n' | smtp-submit -odq -f s@d.example "$@"
}
letter reject-550-5.1.1@one.example reject-552-5.2.2@two.example multiline-554-5.7.1@three.example
letter defer-452-4.2.2@one.example
letter -N success ok@one.example 'ok+ü@two.example'
letter reject-550-5.1.1+bü@one.example
letter -f 'å@d.example' reject-550-5.1.1+cü@one.example
sleep 1.1 # the delay
timeout 60 smtp-deliver --no-sandbox --relay "127.0.0.1:$PORT" 2>"$T/err"
is "$?$(cat "$T/err")" 0 'a run'
mkdir "$T/m"
for f in $(grep -l '^X-Envelope-From: <>' "$T"/trap/new/*); do
	sed '1,/^X-Trap-Id: /d' "$f" >"$T/m/${f##*/}"
done
is "$(find "$T/m" -type f | wc -l)" 5 'a notice a message'
want='defer-452-4.2.2@one.example delayed 4.2.2
multiline-554-5.7.1@three.example failed 5.7.1
reject-550-5.1.1+bü@one.example failed 5.1.1
reject-550-5.1.1+cü@one.example failed 5.1.1
reject-550-5.1.1@one.example failed 5.1.1
reject-552-5.2.2@two.example failed 5.2.2'
is "$(bounce-parse "$T/m"/* | perl -MJSON::PP -ne 'my $o = JSON::PP->new->utf8->decode($_); binmode STDOUT, ":utf8";
	print "$o->{recipient} $o->{action} $o->{status}\n"' | grep -v ' \(relayed\|delivered\) ' | sort)" "$want" 'bounce-parse'
if perl -MMail::DeliveryStatus::BounceParser -e 1 2>/dev/null; then
	# It knows failures and ASCII; lines end in LF for it.
	for f in "$T/m"/*; do
		tr -d '\r' <"$f" | perl -MMail::DeliveryStatus::BounceParser -e 'local $/;
			my $b = Mail::DeliveryStatus::BounceParser->new(<STDIN>);
			printf "%s %s %s\n", map { $_ // "" } $_->get("email"), $_->get("action"), $_->get("status") for $b->reports' 2>/dev/null
	done | grep 'failed' | grep -v '\\x' | sort >"$T/parsed"
	is "$(grep -v 'x{' "$T/parsed")" "$(echo "$want" | grep ' failed ' | grep -v ü)" 'Mail::DeliveryStatus::BounceParser'
else
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - Mail::DeliveryStatus::BounceParser # SKIP it is not here"
fi
if perl -MSisimai -e 1 2>/dev/null; then
	# Sisimai does not know addresses of type utf-8, nor what they come in.
	ascii=$(echo "$want" | grep -v ü)
	perl -MSisimai -e 'my $read = Sisimai->can("rise") // Sisimai->can("make"); # 5 and 4
	    for my $f (@ARGV) { for my $e (@{ $read->("Sisimai", $f, delivered => 1) || [] }) {
		printf "%s %s %s\n", $e->recipient->address, $e->action, $e->deliverystatus; } }' \
	    "$T/m"/* 2>/dev/null | sort >"$T/sisimai"
	is "$(grep -a -v ' \(relayed\|delivered\) ' "$T/sisimai" | grep -a -v 'x{\|ü\|^mailer-daemon@')" "$ascii" 'Sisimai'
	like "$(cat "$T/sisimai")" 'ok@one.example (relayed|delivered) 2\.' 'Sisimai, of what was relayed'
else
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - Sisimai # SKIP libsisimai-perl is not here"
fi
done_testing
