#include "wire.h"
#include "params.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define HEADER_LEN 8
#define MAX_CONTENT 65535
#define IN_CAP ((size_t)64 * 1024)
#define OUT_CAP ((size_t)64 * 1024)
/* Output at least this long goes to the socket from where it lies; shorter output is copied
 * so that many small writes become one. */
#define DIRECT_MIN ((size_t)16 * 1024)
/* Records in one sendmsg() of direct output: 1 MiB, five times a socket's usual buffer. */
#define DIRECT_RECORDS 16

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

typedef struct {
	uint8_t type;
	uint16_t id;
	size_t content, padding;
} record;

__attribute__((format(printf, 2, 3)))
static bool broken(sup_wire *w, const char *format, ...)
{
	if (!w->broken) { /* the first error is the cause */
		va_list args;
		va_start(args, format);
		vsnprintf(w->error, sizeof(w->error), format, args);
		va_end(args);
		w->broken = true;
	}
	w->out_len = 0;
	w->open_type = 0;
	return false;
}

sup_wire *sup_wire_open(int fd)
{
	sup_wire *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		return NULL;
	}
	w->fd = fd;
	w->in = malloc(IN_CAP);
	w->out = malloc(OUT_CAP);
	if (!sup_params_init(&w->params) || w->in == NULL || w->out == NULL) {
		sup_wire_close(w);
		return NULL;
	}
	/* Waiting is done in read() and sendmsg(); looking uses MSG_DONTWAIT. */
	int flags = fcntl(fd, F_GETFL);
	if (flags != -1 && (flags & O_NONBLOCK)) {
		fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	}
	return w;
}

void sup_wire_close(sup_wire *w)
{
	if (w == NULL) {
		return;
	}
	close(w->fd);
	sup_params_free(&w->params);
	free(w->in);
	free(w->out);
	free(w);
}

int sup_wire_fd(const sup_wire *w)
{
	return w->fd;
}

const char *sup_wire_error(const sup_wire *w)
{
	return w->error;
}

uint16_t sup_wire_role(const sup_wire *w)
{
	return w->role;
}

bool sup_wire_aborted(const sup_wire *w)
{
	return w->aborted || w->lost || w->broken;
}

bool sup_wire_response_ended(const sup_wire *w)
{
	return w->response_ended;
}

/* ---- params ---- */

size_t sup_wire_param_count(const sup_wire *w)
{
	return w->params.count;
}

const sup_param *sup_wire_param_at(const sup_wire *w, size_t i)
{
	return i < w->params.count ? &w->params.list[i] : NULL;
}

char *sup_wire_param(const sup_wire *w, const char *name, size_t name_len, size_t *value_len)
{
	const sup_param *param = sup_params_find(&w->params, name, name_len);

	if (value_len != NULL) {
		*value_len = param != NULL ? param->value_len : 0;
	}
	return param != NULL ? param->value : NULL;
}

bool sup_wire_set_param(sup_wire *w, const char *name, size_t name_len, const char *value, size_t value_len, char **stored)
{
	return sup_params_set(&w->params, name, name_len, value, value_len, stored);
}

/* ---- output ---- */

static void write_header(unsigned char *h, uint8_t type, uint16_t id, size_t content, size_t padding)
{
	h[0] = 1;
	h[1] = type;
	h[2] = (unsigned char)(id >> 8);
	h[3] = (unsigned char)id;
	h[4] = (unsigned char)(content >> 8);
	h[5] = (unsigned char)content;
	h[6] = (unsigned char)padding;
	h[7] = 0;
}

static void close_record(sup_wire *w)
{
	if (w->open_type != 0) {
		write_header(w->out + w->open_at, w->open_type, w->id, w->out_len - w->open_at - HEADER_LEN, 0);
		w->open_type = 0;
	}
}

/* Sends all of iov, which it uses up. MSG_NOSIGNAL: a lost supervisor is no SIGPIPE. */
static bool send_all(sup_wire *w, struct iovec *iov, size_t n)
{
	while (n > 0) {
		struct msghdr message = {.msg_iov = iov, .msg_iovlen = n};
		ssize_t sent = sendmsg(w->fd, &message, MSG_NOSIGNAL);
		if (sent < 0) {
			if (errno == EINTR) {
				continue;
			}
			if (errno == EPIPE || errno == ECONNRESET) {
				w->eof = w->lost = true;
				w->out_len = 0;
				return false;
			}
			return broken(w, "write to the supervisor: %s", strerror(errno));
		}
		size_t done = (size_t)sent;
		while (n > 0 && done >= iov->iov_len) {
			done -= iov->iov_len;
			iov++;
			n--;
		}
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= done;
		}
	}
	return true;
}

