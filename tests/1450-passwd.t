#!/bin/sh
# smtp-passwd: keys that Python and GNU SASL make likewise, what is refused, a file never half written.
. "$(dirname "$0")/lib.sh"
need python3
cd "$T" || exit 1

passwd() {
	smtp-passwd --users users "$@"
}
# word PASSWORD COMMAND...: passwd with that password on standard input
word() {
	printf '%s\n' "$1" >"$T/word"
	shift
	passwd "$@" <"$T/word"
}

ok 'a first user' word pencil add --from ann@example.org --from @sales.example.org ann
like "$(head -1 users)" '^relaykit-users 1 [A-Za-z0-9+/]{32}$' 'the first line and its seed'
is "$(stat -c %a users)" 600 'nobody else may read it'
is "$(passwd list)" "ann	scram-sha-256	ann@example.org,@sales.example.org	" 'list'
is "$(passwd --json list ann)" \
    '{"name":"ann","keys":"scram-sha-256","from":"ann@example.org,@sales.example.org","disabled":false}' \
    'list as JSON'
ok 'the right password' word pencil check ann
fails 'a wrong one' 77 'smtp-passwd: wrong password' word Pencil check ann
fails 'nobody' 67 'smtp-passwd: no user "bob"' word pencil check bob
ok 'with every kind of key' word 'I­X' add --keys yescrypt,scram-sha-256,scram-sha-1,cram-md5 --iterations 4096 bob@example.org
ok 'SASLprep: a soft hyphen is nothing' word IX check bob@example.org
is "$(grep -cE 'pencil|(^|[^A-Za-z0-9+/=.$])IX([^A-Za-z0-9+/=.$]|$)' users)" 0 'no password is in the file'

cat >keys.py <<'P'
# The keys of a line, made again from the password by Python's own means.
import base64, ctypes, ctypes.util, hashlib, hmac, re, struct, sys
password = sys.argv[2].encode()
line = [l for l in open('users') if l.startswith(sys.argv[1] + ' ')][0].split()
for f in line[1:]:
    m = re.match(r'SCRAM-(SHA-\d+)\$(\d+):([^$]+)\$([^:]+):(.*)$', f)
    if m:
        h = {'SHA-256': 'sha256', 'SHA-1': 'sha1'}[m[1]]
        salted = hashlib.pbkdf2_hmac(h, password, base64.b64decode(m[3]), int(m[2]))
        stored = hashlib.new(h, hmac.new(salted, b'Client Key', h).digest()).digest()
        server = hmac.new(salted, b'Server Key', h).digest()
        print(m[1], m[2], [base64.b64encode(stored).decode(), base64.b64encode(server).decode()] == [m[4], m[5]])
    elif f.startswith('$'):
        c = ctypes.CDLL(ctypes.util.find_library('crypt'))
        c.crypt.restype = ctypes.c_char_p
        print(f[:3], c.crypt(password, f.encode()) == f.encode())
    elif f.startswith('CRAM-MD5$'):
        # RFC 1321's compression over one block, in plain Python
        import math
        K = [int(abs(math.sin(i + 1)) * 2**32) & 0xffffffff for i in range(64)]
        R = [7, 12, 17, 22] * 4 + [5, 9, 14, 20] * 4 + [4, 11, 16, 23] * 4 + [6, 10, 15, 21] * 4
        def block(b):
            s = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]
            x = struct.unpack('<16I', b)
            a, bb, c, d = s
            for i in range(64):
                if i < 16: v, g = (bb & c) | (~bb & d), i
                elif i < 32: v, g = (d & bb) | (~d & c), (5 * i + 1) % 16
                elif i < 48: v, g = bb ^ c ^ d, (3 * i + 5) % 16
                else: v, g = c ^ (bb | (~d & 0xffffffff)), 7 * i % 16
                v = (v + a + K[i] + x[g]) & 0xffffffff
                a, d, c, bb = d, c, bb, (bb + ((v << R[i] | v >> (32 - R[i])) & 0xffffffff)) & 0xffffffff
            return struct.pack('<4I', *[(p + q) & 0xffffffff for p, q in zip(s, [a, bb, c, d])])
        key = password.ljust(64, b'\0')
        want = block(bytes(k ^ 0x5c for k in key)) + block(bytes(k ^ 0x36 for k in key))
        print('CRAM-MD5', f[9:] == want.hex())
