#!/bin/sh
# Who may do what to a machine's queue: submitters through the setgid program, members of their group by
# hand, other users, root.  Everything that must not be possible is tried.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all 'only root can be several users'
unshare -m true 2>/dev/null || skip_all 'no namespaces here'
need setpriv python3
PATH=$BUILD/helpers:$PATH
chmod 755 "$T"
mkdir -m 755 "$T/bin"
cp "$BUILD"/bin/* "$BUILD/helpers/forge" "$BUILD/helpers/qlock" "$T/bin/"
bin=$T/bin
cp "$bin/smtp-submit" "$bin/submit"
q=$T/queue
owner=4301 group=4302 user=4303 other=4304

# install_queue: as relaykit(7) tells an administrator, with numbers
install_queue() {
	rm -rf "$q"
	install -d -o $owner -g $group -m 710 "$q"
	install -d -o $owner -g $group -m 1730 "$q/new"
}
install_queue
printf 'queue = "%s"\nhostname = h.example\ndomain = d.example\nroute "*" { relay = "127.0.0.1:%s" }\nretry_min = "1h"\n' \
    "$q" "${PORT-9}" >"$T/conf"

# as UID COMMAND...: without any group; member: of the submitters'; owner: as the queue's user
as() {
	u=$1
	shift
	setpriv --reuid "$u" --regid "$u" --clear-groups "$@"
}
member() {
	setpriv --reuid $other --regid $other --groups $group "$@"
}
the_owner() {
	setpriv --reuid $owner --regid $owner --groups $group "$@"
}
# state_of: everything in the queue but the entries of new/ (which some filesystems count in its size)
state_of() {
	find "$q" -path "$q/new/*" -prune -o -printf '%P %y %m %U %G ' \( -type d -printf '\n' -o -printf '%s\n' \) | sort
}
entries() {
	find "$q/new" -mindepth 1 -maxdepth 1 | wc -l
}
entry() {
	find "$q/new" -type f
}
events() {
	cat "$q"/log/*.jsonl 2>/dev/null
}

# --- a submission by a stranger, through the setgid program
chgrp $group "$bin/smtp-submit"
chmod 2755 "$bin/smtp-submit"
as $user "$bin/smtp-submit" --help >/dev/null || skip_all 'programs in the temporary directory cannot run'
setgid=1
ldd "$bin/smtp-submit" | grep -qE 'lib[atl]san' && setgid=
mkdir "$T/etc"
cat >"$T/ns.sh" <<'EOP'
# $1 the test's directory: /etc is a copy whose relaykit.conf names its queue; set-id programs in bin/ are that
# also where the temporary directory is mounted without (Debian 13's)
dir=$1
shift
mount -t tmpfs none "$dir/etc" || exit 99
cp /etc/passwd /etc/nsswitch.conf /etc/ld.so.cache "$dir/etc/" 2>/dev/null
cp "$dir/conf" "$dir/etc/relaykit.conf"
mount --bind "$dir/etc" /etc
mount --bind "$dir/bin" "$dir/bin" && mount -o remount,bind,suid "$dir/bin" || exit 99
exec "$@"
EOP
in_etc() {
	unshare -m sh "$T/ns.sh" "$T" "$@"
}
# secure COMMAND...: as the stranger, the environment full of what must not count
secure() {
	in_etc setpriv --reuid $user --regid $user --clear-groups env RELAYKIT_QUEUE="$T/trap.q" \
	    RELAYKIT_CONFIG="$T/evil.conf" XDG_CONFIG_HOME="$T" XDG_STATE_HOME="$T" HOME="$T/home" \
	    LD_PRELOAD="$T/evil.so" LD_LIBRARY_PATH="$T" TZ=":$T/zone" GCONV_PATH="$T" TMPDIR="$T/home" \
	    LOCALDOMAIN=evil PATH="$T/evil:$PATH" "$@"
}
if [ -n "$setgid" ]; then
	mkdir -m 777 "$T/home" "$T/evil"
	echo 'queue = "/nowhere"' >"$T/evil.conf"
	echo 'int x;' >"$T/evil.so"
	before=$(state_of)
	echo hi | secure "$bin/smtp-submit" -odb -f a@d.example b@x.example 2>"$T/err"
	is "$? $(entries) $(cat "$T/err")" '0 1 ' 'a stranger submits: only /etc/relaykit.conf counts, -odb exits 0'
	is "$(stat -c '%a %u %g %F' "$(entry)")" "660 $user $group regular file" 'one entry, 0660, of the group'
	is "$(state_of)" "$before" 'nothing else in the queue is touched, nothing is started'
	is "$(find "$T/home" "$T/evil" -mindepth 1)" '' 'nor anywhere else'
	for o in "-C $T/evil.conf" "--config $T/evil.conf" "--config=$T/evil.conf" "--queue $T/trap.q" \
	    "--queue=$T/trap.q"; do
		# shellcheck disable=SC2086
		echo hi | secure "$bin/smtp-submit" $o b@x.example 2>"$T/err"
		is "$? $(sed 's/.*: not/not/' "$T/err")" "64 not while this program has its owner's rights" "$o is an error"
	done
	is "$(entries)" 1 'and queues nothing'
	# What it starts has neither the group nor the environment.
	cat >"$T/queue-stand-in" <<'EOP'
#!/bin/sh
id -G
grep -h '^Gid' /proc/$$/status | tr -s '\t' ' '
env | grep -vE '^(PWD|SHLVL|_|OLDPWD)='
EOP
	mv "$bin/smtp-queue" "$T/smtp-queue.real"
	install -m 755 "$T/queue-stand-in" "$bin/smtp-queue"
	install -m 755 "$T/queue-stand-in" "$T/evil/smtp-queue"
	is "$(secure "$bin/smtp-submit" -bp 2>&1)" "$user
Gid: $user $user $user $user" 'what it starts has no group of ours, and an empty environment'
	rm "$bin/smtp-queue"
	secure "$bin/smtp-submit" -bp >"$T/out" 2>"$T/err"
	is "$? $(cat "$T/out" "$T/err")" "75 smtp-submit: $bin/smtp-queue: No such file or directory" \
	    'it is found beside the program or not at all'
	mv "$T/smtp-queue.real" "$bin/smtp-queue"
	secure "$bin/smtp-submit" -q >"$T/out" 2>"$T/err"
	is "$?" 77 '-q by a stranger is refused by the run'
	is "$(state_of)" "$before" 'which touched nothing'
	printf 'From: a\n\nhi\n' >"$T/m"
	in_etc python3 - "$bin/smtp-submit" $user <<'EOP' >"$T/out" 2>&1
import os, resource, signal, subprocess, sys, time
# A process with the group's rights belongs to nobody who may look into it.
os.setgroups([]); os.setresgid(4303, 4303, 4303); os.setresuid(4303, 4303, 4303)
p = subprocess.Popen([sys.argv[1], "-f", "a@x", "b@x"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
time.sleep(0.3)
for what in ("mem", "fd/0", "environ"):
    try:
        os.open("/proc/%d/%s" % (p.pid, what), os.O_RDONLY)
        print("opened", what)
    except OSError as e:
        print(what, e.errno)
p.kill()
EOP
	is "$(xargs <"$T/out")" 'mem 13 fd/0 13 environ 13' 'its memory and files are closed to the caller'
else
	result 0 'the setgid program # SKIP a sanitizer'
fi

# --- what other users can do
install_queue
the_owner "$bin/submit" -C "$T/conf" -odq -f a@d.example b@x.example </dev/null
the_owner "$bin/smtp-queue" -C "$T/conf" check >/dev/null
mine=$(entry)
before=$(state_of)
for dir in . cur hold failed sent damaged state state/sites log new; do
	as $other ls "$q/$dir" >/dev/null 2>&1
	[ $? -ne 0 ]
	result $? "another user cannot list $dir"
done
for c in 'ls' 'rmdir' 'touch x; ls' 'mv -f ../new/x'; do
	member sh -c "cd '$q/new' && $c ." >/dev/null 2>&1
	[ $? -ne 0 ]
	result $? "a member of the group: $c in new/ fails"
done
rm -f "$q/new/x"
member sh -c "rm -f '$mine'; mv '$mine' '$q/new/stolen'; mv '$mine' '$T/'" 2>/dev/null
is "$(entry)" "$mine" 'a member cannot remove or rename what is not its own (sticky)'
is "$(stat -c %a "$mine")" 660 'though it could open it, if it knew the name: 26 bits of that are random'
is "$(member sh -c "for d in cur hold failed sent damaged state log; do : >'$q/'\$d/x && echo wrote; cat '$q/'\$d/*; done" 2>/dev/null)" '' \
    'it can neither write nor read anywhere else'
is "$(state_of)" "$before" 'and nothing has changed'
for p in smtp-deliver 'smtp-queue list' 'smtp-queue hold --all' 'smtp-queue check'; do
	# shellcheck disable=SC2086
	member "$bin/"$p -C "$T/conf" >"$T/out" 2>"$T/err"
	is "$? $(cat "$T/err")" "77 ${p%% *}: queue $q: belongs to uid $owner, and this is uid $other" "$p by a member is refused"
	as $user "$bin/"$p -C "$T/conf" >"$T/out" 2>"$T/err"
	[ $? -eq 77 ]
	result $? "$p by a stranger is refused"
done
is "$(state_of)" "$before" 'and nothing has changed then either'
setpriv --reuid $owner --regid $owner --clear-groups "$bin/smtp-deliver" -C "$T/conf" 2>"$T/err"
is "$? $(cat "$T/err")" "77 smtp-deliver: queue $q: new is group $group's, of which uid $owner is no member" \
    'an owner who could not read the entries is told so, and nothing is set aside'
is "$(entries)" 1 'the entry is where it was'

# --- root
trap_start
sed -i "s/127\.0\.0\.1:9/127.0.0.1:$PORT/" "$T/conf"
install_queue
printf 'Subject: x\n\nroot\n' | "$bin/submit" -C "$T/conf" -odq -f a@d.example b@x.example defer-451@x.example
printf 'Subject: x\n\nhi\n' | member "$bin/submit" -C "$T/conf" -odq -f a@d.example c@x.example
"$bin/smtp-queue" -C "$T/conf" list >"$T/out"
"$bin/smtp-queue" -C "$T/conf" hold --all
"$bin/smtp-queue" -C "$T/conf" release --all
"$bin/smtp-deliver" -C "$T/conf" -v >"$T/out" 2>"$T/err"
is "$? $(cat "$T/err")" '0 ' 'root delivers'
is "$(cat "$T/out")" 'delivered 2 deferred 1 failed 0 expired 0' 'also what a member has put there'
is "$(find "$q" ! -user $owner)" '' 'and nothing in the queue belongs to anybody but its user'
is "$(events | grep -c '"type":"accepted"')" 3 'accepted is told by the deliverer'
is "$(find "$q/log" -type f -printf '%u\n' | sort -u)" "$owner" "events are the queue user's"

# --- what a member of the group can put into new/
install_queue
now=$(date +%s)
n=0
# bad [SIZE [DOMAIN]]: p is a path in new/, with an id older than all
bad() {
	n=$((n + 1))
	p=$(printf '%s/new/%s.%016d,mail,%s,%s' "$q" "$now" "$n" "${1:-0}" "${2:-x.example}")
}
good='sender=<a@d.example>\nrcpt=<evil@x.example>\n'
body='Subject: x\r\n\r\nevil\r\n'
secret=$T/secret
echo 'for nobody' >"$secret"
chown $owner "$secret"
chmod 600 "$secret"
cd "$T" || exit 1
bad && member mkdir "$p" && member touch "$p/x" && dir1=$p
bad && member mkdir "$p" && empty=$p
bad && member mkdir -m 777 "$p"
bad && member ln -s "$secret" "$p"
bad && member ln -s "$q/state/clock" "$p"
bad && member ln -s . "$p"
bad && member mkfifo -m 666 "$p"
bad && member mknod -m 666 "$p" c 0 0 2>/dev/null
bad && mknod -m 666 "$p" c 1 5 && chown $other "$p" # only root can: a stream of zeros
bad && (cd "$q/new" && python3 -c 'import os,socket,sys
os.setgroups([4302]); os.setresuid(4304, 4304, 4304)
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "${p##*/}")
bad && member sh -c ": >'$p'; chmod 0 '$p'"
bad && member sh -c ": >'$p'; chmod 666 '$p'"
bad && member truncate -s 4G "$p" && member chmod 666 "$p"
bad 4294967296 && member "$bin/forge" -z 4294967296 "$p" "$good"
bad 20 && member "$bin/forge" -h 4194305 -k "$body" "$p"
bad 20 && member "$bin/forge" -h 4194304 -k "$body" "$p"
bad 9007199254740993 && member "$bin/forge" -s 9007199254740993 -k "$body" "$p" "$good"
bad 20 && member "$bin/forge" -k "$body" "$p" 'sender=<a@d.example>\nrcpt=<b@x.example>\r\nrcpt=<c@x.example>\n'
bad 20 && member "$bin/forge" -k "$body" "$p" 'sender=<a@d.example>\nrcpt=<b\0@x.example>\n'
bad 20 && member "$bin/forge" -k "$body" "$p" 'sender=<a@d.example> SIZE=1\rRSET\nrcpt=<b@x.example>\n'
bad 20 && member "$bin/forge" -k "$body" "$p" 'sender=<a@d.example>\nrcpt=<b@x.example>'
bad 20 && member "$bin/forge" -k "$body" "$p" 'sender=<a@d.example>\nrcpt=<b c@x.example>\n'
bad 20 && member "$bin/forge" -k "$body" "$p" 'sender=<a@d.example>\nrcpt=<../../state@..>\n'
bad 20 .. && member "$bin/forge" -k "$body" "$p" 'sender=<a@d.example>\nrcpt=<b@..>\n'
bad 20 other.example && member "$bin/forge" -k "$body" "$p" "$good"
bad 21 && member "$bin/forge" -k "$body" "$p" "$good"
bad 7 && member "$bin/forge" -k 'bare\n\r\n' "$p" "$good"
bad 7 && member "$bin/forge" -k 'bare\r\r\n' "$p" "$good"
bad 7 && member "$bin/forge" -k 'at end\r' "$p" "$good"
bad 10 && member "$bin/forge" -k 'nul\0here\r\n' "$p" "$good"
bad 20 && member "$bin/forge" -k "$body" -j '{"do":"outcome","at":1,"rcpt":[{"i":99,"as":"delivered"}]' "$p" "$good"
many=$(seq -f 'rcpt=<r%g@x.example>\n' 1 1001 | tr -d '\n')
bad 20 && member "$bin/forge" -k "$body" "$p" "sender=<>\\n$many"
bad && exe=$p && member cp "$(command -v sleep)" "$exe" && member chmod 777 "$exe"
setpriv --reuid $other --regid $other --groups $group "$exe" 60 & # not by the function: it is to be ended
sleeper=$!
bg_pids="$bg_pids $sleeper"
# In use by its owner for ever: a lock, and a lease that others must wait for.
bad 20 && leased=$p && member "$bin/forge" -k "$body" "$p" 'sender=<a@d.example>\nrcpt=<leased@x.example>\n'
bad 20 && locked=$p && member "$bin/forge" -k "$body" "$p" 'sender=<a@d.example>\nrcpt=<locked@x.example>\n'
# They are the group's, as smtp-submit would leave them.
find "$q/new" -type f -exec chgrp $group {} +
mkfifo "$T/grip"
chmod 666 "$T/grip"
member qlock "$locked" <"$T/grip" >"$T/held1" &
grip=$!
member qlock -l "$leased" <"$T/grip" >"$T/held2" &
bg_pids="$bg_pids $grip $!"
grip="$grip $!"
exec 9>"$T/grip"
until_true 40 grep -q locked "$T/held1" && until_true 60 grep -q locked "$T/held2" || echo '# no lock'
hostile=$(entries)
# And good ones: by the program, and by hand.
for i in 1 2 3; do
	printf 'Subject: x\n\ngood\n' | member "$bin/submit" -C "$T/conf" -odq -f a@d.example "good$i@x.example"