static bool send_buffer(sup_wire *w)
{
	if (w->broken || w->lost) {
		w->out_len = 0;
		w->open_type = 0;
		return false;
	}
	close_record(w);
	if (w->out_len == 0) {
		return true;
	}
	struct iovec iov = {.iov_base = w->out, .iov_len = w->out_len};
	bool sent = send_all(w, &iov, 1);
	w->out_len = 0;
	return sent;
}

/* Appends one whole record of ours; content is small. */
static bool append_record(sup_wire *w, uint8_t type, uint16_t id, const void *content, size_t n)
{
	close_record(w);
	if (HEADER_LEN + n > OUT_CAP - w->out_len && !send_buffer(w)) {
		return false;
	}
	if (w->broken || w->lost) {
		return false;
	}
	write_header(w->out + w->out_len, type, id, n, 0);
	if (n > 0) {
		memcpy(w->out + w->out_len + HEADER_LEN, content, n);
	}
	w->out_len += HEADER_LEN + n;
	return true;
}

static void put32(unsigned char *to, uint32_t v)
{
	to[0] = (unsigned char)(v >> 24);
	to[1] = (unsigned char)(v >> 16);
	to[2] = (unsigned char)(v >> 8);
	to[3] = (unsigned char)v;
}

static void put64(unsigned char *to, uint64_t v)
{
	put32(to, (uint32_t)(v >> 32));
	put32(to + 4, (uint32_t)v);
}

bool sup_wire_hello(sup_wire *w, uint32_t pid)
{
	unsigned char content[8];

	put32(content, SUP_PROTOCOL_VERSION);
	put32(content + 4, pid);
	return append_record(w, SUP_REC_HELLO, 0, content, sizeof(content));
}

bool sup_wire_ready(sup_wire *w)
{
	return append_record(w, SUP_REC_READY, 0, NULL, 0) && send_buffer(w);
}

bool sup_wire_log(sup_wire *w, uint8_t severity, const char *text, size_t n)
{
	/* The record's content: severity, flags, text. As large as the output buffer takes at once. */
	const size_t max_text = OUT_CAP - HEADER_LEN - 2;

	do {
		size_t part = n < max_text ? n : max_text;
		close_record(w);
		if (HEADER_LEN + 2 + part > OUT_CAP - w->out_len && !send_buffer(w)) {
			return false;
		}
		if (w->broken || w->lost) {
			return false;
		}
		unsigned char *at = w->out + w->out_len;
		write_header(at, SUP_REC_LOG, 0, 2 + part, 0);
		at[HEADER_LEN] = severity > 7 ? 7 : severity;
		at[HEADER_LEN + 1] = part < n ? 1 : 0;
		if (part > 0) {
			memcpy(at + HEADER_LEN + 2, text, part);
		}
		w->out_len += HEADER_LEN + 2 + part;
		text += part;
		n -= part;
	} while (n > 0);
	return w->phase == IDLE ? send_buffer(w) : true;
}

/* ---- input ---- */

static void consume(sup_wire *w, size_t n)
{
	w->in_pos += n;
	w->looked = w->looked > n ? w->looked - n : 0;
	if (w->in_pos == w->in_len) {
		w->in_pos = w->in_len = 0;
	}
}

/* One read() into the free part of the buffer; the caller sees to it that there is one. */
static bool fill_once(sup_wire *w)
{
	if (w->broken || w->eof) {
		return false;
	}
	for (;;) {
		ssize_t n = read(w->fd, w->in + w->in_len, IN_CAP - w->in_len);
		if (n > 0) {
			w->in_len += (size_t)n;
			return true;
		}
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0 && errno != ECONNRESET) {
			return broken(w, "read from the supervisor: %s", strerror(errno));
		}
		w->eof = true;
		return false;
	}
}

/* At least n unread bytes, one after the other. n is at most IN_CAP. */
static bool fill(sup_wire *w, size_t n)
{
	if (w->in_len - w->in_pos >= n) {
		return true;
	}
	if (IN_CAP - w->in_pos < n) {
		memmove(w->in, w->in + w->in_pos, w->in_len - w->in_pos);
		w->in_len -= w->in_pos;
		w->in_pos = 0;
	}
	while (w->in_len - w->in_pos < n) {
		if (!fill_once(w)) {
			return w->in_len == w->in_pos ? false
				: broken(w, "the supervisor closed the connection within a record");
		}
	}
	return true;
}

