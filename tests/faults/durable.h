/* durable.h - the memory of crashfs: files and names as they are seen, and as they would be found
 * after a power cut.  crashfs.c's head says what is kept and what is lost.
 */
#ifndef DURABLE_H
#define DURABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct node;
struct entry {
	char *name;
	struct node *node;
	struct entry *next;
};
struct node {
	uint64_t ino;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct timespec mtime;
	int links; /* names it has now */
	long refs; /* names now and durable, pending changes, the kernel's lookups and handles */
	char *data, *durable;
	size_t size, cap, durable_size;
	bool dirty;
	struct entry *now, *kept; /* a directory's names: as seen, as durable */
	struct node *next, **prev; /* all nodes */
};

/* A change of names that is not durable yet, oldest first.  A move has both halves. */
struct change {
	struct node *from_dir, *to_dir, *node, *other; /* other: what goes the other way, in an exchange */
	char *from, *to;
	struct change *next;
};

static struct node *nodes, *root;
static struct change *changes, **changes_end = &changes;
static bool strict;
static uint64_t last_ino = 2, dice; /* 2: left free for .crashfs */
static size_t used; /* bytes of all files */

static void *
must(void *p)
{
	if (!p)
		abort();
	return p;
}

static uint64_t
roll(void)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice;
}

/* --- nodes and names */

static struct node *
node_new(mode_t mode, uid_t uid, gid_t gid)
{
	struct node *n = must(calloc(1, sizeof *n));

	n->ino = ++last_ino;
	n->mode = mode;
	n->uid = uid;
	n->gid = gid;
	clock_gettime(CLOCK_REALTIME, &n->mtime);
	n->next = nodes;
	n->prev = &nodes;
	if (nodes)
		nodes->prev = &n->next;
	nodes = n;
	return n;
}

static void
unref(struct node *n, long times)
{
	n->refs -= times;
	if (n->refs > 0)
		return;
	*n->prev = n->next;
	if (n->next)
		n->next->prev = n->prev;
	used -= n->size;
	free(n->data);
	free(n->durable);
	free(n);
}

static struct entry **
name_find(struct entry **list, const char *name)
{
	while (*list && strcmp((*list)->name, name))
		list = &(*list)->next;
	return list;
}

static struct node *
name_get(struct node *dir, const char *name)
{
	struct entry *e = *name_find(&dir->now, name);

	return e ? e->node : NULL;
}

static void
name_drop(struct entry **list, const char *name)
{
	struct entry **at = name_find(list, name), *e = *at;

	if (!e)
		return;
	*at = e->next;
	unref(e->node, 1);
	free(e->name);
	free(e);
}

static void
name_set(struct entry **list, const char *name, struct node *n)
{
	struct entry *e = must(malloc(sizeof *e));

	n->refs++;
	name_drop(list, name);
	e->name = must(strdup(name));
	e->node = n;
	e->next = *list;
	*list = e;
}

/* --- changes of names */

static struct change *
change_new(struct node *node)
{
	struct change *c = must(calloc(1, sizeof *c));

	c->node = node;
	node->refs++;
	*changes_end = c;
	changes_end = &c->next;
	return c;
}

static void
change_from(struct change *c, struct node *dir, const char *name)
{
	c->from_dir = dir;
	dir->refs++;
	c->from = must(strdup(name));
}

static void
change_to(struct change *c, struct node *dir, const char *name)
{
	c->to_dir = dir;
	dir->refs++;
	c->to = must(strdup(name));
}

static void
change_keep(const struct change *c)
{
	if (c->from && c->other)
		name_set(&c->from_dir->kept, c->from, c->other);
	else if (c->from)
		name_drop(&c->from_dir->kept, c->from);
	if (c->to)
		name_set(&c->to_dir->kept, c->to, c->node);
}

static void
change_free(struct change *c)
{
	if (c->from_dir)
		unref(c->from_dir, 1);
	if (c->to_dir)
		unref(c->to_dir, 1);
	if (c->other)
		unref(c->other, 1);
	unref(c->node, 1);
	free(c->from);
	free(c->to);
	free(c);
}

/* Makes changes durable: all of them, or those that touch one directory. */
static void
changes_sync(const struct node *dir)
{
	struct change **at = &changes, *c;

	while ((c = *at) != NULL) {
		if (dir && c->from_dir != dir && c->to_dir != dir) {
			at = &c->next;
			continue;
		}
		change_keep(c);
		*at = c->next;
		change_free(c);
	}
	changes_end = at;
}

/* --- power loss */

static void
file_sync(struct node *n)
{
	n->durable = must(realloc(n->durable, n->size + 1));
	if (n->size)
		memcpy(n->durable, n->data, n->size);
	n->durable_size = n->size;
	n->dirty = false;
}

/* What was written and not synced may be on the disk in any part; here: nothing, all, the first
 * half of what was added, or its length alone (the size reached the disk, the data did not). */
static void
file_lose(struct node *n, bool by_dice)
{
	size_t keep = n->durable_size, more = n->size > keep ? n->size - keep : 0;
	unsigned how = by_dice ? (unsigned)(roll() >> 20) % 4 : 0;

	if (how == 1) {
		file_sync(n);
		return;
	}
	n->durable = must(realloc(n->durable, keep + more + 1));
	if (how == 2 && more) {
		memcpy(n->durable + keep, n->data + keep, more / 2);
		keep += more / 2;
	}
	if (how == 3 && more) {
		memset(n->durable + keep, 0, more);
		keep += more;
	}
	used -= n->size;
	used += keep;
	n->data = must(realloc(n->data, keep + 1));
	n->cap = keep + 1;
	memcpy(n->data, n->durable, keep);
	n->size = n->durable_size = keep;
	n->dirty = false;
}

static void
names_lose(bool by_dice)
{
	size_t n = 0, keep = 0;
	struct change *c;

	for (c = changes; c; c = c->next)
		n++;
	if (by_dice && !strict)
		keep = (size_t)(roll() >> 20) % (n + 1);
	for (n = 0; (c = changes) != NULL; n++) {
		if (strict ? by_dice && roll() >> 40 & 1 : n < keep)
			change_keep(c);
		changes = c->next;
		change_free(c);
	}
	changes_end = &changes;
}

static void
dir_restore(struct node *dir)
{
	while (dir->now)
		name_drop(&dir->now, dir->now->name);
	for (struct entry *e = dir->kept; e; e = e->next)
		name_set(&dir->now, e->name, e->node);
}

static void
power_loss(bool by_dice, uint64_t seed)
{
	struct node *n, **all;
	size_t count = 0, i = 0;

	dice = (seed + 1) * 0x9E3779B97F4A7C15u;
	names_lose(by_dice);
	for (n = nodes; n; n = n->next, count++)
		n->refs++; /* so that none goes while we walk over them */
	all = must(malloc(count * sizeof *all));
	for (n = nodes; n; n = n->next)
		all[i++] = n;
	for (i = 0; i < count; i++) {
		all[i]->links = 0;
		if (S_ISDIR(all[i]->mode))
			dir_restore(all[i]);
		else if (all[i]->dirty)
			file_lose(all[i], by_dice);
	}
	for (i = 0; i < count; i++)
		for (struct entry *e = all[i]->now; e; e = e->next)
			e->node->links++;
	for (i = 0; i < count; i++)
		unref(all[i], 1);
	free(all);
}

#endif
