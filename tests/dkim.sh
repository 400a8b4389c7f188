# dkim.sh - verifiers of others, for tests that source it behind lib.sh.

# A python3 that has dkimpy: the one on PATH may be another than the system's.
PYTHON=
for p in python3 /usr/bin/python3; do
	"$p" -c 'import dkim' 2>/dev/null && PYTHON=$p && break
done

# The DNS as a file: lines "SELECTOR._domainkey.DOMAIN RECORD", made by `publish`
KEYS=$T/dns
: >"$KEYS"

# publish SELECTOR DOMAIN KEYFILE: by openssl, not by our own tools
publish() {
	if openssl pkey -in "$3" -noout -text | grep -qi ed25519; then
		r="k=ed25519; p=$(openssl pkey -in "$3" -pubout -outform DER | tail -c 32 | base64 -w0)"
	else
		r="k=rsa; p=$(openssl pkey -in "$3" -pubout -outform DER | base64 -w0)"
	fi
	echo "$1._domainkey.$2 v=DKIM1; $r" >>"$KEYS"
}

# by_dkimpy MESSAGE...: "pass pass fail", a word a signature, a line a message
by_dkimpy() {
	"$PYTHON" -c '
import dkim, sys
keys = dict(l.rstrip("\n").split(" ", 1) for l in open(sys.argv[1]))
def dns(name, timeout=5):
    r = keys.get(name.decode().rstrip("."))
    return r.encode() if r else None
for f in sys.argv[2:]:
    m = open(f, "rb").read()
    words = []
    for i in range(sum(1 for h in dkim.rfc822_parse(m)[0] if h[0].lower() == b"dkim-signature")):
        try:
            words.append("pass" if dkim.DKIM(m).verify(idx=i, dnsfunc=dns) else "fail")
        except dkim.DKIMException:
            words.append("fail")
    print(" ".join(words) or "none")
' "$KEYS" "$@"
}

# by_perl MESSAGE...: the same by Mail::DKIM
by_perl() {
	perl -e '
use Mail::DKIM::Verifier; use Mail::DKIM::DNS; use Net::DNS;
my $file = shift; open my $k, "<", $file or die; my %keys = map { chomp; split / /, $_, 2 } <$k>;
no warnings;
*Mail::DKIM::DNS::query = sub { my ($name) = @_; my $r = $keys{lc $name}; return unless $r;
    return Net::DNS::RR->new(name => $name, type => "TXT", txtdata => [$r =~ /(.{1,255})/g]) };
for my $m (@ARGV) {
    open my $f, "<", $m or die; binmode $f; local $/; my $text = <$f>; $text =~ s/\r?\n/\r\n/g;
    my $v = Mail::DKIM::Verifier->new; $v->PRINT($text); $v->CLOSE;
    print join(" ", map { $_->result } $v->signatures) || "none", "\n";
}' "$KEYS" "$@"
}

# OpenDKIM is unpacked, not installed: its package starts a service.
OPENDKIM=$TOP/build/peers/opendkim
opendkim_here() {
	[ -f "$OPENDKIM/libpath" ] && [ -x "$OPENDKIM/usr/sbin/opendkim" ]
}

# opendkim CONFIG MESSAGE: its filter, in its test mode
opendkim() {
	LD_LIBRARY_PATH=$(cat "$OPENDKIM/libpath") "$OPENDKIM/usr/sbin/opendkim" -x "$1" -vv -t "$2" 2>/dev/null
}
# opendkim_conf LINE...: what both of its modes want
opendkim_conf() {
	printf 'Socket local:%s/sock\nUserID %s\nRequireSafeKeys no\n' "$T" "$(id -un)"
	printf '%s\n' "$@"
}

# by_opendkim MESSAGE...: the same by OpenDKIM; its test mode wants a last line end
by_opendkim() {
	opendkim_conf 'Mode v' "TestPublicKeys $KEYS" >"$T/opendkim.conf"
	for m; do
		sed '$a\' "$m" >"$T/whole"
		opendkim "$T/opendkim.conf" "$T/whole" | grep -Eo 'dkim=[a-z]+' | sed 's/dkim=//' | tr '\n' ' ' | sed 's/ $//'
		echo
	done
}

# opendkim_signs DOMAIN SELECTOR KEY CANON MESSAGE: the message with its signature in front
opendkim_signs() {
	opendkim_conf 'Mode s' "Domain $1" "Selector $2" "KeyFile $3" "Canonicalization $4" \
	    'SignatureAlgorithm rsa-sha256' 'InternalHosts 0.0.0.0/0' >"$T/opendkim.conf"
	opendkim "$T/opendkim.conf" "$5" | perl -0777 -ne "
	    /hname='DKIM-Signature' hvalue='(.*?)'/s or exit 1; (my \$v = \$1) =~ s/\r//g; print qq(DKIM-Signature: \$v\n)" &&
	    cat "$5"
}