static bool skip_padding(sup_wire *w)
{
	if (w->padding_left == 0) {
		return true;
	}
	if (!fill(w, w->padding_left)) {
		return w->eof && !w->broken ? broken(w, "the supervisor closed the connection within a record") : false;
	}
	consume(w, w->padding_left);
	w->padding_left = 0;
	return true;
}

static bool check_header(sup_wire *w, const unsigned char *h, record *r)
{
	r->type = h[1];
	r->id = (uint16_t)(h[2] << 8 | h[3]);
	r->content = (size_t)h[4] << 8 | h[5];
	r->padding = h[6];
	if (h[0] != 1) {
		return broken(w, "record of version %u instead of 1", h[0]);
	}
	switch (r->type) {
		case SUP_REC_BEGIN_REQUEST:
		case SUP_REC_ABORT_REQUEST:
		case SUP_REC_PARAMS:
		case SUP_REC_STDIN:
			break;
		default:
			return broken(w, "record of unexpected type %u", r->type);
	}
	if (r->id == 0) {
		return broken(w, "record of type %u without a request id", r->type);
	}
	if (r->type == SUP_REC_BEGIN_REQUEST && r->content != 8) {
		return broken(w, "BEGIN_REQUEST of %zu bytes instead of 8", r->content);
	}
	if (r->type == SUP_REC_ABORT_REQUEST && r->content != 0) {
		return broken(w, "ABORT_REQUEST of %zu bytes instead of 0", r->content);
	}
	return true;
}

/* Takes the next header; the record's content comes next. False at end of file too. */
static bool next_header(sup_wire *w, record *r)
{
	if (!skip_padding(w) || !fill(w, HEADER_LEN) || !check_header(w, w->in + w->in_pos, r)) {
		return false;
	}
	if (w->phase != IDLE && (r->type == SUP_REC_BEGIN_REQUEST || r->id != w->id)) {
		return broken(w, "record of type %u with request id %u within request %u", r->type, r->id, w->id);
	}
	consume(w, HEADER_LEN);
	w->padding_left = r->padding;
	return true;
}

/* Drops n bytes of content. */
static bool skip(sup_wire *w, size_t n)
{
	while (n > 0) {
		if (!fill(w, 1)) {
			return w->eof && !w->broken ? broken(w, "the supervisor closed the connection within a record") : false;
		}
		size_t part = w->in_len - w->in_pos < n ? w->in_len - w->in_pos : n;
		consume(w, part);
		n -= part;
	}
	return true;
}

/* The client went away: what it still had to say does not come any more. */
static void aborted(sup_wire *w)
{
	w->aborted = true;
	w->stdin_ended = true;
}

static bool read_begin(sup_wire *w, const record *r)
{
	if (r->type == SUP_REC_ABORT_REQUEST || r->type == SUP_REC_STDIN) {
		/* They were on their way while IDLE went the other way. */
		return r->id == w->id ? skip(w, r->content)
			: broken(w, "record of type %u for request %u, which has not begun", r->type, r->id);
	}
	if (r->type != SUP_REC_BEGIN_REQUEST) {
		return broken(w, "record of type %u instead of BEGIN_REQUEST", r->type);
	}
	if (!fill(w, r->content)) {
		return w->broken ? false : broken(w, "the supervisor closed the connection within a record");
	}
	const unsigned char *content = w->in + w->in_pos;
	w->role = (uint16_t)(content[0] << 8 | content[1]);
	if (w->role < 1 || w->role > 3) {
		return broken(w, "unknown role %u", w->role);
	}
	consume(w, r->content);
	w->id = r->id;
	w->phase = PARAMS;
	w->aborted = false;
	w->stdin_ended = false;
	w->response_ended = false;
	w->content_left = 0;
	sup_params_reset(&w->params);
	return true;
}

