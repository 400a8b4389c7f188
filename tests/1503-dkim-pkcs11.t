#!/bin/sh
# dkim-sign with a key in a token (SoftHSM): the same bytes as from the file, its PIN, many at once.
. "$(dirname "$0")/lib.sh"
need openssl softhsm2-util
cd "$T" || exit 1
umask 077
mkdir tokens
echo "directories.tokendir = $T/tokens" >softhsm.conf
SOFTHSM2_CONF=$T/softhsm.conf PIN=1234
export SOFTHSM2_CONF PIN
openssl genrsa -out r.pem 2048 2>/dev/null
openssl pkcs8 -topk8 -nocrypt -in r.pem -out k8.pem
softhsm2-util --init-token --free --label relaykit --pin 1234 --so-pin 5678 >log 2>&1 &&
    softhsm2-util --import k8.pem --token relaykit --label key --id 01 --pin 1234 >>log 2>&1 || skip_all 'SoftHSM makes no token'
uri='pkcs11:token=relaykit;object=key;type=private'
printf 'From: a@example.com\nSubject: x\n\nHello.\n' >m
dkim-sign -d example.com -s s -k "$uri" --password-env PIN --time 1000 <m >token 2>err || grep -q 'object is not available' err &&
    [ ! -s token ] && skip_all 'p11-kit does not know SoftHSM here'
dkim-sign -d example.com -s s -k r.pem --time 1000 <m >file
is "$(cat token)" "$(cat file)" 'the same signature as with the key in a file'
for i in $(seq 40); do printf 'From x\n'; cat m; echo; done >box
dkim-sign -d example.com -s s -k "$uri" --password-env PIN --time 1000 --batch mbox --jobs 4 <box >many
is "$? $(sort -u many | wc -l)" "0 $({ cat file; echo 'From x'; echo; } | sort -u | wc -l)" 'many at once'
PIN=9999
# refused WHAT CODE STDERR OPTIONS...
refused() {
	what=$1 want=$2 text=$3
	shift 3
	dkim-sign -d example.com -s s "$@" <m >out 2>err
	rc=$?
	is "$rc $(cat err)$(cat out)" "$want $text" "$what"
}
refused 'a wrong PIN' 77 "dkim-sign: key $uri: the token's PIN: Error in provided PIN" -k "$uri" --password-env PIN
refused 'none' 77 "dkim-sign: key $uri: the token's PIN: Error in provided PIN" -k "$uri"
PIN=1234
none='pkcs11:token=other;object=key;type=private'
refused 'no such token' 78 "dkim-sign: key $none: the token's key: The requested PKCS #11 object is not available" \
    -k "$none" --password-env PIN
ok 'the PIN still works: it was tried once each time' sh -c \
    "dkim-sign -d example.com -s s -k '$uri' --password-env PIN <m >/dev/null"
dkim-keygen -d example.com -s s -k "$uri" --password-env PIN --record >record
is "$(grep -o '"[^"]*"' record | tr -d '"\n')" \
    "v=DKIM1; k=rsa; p=$(openssl pkey -in r.pem -pubout -outform DER | base64 -w0)" 'its record'
done_testing
