#!/bin/sh
# Built without libcrypto (CFLAGS=-DWITHOUT_LIBCRYPTO), GnuTLS makes every signature: the same bytes.
. "$(dirname "$0")/lib.sh"
need openssl
cd "$T" || exit 1
umask 077

# The build's own compiler and options; of its modules rsa.c alone knows of libcrypto.  What is given
# as a file goes before what lies in the archive.
mkdir -p b/bin b/tests
libs='' line=''
for word in $(cat "$BUILD/flags"); do
	case $word in
	-l*) libs="$libs $word" ;;
	*) line="$line $word" ;;
	esac
done
# without PROGRAM SOURCE
without() {
	# shellcheck disable=SC2086
	(cd "$TOP" && $line -Itests -DWITHOUT_LIBCRYPTO -o "$T/b/$1" "$2" lib/rsa.c "$BUILD/librelay.a" $libs) >cc.out 2>&1
}
without bin/dkim-sign bin/dkim-sign.c || skip_all "no compiler here: $(tail -1 cc.out)"
result $? 'it builds'
is "$(cat cc.out)" '' 'without a warning'
without tests/crypt tests/0131-crypt.c
result $? 'so do the tests of keys and signatures'
b/tests/crypt >unit 2>&1
is "$? $(grep '^not ok' unit)" '0 ' 'which pass'

openssl genrsa -out r1.pem 1024 2>/dev/null
openssl genrsa -out r2.pem 2048 2>/dev/null
openssl genpkey -algorithm ed25519 -out e.pem
for i in $(seq 40); do
	printf 'From a@example.org Thu Jan  1 00:00:00 1970\nFrom: a@example.org\nSubject: %s\n\nbody %s \t\n\n' "$i" "$i"
done >box
for keys in '-s a -k r1.pem' '-s b -k r2.pem' '-s c -k e.pem' '-s b -k r2.pem -s c -k e.pem'; do
	# shellcheck disable=SC2086
	set -- -d example.org $keys --time 1000 --batch mbox
	dkim-sign "$@" <box >with 2>with.err
	a=$?
	b/bin/dkim-sign "$@" <box >got 2>got.err
	is "$? $(cat got.err) $(cmp with got 2>&1)" "$a $(cat with.err) " "the same bytes: $keys"
done
LD_DEBUG=files b/bin/dkim-sign -d example.org -s b -k r2.pem --batch mbox <box 2>files >got
is "$? $(grep -c libcrypto files) $(grep -c '^DKIM-Signature: ' got)" '0 0 40' 'and libcrypto is not loaded'

# --- what is asked of a batch, asked of this one
for f in "$BUILD"/bin/*; do [ -e "b/bin/${f##*/}" ] || ln -s "$f" b/bin; done
ln -s "$BUILD/faults" b
BUILD=$T/b sh "$TOP/tests/1502-dkim-batch.t" >batch 2>&1
is "$? $(grep '^not ok' batch)" '0 ' "$(grep -c '^ok' batch) tests of --batch pass with it"
done_testing
