/*
 * Tests of wire.c against a peer on a socket pair. No PHP, no framework: each test is a
 * function; a failed check names its line and lets the others go on.
 */
#define _GNU_SOURCE
#include "../wire.h"
#include "records.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *running;
static bool failed;

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "FAIL %s: line %d: %s\n", running, __LINE__, #condition); \
			failed = true; \
		} \
	} while (0)

/* Counted so that tests can say how many system calls a request costs. */
static int reads, writes;
ssize_t __real_read(int fd, void *buf, size_t n);
ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_read(int fd, void *buf, size_t n);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);

ssize_t __wrap_read(int fd, void *buf, size_t n)
{
	reads++;
	return __real_read(fd, buf, n);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	writes++;
	return __real_sendmsg(fd, m, flags);
}

static int allocations;
void *__real_malloc(size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
	allocations++;
	return __real_malloc(n);
}

void *__wrap_realloc(void *p, size_t n)
{
	allocations++;
	return __real_realloc(p, n);
}

typedef struct {
	sup_wire *wire;
	int peer;
	bytes in;  /* for the worker */
	bytes out; /* what the worker sent so far */
	size_t at; /* read of out */
} fixture;

static fixture begin(void)
{
	fixture f = {0};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
		abort();
	}
	f.peer = pair[1];
	f.wire = sup_wire_open(pair[0]);
	return f;
}

static void end(fixture *f)
{
	sup_wire_close(f->wire);
	if (f->peer >= 0) {
		close(f->peer);
	}
	free(f->in.data);
	free(f->out.data);
}

/* Hands f->in to the worker in one piece. */
static void deliver(fixture *f)
{
	CHECK(send(f->peer, f->in.data, f->in.len, 0) == (ssize_t)f->in.len);
	f->in.len = 0;
}

/* Next record from the worker; the time is for slow machines, a good run never waits it out. */
static bool next(fixture *f, seen *r)
{
	while (!take(f->out.data, f->out.len, &f->at, r)) {
		unsigned char buf[65536];
		struct pollfd p = {.fd = f->peer, .events = POLLIN};
		if (poll(&p, 1, 20000) != 1) {
			return false;
		}
		ssize_t n = recv(f->peer, buf, sizeof(buf), 0);
		if (n <= 0) {
			return false;
		}
		add(&f->out, buf, (size_t)n);
	}
	return true;
}

static bool next_is(fixture *f, uint8_t type, uint16_t id, const void *content, size_t n)
{
	seen r;
	bool same = next(f, &r) && r.type == type && r.id == id && r.n == n && (n == 0 || memcmp(r.content, content, n) == 0);

	if (!same) {
		fprintf(stderr, "  got type %d id %d length %zu\n", r.type, r.id, r.n);
	}
	return same;
}

static bool silent(fixture *f)
{
	struct pollfd p = {.fd = f->peer, .events = POLLIN};

	return f->at == f->out.len && poll(&p, 1, 0) == 0;
}

/* A second process: the worker's side or the supervisor's. It holds only that end, so that
 * neither outlives a failed test. */
static pid_t fork_half(fixture *f, bool worker)
{
	pid_t pid = fork();

	if (pid == 0) {
		alarm(60);
		close(worker ? f->peer : sup_wire_fd(f->wire));
	}
	return pid;
}

static void add_request(fixture *f, uint16_t id, const char *method, const char *body)
{
	bytes params = {0};

	add_begin(&f->in, id, 1);
	add_pair(&params, "REQUEST_METHOD", method);
	add_pair(&params, "SCRIPT_FILENAME", "/srv/index.php");
	add_pair(&params, "QUERY_STRING", "");
	add_record(&f->in, 4, id, params.data, params.len);
	add_record(&f->in, 4, id, NULL, 0);
	if (*body != '\0') {
		add_record(&f->in, 5, id, body, strlen(body));
	}
	add_record(&f->in, 5, id, NULL, 0);
	free(params.data);
}

static const unsigned char ended[8];
static const sup_idle_stats no_stats;
static const unsigned char no_stats_content[40];

static void small_request_is_one_read_and_one_write(void)
{
	fixture f = begin();
	sup_idle_stats stats = {.memory = 0x0102030405060708, .peak = 2, .user_us = 3, .system_us = 4, .flags = SUP_IDLE_LEAVING, .requests = 6};
	const unsigned char stats_content[40] = {1, 2, 3, 4, 5, 6, 7, 8, [15] = 2, [23] = 3, [31] = 4, [35] = 1, [39] = 6};
	char body[16];
	size_t len;

	for (int round = 0; round < 3; round++) {
		add_request(&f, 7, "POST", "hello");
		deliver(&f);
		reads = writes = allocations = 0;
		CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
		CHECK(strcmp(sup_wire_param(f.wire, "REQUEST_METHOD", 14, &len), "POST") == 0 && len == 4);
		CHECK(strcmp(sup_wire_param(f.wire, "QUERY_STRING", 12, &len), "") == 0 && len == 0);
		CHECK(sup_wire_param(f.wire, "REMOTE_USER", 11, &len) == NULL && len == 0);
		CHECK(sup_wire_param_count(f.wire) == 3 && strcmp(sup_wire_param_at(f.wire, 1)->name, "SCRIPT_FILENAME") == 0);
		CHECK(sup_wire_param_at(f.wire, 3) == NULL);
		CHECK(sup_wire_role(f.wire) == 1);
		CHECK(sup_wire_read_stdin(f.wire, body, sizeof(body)) == 5 && memcmp(body, "hello", 5) == 0);
		CHECK(sup_wire_read_stdin(f.wire, body, sizeof(body)) == 0);
		CHECK(sup_wire_write(f.wire, SUP_REC_STDOUT, "Status: 200\r\n\r\n", 15));
		CHECK(sup_wire_write(f.wire, SUP_REC_STDOUT, "ok", 2));
		CHECK(sup_wire_write(f.wire, SUP_REC_STDERR, "warning", 7));
		CHECK(sup_wire_write(f.wire, SUP_REC_STDOUT, "!", 1));
		CHECK(sup_wire_end_response(f.wire, 0));
		CHECK(sup_wire_idle(f.wire, &stats));
		CHECK(reads == 1);
		CHECK(writes == 1);
		CHECK(allocations == 0);
		CHECK(next_is(&f, 6, 7, "Status: 200\r\n\r\nok", 17));
		CHECK(next_is(&f, 7, 7, "warning", 7));
		CHECK(next_is(&f, 6, 7, "!", 1));
		CHECK(next_is(&f, 3, 7, ended, 8));
		CHECK(next_is(&f, 66, 0, stats_content, 40));
		CHECK(silent(&f));
	}
	close(f.peer);
	f.peer = -1;
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_EOF);
	CHECK(*sup_wire_error(f.wire) == '\0');
	end(&f);
}

