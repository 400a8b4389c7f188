/* archive.h: what tar, cpio, zip and the compressors of this machine write. */
#include "archive.h"
#include "buf.h"
#include "io.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/tmp/relaykit-0150.XXXXXX";

struct seen {
	struct buf text; /* "name=data;" each */
	bool skip;       /* data is not fetched */
	int stop;        /* what the callback returns */
};

static int
see(void *arg, struct archive_in *a, struct span name, struct err *e)
{
	struct seen *s = arg;
	const char *p;
	size_t n;
	int rc = 0;

	buf_add(&s->text, name.p, name.n);
	if (!s->skip) {
		buf_ch(&s->text, '=');
		while ((rc = archive_block(a, &p, &n, e)) == 0 && n > 0)
			buf_add(&s->text, p, n);
	}
	buf_ch(&s->text, ';');
	return rc ? rc : s->stop;
}

static int
run(const char *script)
{
	char cmd[4096];

	snprintf(cmd, sizeof cmd, "cd %s && { %s; } >/dev/null 2>&1", dir, script);
	return system(cmd);
}

/* head: so many bytes are read first, as one does who looks whether it is an archive. */
static int
members(const char *file, size_t head, struct seen *s, struct err *e)
{
	char path[4096], first[ARCHIVE_HEAD];
	size_t got = 0;
	int fd, rc;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return EX_NOINPUT;
	rc = io_read(fd, first, head, &got, e);
	if (!rc && head == sizeof first)
		ok(archive_is((struct span){first, got}), "%s looks like an archive", file);
	if (!rc)
		rc = archive_members(fd, (struct span){first, got}, see, s, e);
	close(fd);
	return rc;
}

static void
kinds(void)
{
	static const struct kind {
		const char *file, *make, *want;
	} kinds[] = {
	    {"a.tar", "tar --sort=name -cf a.tar d", "d/one=1st;d/two=2nd;"},
	    {"a.pax", "tar --sort=name --format=pax -cf a.pax d", "d/one=1st;d/two=2nd;"},
	    {"a.tar.gz", "tar --sort=name -cf - d | gzip >a.tar.gz", "d/one=1st;d/two=2nd;"},
	    {"a.tar.bz2", "tar --sort=name -cf - d | bzip2 >a.tar.bz2", "d/one=1st;d/two=2nd;"},
	    {"a.tar.xz", "tar --sort=name -cf - d | xz >a.tar.xz", "d/one=1st;d/two=2nd;"},
	    {"a.tar.zst", "tar --sort=name -cf - d | zstd >a.tar.zst", "d/one=1st;d/two=2nd;"},
	    {"a.cpio", "find d -type f | sort | cpio -o -H newc >a.cpio", "d/one=1st;d/two=2nd;"},
	    {"a.zip", "python3 -c 'import zipfile\nz = zipfile.ZipFile(\"a.zip\", \"w\", 8)\n"
	              "z.write(\"d/one\"), z.write(\"d/two\"), z.close()'",
	        "d/one=1st;d/two=2nd;"},
	    {"one.gz", "gzip <d/one >one.gz", "data=1st;"}, /* the name libarchive gives */
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct seen s = {BUF_INIT, false, 0};
		struct err e = ERR_INIT;

		if (run(kinds[i].make) != 0) {
			ok(true, "%s # SKIP cannot be made here", kinds[i].file);
			continue;
		}
		is_num(members(kinds[i].file, ARCHIVE_HEAD, &s, &e), 0, kinds[i].file);
		is_str(s.text.s, kinds[i].want, "its members");
		buf_cut(&s.text, 0);
		is_num(members(kinds[i].file, 1, &s, &e), 0, "one byte of it read before");
		is_str(s.text.s, kinds[i].want, "its members");
		buf_free(&s.text);
		err_free(&e);
	}
}

static void
trouble(void)
{
	struct seen s = {BUF_INIT, true, 0};
	struct err e = ERR_INIT;

	run("tar --sort=name -cf s.tar d && ln -s one d/link && tar --sort=name -cf link.tar d && head -c 700 s.tar >cut.tar &&"
	    " head -c 1100 s.tar >cut2.tar; tar --sort=name -cf - d | gzip | head -c 90 >cut.tar.gz");
	is_num(members("s.tar", 0, &s, &e), 0, "data that is not fetched is skipped");
	is_str(s.text.s, "d/one;d/two;", "its members");
	buf_cut(&s.text, 0);
	is_num(members("link.tar", 0, &s, &e), 0, "links and directories");
	is_str(s.text.s, "d/one;d/two;", "are no members");
	buf_cut(&s.text, 0);
	s.stop = EX_TEMPFAIL;
	is_num(members("s.tar", 0, &s, &e), EX_TEMPFAIL, "a callback ends it");
	is_str(s.text.s, "d/one;", "after the first");
	buf_cut(&s.text, 0);
	s.stop = 0;
	s.skip = false;
	is_num(members("cut.tar", 0, &s, &e), EX_DATAERR, "cut short in a header's block");
	ok(strncmp(err_text(&e), "archive: ", 9) == 0, "it says: %s", err_text(&e));
	buf_cut(&s.text, 0);
	is_num(members("cut.tar.gz", 0, &s, &e), EX_DATAERR, "a compressed one cut short");
	buf_cut(&s.text, 0);
	is_num(members(".", 0, &s, &e), EX_NOINPUT, "what cannot be read");
	ok(strstr(err_text(&e), "it is a directory") != NULL, "it says: %s", err_text(&e));
	buf_free(&s.text);
	err_free(&e);
}

static void
looks(void)
{
	char tar[ARCHIVE_HEAD] = "";

	memcpy(tar + 257, "ustar", 5);
	ok(archive_is((struct span){tar, 262}), "ustar at 257");
	ok(!archive_is((struct span){tar, 261}), "cut before its end it is none");
	ok(!archive_is(SPAN("Return-Path: <>\n")), "a header is none");
	ok(!archive_is(SPAN("From MAILER-DAEMON Sun Nov 22")), "nor is an mbox");
	ok(!archive_is(SPAN("")), "nor is nothing");
}

int
main(void)
{
	if (!mkdtemp(dir) || run("mkdir d; printf 1st >d/one; printf 2nd >d/two") != 0)
		return 1;
	looks();
	kinds();
	trouble();
	run("cd / && rm -rf \"$OLDPWD\"");
	return tap_done();
}
