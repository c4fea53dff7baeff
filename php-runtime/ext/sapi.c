#ifdef HAVE_CONFIG_H
# include "config.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <syslog.h>
#include <unistd.h>

#include "php_supervisor.h"
#include "SAPI.h"
#include "php_main.h"
#include "php_variables.h"
#include "http_status_codes.h"
#include "zend_smart_str.h"

/* ---- output ---- */

static void client_gone(void)
{
	if (sup.config.mode == SUP_MODE_WORKER) {
		sup_worker_mode_client_gone();
	} else {
		php_handle_aborted_connection();
	}
}

/* Output that belongs to no request: of a worker script's boot, or of a module. */
static void write_to_log(const char *str, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, str, len);
		if (n < 0 && errno != EINTR) {
			return;
		}
		if (n > 0) {
			str += n;
			len -= (size_t) n;
		}
	}
}

static size_t sapi_sup_ub_write(const char *str, size_t len)
{
	if (sup.detached) {
		return len;
	}
	if (sup.wire == NULL || !sup_request.open) {
		write_to_log(str, len);
		return len;
	}
	if (len > 0 && !sup_wire_write(sup.wire, SUP_REC_STDOUT, str, len)) {
		client_gone();
		return 0;
	}
	return len;
}

static void sapi_sup_flush(void *server_context)
{
	/* After fastcgi_finish_request() there is nobody to flush to, which is not an abort. */
	if (server_context != NULL && sup.wire != NULL && !sup.detached && !sup_wire_response_ended(sup.wire)
			&& !sup_wire_flush(sup.wire)) {
		client_gone();
	}
}

/* ---- headers ---- */

static bool header_is(const sapi_header_struct *header, const char *name, size_t name_len)
{
	return header->header_len > name_len && strncasecmp(header->header, name, name_len) == 0;
}
#define HEADER_IS(header, name) header_is((header), name, sizeof(name) - 1)

static const char *reason_phrase(int code)
{
	for (const http_response_status_code_pair *pair = http_status_map; pair->code != 0; pair++) {
		if (pair->code == code) {
			return pair->str;
		}
	}
	return NULL;
}

/* php-fpm's status line is never longer: what does not fit of a reason phrase is cut. */
#define MAX_STATUS_LINE 1023

/* Writes the line that names the status: the script's own words where it gave any. Returns the
 * status that the line says. False in *written: a Status: header of the script's does it. */
static int write_status_line(smart_str *out, sapi_headers_struct *headers, bool *written)
{
	int code = SG(sapi_headers).http_response_code;
	const char *line = SG(sapi_headers).http_status_line;
	const char *space = line != NULL ? strchr(line, ' ') : NULL;
	const char *reason;
	zend_llist_position pos;
	size_t start = out->s != NULL ? ZSTR_LEN(out->s) : 0;

	*written = true;
	if (SUPG(rfc2616_headers) && line != NULL) {
		smart_str_appends(out, line);
		if (space != NULL) {
			code = atoi(space + 1);
		}
	} else if (space != NULL && space - line >= 5 && strncasecmp(line, "HTTP/", 5) == 0) {
		smart_str_appends(out, "Status:");
		smart_str_appends(out, space);
		code = atoi(space + 1);
	} else {
		for (sapi_header_struct *h = zend_llist_get_first_ex(&headers->headers, &pos); h != NULL;
				h = zend_llist_get_next_ex(&headers->headers, &pos)) {
			if (HEADER_IS(h, "Status:")) {
				*written = false;
				return code;
			}
		}
		reason = reason_phrase(code);
		smart_str_appends(out, "Status: ");
		smart_str_append_long(out, code);
		if (reason != NULL) {
			smart_str_appendc(out, ' ');
			smart_str_appends(out, reason);
		}
	}
	if (ZSTR_LEN(out->s) - start > MAX_STATUS_LINE) {
		ZSTR_LEN(out->s) = start + MAX_STATUS_LINE;
	}
	smart_str_appends(out, "\r\n");
	return code;
}

static int sapi_sup_send_headers(sapi_headers_struct *headers)
{
	smart_str out = {0};
	zend_llist_position pos;
	bool status_written = false;
	int code = SG(sapi_headers).http_response_code;

	if (SG(request_info).no_headers) {
		return SAPI_HEADER_SENT_SUCCESSFULLY;
	}
	/* 200 goes without saying. */
	if (SUPG(nph) || code != 200) {
		code = write_status_line(&out, headers, &status_written);
	}
	for (sapi_header_struct *h = zend_llist_get_first_ex(&headers->headers, &pos); h != NULL;
			h = zend_llist_get_next_ex(&headers->headers, &pos)) {
		if (h->header_len == 0 || (code == 304 && HEADER_IS(h, "Content-Type:"))) {
			continue; /* an empty line would end the headers; a 304 describes no content */
		}
		if (HEADER_IS(h, "Status:")) {
			if (status_written) {
				continue;
			}
			status_written = true;
		}
		smart_str_appendl(&out, h->header, h->header_len);
		smart_str_appends(&out, "\r\n");
	}
	smart_str_appends(&out, "\r\n");
	sapi_sup_ub_write(ZSTR_VAL(out.s), ZSTR_LEN(out.s));
	smart_str_free(&out);
	return SAPI_HEADER_SENT_SUCCESSFULLY;
}

