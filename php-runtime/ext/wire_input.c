#include "wire_private.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
	uint8_t type;
	uint16_t id;
	size_t content, padding;
} record;

static void consume(sup_wire *w, size_t n)
{
	w->in_pos += n;
	w->looked = w->looked > n ? w->looked - n : 0;
	if (w->in_pos == w->in_len) {
		w->in_pos = w->in_len = 0;
	}
}

/* Sleeps until there is something to read. In read() the worker would be woken, too, when the
 * supervisor takes in the last response: a unix socket tells all who sleep on it that there is
 * room to write again (unix_write_space() in the kernel). poll() sees to it that only input counts. */
static void await_input(const sup_wire *w)
{
	struct pollfd p = {.fd = w->fd, .events = POLLIN};

	while (poll(&p, 1, -1) == -1 && errno == EINTR) {
	}
}

/* One read() into the free part of the buffer; the caller sees to it that there is one. */
static bool fill_once(sup_wire *w)
{
	if (w->broken || w->eof) {
		return false;
	}
	if (w->phase == IDLE) {
		await_input(w);
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
			return wire_broken(w, "read from the supervisor: %s", strerror(errno));
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
				: wire_broken(w, "the supervisor closed the connection within a record");
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
		return w->eof && !w->broken ? wire_broken(w, "the supervisor closed the connection within a record") : false;
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
		return wire_broken(w, "record of version %u instead of 1", h[0]);
	}
	switch (r->type) {
		case SUP_REC_BEGIN_REQUEST:
		case SUP_REC_ABORT_REQUEST:
		case SUP_REC_PARAMS:
		case SUP_REC_STDIN:
			break;
		default:
			return wire_broken(w, "record of unexpected type %u", r->type);
	}
	if (r->id == 0) {
		return wire_broken(w, "record of type %u without a request id", r->type);
	}
	if (r->type == SUP_REC_BEGIN_REQUEST && r->content != 8) {
		return wire_broken(w, "BEGIN_REQUEST of %zu bytes instead of 8", r->content);
	}
	if (r->type == SUP_REC_ABORT_REQUEST && r->content != 0) {
		return wire_broken(w, "ABORT_REQUEST of %zu bytes instead of 0", r->content);
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
		return wire_broken(w, "record of type %u with request id %u within request %u", r->type, r->id, w->id);
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
			return w->eof && !w->broken ? wire_broken(w, "the supervisor closed the connection within a record") : false;
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
			: wire_broken(w, "record of type %u for request %u, which has not begun", r->type, r->id);
	}
	if (r->type != SUP_REC_BEGIN_REQUEST) {
		return wire_broken(w, "record of type %u instead of BEGIN_REQUEST", r->type);
	}
	if (!fill(w, r->content)) {
		return w->broken ? false : wire_broken(w, "the supervisor closed the connection within a record");
	}
	const unsigned char *content = w->in + w->in_pos;
	w->role = (uint16_t)(content[0] << 8 | content[1]);
	if (w->role < 1 || w->role > 3) {
		return wire_broken(w, "unknown role %u", w->role);
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
		return wire_broken(w, "record of type %u within the params of request %u", r->type, w->id);
	}
	if (left == 0) {
		wrong = sup_params_parse(&w->params);
		w->phase = REQUEST;
	}
	while (left > 0 && wrong == NULL) {
		if (!fill(w, 1)) {
			return w->broken ? false : wire_broken(w, "the supervisor closed the connection within a record");
		}
		size_t part = w->in_len - w->in_pos < left ? w->in_len - w->in_pos : left;
		wrong = sup_params_append(&w->params, w->in + w->in_pos, part);
		consume(w, part);
		left -= part;
	}
	return wrong == NULL ? true : wire_broken(w, "%s", wrong);
}

sup_wire_status sup_wire_next_request(sup_wire *w)
{
	record r;

	if (w->phase != IDLE && !w->lost) {
		wire_broken(w, "the last request was not ended");
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
			wire_broken(w, "record of type %u within the body of request %u", r.type, w->id);
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
			wire_broken(w, "the supervisor closed the connection within a record");
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

bool wire_drain(sup_wire *w)
{
	while (w->phase == REQUEST && !w->stdin_ended) {
		if (w->in_len - w->in_pos < w->content_left + w->padding_left + HEADER_LEN && !wire_send_buffer(w)) {
			return false;
		}
		next_stdin(w);
		if (!skip(w, w->content_left)) {
			w->stdin_ended = true;
		}
		w->content_left = 0;
	}
	return !w->broken && !w->lost;
}

bool sup_wire_drain_stdin(sup_wire *w)
{
	return wire_drain(w);
}

/* What is wrong with the unread records is found when they are read. */
void wire_look_for_abort(sup_wire *w)
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
			wire_broken(w, "read from the supervisor: %s", strerror(errno));
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
