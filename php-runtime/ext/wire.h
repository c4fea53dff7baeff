/*
 * The worker's end of the worker socket: FastCGI records in, FastCGI records
 * out, nothing of PHP. This file and wire.c include no Zend header, so that they
 * build alone under ASAN, UBSAN and a fuzzer.
 *
 * Every length that arrives is checked before it is used. Memory is bounded: one
 * input buffer, one output buffer, and at most SUP_WIRE_MAX_PARAMS_BYTES for the
 * params of one request. Bodies stream through the buffers and are never held whole.
 */
#ifndef SUP_WIRE_H
#define SUP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Record types: FastCGI 1.0, section 8; from 64 up our own (docs/PROTOCOL.md). */
enum {
	SUP_REC_BEGIN_REQUEST = 1,
	SUP_REC_ABORT_REQUEST = 2,
	SUP_REC_END_REQUEST = 3,
	SUP_REC_PARAMS = 4,
	SUP_REC_STDIN = 5,
	SUP_REC_STDOUT = 6,
	SUP_REC_STDERR = 7,
	SUP_REC_HELLO = 64,
	SUP_REC_READY = 65,
	SUP_REC_IDLE = 66,
	SUP_REC_LOG = 67
};

#define SUP_PROTOCOL_VERSION 1
#define SUP_WIRE_MAX_PARAMS_BYTES (1024 * 1024)
#define SUP_WIRE_MAX_PARAMS 4096

typedef enum {
	SUP_WIRE_OK = 0,
	SUP_WIRE_EOF,     /* the supervisor closed the pair: leave. End of file after a whole request lets
	                   * that request finish first; within one, it is as an abort. */
	SUP_WIRE_BROKEN   /* protocol violation or I/O error; sup_wire_error() says which */
} sup_wire_status;

/* One param. name and value are NUL-terminated, owned by the wire, and valid until
 * the next sup_wire_next_request(). value may be replaced by sup_wire_set_param(). */
typedef struct {
	const char *name;
	size_t name_len;
	char *value;
	size_t value_len;
} sup_param;

typedef struct {
	uint64_t memory;        /* bytes in use after the request */
	uint64_t peak;          /* bytes, this request's peak */
	uint64_t user_us;       /* CPU of this request, microseconds */
	uint64_t system_us;
	uint32_t flags;         /* SUP_IDLE_* */
	uint32_t requests;      /* served so far by this worker */
} sup_idle_stats;

#define SUP_IDLE_LEAVING 1u
#define SUP_IDLE_FATAL   2u
#define SUP_IDLE_RENEW   4u /* OPcache cannot start anew while this worker and its like are there */

typedef struct sup_wire sup_wire; /* opaque; one per worker */

/* Takes ownership of fd (a connected stream socket). NULL when memory is short. */
sup_wire *sup_wire_open(int fd);
void sup_wire_close(sup_wire *w); /* frees and closes; NULL is fine */
int sup_wire_fd(const sup_wire *w);
const char *sup_wire_error(const sup_wire *w); /* one line, "" when nothing went wrong */

bool sup_wire_hello(sup_wire *w, uint32_t pid); /* buffered until sup_wire_flush() */
bool sup_wire_ready(sup_wire *w);               /* appends READY and flushes */

/* Waits for BEGIN_REQUEST and reads all PARAMS. Anything of an earlier request
 * must have been ended with sup_wire_idle(). */
sup_wire_status sup_wire_next_request(sup_wire *w);

uint16_t sup_wire_role(const sup_wire *w);
size_t sup_wire_param_count(const sup_wire *w);
const sup_param *sup_wire_param_at(const sup_wire *w, size_t i);
/* The last param of that name, or NULL. */
char *sup_wire_param(const sup_wire *w, const char *name, size_t name_len, size_t *value_len);
/* Copies name and value; value NULL removes the param. False when limits are passed. Returns the stored value through *stored when not NULL. */
bool sup_wire_set_param(sup_wire *w, const char *name, size_t name_len, const char *value, size_t value_len, char **stored);

/* Reads up to n bytes of the body; less than n only at its end, on abort, or on a
 * lost supervisor. 0 at the end. */
size_t sup_wire_read_stdin(sup_wire *w, char *buf, size_t n);
/* Reads and drops what is left of the body. False when the supervisor is gone. */
bool sup_wire_drain_stdin(sup_wire *w);

/* Appends type's records (STDOUT or STDERR) for the current request; writes to the socket
 * whenever the buffer is full. False once the client or the supervisor is gone;
 * what was given is then dropped. */
bool sup_wire_write(sup_wire *w, uint8_t type, const char *data, size_t n);
/* Writes the buffer out and, until the response has been ended, looks (without waiting) for an
 * ABORT_REQUEST. */
bool sup_wire_flush(sup_wire *w);
bool sup_wire_aborted(const sup_wire *w); /* as known so far, no I/O */
bool sup_wire_response_ended(const sup_wire *w); /* END_REQUEST is out or on its way */

/* Appends END_REQUEST. Not flushed: follow with sup_wire_flush() (early finish) or sup_wire_idle(). */
bool sup_wire_end_response(sup_wire *w, uint32_t app_status);
/* Appends IDLE, flushes, and makes ready for the next request. */
bool sup_wire_idle(sup_wire *w, const sup_idle_stats *stats);
/* Sends LOG records for the whole text; any time between HELLO and close. */
bool sup_wire_log(sup_wire *w, uint8_t severity, const char *text, size_t n);

#endif
