#!/bin/sh
# What a deliverer that was taken over could still do: the attempts are made from inside its sandbox, and
# a real run is looked at from outside.
. "$(dirname "$0")/lib.sh"

need python3
strace=
PATH=$BUILD/helpers:$PATH
ldd "$BUILD/bin/smtp-deliver" | grep -qE 'lib[atl]san' && skip_all 'no confinement under a sanitizer'
confined "$T" "$T" </dev/null >"$T/out" 2>&1
[ $? -eq 75 ] || skip_all "no seccomp here: $(cat "$T/out")"

arena() {
	rm -rf "$T/q" "$T/o"
	mkdir -p "$T/q/new" "$T/q/cur" "$T/o"
	echo hi >"$T/o/file"
	echo hi >"$T/q/new/a"
}
# tried NAME...: what became of these
tried() {
	for n; do sed -n "s/^$n /$n /p" "$T/out"; done | awk '{ print $2 }' | sort -u | xargs
}
landlock=$(python3 -c 'import ctypes; print(ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1))')

arena
confined "$T/q" "$T/o" </dev/null >"$T/out" 2>"$T/err"
is "$? $(cat "$T/err")" '0 ' 'the sandbox is entered'
if [ "$landlock" -ge 3 ]; then
	is "$(tried read-passwd read-outside write-outside create-outside list-outside truncate-outside \
	    unlink-outside rename-out rename-in link-out proc-self proc-environ device thread-passwd)" EACCES \
	    'landlock: no file outside is read, written, listed, cut, removed or moved, by any thread'
	is "$(tried link-in)" EXDEV 'or linked into the queue'
	is "$(cat "$T/o/file" | tr -d x)" hi 'it is as it was'
else
	result 0 "files outside # SKIP landlock ABI $landlock"
fi
is "$(tried symlink mkfifo mknod open-by-handle set-uid-open set-uid-chmod xattr utime chown chown-at)" EPERM \
    'no links, devices, set-user-id files, attributes'
is "$(tried fork vfork-flags execve ptrace)" EPERM 'no process, no program'
is "$(tried clone3 newer-call x32)" ENOSYS 'calls that cannot be looked into, that nobody knows, or of another ABI are not there'
is "$(tried kill-parent tgkill-parent sigqueue pidfd setown prlimit tiocsti)" EPERM 'no signal to others, no keys typed for them'
is "$(tried setuid setgroups unshare mount chroot bpf io-uring memfd exec-memory)" EPERM \
    'no identity, namespace, mount, code'
is "$(tried unix-socket netlink packet)" EAFNOSUPPORT 'no socket but to the internet'
is "$(tried socketpair listen)" EPERM 'and no server'
is "$(find "$T/q" -type s -o -type l -o -type p -o -perm /6000)" '' 'nothing of the kind is there'
is "$(tried inet inet6 memory create read rename truncate mkdir rename-deep unlink rmdir give exchange inotify \
    old-descriptor getrlimit thread raise)" ok 'what delivery needs works'
is "$(wc -l <"$T/out")" 71 'each attempt was made'

arena
confined without landlock confined "$T/q" "$T/o" </dev/null >"$T/out" 2>"$T/err"
is "$? $(cat "$T/err")" '0 ' 'a kernel without landlock: it is entered all the same'
is "$(tried read-outside write-outside)" ok 'files are not guarded then'
is "$(tried execve ptrace fork kill-parent setuid unshare mount exec-memory socketpair)" EPERM 'the rest is as before'

