/*
 * The params of one request (FastCGI 1.0, section 3.4): one arena of bytes, parsed in
 * place into NUL-terminated names and values, and found by name. Reused from request
 * to request: once warm, a request allocates nothing.
 */
#ifndef SUP_PARAMS_H
#define SUP_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

#define SUP_PARAMS_BUCKETS 256 /* a power of two */
/* Room beyond SUP_WIRE_MAX_PARAMS for the params that the SAPI adds itself. */
#define SUP_PARAMS_SLOTS (SUP_WIRE_MAX_PARAMS + 64)
#define SUP_PARAMS_NONE UINT16_MAX

typedef struct sup_params_block sup_params_block;

typedef struct {
	unsigned char *arena;     /* raw bytes first, then names and values in place; one spare byte at its end */
	size_t arena_len;         /* raw bytes received, at most SUP_WIRE_MAX_PARAMS_BYTES */
	size_t arena_cap;
	sup_param *list;          /* SUP_PARAMS_SLOTS entries, the first count in use */
	uint16_t *next;           /* next[i]: the next entry of i's bucket, or SUP_PARAMS_NONE */
	size_t count;
	uint16_t bucket[SUP_PARAMS_BUCKETS]; /* the newest entry first: the last param of a name wins */
	sup_params_block *added;  /* copies made by sup_params_set; never move */
	size_t added_len;         /* bytes of those copies, at most SUP_WIRE_MAX_PARAMS_BYTES */
} sup_params;

bool sup_params_init(sup_params *p); /* false when memory is short; free either way */
void sup_params_free(sup_params *p);
void sup_params_reset(sup_params *p); /* forgets the request, keeps the memory unless it is a lot */

/* Both return NULL, or what is wrong (a static string). append only before parse,
 * parse once after the last byte. After an error only reset may follow. */
const char *sup_params_append(sup_params *p, const unsigned char *data, size_t n);
const char *sup_params_parse(sup_params *p);

sup_param *sup_params_find(const sup_params *p, const char *name, size_t name_len); /* NULL when absent */
/* As sup_wire_set_param(); pointers to other params stay valid, their order may change on removal. */
bool sup_params_set(sup_params *p, const char *name, size_t name_len, const char *value, size_t value_len,
	char **stored);

#endif
