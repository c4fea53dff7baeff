#ifdef HAVE_CONFIG_H
# include "config.h"
#endif

#include <errno.h>
#include <syslog.h>

#include "php_supervisor.h"
#include "SAPI.h"
#include "php_main.h"
#include "php_output.h"

/* The headers and the body of an answer that no script gives. */
static void answer(int status, const char *text)
{
	zend_try {
		SG(sapi_headers).http_response_code = status;
		php_output_write(text, strlen(text));
	} zend_end_try();
}

static void run_script(void)
{
	zend_file_handle file;
	char *path = estrdup(SG(request_info).path_translated); /* opening may take it away */

	if (php_fopen_primary_script(&file) == SUCCESS) {
		EG(exit_status) = 0;
		php_execute_script(&file);
		if (!file.in_list) { /* the engine closes those it has listed */
			zend_destroy_file_handle(&file);
		}
	} else {
		int error = errno;

		sup_log(LOG_ERR, "Unable to open primary script: %s (%s)", path, strerror(error));
		if (error == EACCES) {
			answer(403, "Access denied.\n");
		} else {
			answer(404, "No input file specified.\n");
		}
	}
	efree(path);
}

static void respond(void)
{
	if (SG(request_info).request_method == NULL) {
		return; /* not HTTP */
	}
	if (SG(request_info).path_translated == NULL) {
		sup_log(LOG_DEBUG, "Primary script unknown");
		answer(404, "File not found.\n");
	} else if (!sup_script_allowed(SG(request_info).path_translated)) {
		answer(403, "Access denied.\n");
	} else {
		run_script();
	}
}

/* False when this process had better not serve another request. */
static bool serve(void)
{
	volatile bool started = false;

	EG(exit_status) = 0;
	zend_first_try {
		if (php_request_startup() == SUCCESS) {
			started = true;
			respond();
		} else {
			/* Out of memory while reading form data, for instance. What has been set up gets
			 * cleaned up, and the client an honest status. */
			sup_request.fatal = true;
			if (!SG(headers_sent)) {
				SG(sapi_headers).http_response_code = 500;
			}
		}
	} zend_end_try();

	zend_try {
		sup_request_before_shutdown();
	} zend_end_try();
	php_request_shutdown(NULL);
	return started;
}

void sup_classic_loop(void)
{
	while (sup_request_next()) {
		bool healthy = serve();
		if (!sup_request_finish(!healthy)) {
			break;
		}
	}
}