done
by_hand() {
	member "$bin/forge" "$@" && chgrp $group "$p"
}
bad 20 && by_hand -k "$body" "$p" 'sender=<a@d.example> RET=HDRS\nrcpt=<byhand@x.example> NOTIFY=NEVER\n'
bad 20 + && by_hand -k "$body" "$p" 'sender=<>\nrcpt=<"by hand"@x.example>\nrcpt=<other@y.example>\n'
begun=$(date +%s%N)
the_owner timeout 60 "$bin/smtp-deliver" -C "$T/conf" -v >"$T/out" 2>"$T/err"
is "$? $(cat "$T/err")" '0 ' 'the run ends by itself, and well'
took=$((($(date +%s%N) - begun) / 1000000))
[ $took -lt 15000 ]
result $? "and soon: $took ms"
is "$(cat "$T/out")" 'delivered 6 deferred 0 failed 0 expired 0' 'the good ones are delivered'
is "$(cat "$T"/trap/new/* | grep -c '^X-Envelope-To: <\(good[123]\|byhand\|"by hand"\|other\)@')" 6 'they and no others'
is "$(cat "$T"/trap/new/* | grep -cE 'evil@|nobody|[ <]r1@')" 0 'nothing of the bad ones went out'
left=$(find "$q/new" -mindepth 1 -maxdepth 1 | sort)
is "$left" "$(printf '%s\n' "$dir1" "$leased" "$locked" | sort)" \
    'what stays: a directory that only its owner can move, and what its owner works on'