static void hello_and_ready_go_out_together(void)
{
	fixture f = begin();
	const unsigned char hello[8] = {0, 0, 0, 1, 0, 0, 0x12, 0x34};

	writes = 0;
	CHECK(sup_wire_hello(f.wire, 0x1234));
	CHECK(sup_wire_ready(f.wire));
	CHECK(writes == 1);
	CHECK(next_is(&f, 64, 0, hello, 8));
	CHECK(next_is(&f, 65, 0, NULL, 0));
	end(&f);
}

static void records_may_arrive_byte_by_byte(void)
{
	fixture f = begin();
	bytes params = {0};
	char body[8];

	add_begin(&f.in, 1, 1);
	add_pair(&params, "A", "1");
	add_pair(&params, "LONGER_NAME", "a value");
	/* A pair may straddle records, and each record may be padded. */
	add_record_padded(&f.in, 4, 1, params.data, 7, 3);
	add_record_padded(&f.in, 4, 1, params.data + 7, params.len - 7, 255);
	add_record_padded(&f.in, 4, 1, NULL, 0, 8);
	add_record_padded(&f.in, 5, 1, "ab", 2, 6);
	add_record_padded(&f.in, 5, 1, "cd", 2, 0);
	add_record_padded(&f.in, 5, 1, NULL, 0, 5);
	bytes first = f.in;
	f.in = (bytes){0};
	pid_t child = fork_half(&f, false);
	if (child == 0) {
		for (size_t i = 0; i < first.len; i++) {
			if (send(f.peer, first.data + i, 1, 0) != 1) {
				_exit(1);
			}
		}
		_exit(0);
	}
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	CHECK(strcmp(sup_wire_param(f.wire, "LONGER_NAME", 11, NULL), "a value") == 0);
	CHECK(strcmp(sup_wire_param(f.wire, "A", 1, NULL), "1") == 0);
	CHECK(sup_wire_read_stdin(f.wire, body, 3) == 3 && memcmp(body, "abc", 3) == 0);
	CHECK(sup_wire_read_stdin(f.wire, body, 3) == 1 && body[0] == 'd');
	CHECK(sup_wire_idle(f.wire, &no_stats));
	/* What comes last is padding, which nobody has waited for: the next request follows it. */
	waitpid(child, NULL, 0); /* waits, but has no status to give: SIGCHLD is ignored */
	add_request(&f, 2, "GET", "");
	deliver(&f);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	free(first.data);
	free(params.data);
	end(&f);
}

static void params_of_every_length(void)
{
	static const size_t lengths[] = {0, 1, 126, 127, 128, 129, 255, 256, 65535, 65536, 300000};
	fixture f = begin();
	bytes params = {0};
	char *big = malloc(300000);

	memset(big, 'x', 300000);
	add_begin(&f.in, 1, 1);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		char name[16];
		snprintf(name, sizeof(name), "P%zu", i);
		add_pair_bytes(&params, name, strlen(name), big, lengths[i]);
		add_pair_bytes(&params, big, lengths[i], name, strlen(name));
	}
	/* A length below 128 may be written in four bytes. */
	add_length(&params, 4, true);
	add_length(&params, 3, true);
	add(&params, "WIDEyes", 7);
	for (size_t at = 0; at < params.len; at += 65535) {
		add_record(&f.in, 4, 1, params.data + at, params.len - at < 65535 ? params.len - at : 65535);
	}
	add_record(&f.in, 4, 1, NULL, 0);
	pid_t child = fork_half(&f, false);
	if (child == 0) {
		size_t at = 0;
		while (at < f.in.len) {
			ssize_t n = send(f.peer, f.in.data + at, f.in.len - at, 0);
			if (n <= 0) {
				_exit(1);
			}
			at += (size_t)n;
		}
		_exit(0);
	}
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		char name[16];
		size_t len;
		snprintf(name, sizeof(name), "P%zu", i);
		const char *value = sup_wire_param(f.wire, name, strlen(name), &len);
		CHECK(value != NULL && len == lengths[i] && memcmp(value, big, len) == 0 && value[len] == '\0');
		value = sup_wire_param(f.wire, big, lengths[i], &len);
		CHECK(value != NULL && strcmp(value, name) == 0 && len == strlen(name));
		const sup_param *p = sup_wire_param_at(f.wire, 2 * i + 1);
		CHECK(p->name_len == lengths[i] && p->name[p->name_len] == '\0');
	}
	CHECK(strcmp(sup_wire_param(f.wire, "WIDE", 4, NULL), "yes") == 0);
	free(big);
	free(params.data);
	end(&f);
}

