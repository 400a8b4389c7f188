#include "archive.h"

#include "buf.h"
#include "dl.h"
#include "io.h"
#include "sys.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK 65536 /* read at once */

/* What is called of libarchive, loaded by name; the types are its header's. */
#define CALLS(f)                                                                                   \
	f(archive_read_new) f(archive_read_free) f(archive_error_string) f(archive_errno)          \
	f(archive_read_open)                                                                       \
	f(archive_read_next_header) f(archive_read_data_block) f(archive_set_error)                \
	f(archive_entry_pathname) f(archive_entry_pathname_utf8) f(archive_entry_filetype)         \
	f(archive_read_support_filter_gzip) f(archive_read_support_filter_bzip2)                   \
	f(archive_read_support_filter_xz) f(archive_read_support_filter_lzma)                      \
	f(archive_read_support_filter_zstd) f(archive_read_support_filter_lz4)                     \
	f(archive_read_support_filter_compress) f(archive_read_support_format_tar)                 \
	f(archive_read_support_format_cpio) f(archive_read_support_format_zip)                     \
	f(archive_read_support_format_7zip) f(archive_read_support_format_ar)                      \
	f(archive_read_support_format_raw) f(archive_read_support_format_empty)                    \
	f(archive_entry_hardlink)                                                                  \
	f(archive_entry_mtime) f(archive_write_new) f(archive_write_free) f(archive_write_open)    \
	f(archive_write_set_format_pax_restricted) f(archive_write_set_bytes_in_last_block)        \
	f(archive_write_header) f(archive_write_data) f(archive_write_close)                         \
	f(archive_entry_new) f(archive_entry_free) f(archive_entry_clear)                          \
	f(archive_entry_set_pathname) f(archive_entry_set_size) f(archive_entry_set_mtime)         \
	f(archive_entry_set_perm) f(archive_entry_set_filetype)
static struct {
	CALLS(DL_POINTER)
} lib;
static struct dl library = DL_INIT(lib, CALLS, SYS_LIBARCHIVE);

struct archive_in {
	struct archive *a;
	int fd;
	struct span head;
	char *block;
	int rc; /* of a read that failed inside libarchive */
	struct archive_entry *at;
};

struct archive_out {
	struct archive *a;
	struct archive_entry *entry;
	int fd;
	bool over;      /* what comes now goes nowhere: a write failed, or this is not to be finished */
	struct err why; /* of a write that failed inside libarchive */
};

static int
have_library(struct err *e)
{
	return dl_need(&library, EX_UNAVAILABLE, e) ? err_in(e, "archives are read by libarchive") : 0;
}

bool
archive_is(struct span h)
{
	static const struct magic {
		size_t at;
		struct span text;
	} magics[] = {{0, {"\x1f\x8b", 2}}, {0, {"BZh", 3}}, {0, {"\xfd" "7zXZ\0", 6}},
	    {0, {"\x5d\0\0", 3}}, {0, {"\x28\xb5\x2f\xfd", 4}}, {0, {"\x04\x22\x4d\x18", 4}},
	    {0, {"\x1f\x9d", 2}}, {257, {"ustar", 5}}, {0, {"070701", 6}}, {0, {"070702", 6}},
	    {0, {"070707", 6}}, {0, {"\xc7\x71", 2}}, {0, {"\x71\xc7", 2}},
	    {0, {"PK\3\4", 4}}, {0, {"PK\5\6", 4}}, {0, {"7z\xbc\xaf\x27\x1c", 6}},
	    {0, {"!<arch>\n", 8}}};

	for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
		const struct magic *m = &magics[i];

		if (h.n >= m->at + m->text.n && memcmp(h.p + m->at, m->text.p, m->text.n) == 0)
			return true;
	}
	return false;
}

static la_ssize_t
read_more(struct archive *a, void *arg, const void **p)
{
	struct archive_in *in = arg;
	struct err e = ERR_INIT;
	size_t got;

	*p = in->head.p;
	got = in->head.n;
	in->head.n = 0;
	if (got > 0)
		return (la_ssize_t)got;
	*p = in->block;
	in->rc = io_input(in->fd, in->block, BLOCK, &got, &e);
	if (in->rc) {
		lib.archive_set_error(a, EX_IOERR, "%s", err_text(&e));
		err_free(&e);
		return -1;
	}
	return (la_ssize_t)got;
}

/* A read error is told as what it was, anything else is the archive's fault. */
static int
broken(const struct archive_in *in, struct err *e)
{
	const char *text = lib.archive_error_string(in->a);

	if (lib.archive_errno(in->a) == ENOMEM)
		mem_none();

	return err_set(e, in->rc ? in->rc : EX_DATAERR, "%s%s", in->rc ? "" : "archive: ",
	    text ? text : "cannot be read");
}

int
archive_block(struct archive_in *in, const char **p, size_t *n, struct err *e)
{
	const void *block = NULL;
	la_int64_t at;
	int rc;

	do
		rc = lib.archive_read_data_block(in->a, &block, n, &at);
	while (rc == ARCHIVE_OK && *n == 0);
	*p = block;
	if (rc == ARCHIVE_OK)
		return 0;
	*n = 0;
	return rc == ARCHIVE_EOF ? 0 : broken(in, e);
}