# --- inherited by the processes of clients
arena
confined "$T/q" "$T/o" </dev/null 2>&1 | sed '/^memory /,$d' >"$T/entered"
arena
confined hall "$T/q" "$T/o" </dev/null >"$T/out" 2>"$T/err"
is "$? $(cat "$T/err")" '0 ' 'a client of a hall'
is "$(wc -l <"$T/entered") $(grep -vE '^(fork|setuid|setgroups) ' "$T/entered" | diff - "$T/out" | grep -c '^<')" '54 0' \
    'what one alone may not, it may not: but for processes and identities'
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$T"
	arena
	chown -R nobody "$T/q" "$T/o"
	setpriv --reuid nobody --regid nogroup --clear-groups confined hall "$T/q" "$T/o" </dev/null >"$T/out" 2>&1
	is "$(tried fork) $(tried setuid) $(tried setgroups)" 'EAGAIN ok EPERM' \
	    'who is not root makes no process and becomes nobody else'
else
	result 0 'as a user # SKIP not root, or no setpriv'
fi

# --- with maildirs and a socket of an LMTP server
arena
mkdir -p "$T/d/tmp" "$T/d/new"
echo hi >"$T/d/new/read"
confined "$T/q" "$T/o" "$T/d" </dev/null >"$T/out" 2>"$T/err"
is "$? $(cat "$T/err")" '0 ' 'the sandbox with a maildir is entered'
is "$(tried drop-create drop-link drop-unlink drop-list unix-socket)" ok 'a letter can be put there, and sockets in files connected to'
if [ "$landlock" -ge 3 ]; then
	is "$(tried drop-read drop-mkdir outside-read)" EACCES 'no letter can be read, no directory made'
	is "$(tried drop-to-queue outside-link)" EXDEV 'and nothing moved to where it could be'
fi
is "$(tried netlink)$(tried listen execve)" EAFNOSUPPORTEPERM 'all else is as before'
confined "$T/q" "$T/o" "$T/none" </dev/null >"$T/out" 2>"$T/err"
is "$? $(cat "$T/err") $(tried drop-create)" '0  ENOENT' 'a directory that is missing keeps nobody from the rest'
# Two deliveries for real; strace sees what is refused.
mkdir -p "$T/d/ann/tmp" "$T/d/ann/new" "$T/d/ann/cur"
cat >"$T/conf" <<END
queue = "$T/queue"
route "m.example" { maildir = "$T/d/%u" }
route "c.example" { maildir = "$T/d/%u" create = yes }
route "p.example" { pipe = "/usr/bin/env" }
END
export RELAYKIT_CONFIG="$T/conf"
echo hi | smtp-submit -odq -f '' ann@m.example bob@c.example x@p.example
# in_vain COMMAND...: the system calls that it was refused once it had confined itself
in_vain() {
	strace -f -o "$T/strace" "$@"
	sed -n '/seccomp(/,$p' "$T/strace" | grep -E '= -1 (EPERM|EACCES|ENOSYS|EAFNOSUPPORT)' | grep -v clone3
}
command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null && strace=yes
if [ "$strace" ]; then
	is "$(in_vain smtp-deliver)" '' 'a run that delivers here tries nothing in vain'
	is "$(in_vain confined crowd "$T/q" "$T/o")" '' 'nor do many threads that want memory at once'
else
	smtp-deliver
	result 0 'calls tried in vain # SKIP no strace'
fi
is "$(find "$T/d" -name '*R[01].*' | wc -l) $(find "$T/queue" -type f -path '*/cur/*' | wc -l)" '2 0' 'and delivers'

# --- a run
trap_start --tls --latency 20
cat >"$T/conf" <<END
queue = "$T/queue"
connections = 4
site_connections = 4
route "*" { relay = "127.0.0.1:$PORT" }
END
export RELAYKIT_CONFIG="$T/conf"
i=0
while [ $i -lt 40 ]; do
	printf 'MAIL FROM:<a@x.example>\nRCPT TO:<b%d@x.example>\nDATA\n\nhi\n.\n' $i
	i=$((i + 1))
