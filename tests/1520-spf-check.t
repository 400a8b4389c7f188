#!/bin/sh
# spf-check: options, output, exit codes.  What the results are, 0141-spf and 4500-spf-suite look at.
. "$(dirname "$0")/lib.sh"

cat >"$T/keys" <<'END'
example.com TXT "v=spf1 ip4:192.0.2.0/24 include:other.example -all exp=why.example.com"
other.example TXT "v=spf1 a:" "mail.other.example ?all"
mail.other.example A 198.51.100.1
why.example.com TXT "%{i} is not %{d}'s; ask %{l} or (%{r}) \"now\""
helo.example TXT "v=spf1 a:%{h} ~all"
helo.example A 192.0.2.1
broken.example TXT "v=spf1 ipv4:192.0.2.1"
away.example SERVFAIL
slow.example TIMEOUT
END
check() { spf-check --keys "$T/keys" "$@"; }
# says CODE TEXT WHAT OPTION...: exit code and standard output
says() {
	code=$1 text=$2 what=$3
	shift 3
	out=$(check "$@" 2>&1)
	is "$? $out" "$code $text" "$what"
}

says 0 'spf=pass (ip4:192.0.2.0/24 of example.com matches) smtp.mailfrom=ann@example.com' 'pass is 0' \
    --ip 192.0.2.1 ann@example.com
says 0 'spf=pass (a:mail.other.example of other.example matches) smtp.mailfrom=ann@example.com' \
    'the term of an included record is named' --ip 198.51.100.1 ann@example.com
says 1 "spf=fail (-all of example.com matches) smtp.mailfrom=ann@example.com
explanation: 203.0.113.9 is not example.com's; ask ann or (mx.example.net) \"now\"" 'fail is 1, with its explanation' \
    --ip 203.0.113.9 --receiver mx.example.net ann@example.com
six=2.0.0.1.0.D.B.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1 # RFC 7208 7.3
says 1 "spf=fail (-all of example.com matches) smtp.mailfrom=example.com
explanation: $six is not example.com's; ask postmaster or (r) \"now\"" 'a domain means postmaster' \
    --ip 2001:db8::1 --receiver r example.com
says 0 'spf=pass (a:%{h} of helo.example matches) smtp.helo=helo.example' 'without a sender it is the HELO name' \
    --ip 192.0.2.1 --helo helo.example
says 0 'spf=pass (a:%{h} of helo.example matches) smtp.helo=helo.example' 'so with the null sender' \
    --ip 192.0.2.1 --helo helo.example '<>'
says 1 'spf=none (none.example has no SPF record) smtp.mailfrom=a@none.example' 'none is 1' --ip 192.0.2.1 a@none.example
says 1 'spf=permerror (the record of broken.example: "ipv4:192.0.2.1": no mechanism or modifier) smtp.mailfrom=a@broken.example' \
    'permerror is 1 and names the term' --ip 192.0.2.1 a@broken.example
says 75 'spf=temperror (TXT of away.example: SERVFAIL) smtp.mailfrom=a@away.example' 'SERVFAIL is 75' \
    --ip 192.0.2.1 a@away.example
says 75 'spf=temperror (TXT of slow.example: timed out) smtp.mailfrom=a@slow.example' 'so is a timeout' \
    --ip 192.0.2.1 a@slow.example
says 1 'spf=none ("x y" is no domain with an SPF record) smtp.mailfrom="a@x y"' 'what is no token is quoted' \
    --ip 192.0.2.1 'a@x y'
esc=$(printf '\033')
says 1 "spf=none (\"x?[31m\\)\" is no domain with an SPF record) smtp.mailfrom=\"a@x?[31m)\"" \
    'no control character comes through' --ip 192.0.2.1 "a@x${esc}[31m)"

echo 'hostname = "mx.example.net"' >"$T/conf"
is "$(check -C "$T/conf" --header --ip 192.0.2.1 ann@example.com)" "Authentication-Results: mx.example.net;
	spf=pass (ip4:192.0.2.0/24 of example.com matches) smtp.mailfrom=ann@example.com" 'a header'
is "$(check -C "$T/conf" --json --ip 203.0.113.9 --helo h ann@example.com)" \
    '{"result":"fail","reason":"-all of example.com matches","domain":"example.com","ip":"203.0.113.9","sender":"ann@example.com","helo":"h","lookups":2,"void_lookups":0,"explanation":"203.0.113.9 is not example.com'"'"'s; ask ann or (mx.example.net) \"now\""}' \
    'JSON'
is "$(check --tree --ip 192.0.2.1 ann@example.com)" "spf=pass (ip4:192.0.2.0/24 of example.com matches) smtp.mailfrom=ann@example.com
0	ip4:192.0.2.0/24 *	example.com
2	include:other.example	example.com
1	  a:mail.other.example	other.example
0	  ?all *	other.example
0	-all	example.com
2	lookups, 10 are allowed
0	void lookups, 2 are allowed" 'the tree: all terms, whatever matched'

# --overlay goes on to the DNS, which nobody answers here.
printf 'example.com TXT "v=spf1 +all"\n' >"$T/zone"
is "$(spf-check --overlay "$T/zone" --resolver 127.0.0.1@9 --ip 192.0.2.1 example.com)" \
    'spf=pass (+all of example.com matches) smtp.mailfrom=example.com' 'an overlay answers'
spf-check --overlay "$T/zone" --resolver 127.0.0.1@9 --timeout 1s --ip 192.0.2.1 example.net >"$T/out" 2>&1
is "$?" 75 'what it does not have is asked of the DNS'
like "$(cat "$T/out")" '^spf=temperror \(TXT of example.net: ' 'which says why it does not know'

fails 'no address' 64 "spf-check: which address sends? --ip says it
$(spf-check --help)" spf-check a@example.com
fails 'a wrong address' 64 'spf-check: --ip: "x" is no address' spf-check --ip x a@example.com
fails 'no domain to check' 64 'spf-check: neither a sender nor --helo: there is no domain to check' \
    spf-check --ip 192.0.2.1
fails 'keys and overlay' 64 'spf-check: --keys and --overlay exclude each other' \
    check --overlay "$T/zone" --ip 192.0.2.1 a@example.com
fails 'no such file' 66 "spf-check: $T/no: no such file" spf-check --keys "$T/no" --ip 192.0.2.1 a@example.com
echo 'a TXT x' >"$T/bad"
fails 'a wrong file' 65 "spf-check: $T/bad:1: TXT wants its strings in quotes" \
    spf-check --keys "$T/bad" --ip 192.0.2.1 a@example.com
fails 'a wrong time' 64 'spf-check: --timeout: not between 1s and 1d' \
    check --timeout 0 --ip 192.0.2.1 a@example.com
fails 'a full disk is not success' 75 'spf-check: stdout: No space left on device' \
    sh -c 'spf-check --keys "$1" --ip 192.0.2.1 ann@example.com >/dev/full' sh "$T/keys"
done_testing