static void the_last_param_of_a_name_wins_and_params_can_be_set(void)
{
	fixture f = begin();
	bytes params = {0};
	char *stored, *large = malloc(SUP_WIRE_MAX_PARAMS_BYTES);
	size_t len;

	add_begin(&f.in, 1, 1);
	add_pair(&params, "TWICE", "first");
	add_pair(&params, "KEEP", "me");
	add_pair(&params, "TWICE", "second");
	add_record(&f.in, 4, 1, params.data, params.len);
	add_record(&f.in, 4, 1, NULL, 0);
	add_record(&f.in, 5, 1, NULL, 0);
	deliver(&f);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	CHECK(strcmp(sup_wire_param(f.wire, "TWICE", 5, NULL), "second") == 0);
	const char *keep = sup_wire_param(f.wire, "KEEP", 4, NULL);

	CHECK(sup_wire_set_param(f.wire, "NEW", 3, "value", 5, &stored) && strcmp(stored, "value") == 0);
	CHECK(sup_wire_param(f.wire, "NEW", 3, NULL) == stored);
	CHECK(sup_wire_set_param(f.wire, "NEW", 3, "", 0, NULL) && *sup_wire_param(f.wire, "NEW", 3, &len) == '\0' && len == 0);
	CHECK(strcmp(stored, "value") == 0); /* older copies live as long as the request */
	CHECK(sup_wire_set_param(f.wire, "TWICE", 5, NULL, 0, NULL));
	CHECK(sup_wire_param(f.wire, "TWICE", 5, NULL) == NULL);
	CHECK(sup_wire_set_param(f.wire, "ABSENT", 6, NULL, 0, NULL));
	CHECK(sup_wire_param_count(f.wire) == 2);
	CHECK(sup_wire_param(f.wire, "KEEP", 4, NULL) == keep && strcmp(keep, "me") == 0);
	memset(large, 'x', SUP_WIRE_MAX_PARAMS_BYTES);
	CHECK(sup_wire_set_param(f.wire, "L", 1, large, 500000, &stored) && stored[499999] == 'x' && stored[500000] == '\0');
	CHECK(!sup_wire_set_param(f.wire, "L", 1, large, SUP_WIRE_MAX_PARAMS_BYTES, &stored) && stored == NULL);
	CHECK(sup_wire_param(f.wire, "L", 1, &len) != NULL && len == 500000);
	for (int i = 0; i < 200; i++) {
		char name[16];
		snprintf(name, sizeof(name), "S%d", i);
		CHECK(sup_wire_set_param(f.wire, name, strlen(name), name, strlen(name), NULL));
	}
	CHECK(strcmp(sup_wire_param(f.wire, "S17", 3, NULL), "S17") == 0);
	CHECK(sup_wire_idle(f.wire, &no_stats));

	add_request(&f, 1, "GET", "");
	deliver(&f);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	CHECK(sup_wire_param(f.wire, "NEW", 3, NULL) == NULL && sup_wire_param_count(f.wire) == 3);
	free(large);
	free(params.data);
	end(&f);
}

static void as_many_params_as_allowed_and_not_one_more(void)
{
	for (size_t extra = 0; extra < 2; extra++) {
		fixture f = begin();
		bytes params = {0};
		char name[16];

		for (size_t i = 0; i < SUP_WIRE_MAX_PARAMS + extra; i++) {
			snprintf(name, sizeof(name), "N%zu", i);
			add_pair(&params, name, "");
		}
		add_begin(&f.in, 1, 1);
		add_record(&f.in, 4, 1, params.data, params.len);
		add_record(&f.in, 4, 1, NULL, 0);
		deliver(&f);
		if (extra == 0) {
			CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
			CHECK(sup_wire_param(f.wire, "N4095", 5, NULL) != NULL && sup_wire_param(f.wire, "N0", 2, NULL) != NULL);
			/* The SAPI's own additions have room beside them, bounded as well. */
			size_t added = 0;
			while (added < 1000) {
				snprintf(name, sizeof(name), "X%zu", added);
				if (!sup_wire_set_param(f.wire, name, strlen(name), "", 0, NULL)) {
					break;
				}
				added++;
			}
			CHECK(added == 64);
		} else {
			CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_BROKEN);
			CHECK(strcmp(sup_wire_error(f.wire), "more params than the limit") == 0);
		}
		free(params.data);
		end(&f);
	}
}

typedef struct {
	int fd;
	const unsigned char *data;
	size_t len;
} job;

static void *send_job(void *arg)
{
	job *j = arg;
	size_t at = 0;

	while (at < j->len) {
		ssize_t n = send(j->fd, j->data + at, j->len - at, MSG_NOSIGNAL);
		if (n <= 0) {
			break;
		}
		at += (size_t)n;
	}
	return NULL;
}