/* ---- input ---- */

/* The web server may have put the body into a file (nginx: client_body_in_file_only). */
static bool open_body_file(void)
{
	const char *path;

	if (sup_request.body_fd != -1 || sup_request.body_file_failed) {
		return !sup_request.body_file_failed;
	}
	path = SUP_PARAM("REQUEST_BODY_FILE");
	if (path != NULL && *path != '\0') {
		sup_request.body_fd = open(path, O_RDONLY | O_CLOEXEC);
		if (sup_request.body_fd == -1) {
			sup_request.body_file_failed = true;
			zend_error(E_WARNING, "REQUEST_BODY_FILE: open('%s') failed: %s (%d)",
				path, strerror(errno), errno);
			return false;
		}
	}
	return true;
}

static size_t read_body_file(char *buffer, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = read(sup_request.body_fd, buffer + got, len - got);
		if (n <= 0) {
			if (n < 0 && errno == EINTR) {
				continue;
			}
			break;
		}
		got += (size_t) n;
	}
	return got;
}

/* Never more than CONTENT_LENGTH promises. */
static size_t sapi_sup_read_post(char *buffer, size_t len)
{
	int64_t left = (int64_t) SG(request_info).content_length - SG(read_post_bytes);

	if (left <= 0 || sup.wire == NULL || sup.detached) {
		return 0;
	}
	if ((uint64_t) left < len) {
		len = (size_t) left;
	}
	if (!open_body_file()) {
		return 0;
	}
	return sup_request.body_fd != -1 ? read_body_file(buffer, len) : sup_wire_read_stdin(sup.wire, buffer, len);
}

static char *sapi_sup_read_cookies(void)
{
	return SUP_PARAM("HTTP_COOKIE");
}

/* ---- variables ---- */

static void (*import_process_environment)(zval *array_ptr);

/* php-fpm shows the role as if it were the first param. */
static const char *role_name(void)
{
	switch (sup_wire_role(sup.wire)) {
		case 2:
			return "AUTHORIZER";
		case 3:
			return "FILTER";
		default:
			return "RESPONDER";
	}
}

void sup_import_params(zval *array_ptr, bool filtered)
{
	int source = Z_TYPE(PG(http_globals)[TRACK_VARS_ENV]) == IS_ARRAY
		&& Z_ARR_P(array_ptr) == Z_ARR(PG(http_globals)[TRACK_VARS_ENV]) ? PARSE_ENV : PARSE_SERVER;
	size_t i;

	import_process_environment(array_ptr);
	if (sup.wire == NULL) {
		return;
	}
	/* The newest first, as php-fpm's table has them. A param sent twice counts with its last value. */
	for (i = sup_wire_param_count(sup.wire); i-- > 0;) {
		const sup_param *param = sup_wire_param_at(sup.wire, i);
		char *value = sup_wire_param(sup.wire, param->name, param->name_len, NULL);
		size_t len = strlen(value);

		if (!filtered || sapi_module.input_filter(source, param->name, &value, len, &len)) {
			php_register_variable_safe(param->name, value, len, array_ptr);
		}
	}
	if (SUP_PARAM("FCGI_ROLE") == NULL) {
		php_register_variable_safe("FCGI_ROLE", role_name(), strlen(role_name()), array_ptr);
	}
}

/* $_ENV and, below, $_SERVER. Whichever of the two is there first is copied for the other. */
static void import_environment_variables(zval *array_ptr)
{
	static const int tracks[] = {TRACK_VARS_ENV, TRACK_VARS_SERVER};

	for (size_t i = 0; i < sizeof(tracks) / sizeof(tracks[0]); i++) {
		zval *known = &PG(http_globals)[tracks[i]];
		if (Z_TYPE_P(known) == IS_ARRAY && Z_ARR_P(array_ptr) != Z_ARR_P(known)
				&& zend_hash_num_elements(Z_ARRVAL_P(known)) > 0) {
			zend_array_destroy(Z_ARR_P(array_ptr));
			ZVAL_ARR(array_ptr, zend_array_dup(Z_ARR_P(known)));
			return;
		}
	}
	sup_import_params(array_ptr, true);
}

