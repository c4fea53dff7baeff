#include "params.h"

#include <stdlib.h>
#include <string.h>

/* Enough for the params of a usual request (30 to 60 pairs, one to three KiB). */
#define ARENA_START ((size_t)8 * 1024)
/* A request with more params than this does not fix the worker's memory for ever. */
#define ARENA_KEEP ((size_t)128 * 1024)
#define BLOCK_START ((size_t)4 * 1024)

struct sup_params_block {
	sup_params_block *older;
	size_t len, cap;
	char data[];
};

/* The names of one request differ mostly in length and in their last letters; nearly all
 * start with HTTP_, so that the first letter says little. */
static size_t bucket_of(const char *name, size_t len)
{
	size_t h = len;

	if (len > 0) {
		h = h * 31 + (unsigned char)name[0];
		h = h * 31 + (unsigned char)name[len / 2];
		h = h * 31 + (unsigned char)name[len - 1];
	}
	return (h ^ (h >> 8)) & (SUP_PARAMS_BUCKETS - 1);
}

static void forget_all(sup_params *p)
{
	p->count = 0;
	p->arena_len = 0;
	memset(p->bucket, 0xff, sizeof(p->bucket)); /* SUP_PARAMS_NONE everywhere */
}

static void free_blocks(sup_params *p, bool keep_one)
{
	sup_params_block *b = p->added;

	while (b != NULL && !(keep_one && b->older == NULL)) {
		sup_params_block *older = b->older;
		free(b);
		b = older;
	}
	if (b != NULL) {
		b->len = 0;
	}
	p->added = b;
	p->added_len = 0;
}

bool sup_params_init(sup_params *p)
{
	memset(p, 0, sizeof(*p));
	forget_all(p);
	/* Allocated whole because callers hold pointers into it; untouched pages cost nothing. */
	p->list = malloc(SUP_PARAMS_SLOTS * sizeof(*p->list));
	p->next = malloc(SUP_PARAMS_SLOTS * sizeof(*p->next));
	p->arena = malloc(ARENA_START);
	p->arena_cap = ARENA_START;
	return p->list != NULL && p->next != NULL && p->arena != NULL;
}

void sup_params_free(sup_params *p)
{
	free_blocks(p, false);
	free(p->arena);
	free(p->list);
	free(p->next);
	memset(p, 0, sizeof(*p));
}

void sup_params_reset(sup_params *p)
{
	forget_all(p);
	free_blocks(p, true);
	if (p->arena_cap > ARENA_KEEP) {
		unsigned char *smaller = realloc(p->arena, ARENA_START);
		if (smaller != NULL) {
			p->arena = smaller;
			p->arena_cap = ARENA_START;
		}
	}
}

const char *sup_params_append(sup_params *p, const unsigned char *data, size_t n)
{
	if (n > SUP_WIRE_MAX_PARAMS_BYTES - p->arena_len) {
		return "params longer than the limit";
	}
	/* One byte more than the params themselves: the last value's NUL. */
	if (p->arena_len + n + 1 > p->arena_cap) {
		size_t cap = p->arena_cap;
		while (p->arena_len + n + 1 > cap) {
			cap *= 2;
		}
		unsigned char *larger = realloc(p->arena, cap);
		if (larger == NULL) {
			return "out of memory for params";
		}
		p->arena = larger;
		p->arena_cap = cap;
	}
	memcpy(p->arena + p->arena_len, data, n);
	p->arena_len += n;
	return NULL;
}

static void link_entry(sup_params *p, size_t i)
{
	size_t b = bucket_of(p->list[i].name, p->list[i].name_len);

	p->next[i] = p->bucket[b];
	p->bucket[b] = (uint16_t)i;
}

/* One or four bytes at *at (section 3.4); false when they run past the end. */
static bool read_length(const unsigned char **at, const unsigned char *end, size_t *len)
{
	const unsigned char *c = *at;

	if (c == end) {
		return false;
	}
	if (*c < 0x80) {
		*len = *c;
		*at = c + 1;
		return true;
	}
	if (end - c < 4) {
		return false;
	}
	*len = ((size_t)(c[0] & 0x7f) << 24) | ((size_t)c[1] << 16) | ((size_t)c[2] << 8) | (size_t)c[3];
	*at = c + 4;
	return true;
}