is "$(find "$q/damaged" -mindepth 1 -printf '%y\n' | sort | uniq -c | xargs)" '1 d 23 f' 'files and the directory that may be moved are set aside'
is "$(events | grep -c '"type":"damaged"')" $((hostile - 2)) 'with an event for each; what is no file is removed'
is "$(cat "$secret") $(stat -c %a "$secret")" 'for nobody 600' 'no file outside was touched'
is "$(find "$q" -type f -user $owner ! -path '*/state/*' ! -path '*/log/*')" '' 'the queue user wrote none of its own'
is "$(events | grep -c 'for nobody')" 0 'or read'
events | python3 -c 'import json,sys
for l in sys.stdin: json.loads(l)' 2>"$T/err"
is "$? $(cat "$T/err")" '0 ' 'every event is one whole line'
# What was set aside stays: nothing of that name replaces it.
twin=$(find "$q/damaged" -type f -size -2 | head -1)
sum=$(stat -c %i "$twin")
member sh -c ": >'$q/new/${twin##*/}'; chmod 666 '$q/new/${twin##*/}'"
exec 9>&-
kill "$sleeper"
# shellcheck disable=SC2086
wait $grip "$sleeper" 2>/dev/null
the_owner "$bin/smtp-deliver" -C "$T/conf" >"$T/out" 2>&1
is "$? $(stat -c %i "$twin") $(find "$q/damaged" -name "*~*" | wc -l)" "0 $sum 1" 'one more of the same name lies beside it'
is "$(grep -lE '<(locked|leased)@' "$T"/trap/new/* | wc -l)" 2 'what nobody holds any more is delivered'
is "$(the_owner "$bin/smtp-queue" -C "$T/conf" list 2>&1 | grep -c evil)" 0 'the list works'
the_owner "$bin/smtp-queue" -C "$T/conf" check >"$T/out" 2>&1
like "$?" '^(0|65|75)$' 'and the check'
the_owner "$bin/smtp-queue" -C "$T/conf" hold --all >"$T/out" 2>"$T/err"
is "$? $(sed 's/.*example: //' "$T/err")" '0 cannot be moved: not a regular file' \
    'a directory does not keep hold from its end'