static void params_of_more_than_a_mebibyte_are_refused(void)
{
	for (size_t extra = 0; extra < 2; extra++) {
		fixture f = begin();
		bytes params = {0};
		size_t value_len = SUP_WIRE_MAX_PARAMS_BYTES - 6 + extra; /* 1 + 4 length bytes, 1 of the name */
		char *value = malloc(value_len);
		pthread_t sender;

		memset(value, 'v', value_len);
		add_pair_bytes(&params, "N", 1, value, value_len);
		add_begin(&f.in, 1, 1);
		for (size_t at = 0; at < params.len; at += 65528) {
			add_record(&f.in, 4, 1, params.data + at, params.len - at < 65528 ? params.len - at : 65528);
		}
		add_record(&f.in, 4, 1, NULL, 0);
		job j = {f.peer, f.in.data, f.in.len};
		pthread_create(&sender, NULL, send_job, &j);
		sup_wire_status got = sup_wire_next_request(f.wire);
		CHECK(got == (extra ? SUP_WIRE_BROKEN : SUP_WIRE_OK));
		if (extra) {
			CHECK(strcmp(sup_wire_error(f.wire), "params longer than the limit") == 0);
			shutdown(sup_wire_fd(f.wire), SHUT_RDWR);
		}
		pthread_join(sender, NULL);
		free(value);
		free(params.data);
		end(&f);
	}
}

/* Each of these ends the worker: the line it leaves behind is part of the behaviour. */
static void violations(void)
{
	bytes good = {0}, tail = {0};
	bytes pair = {0};

	add_begin(&good, 3, 1);
	add_pair(&pair, "A", "b");
	add_record(&tail, 4, 3, pair.data, pair.len);
	add_record(&tail, 4, 3, NULL, 0);

#define HEADER(version, type, id, n) (const unsigned char[]){version, type, 0, id, 0, n, 0, 0}, 8
	struct {
		const char *what;
		bool after_begin, after_params;
		const unsigned char *data;
		size_t n;
		const char *error;
	} cases[] = {
		{"wrong version", false, false, HEADER(2, 1, 1, 8), "record of version 2 instead of 1"},
		{"unknown type", false, false, HEADER(1, 99, 1, 0), "record of unexpected type 99"},
		{"a worker's own type", false, false, HEADER(1, 66, 0, 0), "record of unexpected type 66"},
		{"DATA, for the filter role", true, true, HEADER(1, 8, 3, 0), "record of unexpected type 8"},
		{"GET_VALUES", false, false, HEADER(1, 9, 0, 0), "record of unexpected type 9"},
		{"id 0", false, false, HEADER(1, 1, 0, 8), "record of type 1 without a request id"},
		{"BEGIN_REQUEST too short", false, false, HEADER(1, 1, 1, 7), "BEGIN_REQUEST of 7 bytes instead of 8"},
		{"unknown role", false, false, (const unsigned char[]){1, 1, 0, 3, 0, 8, 0, 0, 0, 9, 1, 0, 0, 0, 0, 0}, 16, "unknown role 9"},
		{"params first", false, false, HEADER(1, 4, 3, 0), "record of type 4 instead of BEGIN_REQUEST"},
		{"stdin first", false, false, HEADER(1, 5, 3, 0), "record of type 5 for request 3, which has not begun"},
		{"abort of nothing", false, false, HEADER(1, 2, 3, 0), "record of type 2 for request 3, which has not begun"},
		{"ABORT_REQUEST with content", true, false, HEADER(1, 2, 3, 1), "ABORT_REQUEST of 1 bytes instead of 0"},
		{"stdin within params", true, false, HEADER(1, 5, 3, 0), "record of type 5 within the params of request 3"},
		{"another request within params", true, false, HEADER(1, 4, 4, 0), "record of type 4 with request id 4 within request 3"},
		{"begin within params", true, false, HEADER(1, 1, 3, 8), "record of type 1 with request id 3 within request 3"},
		{"a length past the end", true, false, (const unsigned char[]){1, 4, 0, 3, 0, 2, 0, 0, 1, 0x80, 1, 4, 0, 3, 0, 0, 0, 0}, 18, "a param's length runs past the end of the params"},
		{"a lonely name length", true, false, (const unsigned char[]){1, 4, 0, 3, 0, 1, 0, 0, 1, 1, 4, 0, 3, 0, 0, 0, 0}, 17, "a param's length runs past the end of the params"},
		{"a name past the end", true, false, (const unsigned char[]){1, 4, 0, 3, 0, 3, 0, 0, 2, 0, 'A', 1, 4, 0, 3, 0, 0, 0, 0}, 19, "a param runs past the end of the params"},
		{"a value past the end", true, false, (const unsigned char[]){1, 4, 0, 3, 0, 4, 0, 0, 1, 2, 'A', 'b', 1, 4, 0, 3, 0, 0, 0, 0}, 20, "a param runs past the end of the params"},
		{"a huge value", true, false, (const unsigned char[]){1, 4, 0, 3, 0, 6, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 'A', 1, 4, 0, 3, 0, 0, 0, 0}, 22, "a param runs past the end of the params"},
		{"two huge lengths", true, false, (const unsigned char[]){1, 4, 0, 3, 0, 8, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 4, 0, 3, 0, 0, 0, 0}, 24, "a param runs past the end of the params"},
		{"params within the body", true, true, HEADER(1, 4, 3, 0), "record of type 4 within the body of request 3"},
		{"another request within the body", true, true, HEADER(1, 5, 4, 0), "record of type 5 with request id 4 within request 3"},
		{"begin within the body", true, true, HEADER(1, 1, 4, 8), "record of type 1 with request id 4 within request 3"},
		{"cut within a header", false, false, (const unsigned char[]){1, 1, 0, 1, 0}, 5, "the supervisor closed the connection within a record"},
		{"cut within BEGIN_REQUEST", false, false, HEADER(1, 1, 1, 8), "the supervisor closed the connection within a record"},
		{"cut within params", true, false, HEADER(1, 4, 3, 9), "the supervisor closed the connection within a record"},
		{"cut within the body", true, true, HEADER(1, 5, 3, 9), "the supervisor closed the connection within a record"},
		{"cut within padding", true, true, (const unsigned char[]){1, 5, 0, 3, 0, 1, 9, 0, 'x'}, 9, "the supervisor closed the connection within a record"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fixture f = begin();
		char body[8];

		if (cases[i].after_begin) {
			add(&f.in, good.data, good.len);
		}
		if (cases[i].after_params) {
			add(&f.in, tail.data, tail.len);
		}
		add(&f.in, cases[i].data, cases[i].n);
		deliver(&f);
		shutdown(f.peer, SHUT_WR);
		sup_wire_status got = sup_wire_next_request(f.wire);
		if (cases[i].after_params) {
			CHECK(got == SUP_WIRE_OK);
			sup_wire_read_stdin(f.wire, body, sizeof(body));
			sup_wire_idle(f.wire, &no_stats);
			got = sup_wire_next_request(f.wire);
		}
		if (got != SUP_WIRE_BROKEN || strcmp(sup_wire_error(f.wire), cases[i].error) != 0) {
			fprintf(stderr, "FAIL %s: %s: status %d, error \"%s\"\n", running, cases[i].what, got, sup_wire_error(f.wire));
			failed = true;
		}
		/* A broken wire stays so, does nothing, and keeps its first error. */
		CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_BROKEN);
		CHECK(!sup_wire_write(f.wire, SUP_REC_STDOUT, "x", 1) && !sup_wire_flush(f.wire));
		CHECK(!sup_wire_log(f.wire, 3, "x", 1));
		CHECK(sup_wire_read_stdin(f.wire, body, sizeof(body)) == 0);
		CHECK(strcmp(sup_wire_error(f.wire), cases[i].error) == 0);
		end(&f);
	}
	free(good.data);
	free(tail.data);
	free(pair.data);
}

