#!/bin/sh
# dkim-sign --batch: each message as it would be signed alone, in order, by any number of threads; what
# cannot be signed is left out, and nothing is lost or made up where writing fails.
. "$(dirname "$0")/lib.sh"
need openssl tar perl
cd "$T" || exit 1
umask 077
openssl genrsa -out r.pem 2048 2>/dev/null
openssl genpkey -algorithm ed25519 -out e.pem
# $sign: its words are options
sign='-d example.com -s e -k e.pem --time 1000'
mkdir one alone
perl -e 'for my $i (1 .. 300) {
    open my $f, ">", sprintf "one/%04d", $i or die;
    print $f "From: a\@example.com\nSubject: m $i\n\n", join("", map { "line $_ of $i\n" } 1 .. $i % 50), $i % 7 ? "" : ">From \nFrom me\n>>From x\n" }
    open my $f, ">", "one/0301" or die; print $f "From: a\@example.com\n\n", "x" x 79, "\n" x 2, ("y" x 70 . "\n") x 50000'
for m in one/*; do
	# shellcheck disable=SC2086
	dkim-sign $sign <"$m" >"alone/${m#one/}"
done

# --- mbox: what comes out is each of them, quoted as it went in
perl -e 'for my $n (@ARGV) { open my $f, "<", $n or die; local $/; my $m = <$f>; $m =~ s/^(>*From )/>$1/mg;
    print "From MAILER Thu Jan  1 00:00:00 1970\n$m\n" }' one/* >box
perl -e 'for my $n (@ARGV) { open my $f, "<", $n or die; local $/; my $m = <$f>; my ($s, $r) = $m =~ /^(DKIM.*?\n)(From: .*)/s;
    $r =~ s/^(>*From )/>$1/mg; print "From MAILER Thu Jan  1 00:00:00 1970\n$s$r\n" }' alone/* >want
for jobs in 1 2 17; do
	# shellcheck disable=SC2086
	dkim-sign $sign --batch mbox --jobs $jobs <box >got
	is "$? $(cmp got want 2>&1)" '0 ' "mbox from a file, $jobs threads: each as if it were alone"
done
# shellcheck disable=SC2086
cat box | dkim-sign $sign --batch mbox | cmp -s - want
result $? 'mbox from a pipe'
sed 's/$/\r/' box >crlf
# shellcheck disable=SC2086
dkim-sign $sign --batch mbox <crlf | tr -d '\r' | cmp -s - want
result $? 'mbox with CRLF'
# shellcheck disable=SC2086
is "$(dkim-sign $sign --batch mbox </dev/null; echo $?)" 0 'an empty one'
fails 'not an mbox' 65 'dkim-sign: stdin: not an mbox: it does not begin with "From "' \
    sh -c "dkim-sign $sign --batch mbox <one/0001"
printf 'From x\nFrom: a@example.com\n\nok\n\nFrom x\nSubject: no From\n\nbad\n\nFrom x\nFrom: a@example.com\n\nok\n' >some
fails 'one that cannot be signed' 65 'dkim-sign: message 2: the message has no From field
dkim-sign: 1 of 3 messages could not be signed and are left out' sh -c "dkim-sign $sign --batch mbox <some >got"
is "$(grep -c '^From x' got) $(grep -c '^ok' got) $(grep -c bad got)" '2 2 0' 'the others are there'
fails 'a full disk' 75 'dkim-sign: stdout: write: No space left on device' sh -c "dkim-sign $sign --batch mbox <box >/dev/full"
fails 'no such kind' 64 'dkim-sign: --batch: "mh" is none of maildir, mbox, tar' sh -c "dkim-sign $sign --batch mh <box"

# --- many senders: each message by its own From, whoever the one before it was from
mkdir -p keys/a.example keys/b.example
cp e.pem keys/a.example/s.pem && cp e.pem keys/b.example/s.pem
perl -e 'my @from = ("x\@a.example", "x\@a.example", "Y <y\@B.example>", "x\@a.example", "x\@a.example, y\@b.example",
    "x\@a.example", "x\@b.example", "x\@b.example\n", "x\@c.example", "x\@b.example");
    for my $i (0 .. 499) { my $f = $from[(7 * $i + int($i / 3)) % 10]; chomp $f; print "From m\nSubject: $i\nFrom: $f\n\nok\n\n";
    my @d = $f =~ /([ab]\.example)/gi; print STDERR "$i ", lc $d[0], "\n" if @d == 1 }' >senders 2>want
for jobs in 1 3; do
	dkim-sign --keydir keys --batch mbox --jobs $jobs <senders >got 2>told
	is "$? $(tail -1 told)" "65 dkim-sign: $((500 - $(wc -l <want))) of 500 messages could not be signed and are left out" \
	    "many senders, $jobs threads"
	perl -00 -ne 'my ($d) = / d=(\S+);/; my ($s) = /^Subject: (\d+)/m; print "$s $d\n" if defined $s' got | cmp - want
	is $? 0 'each by the key of its own domain'
done

# --- tar, plain and compressed
tar -cf in.tar one
mkdir got.d
# shellcheck disable=SC2086
for z in cat gzip xz; do
	command -v $z >/dev/null || continue
	$z <in.tar | dkim-sign $sign --batch tar >out.tar
	is $? 0 "tar through $z"
	rm -rf got.d/one && tar -xf out.tar -C got.d
	is "$(diff -r got.d/one alone)" '' 'each as if it were alone'
done
is "$(tar -tf out.tar | grep -v '/$' | tr '\n' ' ')" "$(tar -tf in.tar | grep -v '/$' | tr '\n' ' ')" 'in order'
like "$(head -c 2560 in.tar | dkim-sign $sign --batch tar 2>&1 >cut.tar; echo $?)" '^dkim-sign: stdin: archive: |^65$' 'a tar that is cut'
fails 'a full disk' 75 'dkim-sign: stdout: write: No space left on device' sh -c "dkim-sign $sign --batch tar <in.tar >/dev/full"

mkdir links
cp one/0001 links/a
ln links/a links/b
tar -cf links.tar links/a links/b
fails 'a message under two names' 65 'dkim-sign: links/b: a hard link to another message of the tar; tar --hard-dereference makes none
dkim-sign: 1 of 2 messages could not be signed and are left out' sh -c "dkim-sign $sign --batch tar <links.tar >out.tar"
is "$(tar -xOf out.tar links/a | cmp - alone/0001 && tar -tf out.tar)" 'links/a' 'its first is signed'

# A message of over 1 MB waits in a file: so many threads, and so many files that wait.
mkdir large
for i in $(seq 40); do
	head -c 1100000 one/0301 >large/$i
done
tar -cf large.tar large
# shellcheck disable=SC2086
is "$(ulimit -n 40; dkim-sign $sign --batch tar --jobs 4 <large.tar 2>&1 | tar -tf - | wc -l)" 40 'large ones, few files'
rm -r large large.tar
# Each place in a load has had a large one, and none keeps the room for it.
if ! sanitized; then
	mkdir mixed
	perl -e 'for my $i (0 .. 31) { for my $k (0 .. $i % 16) { open my $f, ">", sprintf "mixed/%02d.%02d", $i, $k or die;
	    print $f "From: a\@example.com\n\n", "x" x ($k < $i % 16 ? 100 : 1000000) } }'
	tar --sort=name -cf mixed.tar mixed
	# shellcheck disable=SC2086
	is "$(ulimit -d 49152; dkim-sign $sign --batch tar --jobs 2 <mixed.tar 2>&1 | tar -tf - | wc -l)" 272 'large ones among small ones, little memory'
	rm -r mixed mixed.tar
fi

# --- maildir
mkdir -p md/new md/cur md/tmp
cp one/0001 'md/new/1.M1.host'
cp one/0002 'md/cur/2.M2.host,S=120,W=130:2,FS'
cp one/0003 'md/cur/3.M3.host:2,'
cp one/0004 'md/tmp/4.M4.host'
# shellcheck disable=SC2086
dkim-sign $sign --batch maildir md md2
is "$? $(find md2 -type f | sort | tr '\n' ' ')" '0 md2/cur/2.M2.host:2,FS md2/cur/3.M3.host:2, md2/new/1.M1.host ' \
    'maildir: the same names, without sizes'
cmp -s md2/new/1.M1.host alone/0001 && cmp -s md2/cur/2.M2.host:2,FS alone/0002
result $? 'each as if it were alone'
like "$(dkim-sign $sign --batch maildir md md2 2>&1)" 'new/1.M1.host: .*File exists$' 'nothing is replaced'
cmp -s md/new/1.M1.host one/0001
result $? 'and nothing is changed where it was'
# A filesystem without unnamed files, as NFS is.
if ! sanitized && faultrun -n true 2>/dev/null; then
	mkdir -p nfs/new nfs/cur
	cp one/0002 'nfs/cur/2.M2.host,S=120,W=130:2,FS'
	# shellcheck disable=SC2086
	faultrun -o openat -e 1 EOPNOTSUPP dkim-sign $sign --batch maildir nfs nfs2
	is "$? $(find nfs2 -type f | sort | tr '\n' ' ')" '0 nfs2/cur/2.M2.host:2,FS ' 'where files have names from the beginning'
	cmp -s nfs2/cur/2.M2.host:2,FS alone/0002
	result $? 'the same'
fi
fails 'one directory' 64 'dkim-sign: --batch maildir: two directories, the old and the new one' sh -c "dkim-sign $sign --batch maildir md"
fails 'no maildir' 66 'dkim-sign: none: No such file or directory' sh -c "dkim-sign $sign --batch maildir none md3"
fails 'the old one as the new one' 64 'dkim-sign: ./md: the new maildir is the old one' sh -c "dkim-sign $sign --batch maildir md ./md"
[ ! -e md3 ]
result $? 'and nothing is made'
fails 'not a maildir' 66 'dkim-sign: one: not a maildir: no new or no cur in it' sh -c "dkim-sign $sign --batch maildir one md3"
done_testing
