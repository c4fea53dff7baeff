/*
 * The worker socket between its two files: wire.c opens it and writes, wire_input.c reads.
 */
#ifndef SUP_WIRE_PRIVATE_H
#define SUP_WIRE_PRIVATE_H

#include "params.h"
#include "wire.h"

#define HEADER_LEN 8
#define MAX_CONTENT 65535
#define IN_CAP ((size_t)64 * 1024)
#define OUT_CAP ((size_t)64 * 1024)

typedef enum {
	IDLE,    /* between IDLE and the next BEGIN_REQUEST */
	PARAMS,  /* BEGIN_REQUEST seen, the empty PARAMS record not yet */
	REQUEST  /* from there to sup_wire_idle() */
} phase;

struct sup_wire {
	int fd;
	phase phase;
	uint16_t id;       /* of the current request, or of the last one while idle; 0: there was none */
	uint16_t role;

	bool broken;       /* error says why; nothing is read or written any more */
	bool eof;          /* nothing more comes from the supervisor; it may still read */
	bool lost;         /* nobody reads what is written, or the body was cut off by end of file */
	bool aborted;      /* the client has gone: output is dropped, END_REQUEST and IDLE still go out */
	bool stdin_ended;  /* no byte of the body will come any more */
	bool response_ended;

	size_t content_left; /* of the STDIN record being read */
	size_t padding_left; /* of the record before the next header */
	size_t looked;       /* in[in_pos .. in_pos + looked) has been searched for ABORT_REQUEST; a record boundary */

	size_t in_pos, in_len;
	size_t out_len;
	size_t open_at;    /* out[open_at] is the header of a record that may still grow */
	uint8_t open_type; /* its type; 0: no record is open */

	sup_params params;
	unsigned char *in;  /* IN_CAP; unread bytes from in_pos to in_len */
	unsigned char *out; /* OUT_CAP; unsent bytes from 0 to out_len */
	sup_idle_stats last_stats;
	char error[160];
};

/* Notes the first error; from then on nothing is read or written. Returns false. */
__attribute__((format(printf, 2, 3)))
bool wire_broken(sup_wire *w, const char *format, ...);
/* Writes out what is buffered. False when nobody reads it. */
bool wire_send_buffer(sup_wire *w);
/* Searches what has arrived, without waiting and without using it up, for ABORT_REQUEST. */
void wire_look_for_abort(sup_wire *w);
/* Drops what is left of the request's body; before it waits for more it writes out what is buffered. */
bool wire_drain(sup_wire *w);

#endif