static void load_environment_variables(zval *array_ptr)
{
	sup_import_params(array_ptr, false);
}

static void register_php_self(const char *value, size_t len, zval *array_ptr)
{
	char *filtered = estrndup(value, len); /* a filter may replace its buffer */
	size_t filtered_len = len;

	if (sapi_module.input_filter(PARSE_SERVER, "PHP_SELF", &filtered, len, &filtered_len)) {
		php_register_variable_safe("PHP_SELF", filtered, filtered_len, array_ptr);
	}
	efree(filtered);
}

static void sapi_sup_register_variables(zval *array_ptr)
{
	const char *script_name = SG(request_info).request_uri != NULL ? SG(request_info).request_uri : "";
	const char *path_info;

	php_import_environment_variables(array_ptr);
	path_info = SUPG(fix_pathinfo) ? SUP_PARAM("PATH_INFO") : NULL;
	if (path_info == NULL) {
		register_php_self(script_name, strlen(script_name), array_ptr);
	} else {
		zend_string *both = zend_string_concat2(script_name, strlen(script_name), path_info, strlen(path_info));
		register_php_self(ZSTR_VAL(both), ZSTR_LEN(both), array_ptr);
		zend_string_release(both);
	}
}

static char *sapi_sup_getenv(const char *name, size_t name_len)
{
	char *value = sup.wire != NULL ? sup_wire_param(sup.wire, name, name_len, NULL) : NULL;

	if (value == NULL && sup.wire != NULL && name_len == sizeof("FCGI_ROLE") - 1 && memcmp(name, "FCGI_ROLE", name_len) == 0) {
		return (char *) role_name(); /* PHP copies it */
	}
	return value;
}

/* ---- messages ---- */

/* Every message of one request in one line of the web server's log: "first; second". */
static void write_stderr(const char *prefix, const char *message, size_t len)
{
	if (!SUPG(fcgi_logging) || !sup_request.open || len == 0) {
		return;
	}
	if (sup_request.stderr_begun) {
		sup_wire_write(sup.wire, SUP_REC_STDERR, "; ", 2);
	}
	sup_request.stderr_begun = true;
	sup_wire_write(sup.wire, SUP_REC_STDERR, prefix, strlen(prefix));
	sup_wire_write(sup.wire, SUP_REC_STDERR, message, len);
}

static void log_text(int severity, const char *stderr_prefix, const char *message, size_t len)
{
	if (sup.wire == NULL || sup.detached || sup_worker_mode_booting()) {
		fprintf(stderr, "%s\n", message);
		return;
	}
	write_stderr(stderr_prefix, message, len);
	sup_wire_log(sup.wire, (uint8_t) (severity & LOG_PRIMASK), message, len);
}

static void sapi_sup_log_message(const char *message, int syslog_type)
{
	log_text(syslog_type, "PHP message: ", message, strlen(message));
}

void sup_log(int severity, const char *format, ...)
{
	va_list args;
	char *message;
	size_t len;

	va_start(args, format);
	len = zend_vspprintf(&message, 0, format, args);
	va_end(args);
	log_text(severity, "", message, len);
	efree(message);
}

/* ---- life cycle ---- */

static int sapi_sup_activate(void)
{
	if (SG(server_context) != NULL && sup.config.mode == SUP_MODE_CLASSIC && SG(request_info).path_translated != NULL) {
		sup_user_ini_activate();
	}
	return SUCCESS;
}

/* The last moment at which the request's memory is whole: shutdown functions, destructors and
 * RSHUTDOWN have run. */
static int sapi_sup_deactivate(void)
{
	if (sup_request.open) {
		sup_request.peak = zend_memory_peak_usage(true);
		if (CG(unclean_shutdown) && !(PG(connection_status) & PHP_CONNECTION_ABORTED)) {
			sup_request.fatal = true;
		}
	}
	return SUCCESS;
}

void sup_sapi_install(void)
{
	sapi_module.activate = sapi_sup_activate;
	sapi_module.deactivate = sapi_sup_deactivate;
	sapi_module.ub_write = sapi_sup_ub_write;
	sapi_module.flush = sapi_sup_flush;
	sapi_module.getenv = sapi_sup_getenv;
	sapi_module.header_handler = NULL;
	sapi_module.send_headers = sapi_sup_send_headers;
	sapi_module.send_header = NULL;
	sapi_module.read_post = sapi_sup_read_post;
	sapi_module.read_cookies = sapi_sup_read_cookies;
	sapi_module.register_server_variables = sapi_sup_register_variables;
	sapi_module.log_message = sapi_sup_log_message;

	import_process_environment = php_import_environment_variables;
	php_import_environment_variables = import_environment_variables;
#if PHP_VERSION_ID >= 80200
	php_load_environment_variables = load_environment_variables;
#endif
}
