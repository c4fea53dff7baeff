#ifdef HAVE_CONFIG_H
# include "config.h"
#endif

#include "worker_mode.h"
#include "SAPI.h"
#include "php_main.h"
#include "php_output.h"
#include "zend_exceptions.h"

/* The script runs as one request of the engine's, from the boot to the worker's end. Its calls
 * of handle_request() wait for a client's request, run the handler within it and come back. */

static struct {
	bool booting;         /* READY has not been sent */
	bool handling;        /* a handler runs, or what belongs to its end */
	bool in_handler;      /* the handler itself */
	bool unfinished;      /* the response is out, IDLE is not: the script has not come back for more */
	bool leaving;         /* handle_request() has returned false, or is about to */
} worker;

bool sup_worker_mode_booting(void)
{
	return worker.booting;
}

/* ---- exceptions ---- */

static void call_exception_handler(void)
{
	zval handler, exception, result;

	ZVAL_COPY(&handler, &EG(user_exception_handler));
	ZVAL_OBJ_COPY(&exception, EG(exception));
	zend_clear_exception();
	ZVAL_UNDEF(&result);
	call_user_function(NULL, NULL, &handler, &result, 1, &exception);
	zval_ptr_dtor(&result);
	zval_ptr_dtor(&exception);
	zval_ptr_dtor(&handler);
}

void sup_settle_exception(void)
{
	if (CG(unclean_shutdown)) {
		/* A fatal error unwound the stack, or somebody caught its bailout: either way the engine
		 * is not sound any more. (Some builds end a request that is out of memory with an exception.) */
		zend_bailout();
	}
	if (EG(exception) == NULL) {
		return;
	}
	if (!zend_is_unwind_exit(EG(exception)) && !zend_is_graceful_exit(EG(exception))
			&& Z_TYPE(EG(user_exception_handler)) != IS_UNDEF) {
		call_exception_handler();
	}
	while (EG(exception) != NULL) {
		if (zend_is_unwind_exit(EG(exception)) || zend_is_graceful_exit(EG(exception))) {
			zend_clear_exception();
		} else {
			zend_exception_error(EG(exception), E_ERROR); /* sets the status, does not bail out */
		}
	}
}

void sup_worker_mode_client_gone(void)
{
	PG(connection_status) = PHP_CONNECTION_ABORTED;
	php_output_set_status(PHP_OUTPUT_DISABLED);
	/* The engine's way out, a bailout, would take the whole application along. */
	if (!PG(ignore_user_abort) && worker.in_handler && EG(exception) == NULL && EG(current_execute_data) != NULL) {
		zend_throw_unwind_exit();
	}
}

/* ---- one request ---- */

/* Tells the supervisor that the last request is over. Not as soon as its handler returns:
 * a script that then ends, or first does something else, must not be given the next one. */
static void finish(bool leaving)
{
	if (worker.unfinished) {
		worker.unfinished = false;
		if (!sup_request_finish(leaving || worker.leaving)) {
			worker.leaving = true;
		}
	}
}

static void end_request(void)
{
	sup_request_before_shutdown();
	sup_restore_run_shutdown_functions();
	sup_context_end();
	if (sup.detached) {
		sup_request_finish(true); /* a forked copy: does not return */
	}
	sup_wire_end_response(sup.wire, 0);
	sup_wire_flush(sup.wire);

	sup_request.open = false;
	worker.unfinished = true;
	sup_restore();
	sup_request_info_clear();
	sup_context_begin_between();
	EG(exit_status) = 0;
	worker.handling = false;
}

static void serve(zend_fcall_info *fci, zend_fcall_info_cache *fcc)
{
	zval result;

	worker.handling = true;
	sup_restore_mark();
	sup_context_begin_request();
	sup_settle_exception(); /* of a session handler, with session.auto_start */

	ZVAL_UNDEF(&result);
	fci->retval = &result;
	worker.in_handler = true;
	zend_call_function(fci, fcc);
	zval_ptr_dtor(&result);
	worker.in_handler = false;
	sup_settle_exception();
	end_request();
}

/* Waits for the next request. False when there is none for this worker any more. */
static bool next_request(void)
{
	if (worker.unfinished) {
		sup_opcache_state opcache = sup_opcache_look();
		sup_request.renew = opcache == SUP_OPCACHE_WAITS;
		worker.leaving = worker.leaving || opcache == SUP_OPCACHE_MISSED;
	}
	finish(false);
	if (worker.leaving) {
		return false;
	}
	sup_context_end();
	sup_request_info_clear();
	if (worker.booting) {
		worker.booting = false;
		sup_opcache_note_boot();
		sup_wire_ready(sup.wire); /* a supervisor that has gone is noticed by who waits */
	}
	if (!sup_request_next()) {
		worker.leaving = true;
		sup_context_begin_between();
		return false;
	}
	return true;
}