static int
members(struct archive_in *in, archive_each *each, void *arg, struct err *e)
{
	for (;;) {
		struct archive_entry *t;
		const char *name;
		int rc = lib.archive_read_next_header(in->a, &t);

		if (rc == ARCHIVE_EOF)
			return 0;
		if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
			return broken(in, e);
		/* A lone compressed file has no type. */
		if (lib.archive_entry_filetype(t) != S_IFREG && lib.archive_entry_filetype(t) != 0)
			continue;
		name = lib.archive_entry_pathname(t);
		if (!name) /* not in the locale's characters */
			name = lib.archive_entry_pathname_utf8(t);
		in->at = t;
		rc = each(arg, in, span_of(name), e);
		if (rc)
			return rc;
	}
}

static int
open_as_known(struct archive_in *in, struct err *e)
{
	lib.archive_read_support_filter_gzip(in->a);
	lib.archive_read_support_filter_bzip2(in->a);
	lib.archive_read_support_filter_xz(in->a);
	lib.archive_read_support_filter_lzma(in->a);
	lib.archive_read_support_filter_zstd(in->a);
	lib.archive_read_support_filter_lz4(in->a);
	lib.archive_read_support_filter_compress(in->a);
	lib.archive_read_support_format_tar(in->a);
	lib.archive_read_support_format_cpio(in->a);
	lib.archive_read_support_format_zip(in->a);
	lib.archive_read_support_format_7zip(in->a);
	lib.archive_read_support_format_ar(in->a);
	lib.archive_read_support_format_raw(in->a);
	lib.archive_read_support_format_empty(in->a);
	if (lib.archive_read_open(in->a, in, NULL, read_more, NULL) != ARCHIVE_OK)
		return broken(in, e);
	return 0;
}

bool
archive_link(const struct archive_in *a)
{
	return lib.archive_entry_hardlink(a->at) != NULL;
}

int64_t
archive_mtime(const struct archive_in *a)
{
	return lib.archive_entry_mtime(a->at);
}

int
archive_members(int fd, struct span head, archive_each *each, void *arg, struct err *e)
{
	struct archive_in in = {.fd = fd, .head = head};
	int rc = have_library(e);

	if (rc)
		return rc;
	in.block = mem_alloc(BLOCK);
	in.a = lib.archive_read_new();
	rc = in.a ? open_as_known(&in, e) : err_set(e, EX_TEMPFAIL, "archive: out of memory");
	if (!rc)
		rc = members(&in, each, arg, e);
	if (in.a)
		lib.archive_read_free(in.a);
	free(in.block);
	return rc;
}

/* --- writing */

static la_ssize_t
write_more(struct archive *a, void *arg, const void *p, size_t n)
{
	struct archive_out *o = arg;

	(void)a;
	/* Never told that it failed: it would not free what it has. */
	if (!o->over)
		o->over = io_write(o->fd, p, n, &o->why) != 0;
	return (la_ssize_t)n;
}

/* What libarchive says, or the write below it. */
static int
written(const struct archive_out *o, bool good, struct err *e)
{
	const char *text = lib.archive_error_string(o->a);

	if (o->why.code)
		return err_set(e, o->why.code, "%s", err_text(&o->why));
	return good ? 0 : err_set(e, EX_SOFTWARE, "archive: %s", text ? text : "cannot be written");
}

int
archive_out_open(struct archive_out **out, int fd, struct err *e)
{
	struct archive_out *o;
	int rc = have_library(e);

	*out = NULL;
	if (rc)
		return rc;
	o = mem_alloc(sizeof *o);
	o->fd = fd;
	o->a = lib.archive_write_new();
	o->entry = lib.archive_entry_new();
	if (!o->a || !o->entry)
		rc = err_set(e, EX_TEMPFAIL, "archive: out of memory");
	else
		rc = written(o,
		    lib.archive_write_set_format_pax_restricted(o->a) == ARCHIVE_OK &&
		        lib.archive_write_set_bytes_in_last_block(o->a, 1) == ARCHIVE_OK &&
		        lib.archive_write_open(o->a, o, NULL, write_more, NULL) == ARCHIVE_OK,
		    e);
	if (rc)
		archive_out_drop(o);
	else
		*out = o;
	return rc;
}

int
archive_out_member(struct archive_out *o, const char *name, uint64_t size, int64_t mtime_s,
    struct err *e)
{
	lib.archive_entry_clear(o->entry);
	lib.archive_entry_set_pathname(o->entry, name);
	lib.archive_entry_set_filetype(o->entry, S_IFREG);
	lib.archive_entry_set_perm(o->entry, 0644);
	lib.archive_entry_set_size(o->entry, (la_int64_t)size);
	lib.archive_entry_set_mtime(o->entry, (time_t)mtime_s, 0);
	return written(o, lib.archive_write_header(o->a, o->entry) >= ARCHIVE_WARN, e);
}

int
archive_out_data(struct archive_out *o, const void *p, size_t n, struct err *e)
{
	return written(o, n == 0 || lib.archive_write_data(o->a, p, n) == (la_ssize_t)n, e);
}

int
archive_out_close(struct archive_out *o, struct err *e)
{
	int rc = written(o, lib.archive_write_close(o->a) == ARCHIVE_OK, e);

	archive_out_drop(o);
	return rc;
}

void
archive_out_drop(struct archive_out *o)
{
	if (!o)
		return;
	o->over = true; /* freeing it writes an end, as if it were whole */
	if (o->a)
		lib.archive_write_free(o->a);
	if (o->entry)
		lib.archive_entry_free(o->entry);
	err_free(&o->why);
	free(o);
}