static bool read_params(sup_wire *w, const record *r)
{
	const char *wrong = NULL;
	size_t left = r->content;

	if (r->type == SUP_REC_ABORT_REQUEST) {
		/* Nobody has heard of this request yet: answer it here and wait for the next. */
		sup_idle_stats stats = w->last_stats;
		stats.user_us = stats.system_us = 0;
		stats.flags = 0;
		aborted(w);
		return sup_wire_idle(w, &stats);
	}
	if (r->type != SUP_REC_PARAMS) {
		return broken(w, "record of type %u within the params of request %u", r->type, w->id);
	}
	if (left == 0) {
		wrong = sup_params_parse(&w->params);
		w->phase = REQUEST;
	}
	while (left > 0 && wrong == NULL) {
		if (!fill(w, 1)) {
			return w->broken ? false : broken(w, "the supervisor closed the connection within a record");
		}
		size_t part = w->in_len - w->in_pos < left ? w->in_len - w->in_pos : left;
		wrong = sup_params_append(&w->params, w->in + w->in_pos, part);
		consume(w, part);
		left -= part;
	}
	return wrong == NULL ? true : broken(w, "%s", wrong);
}

sup_wire_status sup_wire_next_request(sup_wire *w)
{
	record r;

	if (w->phase != IDLE && !w->lost) {
		broken(w, "the last request was not ended");
	}
	if (w->broken || w->lost) {
		return w->broken ? SUP_WIRE_BROKEN : SUP_WIRE_EOF;
	}
	while (w->phase != REQUEST) {
		if (!next_header(w, &r) || !(w->phase == IDLE ? read_begin(w, &r) : read_params(w, &r))) {
			return w->broken ? SUP_WIRE_BROKEN : SUP_WIRE_EOF;
		}
	}
	return SUP_WIRE_OK;
}

/* Brings content_left above 0, or the body to its end. */
static void next_stdin(sup_wire *w)
{
	record r;

	while (w->content_left == 0 && !w->stdin_ended) {
		if (!next_header(w, &r)) {
			w->stdin_ended = w->lost = true; /* or broken; sup_wire_next_request() says which */
		} else if (r.type == SUP_REC_ABORT_REQUEST) {
			aborted(w);
		} else if (r.type != SUP_REC_STDIN) {
			w->stdin_ended = true;
			broken(w, "record of type %u within the body of request %u", r.type, w->id);
		} else if (r.content == 0) {
			w->stdin_ended = true;
		} else {
			w->content_left = r.content;
		}
	}
}

size_t sup_wire_read_stdin(sup_wire *w, char *buf, size_t n)
{
	size_t got = 0;

	if (w->phase != REQUEST) {
		return 0;
	}
	while (got < n) {
		next_stdin(w);
		if (w->stdin_ended) {
			break;
		}
		if (!fill(w, 1)) {
			broken(w, "the supervisor closed the connection within a record");
			w->stdin_ended = true;
			break;
		}
		size_t part = w->in_len - w->in_pos;
		part = part < w->content_left ? part : w->content_left;
		part = part < n - got ? part : n - got;
		memcpy(buf + got, w->in + w->in_pos, part);
		consume(w, part);
		w->content_left -= part;
		got += part;
	}
	return got;
}

bool sup_wire_drain_stdin(sup_wire *w)
{
	while (w->phase == REQUEST && !w->stdin_ended) {
		next_stdin(w);
		if (!skip(w, w->content_left)) {
			w->stdin_ended = true;
		}
		w->content_left = 0;
	}
	return !w->broken && !w->lost;
}

/* Searches the unread records for an ABORT_REQUEST, without waiting and without using them up.
 * What is wrong with them is found when they are read. */
static void look_for_abort(sup_wire *w)
{
	if (w->phase != REQUEST || sup_wire_aborted(w)) {
		return;
	}
	if (w->in_pos > 0 && w->in_len == IN_CAP) {
		memmove(w->in, w->in + w->in_pos, w->in_len - w->in_pos);
		w->in_len -= w->in_pos;
		w->in_pos = 0;
	}
	if (w->in_len < IN_CAP && !w->eof) {
		ssize_t n = recv(w->fd, w->in + w->in_len, IN_CAP - w->in_len, MSG_DONTWAIT);
		if (n > 0) {
			w->in_len += (size_t)n;
		} else if (n == 0) {
			/* No more requests; but whoever sent the whole body may still want the response.
			 * A supervisor that is really gone is noticed when writing. */
			w->eof = true;
		} else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
			broken(w, "read from the supervisor: %s", strerror(errno));
			return;
		}
	}
	size_t unread = w->in_len - w->in_pos;
	if (w->looked == 0) {
		w->looked = w->content_left + w->padding_left;
	}
	while (w->looked < unread && unread - w->looked >= HEADER_LEN) {
		const unsigned char *h = w->in + w->in_pos + w->looked;
		if (h[0] == 1 && h[1] == SUP_REC_ABORT_REQUEST && (h[2] << 8 | h[3]) == w->id) {
			w->aborted = true; /* the body in front of it can still be read */
			return;
		}
		w->looked += HEADER_LEN + ((size_t)h[4] << 8 | h[5]) + h[6];
	}
}