done | smtp-submit -bS -odq >/dev/null
bg smtp-deliver
run=$!
# As soon as there are several, which are made when it has confined itself.
several() {
	grep -hE '^(Seccomp|NoNewPrivs):' /proc/$run/task/*/status 2>/dev/null | tr -s '\t' ' ' | sort | uniq -c >"$T/status"
	awk '/Seccomp/ { n += $1 } END { exit n <= 2 }' "$T/status"
}
until_true 40 several
is "$(awk '{ print $2, $3 }' "$T/status")" 'NoNewPrivs: 1
Seccomp: 2' 'all threads of a run are confined'
[ "$(awk '/Seccomp/ { print $1 }' "$T/status")" -gt 2 ]
result $? 'and there are several'
wait $run
is "$?" 0 'the run ends well'
is "$(find "$T/trap/new" -type f | wc -l)" 40 'everything is delivered'
is "$(cat "$T"/trap/new/* | grep -c '^X-Trap-Tls')" 40 'by TLS'
printf 'MAIL FROM:<a@x.example>\nRCPT TO:<c@x.example>\nDATA\n\nhi\n.\n' | smtp-submit -bS -odq >/dev/null
ok 'a run without landlock delivers too' confined without landlock smtp-deliver
is "$(find "$T/trap/new" -type f | wc -l)" 41 'it did'
printf 'MAIL FROM:<a@x.example>\nRCPT TO:<c@x.example>\nDATA\n\nhi\n.\n' | smtp-submit -bS -odq >/dev/null
cannot='cannot confine this process (--no-sandbox does without): seccomp: Function not implemented'
fails 'one without seccomp does not, and says what would' 75 "smtp-deliver: $cannot" confined without seccomp smtp-deliver
ok 'that does' confined without seccomp smtp-deliver --no-sandbox
is "$(find "$T/trap/new" -type f | wc -l)" 42 'and delivers'
fails 'a trap without seccomp does not start' 75 "smtp-trap: $cannot" \
    confined without seccomp smtp-trap --listen 127.0.0.1:0 --discard
ok 'but when told to' confined without seccomp timeout -s TERM --preserve-status 1 smtp-trap --no-sandbox --listen 127.0.0.1:0 --discard
# Every way a run has: bounces, deferrals, sites that are closed, held and kept messages, tidying.
cat >>"$T/conf" <<END
keep_sent = 1d
in_doubt = hold
END
for r in ok reject-550 defer-451 data-reject-554 drop-after-dot drop-at-rcpt; do
	echo hi | smtp-submit -odq -f a@x.example "$r@x.example"
done
# Not under strace: what is refused would be EPERM or EACCES in an event or on stderr.
smtp-deliver >"$T/out" 2>&1
smtp-deliver --now >>"$T/out" 2>&1
is "$(cat "$T/out")" '' 'refusals, deferrals, doubts: nothing local goes wrong'
is "$(cat "$T"/queue/log/*.jsonl | grep -ciE 'not permitted|permission denied')" 0 'no call that a run makes is refused'
# A burst has left new/ larger than it needs to be: it is exchanged for a fresh one.
python3 - "$T/queue/new" <<'END'
import os, sys
new = sys.argv[1]
names = ["%s/%s%05d" % (new, "." + "x" * 240, i) for i in range(18000)]
open(names[0], "w").close()
for n in names[1:]:
    os.link(names[0], n)
for n in names:
    os.unlink(n)
END
chgrp 12345 "$T/queue/new" 2>/dev/null
before=$(stat -c '%s %a %g' "$T/queue/new")
small() { [ "$(stat -c %s "$T/queue/new")" -lt 4194304 ]; }
if ! small; then
	is "$(smtp-deliver 2>&1)" '' 'a swollen new/ is tidied'
	ok 'it is small again' small
	is "$(stat -c '%a %g' "$T/queue/new")" "${before#* }" 'with the mode and the group that it had'
else
	result 0 "new/ exchanged # SKIP directories do not grow here: $before"
fi
if [ "$strace" ]; then
	for r in ok reject-550 defer-451; do
		echo hi | smtp-submit -odq -f a@x.example "$r@y.example"
	done
	is "$(in_vain smtp-deliver)" '' 'nor tried in vain'
fi
done_testing