P
is "$(python3 keys.py bob@example.org IX)" "\$y\$ True
SHA-256 4096 True
SHA-1 4096 True
CRAM-MD5 True" 'Python makes the same keys'
if command -v gsasl >/dev/null; then
	set -- $(sed -n 's/^ann SCRAM-SHA-256$\([0-9]*\):\([^$]*\)$\([^:]*\):\([^ ]*\) .*/\1 \2 \3 \4/p' users)
	is "$(gsasl --mkpasswd --mechanism SCRAM-SHA-256 --password pencil --iteration-count "$1" --salt "$2" 2>&1)" \
	    "{SCRAM-SHA-256}$1,$2,$3,$4" 'GNU SASL makes the same keys'
fi

ok 'a new password' word other add ann
is "$(passwd list ann)" "ann	scram-sha-256	ann@example.org,@sales.example.org	" 'leaves the addresses'
ok 'it counts' word other check ann
fails 'the old one does not' 77 'smtp-passwd: wrong password' word pencil check ann
ok 'disabled' word other add --disable ann
fails 'may not log in' 77 'smtp-passwd: "ann" is disabled' word other check ann
ok 'added again' word other add ann
ok 'may' word other check ann
printf '\n# a comment\n' >>users
chmod 640 users
ok 'another user' word x add --keys yescrypt carl
is "$(stat -c %a users)" 640 'the mode stays'
is "$(grep -c '^# a comment$' users)" 1 'comments stay'
is "$(passwd list | cut -f1 | tr '\n' ' ')" 'ann bob@example.org carl ' 'in the order they came'
fails 'one of two is nobody' 67 'smtp-passwd: no user "dora"' passwd remove ann dora
is "$(passwd list ann | cut -f1)" ann 'and nothing is removed'
ok 'remove' passwd remove ann carl
is "$(passwd list | cut -f1)" 'bob@example.org' 'they are gone'
ok 'the whole file makes sense' passwd check

fails 'an empty password' 65 'smtp-passwd: password: empty' word '' add x
fails 'two lines' 65 'smtp-passwd: standard input: more than one line' word "a
b" add x
fails 'a password SASLprep forbids' 65 \
    'smtp-passwd: password: a character that SASLprep (RFC 4013) forbids: Could not prepare internationalized (non-ASCII) string' \
    word "$(printf 'a\007')" add x
long=$(printf '%511s' '' | tr ' ' x)
ok '511 bytes' word "$long" add --keys yescrypt,scram-sha-256 long
ok 'all of them count' word "$long" check long
fails '510 do not' 77 'smtp-passwd: wrong password' word "${long#x}" check long
fails '512 are too many' 65 'smtp-passwd: password: over 511 bytes' word "x$long" add x
fails 'a name with a blank' 65 \
    'smtp-passwd: name: "a b" has a blank, a control, or "#" in front, or is over 255 bytes' word x add 'a b'
fails 'no such key' 64 \
    'smtp-passwd: --keys: "md5" is not a list of yescrypt, scram-sha-256, scram-sha-1, cram-md5' word x add --keys md5 x
fails 'too few iterations' 64 'smtp-passwd: --iterations: "4095" is not a number from 4096 to 10000000' \
    word x add --iterations 4095 x
fails 'no address' 64 'smtp-passwd: --from: "a b@c" is not an address, @domain or *' word x add --from 'a b@c' x
fails 'no file' 66 'smtp-passwd: none: no such file' smtp-passwd --users none list
fails 'and removing makes none' 66 'smtp-passwd: none: no such file' smtp-passwd --users none remove x
ok 'still none' test ! -e none
fails 'no users file configured' 78 'smtp-passwd: no users file: give --users, or users in section serve' \
    smtp-passwd list
printf 'serve { users = "%s/users" }\n' "$T" >conf
is "$(smtp-passwd -C conf list | cut -f1 | tr '\n' ' ')" 'bob@example.org long ' 'the configured one'
chmod 644 users
fails 'a file others can read' 78 \
    'smtp-passwd: users: mode 0644; others must not read it, its group not write it' word x add x
chmod 600 users
echo 'eve secret' >>users
fails 'a line that makes no sense' 65 \
    "smtp-passwd: users: line $(wc -l <users): a field that is no key, \"from=\" or \"disabled\"" word x add x
sed -i '$d' users
tail -1 users >>users
like "$(passwd check 2>&1)" 'line [0-9]+: "long" stands in line [0-9]+ too' 'a name twice'
sed -i '$d' users

