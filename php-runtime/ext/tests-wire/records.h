/*
 * The supervisor's side for the tests: builds the records a web server sends, and reads
 * what a worker answers with a parser of its own, so that no mistake of wire.c is shared.
 */
#ifndef SUP_TEST_RECORDS_H
#define SUP_TEST_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
	unsigned char *data;
	size_t len, cap;
} bytes;

static inline void add(bytes *b, const void *data, size_t n)
{
	if (b->len + n > b->cap) {
		b->cap = (b->len + n) * 2;
		b->data = realloc(b->data, b->cap);
		if (b->data == NULL) {
			abort();
		}
	}
	if (n > 0) {
		memcpy(b->data + b->len, data, n);
	}
	b->len += n;
}

static inline void add_record_padded(bytes *b, uint8_t type, uint16_t id, const void *content, size_t n, size_t padding)
{
	static const unsigned char zeros[255];
	const unsigned char header[8] = {1, type, (unsigned char)(id >> 8), (unsigned char)id, (unsigned char)(n >> 8), (unsigned char)n, (unsigned char)padding, 0};

	add(b, header, sizeof(header));
	add(b, content, n);
	add(b, zeros, padding);
}

static inline void add_record(bytes *b, uint8_t type, uint16_t id, const void *content, size_t n)
{
	add_record_padded(b, type, id, content, n, 0);
}

static inline void add_begin(bytes *b, uint16_t id, uint16_t role)
{
	const unsigned char content[8] = {(unsigned char)(role >> 8), (unsigned char)role, 1};

	add_record(b, 1, id, content, sizeof(content));
}

static inline void add_length(bytes *b, size_t n, bool wide)
{
	if (n < 128 && !wide) {
		const unsigned char c = (unsigned char)n;
		add(b, &c, 1);
	} else {
		const unsigned char c[4] = {(unsigned char)(0x80 | n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n};
		add(b, c, 4);
	}
}

static inline void add_pair_bytes(bytes *b, const void *name, size_t name_len, const void *value, size_t value_len)
{
	add_length(b, name_len, false);
	add_length(b, value_len, false);
	add(b, name, name_len);
	add(b, value, value_len);
}

static inline void add_pair(bytes *b, const char *name, const char *value)
{
	add_pair_bytes(b, name, strlen(name), value, strlen(value));
}

/* The next record of data at *at, or false when what is there is not a whole one. */
typedef struct {
	uint8_t type;
	uint16_t id;
	const unsigned char *content;
	size_t n;
} seen;

static inline bool take(const unsigned char *data, size_t len, size_t *at, seen *r)
{
	if (len - *at < 8) {
		return false;
	}
	const unsigned char *h = data + *at;
	size_t n = (size_t)h[4] << 8 | h[5];
	if (h[0] != 1 || h[7] != 0 || len - *at - 8 < n + h[6]) {
		return false;
	}
	r->type = h[1];
	r->id = (uint16_t)(h[2] << 8 | h[3]);
	r->content = h + 8;
	r->n = n;
	*at += 8 + n + h[6];
	return true;
}

#endif
