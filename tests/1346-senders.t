#!/bin/sh
# Routes by sender: which section wins, what is put where, closed sites, and that mx-lookup and the dry run say the same.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"

need perl
PATH=$BUILD/helpers:$PATH
cd "$T" || exit 1
export RELAYKIT_QUEUE="$T/q" RELAYKIT_CONFIG="$T/conf"

# relay NAME: a trap whose lines are in NAME; its port in NAME.port
relay() {
	bg sh -c 'exec smtp-trap --listen 127.0.0.1:0 --port-file "$1.port" >>"$1"' sh "$1"
	until_true 40 test -s "$1.port" || { echo 'Bail out! smtp-trap did not start'; exit 1; }
}
for n in all ann news null here slow; do relay $n; done
to() { echo "relay = \"127.0.0.1:$(cat "$1.port")\""; }
# got NAME: who has sent to whom by that relay
got() { sed 's/^accepted from=<\(.*\)> to=<\(.*\)> size=.*/\1 \2/; s/>,</,/g' "$1" | sort | tr '\n' ';'; : >"$1"; }
conf() { printf '%s\n' 'hostname = h.example' 'delivery = queue' 'retry_min = 1h' "$@" >conf; }
ours="route \"*\" { $(to all) }
route \"ann@a.example\" { $(to ann) }
route \"@.news.example\" { $(to news) }
route \"@xn--bcher-kva.example\" { $(to news) }
route \"<>\" { $(to null) }
route \"here.example\" { $(to here) }"
conf "$ours"
printf 'Subject: x\r\n\r\nbody\r\n' >m
put() { qput q "$@" <m >/dev/null; }

# --- names with one domain, and those with several
for f in ann@a.example ANN@A.Example bob@a.example x@news.example y@de.news.example '' z@bücher.example; do
	put -d far.example -f "$f" one@far.example
done
put -d here.example -f ann@a.example two@here.example
put -d + -f ann@a.example three@far.example three@here.example three@other.example
put -d + -f '' four@far.example four@other.example
where() { # the dry run's relays, by name
	smtp-deliver --dry-run=dns | cut -f 2,5 | while IFS=' ' read -r line; do
		for n in all ann news null here; do
			case $line in *"[127.0.0.1:$(cat $n.port)]") echo "${line%%	*} $n" ;; esac
		done
	done | sort | tr '\n' ';'
}
is "$(where)" "four@far.example null;four@other.example null;one@far.example all;one@far.example ann;one@far.example ann;\
one@far.example news;one@far.example news;one@far.example news;one@far.example null;three@far.example ann;\
three@here.example here;three@other.example ann;two@here.example here;" 'a dry run' || smtp-deliver --dry-run=dns | sed 's/^/# /'
is "$(smtp-deliver -v 2>&1)" 'delivered 13 deferred 0 failed 0 expired 0' 'all go'
is "$(got all)" 'bob@a.example one@far.example;' 'by *: who has no section'
is "$(got ann)" 'ANN@A.Example one@far.example;ann@a.example one@far.example;ann@a.example three@far.example,three@other.example;' \
    'by an address: without case, and two domains of one message together'
is "$(got news)" 'x@news.example one@far.example;y@de.news.example one@far.example;z@xn--bcher-kva.example one@far.example;' \
    'by a domain and below it, and an international one'
is "$(got null)" ' four@far.example,four@other.example; one@far.example;' 'by <>: notices'
is "$(got here)" 'ann@a.example three@here.example;ann@a.example two@here.example;' 'what the recipient has to itself comes first'

# --- mx-lookup
look() { mx-lookup --site "$@"; }
is "$(look far.example)" "127.0.0.1:$(cat all.port)" 'mx-lookup: nobody in particular'
is "$(look --sender ann@a.example far.example)" "127.0.0.1:$(cat ann.port)" 'mx-lookup --sender: an address'
is "$(look --sender '<Bob@NEWS.example>' far.example)" "127.0.0.1:$(cat news.port)" 'in brackets'
is "$(look --sender '' far.example) $(look --sender '<>' far.example)" "127.0.0.1:$(cat null.port) 127.0.0.1:$(cat null.port)" 'the null sender'
is "$(look --sender ann@a.example here.example)" "127.0.0.1:$(cat here.port)" 'to a domain with a section'
is "$(printf 'far.example\nhere.example\n' | mx-lookup --hosts --sender ann@a.example)" "far.example	0 127.0.0.1:$(cat ann.port)
here.example	0 127.0.0.1:$(cat here.port)" 'many'
fails 'no address' 64 'mx-lookup: --sender: address "ann": it has no domain' look --sender ann far.example
like "$(mx-lookup --json --sender ann@a.example far.example)" '"code":0,"route":"ann@a.example",' '--json: which section'
is "$(mx-lookup --explain --hosts far.example | head -2)" 'route "*" of the configuration
some senders'\'' mail may go elsewhere: --sender' '--explain: which, and that there are others'
is "$(mx-lookup --explain --hosts --sender bob@a.example far.example)" "route \"*\" of the configuration
0 127.0.0.1:$(cat all.port)" '--explain with a sender'