static void end_of_file_within_a_request_is_a_lost_client(void)
{
	fixture f = begin();
	char body[8];

	add_begin(&f.in, 3, 1);
	deliver(&f);
	shutdown(f.peer, SHUT_WR);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_EOF);
	end(&f);

	f = begin();
	add_begin(&f.in, 3, 1);
	add_record(&f.in, 4, 3, NULL, 0);
	add_record(&f.in, 5, 3, "abc", 3);
	deliver(&f);
	shutdown(f.peer, SHUT_WR);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	CHECK(sup_wire_read_stdin(f.wire, body, sizeof(body)) == 3);
	CHECK(sup_wire_aborted(f.wire));
	CHECK(!sup_wire_write(f.wire, SUP_REC_STDOUT, "x", 1));
	CHECK(!sup_wire_idle(f.wire, &no_stats));
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_EOF);
	end(&f);
}

static void end_of_file_after_a_whole_request_lets_it_finish(void)
{
	fixture f = begin();

	add_request(&f, 3, "GET", "");
	deliver(&f);
	shutdown(f.peer, SHUT_WR);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	CHECK(sup_wire_write(f.wire, SUP_REC_STDOUT, "a", 1));
	CHECK(sup_wire_flush(f.wire));
	CHECK(!sup_wire_aborted(f.wire));
	CHECK(sup_wire_write(f.wire, SUP_REC_STDOUT, "b", 1));
	CHECK(sup_wire_end_response(f.wire, 0) && sup_wire_idle(f.wire, &no_stats));
	CHECK(next_is(&f, 6, 3, "a", 1) && next_is(&f, 6, 3, "b", 1));
	CHECK(next_is(&f, 3, 3, ended, 8) && next_is(&f, 66, 0, no_stats_content, 40));
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_EOF);
	end(&f);
}

static void a_lost_supervisor_raises_no_signal(void)
{
	static char large[300000];
	fixture f = begin();

	add_request(&f, 3, "GET", "");
	deliver(&f);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	close(f.peer);
	f.peer = -1;
	CHECK(sup_wire_write(f.wire, SUP_REC_STDOUT, "x", 1)); /* buffered */
	CHECK(!sup_wire_flush(f.wire));
	CHECK(sup_wire_aborted(f.wire));
	CHECK(!sup_wire_write(f.wire, SUP_REC_STDOUT, large, sizeof(large)));
	CHECK(!sup_wire_log(f.wire, 3, "x", 1));
	CHECK(!sup_wire_end_response(f.wire, 0));
	CHECK(!sup_wire_idle(f.wire, &no_stats));
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_EOF);
	end(&f);
}

static void abort_is_seen_by_flush_also_behind_an_unread_body(void)
{
	fixture f = begin();
	char body[16];

	for (int unread = 0; unread < 3; unread++) {
		add_begin(&f.in, 5, 1);
		add_record(&f.in, 4, 5, NULL, 0);
		deliver(&f);
		CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
		CHECK(sup_wire_write(f.wire, SUP_REC_STDOUT, "early", 5));
		CHECK(sup_wire_flush(f.wire));
		if (unread > 0) {
			add_record_padded(&f.in, 5, 5, "unread", 6, 2);
		}
		deliver(&f);
		if (unread > 1) {
			CHECK(sup_wire_read_stdin(f.wire, body, 2) == 2);
			CHECK(sup_wire_flush(f.wire));
		}
		add_record(&f.in, 2, 5, NULL, 0);
		deliver(&f);
		CHECK(!sup_wire_aborted(f.wire)); /* no I/O */
		CHECK(!sup_wire_flush(f.wire));
		CHECK(sup_wire_aborted(f.wire));
		CHECK(!sup_wire_write(f.wire, SUP_REC_STDOUT, "dropped", 7));
		CHECK(sup_wire_read_stdin(f.wire, body, sizeof(body)) == (unread == 0 ? 0 : unread == 1 ? 6 : 4));
		CHECK(sup_wire_log(f.wire, 4, "log", 3));
		CHECK(sup_wire_end_response(f.wire, 0) && sup_wire_idle(f.wire, &no_stats));
		CHECK(next_is(&f, 6, 5, "early", 5) && next_is(&f, 67, 0, "\4\0log", 5));
		CHECK(next_is(&f, 3, 5, ended, 8) && next_is(&f, 66, 0, no_stats_content, 40));
	}
	end(&f);
}

