#include "wire_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Output at least this long goes to the socket from where it lies; shorter output is copied
 * so that many small writes become one. */
#define DIRECT_MIN ((size_t)16 * 1024)
/* Records in one sendmsg() of direct output: 1 MiB, five times a socket's usual buffer. */
#define DIRECT_RECORDS 16

bool wire_broken(sup_wire *w, const char *format, ...)
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
			return wire_broken(w, "write to the supervisor: %s", strerror(errno));
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

bool wire_send_buffer(sup_wire *w)
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
	if (HEADER_LEN + n > OUT_CAP - w->out_len && !wire_send_buffer(w)) {
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
	return append_record(w, SUP_REC_READY, 0, NULL, 0) && wire_send_buffer(w);
}

/* Not by way of the buffer: output may wait there until the request ends, and a worker that is
 * killed must not take along what it has said. What has been sent is whole records, so one more
 * may go ahead of what is buffered. */
bool sup_wire_log(sup_wire *w, uint8_t severity, const char *text, size_t n)
{
	const size_t max_text = MAX_CONTENT - 2;

	if (w->phase == IDLE && !wire_send_buffer(w)) { /* HELLO comes first */
		return false;
	}
	do {
		size_t part = n < max_text ? n : max_text;
		unsigned char head[HEADER_LEN + 2];
		struct iovec iov[2] = {
			{.iov_base = head, .iov_len = sizeof(head)},
			{.iov_base = (char *)text, .iov_len = part}, /* sendmsg() only reads it */
		};
		if (w->broken || w->lost) {
			return false;
		}
		write_header(head, SUP_REC_LOG, 0, 2 + part, 0);
		head[HEADER_LEN] = severity > 7 ? 7 : severity;
		head[HEADER_LEN + 1] = part < n ? 1 : 0;
		if (!send_all(w, iov, 2)) {
			return false;
		}
		text += part;
		n -= part;
	} while (n > 0);
	return true;
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
		wire_look_for_abort(w);
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
		if (!wire_send_buffer(w)) {
			return false;
		}
		wire_look_for_abort(w);
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
	if (!wire_send_buffer(w)) {
		return false;
	}
	if (w->response_ended) {
		return !sup_wire_aborted(w); /* whether the client still listens is of no interest */
	}
	wire_look_for_abort(w);
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
	if (!wire_drain(w)) {
		return false;
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
	return append_record(w, SUP_REC_IDLE, 0, content, sizeof(content)) && wire_send_buffer(w);
}