ZEND_FUNCTION(handle_request)
{
	zend_fcall_info fci;
	zend_fcall_info_cache fcc;

	ZEND_PARSE_PARAMETERS_START(1, 1)
		Z_PARAM_FUNC(fci, fcc)
	ZEND_PARSE_PARAMETERS_END();

	if (sup.role != SUP_ROLE_WORKER || sup.config.mode != SUP_MODE_WORKER) {
		zend_throw_error(NULL, "Supervisor\\handle_request() works only in the worker script of a pool (worker.script) that the supervisor runs");
		RETURN_THROWS();
	}
	if (worker.handling) {
		zend_throw_error(NULL, "Supervisor\\handle_request() cannot be called while a request is handled");
		RETURN_THROWS();
	}
	if (sup.detached || !next_request()) {
		RETURN_FALSE;
	}
	serve(&fci, &fcc);
	RETURN_TRUE;
}

/* ---- the name that FrankenPHP's worker scripts call ---- */

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_frankenphp_handle_request, 0, 1, _IS_BOOL, 0)
	ZEND_ARG_TYPE_INFO(0, callback, IS_CALLABLE, 0)
ZEND_END_ARG_INFO()

static const zend_function_entry frankenphp_functions[] = {
	ZEND_FALIAS(frankenphp_handle_request, handle_request, arginfo_frankenphp_handle_request)
	ZEND_FE_END
};

zend_result sup_worker_mode_register_functions(void)
{
	return zend_register_functions(NULL, frankenphp_functions, NULL, MODULE_PERSISTENT);
}

/* ---- the script ---- */

/* What the script sees in $_SERVER and getenv() until the first request. */
static void describe_boot(void)
{
	const char *script = sup.config.worker_script;

	SUP_PARAM_SET("SCRIPT_FILENAME", script);
	SUP_PARAM_SET("SCRIPT_NAME", script);
	SUP_PARAM_SET("FRANKENPHP_WORKER", "1"); /* asked for by worker scripts made for FrankenPHP */
	SG(server_context) = NULL;
	SG(request_info).request_uri = SUP_PARAM("SCRIPT_NAME");
	SG(request_info).path_translated = estrdup(script);
	SG(sapi_headers).http_response_code = 200;
}

static void run_script(void)
{
	zend_file_handle file;

	SG(request_info).no_headers = 1;
	zend_stream_init_filename(&file, sup.config.worker_script);
	file.primary_script = true;
	php_execute_script(&file);
	zend_destroy_file_handle(&file);
}

/* The handler did not come back: a fatal error. The request ends as it would in php-fpm, and
 * the script with it. */
static void end_with_request(void)
{
	sup_request.fatal = true;
	EG(exception) = NULL; /* lies in memory that goes as a whole */
	worker.in_handler = false;
	sup_restore_abandon();
	zend_try {
		sup_request_before_shutdown();
	} zend_end_try();
	php_request_shutdown(NULL);
	sup_request_finish(true);
}

static void end_script(void)
{
	bool fatal = CG(unclean_shutdown) || EG(exit_status) == 255;

	sup_restore_abandon();
	if (worker.unfinished && fatal) {
		sup_request.fatal = true;
	}
	worker.leaving = true;
	finish(true);
	if (worker.booting && PG(last_error_message) != NULL && !PG(log_errors)) {
		fprintf(stderr, "PHP: %s in %s on line %d\n", ZSTR_VAL(PG(last_error_message)),
			PG(last_error_file) != NULL ? ZSTR_VAL(PG(last_error_file)) : "?", (int) PG(last_error_lineno));
	}
	php_request_shutdown(NULL);
	SG(request_info).request_uri = NULL;
	SG(request_info).path_translated = NULL;
	if (worker.booting) {
		fprintf(stderr, "supervisor: worker script %s ended before its first call of handle_request()\n",
			sup.config.worker_script);
		sup.exit_status = 1;
	} else if (fatal && sup.exit_status == 0) {
		sup.exit_status = 1;
	}
}

void sup_worker_mode_loop(void)
{
	worker.booting = true;
	sup_wire_flush(sup.wire); /* HELLO: the boot takes its time, and may fail */
	describe_boot();
	zend_first_try {
		if (php_request_startup() == SUCCESS) {
			run_script();
		}
	} zend_end_try();

	if (sup_request.open) {
		end_with_request();
	} else {
		end_script();
	}
}