# --- what came into cur/ by its name alone, for its site was closed, was never looked at; nor is a file that
# its owner may still have open what it was
install_queue
rm -f "$T"/trap/new/*
bucket=$q/cur/$(date -u +%Y%m%d%H)
# moved: p as a closed site leaves it
moved() {
	chgrp $group "$p"
	the_owner mkdir -p "$bucket"
	the_owner mv "$p" "$bucket/"
}
tried='{"do":"deferred","at":1,"attempt":1,"next":1,"site":"x"'
bad 7 && member "$bin/forge" -k 'bare\n\r\n' "$p" "$good" && moved
bad 7 && member "$bin/forge" -k 'bare\n\r\n' -j "$tried" "$p" "$good" && moved
bad 20 && member "$bin/forge" -k "$body" -j "$tried" "$p" 'sender=<a@d.example> SIZE=1\rRSET\nrcpt=<evil@x.example>\n' && moved
bad 20 && the_owner "$bin/forge" -k "$body" "$p" "$good" && # a bit has tipped
    printf X | the_owner dd of="$p" bs=1 seek=$(($(stat -c %s "$p") - 4)) conv=notrunc 2>/dev/null && moved
bad 20 && member "$bin/forge" -k "$body" -j "$tried" "$p" 'sender=<a@d.example>\nrcpt=<fine@x.example>\n' && moved
the_owner timeout 60 "$bin/smtp-deliver" -C "$T/conf" -v >"$T/out" 2>"$T/err"
is "$? $(cat "$T/out" "$T/err")" '0 delivered 1 deferred 0 failed 0 expired 0' 'of what was moved the good one is delivered'
is "$(cat "$T"/trap/new/* | grep -c '^X-Envelope-To: <fine@')" 1 'and no other'
is "$(find "$q/damaged" -type f | wc -l)" 4 'the others are damaged'
done_testing
