/*
 * Fuzz target: a supervisor that sends anything, and a worker that does anything with it.
 *
 * The input's first eight bytes choose what the worker does at each step (again from the
 * first when they are used up), the rest is what the supervisor sends before it closes
 * its sending side. Whatever comes: no memory error, every param is a string within its
 * bounds, and what the worker sends is whole records in an order that makes sense.
 */
#define _GNU_SOURCE
#include "../wire.h"
#include "records.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEED(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "not so: %s (line %d)\n", #condition, __LINE__); \
			abort(); \
		} \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes what the worker sent so far; the worker writes less than a socket buffer between two calls. */
static void collect(int peer, bytes *out)
{
	unsigned char buf[65536];
	ssize_t n;

	while ((n = recv(peer, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		add(out, buf, (size_t)n);
	}
}

static void check_params(sup_wire *w)
{
	for (size_t i = 0; i < sup_wire_param_count(w); i++) {
		const sup_param *p = sup_wire_param_at(w, i);
		size_t len;
		NEED(p->name[p->name_len] == '\0');
		NEED(p->value[p->value_len] == '\0');
		NEED(memchr(p->name, 0, p->name_len + 1) != NULL);
		NEED(memchr(p->value, 0, p->value_len + 1) != NULL);
		NEED(sup_wire_param(w, p->name, p->name_len, &len) != NULL);
	}
	NEED(sup_wire_param_count(w) <= SUP_WIRE_MAX_PARAMS + 64);
}

static void serve(sup_wire *w, int peer, bytes *out, const uint8_t *script)
{
	static char text[40000];
	char buf[20000], *stored;
	bool ended = false;
	unsigned steps = 0;

	check_params(w);
	for (unsigned i = 0; i < 8; i++) {
		size_t n = (size_t)(script[i] >> 3) * 1237;
		switch (script[i] & 7) {
			case 0:
				i = 8;
				break;
			case 1:
				NEED(sup_wire_read_stdin(w, buf, n < sizeof(buf) ? n : sizeof(buf)) <= n);
				break;
			case 2:
				sup_wire_write(w, SUP_REC_STDOUT, text, n);
				break;
			case 3:
				sup_wire_write(w, SUP_REC_STDERR, text, n % 100);
				sup_wire_log(w, 3, text, n % 1000);
				break;
			case 4:
				sup_wire_flush(w);
				break;
			case 5:
				if (sup_wire_set_param(w, "FUZZ", 4, n % 2 ? NULL : text, n, &stored) && stored != NULL) {
					NEED(sup_wire_param(w, "FUZZ", 4, NULL) == stored);
				}
				check_params(w);
				break;
			case 6:
				sup_wire_end_response(w, 1);
				ended = true;
				break;
			case 7:
				sup_wire_drain_stdin(w);
				break;
		}
		collect(peer, out);
		NEED(++steps <= 8);
	}
	NEED(!ended || sup_wire_response_ended(w) || sup_wire_aborted(w));
	sup_idle_stats stats = {.requests = 1};
	bool idle = sup_wire_idle(w, &stats);
	NEED(!idle || *sup_wire_error(w) == '\0');
}

/* Whole records; output only until END_REQUEST; IDLE after each END_REQUEST. */
static void check_output(const bytes *out)
{
	size_t at = 0;
	bool response_ended = false;
	seen r;

	while (take(out->data, out->len, &at, &r)) {
		switch (r.type) {
			case 6:
			case 7:
				NEED(!response_ended && r.id != 0 && r.n > 0);
				break;
			case 3:
				NEED(!response_ended && r.id != 0 && r.n == 8);
				response_ended = true;
				break;
			case 66:
				NEED(response_ended && r.id == 0 && r.n == 40);
				response_ended = false;
				break;
			default:
				NEED(r.type == 67 && r.id == 0 && r.n >= 2 && r.content[0] <= 7 && r.content[1] <= 1);
		}
	}
	NEED(at == out->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int pair[2];
	bytes out = {0};
	sup_wire_status status;
	unsigned requests = 0;

	if (size < 8 || size > 100000) {
		return -1;
	}
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	NEED(size == 8 || send(pair[1], data + 8, size - 8, 0) == (ssize_t)size - 8);
	shutdown(pair[1], SHUT_WR);
	sup_wire *w = sup_wire_open(pair[0]);
	NEED(w != NULL);
	while ((status = sup_wire_next_request(w)) == SUP_WIRE_OK) {
		serve(w, pair[1], &out, data);
		collect(pair[1], &out);
		NEED(++requests < 10000);
	}
	NEED((status == SUP_WIRE_BROKEN) == (*sup_wire_error(w) != '\0'));
	sup_wire_close(w);
	collect(pair[1], &out);
	check_output(&out);
	close(pair[1]);
	free(out.data);
	return 0;
}