# A library that cannot be loaded, by one of its names: nobody is asked for a password in vain.
# named NAME: as smtp-passwd was built to look for it
named() { grep -ao "lib$1\.so\.[0-9]*" "$(command -v smtp-passwd)" | head -n 1; }
mkdir lib
cp users before
# without LIBRARY TEXT COMMAND
without() {
	echo 'no library' | tee lib/libcrypt.so.1 >"lib/$1"
	# shellcheck disable=SC2086 # a command and what it is given
	fails "$3: $1 is not there" 75 "smtp-passwd: $2 cannot be loaded" \
	    env LD_LIBRARY_PATH="$T/lib" smtp-passwd --users users $3 <word
	rm lib/*
}
for what in 'add x' 'check long' 'remove long' 'list long' list; do
	without "$(named nettle)" "$(named nettle)" "$what"
done
without "$(named gsasl)" "name: $(named gsasl)" 'add x'
without libcrypt.so.2 libcrypt.so.1 'add --keys yescrypt x'
ok 'the file is as it was' cmp before users

# At a terminal: each question is answered at once, as by expect(1), and what is typed is not seen.
cat >terminal.py <<'P'
import fcntl, os, signal, termios
def answer(answers, *command):
    fd, keep = os.openpty() # kept, so that its settings can be seen behind the end
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(keep, termios.TIOCSCTTY, 0)
        for i in range(3):
            os.dup2(keep, i)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execvp(command[0], command)
    seen = b''
    for question, text in answers:
        while question not in seen:
            seen += os.read(fd, 1000)
        os.write(fd, text)
    status = os.waitpid(pid, 0)[1]
    echo = bool(termios.tcgetattr(keep)[3] & termios.ECHO)
    os.close(keep)
    try:
        while True:
            seen += os.read(fd, 1000)
    except OSError: # the other end is closed, and all that came from it was read
        pass
    os.close(fd)
    end = 'exit %d' % os.WEXITSTATUS(status) if os.WIFEXITED(status) else 'signal %d' % os.WTERMSIG(status)
    return '%s %s %s' % (end, 'echo' if echo else 'silence', seen.decode().replace('\r\n', '|'))
add = ['smtp-passwd', '--users', 'users', 'add', '--iterations', '4096', 'typed']
one, two = b'Password: ', b'Once more: '
print(answer([(one, b'pencil\n'), (two, b'pencil\n')], *add))
print(answer([(one, b'pencil\n')], 'smtp-passwd', '--users', 'users', 'check', 'typed'))
print(answer([(one, b'pencil\n'), (two, b'pen\n')], *add))
for end in b'\x04', b'pen\x04\x04':
    print(answer([(one, end)], *add))
    print(answer([(one, b'pencil\n'), (two, end)], *add))
print(answer([(one, b'\x04')], 'smtp-passwd', '--users', 'users', 'check', 'typed'))
print(answer([(one, b'\n'), (two, b'\n')], *add))
if 'tsan' not in os.environ['BUILD']: # under which a handler's signal may be lost
    print(answer([(one, b'pen\x03')], *add))
    print(answer([(one, b'pencil\n'), (two, b'\x03')], *add))
P
case $BUILD in
*tsan*) given_up= ;;
*) given_up='signal 2 echo Password: 
signal 2 echo Password: |Once more: ' ;;
esac
end='exit 65 echo Password: |smtp-passwd: password: the input ended before the line did|
exit 65 echo Password: |Once more: |smtp-passwd: password: the input ended before the line did|
'
is "$(timeout 100 python3 terminal.py)" 'exit 0 echo Password: |Once more: |
exit 0 echo Password: |
exit 65 echo Password: |Once more: |smtp-passwd: the two passwords differ|
'"$end$end"'exit 65 echo Password: |smtp-passwd: password: the input ended before the line did|
exit 65 echo Password: |Once more: |smtp-passwd: password: empty|'"${given_up:+
$given_up}" 'at a terminal; given up, it is as it was'
ok 'the last password that was typed whole is still the one' word pencil check typed

# Twenty at one time: each is there.
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	echo x | smtp-passwd --users users add --iterations 4096 "user$i" &
	pids="${pids-} $!"
done
bad=0
for p in $pids; do wait "$p" || bad=1; done
is "$bad $(passwd list | grep -c '^user')" '0 20' 'twenty at one time'
is "$(find . -name '.tmp*')" '' 'nothing is left over'
cp users before
if [ -c /dev/full ] && [ "$(id -u)" -eq 0 ] && mkdir full && mount -t tmpfs -o size=16k none full 2>/dev/null; then
	cp users full/users
	dd if=/dev/zero of=full/fill bs=1k count=16 2>/dev/null
	word x add --keys scram-sha-256 more >/dev/null 2>&1
	smtp-passwd --users full/users add new <word >/dev/null 2>err
	rc=$?
	is "$rc $(cmp before full/users && echo same)" '75 same' 'a full disk leaves it as it was'
	umount full
fi
done_testing