# --- what it says to what is no domain, and how it writes what has colons
conf 'route "six.example" { relay = "[::1]:26, [::1]" }'
code() { mx-lookup "$@"; echo $?; }
is "$(code --hosts six.example)" '0 [::1]:26
0 ::1
0' 'an IPv6 address with a port'
is "$(code user@)" '5.1.2 not a domain
65' 'a mailbox without a domain'
is "$(code '[300.1.1.1]')" '5.1.2 [300.1.1.1] is no address literal
65' 'an address literal that is none'
is "$(code '[192.0.2.1]')" '0 192.0.2.1 192.0.2.1  may
0' 'and one that is'
conf "$ours"

# --- what is configured when it is delivered counts
put -d far.example -f ann@a.example five@far.example
conf "route \"*\" { $(to all) }
route \"@a.example\" { $(to news) }"
smtp-deliver
is "$(got news)" 'ann@a.example five@far.example;' 'the configuration of the delivery'

# --- a site that does not answer keeps its own senders' mail back, most of it by name
conf "route \"*\" { $(to all) }
route \"@a.example\" { relay = \"127.0.0.1:$(free_port)\" }" 'site_connections = 1' # no second is begun before the first is refused
put -n 20 -d far.example -f ann@a.example six@far.example
put -n 3 -d far.example -f bob@b.example six@far.example
is "$(smtp-deliver -v 2>&1)" 'delivered 3 deferred 1 failed 0 expired 0' 'one is tried, and others go'
is "$(find q/cur -type f | wc -l) $(cat q/log/*.jsonl | grep -c '"type":"deferred"')" '20 1' 'those behind it wait by their names'
is "$(got all)" 'bob@b.example six@far.example;bob@b.example six@far.example;bob@b.example six@far.example;' 'to the same domain'
like "$(smtp-queue why far.example)" "closed" 'smtp-queue why: the site is closed'
is "$(smtp-deliver -v --now --site "127.0.0.1:$(cat all.port)" 2>&1)" 'delivered 0 deferred 0 failed 0 expired 0' '--site: none of theirs'
conf "route \"*\" { $(to all) }"
is "$(smtp-deliver -v --now 2>&1)" 'delivered 20 deferred 0 failed 0 expired 0' 'and without the section all go'
: >all

# --- a direct way for one sender
conf "resolver = \"127.0.0.1@$(free_port)\"" 'timeout_dns = 1s' "route \"*\" { $(to all) }" 'route "ann@a.example" { tls = encrypt }'
put -d far.example -f ann@a.example seven@far.example
is "$(smtp-deliver --dry-run=route | cut -f 2-3,8)" 'seven@far.example	send	by the MX records of the domain' 'by MX, for one sender'
like "$(smtp-deliver --dry-run=dns | cut -f 2-3,6-)" 'seven@far.example	defer.*4.4.3' 'the DNS is asked'
smtp-deliver
is "$(got all)$(find q/cur -type f | wc -l)" 1 'and it waits for it'
rm -f q/cur/*/*

# --- what cannot be read goes where nobody's would, and is set aside there
conf "$ours"
name=$(qput q -d far.example -f ann@a.example eight@far.example <m)
printf x | dd of="$(echo q/new/*"$name"*)" bs=1 seek=63 conv=notrunc 2>/dev/null
mkfifo q/new/1000000000.0000000000000000,mail,5,far.example
smtp-deliver -v >out 2>&1
is "$(find q/damaged -type f | wc -l) $(find q/new q/cur -type f -o -type p | wc -l)" '1 0' 'a damaged one; a pipe is no message'

# --- another's file that changes its sender between the look and its turn
rm -rf q
conf "$ours" 'site_connections = 1' 'connection_messages = 1'
qput q -d far.example -f ann@a.example data-slow-4s@far.example <m >first
qput q -d far.example -f ann@a.example nine@far.example <m >second
qput q2 -d far.example -f bob@a.example nine@far.example <m >/dev/null
smtp-deliver -v >out 2>&1 &
run=$!
sending() { grep -q '"sending"\|sending' q/new/*"$(cat first)"*; }
until_true 40 sending
mv "$(find q2/new -type f)" q/new/*"$(cat second)"*
wait $run
is "$(cat out) $(got ann)" 'delivered 2 deferred 0 failed 0 expired 0 ann@a.example data-slow-4s@far.example;' \
    'does not go by the login of whom it is not from'
is "$(got all)" 'bob@a.example nine@far.example;' 'but is looked at again, by the same run'
done_testing