static void abort_ends_the_body(void)
{
	fixture f = begin();
	char body[16];

	add_begin(&f.in, 5, 1);
	add_record(&f.in, 4, 5, NULL, 0);
	add_record(&f.in, 5, 5, "half", 4);
	add_record(&f.in, 2, 5, NULL, 0);
	/* What crossed with it on the way is not part of the next request. */
	add_record(&f.in, 5, 5, "late", 4);
	deliver(&f);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	CHECK(sup_wire_read_stdin(f.wire, body, sizeof(body)) == 4);
	CHECK(sup_wire_aborted(f.wire));
	CHECK(sup_wire_read_stdin(f.wire, body, sizeof(body)) == 0);
	CHECK(sup_wire_end_response(f.wire, 0) && sup_wire_idle(f.wire, &no_stats));
	CHECK(next_is(&f, 3, 5, ended, 8) && next_is(&f, 66, 0, no_stats_content, 40));
	add_request(&f, 5, "GET", "");
	deliver(&f);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	CHECK(!sup_wire_aborted(f.wire));
	end(&f);
}

static void abort_within_params_is_answered_and_forgotten(void)
{
	fixture f = begin();

	add_begin(&f.in, 5, 1);
	add_record(&f.in, 2, 5, NULL, 0);
	add_request(&f, 6, "GET", "");
	deliver(&f);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	CHECK(sup_wire_param_count(f.wire) == 3 && !sup_wire_aborted(f.wire));
	CHECK(next_is(&f, 3, 5, ended, 8) && next_is(&f, 66, 0, no_stats_content, 40));
	end(&f);
}

static void abort_that_crossed_with_idle_is_ignored(void)
{
	fixture f = begin();

	add_request(&f, 5, "POST", "body");
	deliver(&f);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	CHECK(sup_wire_end_response(f.wire, 0) && sup_wire_idle(f.wire, &no_stats));
	add_record(&f.in, 2, 5, NULL, 0);
	add_request(&f, 6, "GET", "");
	deliver(&f);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	CHECK(!sup_wire_aborted(f.wire));
	end(&f);
}

static void a_body_nobody_reads_is_dropped_after_the_response_is_out(void)
{
	fixture f = begin();
	seen r;

	add_begin(&f.in, 5, 1);
	add_record(&f.in, 4, 5, NULL, 0);
	add_record(&f.in, 5, 5, "first", 5);
	deliver(&f);
	pid_t child = fork_half(&f, false);
	if (child == 0) { /* a client that sends the rest once it has the response */
		bool ok = next(&f, &r) && r.type == 6 && next(&f, &r) && r.type == 3;
		add_record(&f.in, 5, 5, "rest", 4);
		add_record(&f.in, 5, 5, NULL, 0);
		_exit(ok && send(f.peer, f.in.data, f.in.len, 0) > 0 ? 0 : 1);
	}
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	CHECK(sup_wire_write(f.wire, SUP_REC_STDOUT, "answer", 6));
	CHECK(sup_wire_end_response(f.wire, 0));
	CHECK(sup_wire_idle(f.wire, &no_stats));
	CHECK(next_is(&f, 66, 0, no_stats_content, 40));
	end(&f);
}

static void early_finish_drops_later_output_without_an_abort(void)
{
	fixture f = begin();

	add_request(&f, 5, "GET", "");
	deliver(&f);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	CHECK(sup_wire_write(f.wire, SUP_REC_STDOUT, "answer", 6));
	CHECK(!sup_wire_response_ended(f.wire));
	CHECK(sup_wire_end_response(f.wire, 3) && sup_wire_flush(f.wire));
	CHECK(sup_wire_response_ended(f.wire));
	CHECK(next_is(&f, 6, 5, "answer", 6) && next_is(&f, 3, 5, "\0\0\0\3\0\0\0\0", 8));
	CHECK(sup_wire_write(f.wire, SUP_REC_STDOUT, "late", 4));
	CHECK(sup_wire_end_response(f.wire, 0)); /* once only */
	CHECK(sup_wire_idle(f.wire, &no_stats));
	CHECK(next_is(&f, 66, 0, no_stats_content, 40));
	CHECK(silent(&f));
	end(&f);
}

static void an_unended_response_is_ended_by_idle(void)
{
	fixture f = begin();

	add_request(&f, 5, "GET", "");
	deliver(&f);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	CHECK(sup_wire_idle(f.wire, &no_stats));
	CHECK(next_is(&f, 3, 5, ended, 8) && next_is(&f, 66, 0, no_stats_content, 40));
	CHECK(!sup_wire_idle(f.wire, &no_stats)); /* not twice */
	CHECK(silent(&f));
	end(&f);
}

