# authentic.sh - what the fault sweeps of dkim-sign, dkim-verify, dkim-keygen, spf-check and sender-check
# share, behind sweep.sh: a key, mail, what is published, and what each of them leaves when all goes well.
need dkim-sign dkim-verify dkim-keygen spf-check sender-check openssl tar
umask 077
cd "$T" || exit 1

openssl genpkey -algorithm ed25519 -out e.pem 2>"$T/.err" || skip_all 'openssl makes no keys here'
cat >zone <<END
e._domainkey.example.org TXT "v=DKIM1; k=ed25519; p=$(openssl pkey -in e.pem -pubout -outform DER | tail -c 32 | base64 -w0)"
example.org TXT "v=spf1 include:spf.example.org -all"
spf.example.org TXT "v=spf1 a:out.example.org -all"
out.example.org A 192.0.2.25
192.0.2.25 PTR out.example.org
example.org MX 10 out.example.org
_dmarc.example.org TXT "v=DMARC1; p=reject; rua=mailto:d@example.org"
END
sign="-d example.org -s e -k $T/e.pem --time 1000"
mkdir -p old/new old/cur old/tmp
for i in 1 2 3 4; do letter $i >"old/new/$i"; done
letter 5 100000 >old/cur/5:2,S
for i in 1 2 3 4; do
	printf 'From a@example.org Thu Jan  1 00:00:00 1970\n'
	tr -d '\r' <"old/new/$i"
	echo
done >box
tar -cf old.tar --mtime=@1000 old/new old/cur

# good FILE COMMAND...: what it prints; "FILE.rc" how it ends
good() {
	f=$1
	shift
	"$@" >"$f"
	echo $? >"$f.rc"
}
# shellcheck disable=SC2086
{
	good signed dkim-sign $sign <old/new/1
	good signed.box dkim-sign $sign --batch mbox <box
	good signed.tar dkim-sign $sign --batch tar <old.tar
	dkim-sign $sign --batch maildir old want
	good verified dkim-verify --keys zone --dmarc <signed
}
good spf spf-check --keys zone --ip 192.0.2.25 a@example.org
good checked sender-check --keys zone --ip 192.0.2.25 --helo out.example.org --selector e --key e.pem example.org
is "$(cat signed.rc signed.box.rc signed.tar.rc verified.rc spf.rc | tr '\n' ' ')$(find want -type f | wc -l)" \
    '0 0 0 0 0 5' 'when nothing fails all is well'

# like_good FILE: printed was the beginning of it; all of it, and with its code, where nothing failed. What
# fails here is our own trouble and never says "no", which is 1, of a message.
like_good() {
	[ "$rc" -ne 75 ] || ! grep -q '^dkim=temperror' "$T/ack" || return 0 # which is an answer, too
	# A format's reader that has no memory is none for libarchive, which goes on to those that take anything.
	[ "$rc" -ne 65 ] || ! grep -q '^mallocfail: in libarchive' "$T/said" || return 0
	ended "$(cat "$T/$1.rc")"
	size=$(stat -c %s "$T/ack")
	[ "$size" -eq 0 ] || cmp -n "$size" "$T/ack" "$T/$1" || echo 'printed is something else; '
	[ "$rc" -ne "$(cat "$T/$1.rc")" ] || [ "$size" -eq "$(stat -c %s "$T/$1")" ] || echo "exit $rc, and not all is printed; "
}
# a maildir: whole messages, nothing else; all of them where nothing failed
whole_maildir() {
	ended
	for f in $(cd "$T/to" 2>/dev/null && find . -type f); do
		cmp "$T/to/$f" "$T/want/$f" || echo "$f is not whole; "
	done
	[ "$rc" -ne 0 ] || [ "$(find "$T/to" -type f | wc -l)" -eq 5 ] || echo 'success, and not all are there; '
}
# a key: whole or not there, for its owner alone; the record printed where nothing failed
whole_key() {
	ended
	if [ -e "$1" ]; then
		openssl pkey -in "$1" -noout 2>&1 || echo "$1 is not whole; "
		[ "$(stat -c %a "$1")" = 600 ] || echo "$1 has mode $(stat -c %a "$1"); "
	fi
	# shellcheck disable=SC2012
	[ "$(ls -A "${1%/*}" | wc -l)" -le 1 ] || echo "$(ls -A "${1%/*}") are there; "
	[ "$rc" -ne 0 ] || dkim-keygen -d example.org -s n -k "$1" --record | cmp - "$T/ack" || echo 'another record; '
}

# changing_sweeps: what writes; asking_sweeps: what judges
changing_sweeps() {
	prepare() { rm -rf "$T/to" "$T/keys"; mkdir "$T/keys"; }
	verify() { like_good signed; }
	victim="dkim-sign $sign" input=$T/old/new/1
	sweep 'dkim-sign'
	verify() { like_good signed.box; }
	victim="dkim-sign $sign --batch mbox --jobs 2" input=$T/box
	sweep 'dkim-sign --batch mbox'
	verify() { like_good signed.tar; }
	victim="dkim-sign $sign --batch tar --jobs 2" input=$T/old.tar
	sweep 'dkim-sign --batch tar'
	verify() { whole_maildir; }
	victim="dkim-sign $sign --batch maildir --jobs 2 $T/old $T/to" input=/dev/null
	sweep 'dkim-sign --batch maildir'
	verify() { whole_key "$T/keys/n.pem"; }
	victim="dkim-keygen -d example.org -s n -a ed25519-sha256 -o $T/keys/n.pem"
	sweep 'dkim-keygen'
	prepare() { rm -rf "$T/keys"; mkdir -p "$T/keys/example.org"; }
	verify() { whole_key "$T/keys/example.org/n.made"; }
	victim="dkim-keygen -d example.org -s n -a ed25519-sha256 --keydir $T/keys --rotate make --keys $T/zone"
	sweep 'dkim-keygen --rotate make'
}
asking_sweeps() {
	prepare() { :; }
	verify() { like_good verified; }
	victim="dkim-verify --keys $T/zone --dmarc" input=$T/signed
	sweep 'dkim-verify --dmarc'
	verify() { like_good spf; }
	victim="spf-check --keys $T/zone --ip 192.0.2.25 a@example.org" input=/dev/null
	sweep 'spf-check'
	verify() { like_good checked; }
	victim="sender-check --keys $T/zone --ip 192.0.2.25 --helo out.example.org --selector e --key $T/e.pem example.org"
	sweep 'sender-check'
}