const char *sup_params_parse(sup_params *p)
{
	const unsigned char *at = p->arena, *end = p->arena + p->arena_len;
	char *owed = NULL; /* where the previous value's NUL goes, once the byte there has been read */

	while (at < end) {
		size_t name_len, value_len;

		if (!read_length(&at, end, &name_len) || !read_length(&at, end, &value_len)) {
			return "a param's length runs past the end of the params";
		}
		if (owed != NULL) {
			*owed = '\0';
		}
		if (name_len > (size_t)(end - at) || value_len > (size_t)(end - at) - name_len) {
			return "a param runs past the end of the params";
		}
		if (p->count == SUP_WIRE_MAX_PARAMS) {
			return "more params than the limit";
		}
		/* The name has no room for a NUL between it and its value, but at least two length
		 * bytes before it, which have been read: it moves down by one. */
		char *name = (char *)p->arena + (at - p->arena) - 1;
		memmove(name, name + 1, name_len);
		name[name_len] = '\0';
		sup_param *param = &p->list[p->count];
		param->name = name;
		param->name_len = name_len;
		param->value = name + name_len + 1;
		param->value_len = value_len;
		link_entry(p, p->count++);
		owed = param->value + value_len;
		at += name_len + value_len;
	}
	if (owed != NULL) {
		*owed = '\0';
	}
	return NULL;
}

sup_param *sup_params_find(const sup_params *p, const char *name, size_t name_len)
{
	for (uint16_t i = p->bucket[bucket_of(name, name_len)]; i != SUP_PARAMS_NONE; i = p->next[i]) {
		sup_param *param = &p->list[i];
		if (param->name_len == name_len && memcmp(param->name, name, name_len) == 0) {
			return param;
		}
	}
	return NULL;
}

static char *copy_in(sup_params *p, const char *data, size_t n)
{
	sup_params_block *b = p->added;

	if (n >= SUP_WIRE_MAX_PARAMS_BYTES - p->added_len) {
		return NULL;
	}
	if (b == NULL || n + 1 > b->cap - b->len) {
		size_t cap = n + 1 > BLOCK_START ? n + 1 : BLOCK_START;
		b = malloc(sizeof(*b) + cap);
		if (b == NULL) {
			return NULL;
		}
		b->older = p->added;
		b->len = 0;
		b->cap = cap;
		p->added = b;
	}
	char *copy = b->data + b->len;
	if (n > 0) {
		memcpy(copy, data, n);
	}
	copy[n] = '\0';
	b->len += n + 1;
	p->added_len += n + 1;
	return copy;
}

/* Removes every param of that name, keeping the others' order. */
static void remove_all(sup_params *p, const char *name, size_t name_len)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->count; i++) {
		if (p->list[i].name_len != name_len || memcmp(p->list[i].name, name, name_len) != 0) {
			p->list[kept++] = p->list[i];
		}
	}
	p->count = kept;
	memset(p->bucket, 0xff, sizeof(p->bucket));
	for (size_t i = 0; i < kept; i++) {
		link_entry(p, i);
	}
}

bool sup_params_set(sup_params *p, const char *name, size_t name_len, const char *value, size_t value_len,
	char **stored)
{
	sup_param *param = sup_params_find(p, name, name_len);

	if (stored != NULL) {
		*stored = NULL;
	}
	if (value == NULL) {
		if (param != NULL) {
			remove_all(p, name, name_len);
		}
		return true;
	}
	if (param == NULL && p->count == SUP_PARAMS_SLOTS) {
		return false;
	}
	char *value_copy = copy_in(p, value, value_len);
	if (value_copy == NULL) {
		return false;
	}
	if (param == NULL) {
		const char *name_copy = copy_in(p, name, name_len);
		if (name_copy == NULL) {
			return false;
		}
		param = &p->list[p->count];
		param->name = name_copy;
		param->name_len = name_len;
		link_entry(p, p->count++);
	}
	param->value = value_copy;
	param->value_len = value_len;
	if (stored != NULL) {
		*stored = value_copy;
	}
	return true;
}