/* ---- the response ---- */

/* n bytes of data as records, from where they lie, after what is in the buffer. */
static bool write_direct(sup_wire *w, uint8_t type, const char *data, size_t n)
{
	unsigned char headers[DIRECT_RECORDS][HEADER_LEN];
	struct iovec iov[1 + 2 * DIRECT_RECORDS];

	close_record(w);
	while (n > 0) {
		size_t used = 0;
		if (w->out_len > 0) {
			iov[used].iov_base = w->out;
			iov[used++].iov_len = w->out_len;
		}
		for (size_t i = 0; i < DIRECT_RECORDS && n > 0; i++) {
			size_t part = n < MAX_CONTENT ? n : MAX_CONTENT;
			write_header(headers[i], type, w->id, part, 0);
			iov[used].iov_base = headers[i];
			iov[used++].iov_len = HEADER_LEN;
			iov[used].iov_base = (char *)data; /* sendmsg() only reads it */
			iov[used++].iov_len = part;
			data += part;
			n -= part;
		}
		bool sent = send_all(w, iov, used);
		w->out_len = 0;
		if (!sent) {
			return false;
		}
		look_for_abort(w);
		if (sup_wire_aborted(w)) {
			return false;
		}
	}
	return true;
}

bool sup_wire_write(sup_wire *w, uint8_t type, const char *data, size_t n)
{
	if (sup_wire_aborted(w)) {
		return false;
	}
	if (w->phase != REQUEST || w->response_ended || n == 0) {
		return true;
	}
	if (n >= DIRECT_MIN) {
		return write_direct(w, type, data, n);
	}
	if (w->open_type != type) {
		close_record(w);
	}
	if (n + HEADER_LEN > OUT_CAP - w->out_len) {
		if (!send_buffer(w)) {
			return false;
		}
		look_for_abort(w);
		if (sup_wire_aborted(w)) {
			return false;
		}
	}
	if (w->open_type == 0) {
		/* The buffer is smaller than the largest content, so that a record never outgrows its length. */
		_Static_assert(OUT_CAP - HEADER_LEN <= MAX_CONTENT, "a buffered record fits its length field");
		w->open_at = w->out_len;
		w->open_type = type;
		w->out_len += HEADER_LEN;
	}
	memcpy(w->out + w->out_len, data, n);
	w->out_len += n;
	return true;
}

bool sup_wire_flush(sup_wire *w)
{
	if (!send_buffer(w)) {
		return false;
	}
	if (w->response_ended) {
		return !sup_wire_aborted(w); /* whether the client still listens is of no interest */
	}
	look_for_abort(w);
	return !sup_wire_aborted(w);
}

bool sup_wire_end_response(sup_wire *w, uint32_t app_status)
{
	unsigned char content[8] = {0};

	if (w->phase == IDLE || w->response_ended) {
		return !w->broken && !w->lost;
	}
	w->response_ended = true;
	put32(content, app_status); /* content[4]: FCGI_REQUEST_COMPLETE, 0 */
	return append_record(w, SUP_REC_END_REQUEST, w->id, content, sizeof(content));
}

bool sup_wire_idle(sup_wire *w, const sup_idle_stats *stats)
{
	unsigned char content[40];

	if (!sup_wire_end_response(w, 0) || w->phase == IDLE) {
		return false;
	}
	/* The body belongs to this request. When its rest has not arrived yet the client
	 * gets the response first: it may be waiting for that. */
	while (w->phase == REQUEST && !w->stdin_ended) {
		if (w->in_len - w->in_pos < w->content_left + w->padding_left + HEADER_LEN && !send_buffer(w)) {
			return false;
		}
		next_stdin(w);
		if (!skip(w, w->content_left)) {
			return false;
		}
		w->content_left = 0;
	}
	put64(content, stats->memory);
	put64(content + 8, stats->peak);
	put64(content + 16, stats->user_us);
	put64(content + 24, stats->system_us);
	put32(content + 32, stats->flags);
	put32(content + 36, stats->requests);
	w->last_stats = *stats;
	w->phase = IDLE;
	w->looked = 0;
	return append_record(w, SUP_REC_IDLE, 0, content, sizeof(content)) && send_buffer(w);
}