static void long_log_texts_are_split_and_marked(void)
{
	fixture f = begin();
	size_t n = 200000, got = 0;
	char *text = malloc(n);
	seen r;
	int parts = 0;

	for (size_t i = 0; i < n; i++) {
		text[i] = (char)('a' + i % 26);
	}
	CHECK(sup_wire_log(f.wire, 9, "", 0)); /* no severity above 7 */
	CHECK(next_is(&f, 67, 0, "\7\0", 2));
	pid_t child = fork_half(&f, true);
	if (child == 0) {
		_exit(sup_wire_log(f.wire, 3, text, n) ? 0 : 1);
	}
	do {
		if (!next(&f, &r)) {
			CHECK(!"a whole message");
			break;
		}
		CHECK(r.type == 67 && r.id == 0 && r.content[0] == 3);
		CHECK(got + r.n - 2 <= n && memcmp(r.content + 2, text + got, r.n - 2) == 0);
		got += r.n - 2;
		CHECK(r.content[1] == (got < n ? 1 : 0));
		parts++;
	} while (got < n);
	CHECK(parts == 4 && silent(&f));
	free(text);
	end(&f);
}

/* What arrives at the peer until IDLE, put together again. */
typedef struct {
	fixture *f;
	bytes out, err;
	int records;
	bool whole;
} receiver;

static void *receive_job(void *arg)
{
	receiver *rec = arg;
	seen r;

	while (next(rec->f, &r)) {
		if (r.type == 66) {
			rec->whole = true;
			break;
		}
		if (r.type == 6 || r.type == 7) {
			rec->records++;
			add(r.type == 6 ? &rec->out : &rec->err, r.content, r.n);
		}
	}
	return NULL;
}

static void output_of_all_sizes_arrives_whole(void)
{
	static const size_t sizes[] = {1, 7, 100, 4096, 16383, 16384, 65519, 65520, 65527, 65528, 65535, 65536, 100000, 3000000};
	const size_t n = sizeof(sizes) / sizeof(*sizes);
	char *data = malloc(3000000);
	unsigned seed = 1;

	for (size_t i = 0; i < 3000000; i++) {
		data[i] = (char)(i * 31 >> 3);
	}
	for (int round = 0; round < 5; round++) {
		fixture f = begin();
		receiver rec = {.f = &f};
		bytes want_out = {0}, want_err = {0};
		pthread_t reader;

		add_request(&f, 9, "GET", "");
		deliver(&f);
		CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
		pthread_create(&reader, NULL, receive_job, &rec);
		for (size_t i = 0; i < 40; i++) {
			seed = seed * 1103515245 + 12345;
			size_t size = sizes[i < n ? i : (seed >> 16) % (n - 1)];
			bool err = (seed >> 8) % 7 == 0;
			add(err ? &want_err : &want_out, data, size);
			CHECK(sup_wire_write(f.wire, err ? SUP_REC_STDERR : SUP_REC_STDOUT, data, size));
			if (seed % 5 == 0) {
				CHECK(sup_wire_flush(f.wire));
			}
		}
		CHECK(sup_wire_idle(f.wire, &no_stats));
		pthread_join(reader, NULL);
		CHECK(rec.whole);
		CHECK(rec.out.len == want_out.len && memcmp(rec.out.data, want_out.data, want_out.len) == 0);
		CHECK(rec.err.len == want_err.len && (want_err.len == 0 || memcmp(rec.err.data, want_err.data, want_err.len) == 0));
		free(rec.out.data);
		free(rec.err.data);
		free(want_out.data);
		free(want_err.data);
		end(&f);
	}
	free(data);
}

static void large_output_is_sent_from_where_it_lies(void)
{
	fixture f = begin();
	receiver rec = {.f = &f};
	pthread_t reader;
	char *data = calloc(1, 1000000);

	add_request(&f, 9, "GET", "");
	deliver(&f);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	pthread_create(&reader, NULL, receive_job, &rec);
	CHECK(sup_wire_write(f.wire, SUP_REC_STDOUT, "head", 4));
	writes = 0;
	CHECK(sup_wire_write(f.wire, SUP_REC_STDOUT, data, 1000000));
	CHECK(writes < 16); /* one, or a few when the socket's buffer is small; not one a record */
	CHECK(sup_wire_idle(f.wire, &no_stats));
	pthread_join(reader, NULL);
	CHECK(rec.whole && rec.out.len == 1000004 && rec.records == 1 + 16);
	free(rec.out.data);
	free(data);
	end(&f);
}

static void *abort_job(void *arg)
{
	fixture *f = arg;
	bytes b = {0};
	char buf[65536];

	add_record(&b, 2, 5, NULL, 0);
	if (recv(f->peer, buf, sizeof(buf), 0) > 0) {
		send(f->peer, b.data, b.len, 0);
	}
	while (recv(f->peer, buf, sizeof(buf), 0) > 0) { /* what was under way */
	}
	free(b.data);
	return NULL;
}

static void abort_stops_an_endless_response(void)
{
	fixture f = begin();
	pthread_t reader;
	static char data[20000];
	long rounds = 0;

	for (int small = 0; small < 2; small++) {
		add_request(&f, 5, "GET", "");
		deliver(&f);
		CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
		pthread_create(&reader, NULL, abort_job, &f);
		while (sup_wire_write(f.wire, SUP_REC_STDOUT, data, small ? 100 : sizeof(data)) && rounds < 10000000) {
			rounds++;
		}
		CHECK(rounds < 10000000);
		CHECK(sup_wire_aborted(f.wire));
		CHECK(sup_wire_idle(f.wire, &no_stats));
		shutdown(sup_wire_fd(f.wire), SHUT_WR);
		pthread_join(reader, NULL);
		end(&f);
		f = begin();
	}
	end(&f);
}

