#!/bin/sh
# dkim-sign: what goes in front, what stays, which key, and every refusal with nothing on stdout.
. "$(dirname "$0")/lib.sh"
need openssl
D=$TOP/tests/data/dkim

umask 077
cd "$T" || exit 1
cp "$D"/*.pem .
chmod 600 ./*.pem
openssl genrsa -out r.pem 2048 2>/dev/null
openssl genrsa -traditional -out r1.pem 2048 2>/dev/null
openssl genpkey -algorithm ed25519 -out e.pem
openssl pkey -in e.pem -aes-256-cbc -passout pass:secret -out enc.pem
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem
openssl genrsa -out small.pem 768 2>/dev/null
printf 'From: Ann <ann@example.com>\nTo: bob@example.org\nSubject: x\n\nHello.\n' >lf.eml
sed 's/$/\r/' lf.eml >crlf.eml

# --- the output is the input, with a signature in front
# unchanged WHAT FILE OPTIONS...: all but the DKIM-Signature fields is the input, byte for byte
unchanged() {
	what=$1 in=$2
	shift 2
	dkim-sign "$@" <"$in" >out.eml 2>err || { result 1 "$what"; sed 's/^/# /' err; return; }
	n=$(($(wc -c <out.eml) - $(wc -c <"$in")))
	[ "$n" -gt 0 ] && tail -c "+$((n + 1))" out.eml | cmp -s - "$in" &&
	    head -c 16 out.eml | grep -q '^DKIM-Signature: '
	result $? "$what"
}
unchanged 'LF' lf.eml -d example.com -s s -k e.pem
is "$(grep -c "$(printf '\r')" out.eml)" 0 'LF in, LF out'
unchanged 'CRLF' crlf.eml -d example.com -s s -k e.pem
is "$(grep -vc "$(printf '\r')" out.eml)" 0 'CRLF in, CRLF out'
printf 'From: ann@example.com' >bare.eml
unchanged 'no line end, no body' bare.eml -d example.com -s s -k e.pem
printf 'From: ann@example.com\n\n' >empty.eml
unchanged 'an empty body' empty.eml -d example.com -s s -k e.pem
printf 'From: ann@example.com\n\nno end' >noend.eml
unchanged 'no last line end' noend.eml -d example.com -s s -k e.pem
printf 'From: J\303\266rg <j\303\266@b\303\274cher.example>\n\n\377\200\n' >eight.eml
unchanged '8-bit header and body' eight.eml -s s -k e.pem
like "$(tr -d '\n' <out.eml)" 'd=xn--bcher-kva.example;' 'A-labels in d=, RFC 8616'
{ printf 'From: ann@example.com\n\n'; head -c 3000000 /dev/zero | tr '\0' a; } >long.eml
unchanged 'a line of 3 MB, which waits in a file' long.eml -d example.com -s s -k e.pem
unchanged 'two keys at once' lf.eml -d example.com -s r -k r.pem -s e -k e.pem
is "$(grep -c '^DKIM-Signature: ' out.eml)" 2 'are two signatures'
unchanged 'one key before its names' lf.eml -k e.pem -s s -d example.com
like "$(tr -d '\n\t' <out.eml)" 'd=example.com; s=s;' 'is for them'
unchanged 'between them' lf.eml -d example.com -k e.pem -s s
unchanged 'PKCS#1' lf.eml -d example.com -s r -k r1.pem
unchanged 'only one algorithm' lf.eml -d example.com -s r -k r.pem -s e -k e.pem -a ed25519-sha256
like "$(cat out.eml)" '^DKIM-Signature: v=1; a=ed25519-sha256;' 'by -a'
is "$(grep -c '^DKIM-Signature: ' out.eml)" 1 'is one signature'
unchanged 'two domains' lf.eml -d example.com -s r -k r.pem -d provider.example -s e -k e.pem
like "$(grep -o 'd=[a-z.]*' out.eml | tr '\n' ' ')" '^d=example.com d=provider.example' 'each with its own'

# --- the bytes are those of the RFC's key: RSA without randomness, the same whoever makes it
dkim-sign -d football.example.com -s test -k rfc8463-test.pem --time 1528637909 <lf.eml >one 2>err
like "$(cat err)" '^dkim-sign: key rfc8463-test.pem: 1024 bits are weak, use 2048 \(RFC 8301\)$' 'a weak key is told'
{ echo 'From x@y Thu Jan  1 00:00:00 1970'; cat lf.eml; } >box
dkim-sign -d football.example.com -s test -k rfc8463-test.pem --time 1528637909 --batch mbox <box 2>/dev/null | tail -n +2 >two
is "$(cat two)" "$(cat one)" 'libcrypto and GnuTLS make the same signature'
chmod 644 e.pem
dkim-sign -d example.com -s e -k e.pem <lf.eml 2>&1 >/dev/null | grep -q 'key e.pem: others than its owner may read it'
result $? 'a key that others may read is told'
chmod 600 e.pem

# --- passwords
echo secret >pw
PW=secret
export PW
unchanged 'password from a file' lf.eml -s e -k enc.pem --password-file pw
unchanged 'from the environment' lf.eml -s e -k enc.pem --password-env PW
unchanged 'from a command' lf.eml -s e -k enc.pem --password-command 'echo secret; echo more'
# shellcheck disable=SC2016
unchanged 'with signals as usual: a pipe that nobody reads ends it' lf.eml -s e -k enc.pem \
    --password-command 'sh -c '\''kill -PIPE $$; echo ignored'\''; echo secret'
# refused WHAT CODE STDERR INPUT OPTIONS...: and nothing on standard output
refused() {
	what=$1 want=$2 text=$3 in=$4
	shift 4
	dkim-sign "$@" <"$in" >out 2>err
	rc=$?
	[ "$rc $(cat err)" = "$want dkim-sign: $text" ] && [ ! -s out ]
	result $? "$what" || echo "# exit $rc: $(cat err)"
}
refused 'no password' 77 'key enc.pem: it is encrypted and no password is given' lf.eml -s e -k enc.pem
echo wrong >pw
refused 'a wrong one' 77 'key enc.pem: the password is wrong' lf.eml -s e -k enc.pem --password-file pw
refused 'an unset variable' 77 'key enc.pem: password: $NOPW is not set' lf.eml -s e -k enc.pem --password-env NOPW
refused 'a command that fails' 77 'key enc.pem: password command: it ended with exit code 3' lf.eml -s e -k enc.pem \
    --password-command 'echo secret; exit 3'
: >pw
refused 'an empty file' 77 'key enc.pem: password file pw: it is empty' lf.eml -s e -k enc.pem --password-file pw

# --- refusals
printf 'To: b@example.org\n\n' >nofrom
refused 'no From' 65 'the message has no From field' nofrom -d example.com -s e -k e.pem
printf 'From: a@example.com\nfrom: a@example.com\n\n' >twofrom
refused 'two of them' 65 'the message has 2 From fields' twofrom -d example.com -s e -k e.pem
printf 'From: a@example.com\n\nb\0\n' >nul
refused 'NUL' 65 'a NUL in the body' nul -d example.com -s e -k e.pem
printf 'From: a@example.com\n\nb\rc\n' >cr
refused 'bare CR' 65 'a CR without LF in the body' cr -d example.com -s e -k e.pem
refused 'an EC key' 78 'key ec.pem: the key is neither RSA nor Ed25519, but EC/ECDSA' lf.eml -s e -k ec.pem
refused '768 bits' 78 'key small.pem: the RSA key has 768 bits, 1024 to 8192 are allowed' lf.eml -s e -k small.pem
refused 'no such file' 66 'key none.pem: No such file or directory' lf.eml -s e -k none.pem
refused 'a selector for nothing' 64 '-s e: no -k behind it' lf.eml -s r -k r.pem -s e
refused 'a domain for nothing' 64 '-d b.example: no -k behind it' lf.eml -d a.example -s r -k r.pem -s e -k e.pem -d b.example
refused 'no selector' 64 '-k e.pem: its selector must be given before it, by -s' lf.eml -k e.pem
refused 'a path as selector' 64 '"../x" is not a selector: letters, digits, "-", "_" and dots between them' \
    lf.eml -s ../x -k e.pem
refused 'no key at all' 78 'no -k, no --keydir, and no key in the configuration' lf.eml
refused 'no directory of keys' 66 'keys in nokeys: No such file or directory' lf.eml --keydir nokeys
refused 'a file instead' 66 'keys in lf.eml: it is no directory' lf.eml --keydir lf.eml
echo "dkim_keydir = \"$T/nokeys\"" >nokeys.conf
refused 'the same of the configuration' 66 "keys in $T/nokeys: No such file or directory" lf.eml -C nokeys.conf
refused 'two ways' 64 '-k and --keydir do not go together' lf.eml -s e -k e.pem --keydir .
refused 'i= elsewhere' 64 'i=a@example.org is neither in example.com nor below it' lf.eml -d example.com -s e -k e.pem \
    -i a@example.org
refused '--jobs of one message' 64 '--jobs is for --batch' lf.eml -s e -k e.pem --jobs 2
refused 'From must be signed' 64 '--headers: From must be signed (RFC 6376 5.4)' lf.eml -s e -k e.pem --headers To
refused 'a form' 64 '-c: "strict" is not simple or relaxed, "/", simple or relaxed' lf.eml -s e -k e.pem -c strict
refused 'an algorithm' 64 '-a: "rsa-sha1" is neither rsa-sha256 nor ed25519-sha256' lf.eml -s e -k e.pem -a rsa-sha1
refused 'a time' 64 '--time: "0" is not a number from 1 to 1099511627776' lf.eml -s e -k e.pem --time 0
refused 'x= without t=' 64 '--expire needs a time of signing' lf.eml -s e -k e.pem --expire 5d --time none
fails 'a full disk is not success' 75 'dkim-sign: stdout: write: No space left on device' \
    sh -c 'dkim-sign -d example.com -s e -k e.pem <lf.eml >/dev/full'
fails 'nor for a large message' 75 'dkim-sign: stdout: write: No space left on device' \
    sh -c 'dkim-sign -d example.com -s e -k e.pem <long.eml >/dev/full'
fails 'no place for one' 75 'dkim-sign: temporary file: create in /nonexistent: No such file or directory' \
    sh -c 'TMPDIR=/nonexistent dkim-sign -d example.com -s e -k e.pem <long.eml'
fails 'closed standard output' 75 'dkim-sign: stdout: write: Bad file descriptor' \
    sh -c 'dkim-sign -d example.com -s e -k e.pem <lf.eml >&-'
fails 'closed standard input' 75 'dkim-sign: stdin: read: Bad file descriptor' \
    sh -c 'dkim-sign -d example.com -s e -k e.pem <&-'

# --- keys by domain
mkdir -p keys/example.com keys/news.example.com keys/empty.example.com
cp e.pem keys/example.com/e1.pem
cp r.pem keys/example.com/r1.pem
cp e.pem keys/news.example.com/n1.pem
echo rubbish >keys/example.com/r0.pem.old
# by_domain FROM: "d=... s=..." of each signature
by_domain() {
	from=$1
	shift
	printf 'From: a@%s\n\nx\n' "$from" | dkim-sign "$@" 2>&1 | tr -d '\n' | grep -Eo ' d=[^;]*; s=[^;]*|no key.*' | tr '\n' ' '
}
is "$(by_domain example.com --keydir keys)" ' d=example.com; s=e1  d=example.com; s=r1 ' 'all keys of the domain'
is "$(by_domain a.b.Example.com --keydir keys)" ' d=example.com; s=e1  d=example.com; s=r1 ' 'and for those below it'
is "$(by_domain x.news.example.com --keydir keys)" ' d=news.example.com; s=n1 ' 'the nearest domain'
is "$(by_domain empty.example.com --keydir keys)" ' d=example.com; s=e1  d=example.com; s=r1 ' 'that has any'
is "$(by_domain example.com --keydir keys -s r1)" ' d=example.com; s=r1 ' 'selectors chosen'
is "$(by_domain example.com --keydir keys -a rsa-sha256)" ' d=example.com; s=r1 ' 'algorithms chosen'
is "$(by_domain badexample.com --keydir keys)" 'no key for badexample.com ' 'another domain with the same end'
printf 'From: a@[192.0.2.1]\n\nx\n' >literal
refused 'an address literal is no d=' 65 '"[192.0.2.1]" is not a domain' literal -s e -k e.pem
unchanged 'but somebody may sign it' literal -d example.com -s e -k e.pem
refused 'a domain that ends the tag' 64 '-d: "a;b.example" is not a domain' lf.eml -d 'a;b.example' -s e -k e.pem
refused 'no key for it' 65 'no key for example.org' /dev/stdin --keydir keys <<'M'
From: a@example.org

M
refused 'a domain that leads elsewhere' 65 'From: address "a@..": the domain has a dot with nothing before it' /dev/stdin --keydir keys <<'M'
From: a@..

M
cat >c <<C
dkim "example.com/e" { key = "$T/e.pem" }
dkim "example.com/r" { key = "$T/r.pem" canonicalization = "simple/relaxed" expire = 5d query = yes }
dkim "news.example.com/n" { key = "$T/e.pem" }
dkim "provider.example/p" { key = "$T/e.pem" for = "example.com, example.net" }
C
is "$(by_domain example.com -C c)" ' d=example.com; s=e  d=example.com; s=r  d=provider.example; s=p ' 'configured'
is "$(by_domain a.news.example.com -C c)" ' d=news.example.com; s=n ' 'the nearest section'
is "$(by_domain a.example.net -C c)" ' d=provider.example; s=p ' 'a section for others'
is "$(by_domain example.org -C c)" 'no key for example.org ' 'none'
echo 'dkim "all.example/p" { key = "'"$T"'/e.pem" for = "*" }' >>c
is "$(by_domain example.org -C c)" ' d=all.example; s=p ' 'one for every message'
is "$(by_domain a.news.example.com -C c)" ' d=news.example.com; s=n  d=all.example; s=p ' 'beside the nearest'
dkim-sign -C c <lf.eml | tr -d '\n' | grep -Eq 'c=simple/relaxed; d=example.com; s=r; q=dns/txt; t=[0-9]+; x=[0-9]+;'
result $? 'the keys of a section'
echo "dkim_keydir = \"$T/keys\"" >c
is "$(by_domain a.example.com -C c)" ' d=example.com; s=e1  d=example.com; s=r1 ' 'a configured directory'
echo 'dkim "x" { key = "k" }' >c
refused 'a title' 78 'c:1: dkim "x": not DOMAIN/SELECTOR' lf.eml -C c
echo 'dkim "example.com/s" { }' >c
refused 'no key in it' 78 'c:1: dkim "example.com/s": it names no key' lf.eml -C c
echo 'dkim "example.com/s" { key = "'"$T"'/ec.pem" }' >c
refused 'not a key' 78 "dkim \"example.com/s\": key $T/ec.pem: the key is neither RSA nor Ed25519, but EC/ECDSA" lf.eml -C c

# --- memory
head -c 50000000 /dev/zero | tr '\0' a | fold -w 76 >body
cat lf.eml body >large.eml
sanitized && limit=unlimited || limit=60000
ok 'a large message in little memory' sh -c 'ulimit -v '$limit'; dkim-sign -d example.com -s e -k e.pem <large.eml >out.eml'
tail -c "$(wc -c <large.eml)" out.eml | cmp -s - large.eml
result $? 'as it was'
done_testing