static void large_bodies_stream_in_bounded_memory(void)
{
	fixture f = begin();
	pthread_t sender;
	unsigned char *content = malloc(65535);
	char buf[16384];
	size_t total = 0, got;
	unsigned sum = 0, want = 0;

	add_begin(&f.in, 5, 1);
	add_record(&f.in, 4, 5, NULL, 0);
	for (int i = 0; i < 200; i++) {
		size_t n = i % 3 == 0 ? 65535 : (size_t)(i * 37 + 1);
		memset(content, i, n);
		add_record_padded(&f.in, 5, 5, content, n, (size_t)i);
		total += n;
		want += (unsigned)(n * (size_t)i);
	}
	add_record(&f.in, 5, 5, NULL, 0);
	job j = {f.peer, f.in.data, f.in.len};
	pthread_create(&sender, NULL, send_job, &j);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	allocations = 0;
	while ((got = sup_wire_read_stdin(f.wire, buf, sizeof(buf))) > 0) {
		CHECK(got == sizeof(buf) || got == total % sizeof(buf));
		for (size_t i = 0; i < got; i++) {
			sum += (unsigned char)buf[i];
		}
		total -= got;
		if (total % 7 == 0) {
			CHECK(sup_wire_flush(f.wire)); /* looking for an abort loses nothing */
		}
	}
	pthread_join(sender, NULL);
	CHECK(total == 0);
	CHECK(sum == want);
	CHECK(sup_wire_idle(f.wire, &no_stats));
	free(content);
	end(&f);
}

static void on_alarm(int signal)
{
	(void)signal;
}

static void signals_interrupt_nothing(void)
{
	fixture f = begin();
	struct sigaction sa = {.sa_handler = on_alarm}, old; /* no SA_RESTART */
	struct itimerval often = {{0, 20000}, {0, 20000}}, off = {{0, 0}, {0, 0}};
	receiver rec = {.f = &f};
	char *data = calloc(1, 4000000);
	sigset_t alarms;
	pthread_t reader;

	pid_t child = fork_half(&f, false);
	if (child == 0) {
		usleep(100000); /* several alarms while the worker waits; nothing depends on how many */
		add_request(&f, 5, "GET", "");
		_exit(send(f.peer, f.in.data, f.in.len, 0) > 0 ? 0 : 1);
	}
	alarm(0);
	sigaction(SIGALRM, &sa, &old);
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	setitimer(ITIMER_REAL, &often, NULL);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL); /* for the reader; its alarms come to this thread */
	pthread_create(&reader, NULL, receive_job, &rec);
	pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
	CHECK(sup_wire_write(f.wire, SUP_REC_STDOUT, data, 4000000));
	CHECK(sup_wire_idle(f.wire, &no_stats));
	pthread_join(reader, NULL);
	setitimer(ITIMER_REAL, &off, NULL);
	sigaction(SIGALRM, &old, NULL);
	alarm(60);
	CHECK(rec.whole && rec.out.len == 4000000);
	free(rec.out.data);
	free(data);
	end(&f);
}

static void a_request_that_was_not_ended_is_a_mistake(void)
{
	fixture f = begin();

	add_request(&f, 5, "GET", "");
	deliver(&f);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_OK);
	CHECK(sup_wire_next_request(f.wire) == SUP_WIRE_BROKEN);
	CHECK(strcmp(sup_wire_error(f.wire), "the last request was not ended") == 0);
	end(&f);
}

#define TEST(name) {#name, name}

int main(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} tests[] = {
		TEST(small_request_is_one_read_and_one_write),
		TEST(hello_and_ready_go_out_together),
		TEST(records_may_arrive_byte_by_byte),
		TEST(params_of_every_length),
		TEST(the_last_param_of_a_name_wins_and_params_can_be_set),
		TEST(as_many_params_as_allowed_and_not_one_more),
		TEST(params_of_more_than_a_mebibyte_are_refused),
		TEST(violations),
		TEST(end_of_file_within_a_request_is_a_lost_client),
		TEST(end_of_file_after_a_whole_request_lets_it_finish),
		TEST(a_lost_supervisor_raises_no_signal),
		TEST(abort_is_seen_by_flush_also_behind_an_unread_body),
		TEST(abort_ends_the_body),
		TEST(abort_within_params_is_answered_and_forgotten),
		TEST(abort_that_crossed_with_idle_is_ignored),
		TEST(a_body_nobody_reads_is_dropped_after_the_response_is_out),
		TEST(early_finish_drops_later_output_without_an_abort),
		TEST(an_unended_response_is_ended_by_idle),
		TEST(long_log_texts_are_split_and_marked),
		TEST(output_of_all_sizes_arrives_whole),
		TEST(large_output_is_sent_from_where_it_lies),
		TEST(abort_stops_an_endless_response),
		TEST(large_bodies_stream_in_bounded_memory),
		TEST(signals_interrupt_nothing),
		TEST(a_request_that_was_not_ended_is_a_mistake),
	};
	int passed = 0, lost = 0;

	alarm(60); /* a test that waits for ever fails here */
	signal(SIGCHLD, SIG_IGN);
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		running = tests[i].name;
		failed = false;
		if (getenv("VERBOSE") != NULL) {
			fprintf(stderr, "%s\n", running);
		}
		tests[i].run();
		failed ? lost++ : passed++;
	}
	printf("wire: %d passed, %d failed\n", passed, lost);
	return lost == 0 ? 0 : 1;
}
