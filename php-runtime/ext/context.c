#ifdef HAVE_CONFIG_H
# include "config.h"
#endif

#include "worker_mode.h"
#include "SAPI.h"
#include "php_main.h"
#include "php_output.h"
#include "php_streams.h"
#include "php_variables.h"
#include "ext/standard/basic_functions.h"
#ifdef HAVE_PHP_SESSION
# include "ext/session/php_session.h"
#endif

/* What php_request_startup() and php_request_shutdown() do for a request of its own, as far as
 * it can be done while a script goes on running. */

/* ---- modules ---- */

/* The modules whose request callbacks deal with what belongs to one client's request and keep
 * nothing that an application expects to last. The others see one request, the script's. */
static const char *const request_modules[] = {"filter", "session", "zlib"};
#define REQUEST_MODULES (sizeof(request_modules) / sizeof(request_modules[0]))

static zend_module_entry *find_module(size_t i)
{
	static zend_module_entry *found[REQUEST_MODULES];
	static bool searched[REQUEST_MODULES];

	if (!searched[i]) {
		searched[i] = true;
		found[i] = zend_hash_str_find_ptr(&module_registry, request_modules[i], strlen(request_modules[i]));
	}
	return found[i];
}

/* ---- session handlers ---- */

#ifdef HAVE_PHP_SESSION
/* The session module forgets session_set_save_handler() at the end of each request. An
 * application that calls it while it boots, or when it first makes its session object, means all
 * of them; and session.save_handler stays "user" (restore.c). */

# ifdef ZTS
#  pragma weak ps_globals_id
#  define SESSION_IS_LINKED (&ps_globals_id != NULL)
# else
#  pragma weak ps_globals
#  define SESSION_IS_LINKED (&ps_globals != NULL)
# endif

/* One zval for each callback: a union with an array up to PHP 8.3, plain members since. */
# define SESSION_CALLBACKS (sizeof(((php_ps_globals *) NULL)->mod_user_names) / sizeof(zval))

static zval session_handlers[SESSION_CALLBACKS];
static zend_string *session_class;
static bool session_handlers_kept;

static zval *current_session_handlers(void)
{
	return (zval *) &PS(mod_user_names);
}

static void keep_session_handlers(void)
{
	if (!SESSION_IS_LINKED || Z_ISUNDEF(current_session_handlers()[0])) {
		return;
	}
	session_handlers_kept = true;
	for (size_t i = 0; i < SESSION_CALLBACKS; i++) {
		zval older;

		ZVAL_COPY_VALUE(&older, &session_handlers[i]);
		ZVAL_COPY(&session_handlers[i], &current_session_handlers()[i]);
		zval_ptr_dtor(&older);
	}
	if (session_class != NULL) {
		zend_string_release(session_class);
	}
	session_class = PS(mod_user_class_name) != NULL ? zend_string_copy(PS(mod_user_class_name)) : NULL;
}

static void give_session_handlers_back(void)
{
	if (!session_handlers_kept) {
		return;
	}
	for (size_t i = 0; i < SESSION_CALLBACKS; i++) {
		ZVAL_COPY(&current_session_handlers()[i], &session_handlers[i]);
	}
	PS(mod_user_class_name) = session_class != NULL ? zend_string_copy(session_class) : NULL;
}
#else
static void keep_session_handlers(void)
{
}

static void give_session_handlers_back(void)
{
}
#endif

static void activate_modules(void)
{
	give_session_handlers_back();
	for (size_t i = 0; i < REQUEST_MODULES; i++) {
		zend_module_entry *module = find_module(i);
		if (module != NULL && module->request_startup_func != NULL) {
			module->request_startup_func(module->type, module->module_number);
		}
	}
}

static void deactivate_modules(void)
{
	keep_session_handlers();
	for (size_t i = REQUEST_MODULES; i-- > 0;) {
		zend_module_entry *module = find_module(i);
		if (module != NULL && module->request_shutdown_func != NULL) {
			module->request_shutdown_func(module->type, module->module_number);
		}
	}
}

/* ---- superglobals ---- */

/* $_GET and the like as the boot has left them, in the order of CG(auto_globals); undefined
 * where there was none. */
static zval *globals_of_boot;
static zval tracks_of_boot[NUM_TRACK_VARS];

static void save_superglobals(void)
{
	zend_auto_global *global;
	size_t i = 0;

	globals_of_boot = safe_emalloc(zend_hash_num_elements(CG(auto_globals)), sizeof(zval), 0);
	ZEND_HASH_FOREACH_PTR(CG(auto_globals), global) {
		zval *value = zend_hash_find(&EG(symbol_table), global->name);
		if (value != NULL) {
			ZVAL_COPY_DEREF(&globals_of_boot[i], value);
		} else {
			ZVAL_UNDEF(&globals_of_boot[i]);
		}
		i++;
	} ZEND_HASH_FOREACH_END();
	for (i = 0; i < NUM_TRACK_VARS; i++) {
		ZVAL_COPY(&tracks_of_boot[i], &PG(http_globals)[i]);
	}
}

/* Not the arrays of the boot themselves: a script's changes between two requests end with the next. */
static void restore_superglobals(void)
{
	zend_auto_global *global;
	size_t i = 0;

	ZEND_HASH_FOREACH_PTR(CG(auto_globals), global) {
		zval *value = &globals_of_boot[i++];
		if (Z_TYPE_P(value) != IS_UNDEF) {
			Z_TRY_ADDREF_P(value);
			zend_hash_update(&EG(symbol_table), global->name, value);
		} else {
			zend_hash_del(&EG(symbol_table), global->name);
			global->armed = global->jit;
		}
	} ZEND_HASH_FOREACH_END();
	for (i = 0; i < NUM_TRACK_VARS; i++) {
		zval_ptr_dtor_nogc(&PG(http_globals)[i]);
		ZVAL_COPY(&PG(http_globals)[i], &tracks_of_boot[i]);
	}
}

/* All of them, also with auto_globals_jit: code that has been compiled once does not ask for
 * $_SERVER again, and would go on seeing that of an earlier request. */
static void fill_superglobals(void)
{
	zend_auto_global *global;

	for (size_t i = 0; i < NUM_TRACK_VARS; i++) {
		zval_ptr_dtor_nogc(&PG(http_globals)[i]);
		ZVAL_UNDEF(&PG(http_globals)[i]);
	}
	php_hash_environment();
	ZEND_HASH_FOREACH_PTR(CG(auto_globals), global) {
		if (global->auto_global_callback == NULL) {
			zend_hash_del(&EG(symbol_table), global->name); /* $_SESSION of the boot */
		} else if (global->armed) {
			global->armed = global->auto_global_callback(global->name);
		}
	} ZEND_HASH_FOREACH_END();
}

/* ---- the body ---- */

/* The stream behind php://input is on the list of resources until the end of the script, and
 * so is what still reads from it. */
static void close_body(void)
{
	php_stream *body = SG(request_info).request_body;
	zend_resource *resource;
	int stream_type = php_file_le_stream();

	if (body == NULL) {
		return;
	}
	ZEND_HASH_FOREACH_PTR(&EG(regular_list), resource) {
		if (resource->type == stream_type && resource->ptr != NULL
				&& strcmp(((php_stream *) resource->ptr)->ops->label, "Input") == 0) {
			zend_list_close(resource);
		}
	} ZEND_HASH_FOREACH_END();
	SG(request_info).request_body = NULL;
	if (!(body->flags & PHP_STREAM_FLAG_NO_CLOSE)) {
		php_stream_free(body, PHP_STREAM_FREE_CLOSE);
	}
}

/* ---- the time limit ---- */

/* Whether it may run: since the boot, and from the beginning of a request to its end. */
static bool timer_runs = true;

static void stop_timer(void)
{
	zend_long seconds = EG(timeout_seconds);

	if (timer_runs) {
		/* It stops nothing when the limit is 0, although max_input_time may have started the timer. */
		EG(timeout_seconds) = 1;
		zend_unset_timeout();
		EG(timeout_seconds) = seconds;
		timer_runs = false;
	}
}

static void set_timer(zend_long seconds)
{
	if (seconds == 0) {
		stop_timer(); /* zend_set_timeout() lets an older one run on */
	}
	zend_set_timeout(seconds, false); /* the signal handler is that of the boot */
	timer_runs = true; /* set_time_limit() may follow */
}

/* ---- the contexts ---- */

void sup_context_end(void)
{
	php_output_end_all();
	sup_settle_exception(); /* of an output callback */
	stop_timer();
	deactivate_modules();
	sup_settle_exception(); /* of a session handler */
	php_output_deactivate();
	close_body();
	sapi_deactivate();
	SG(request_info).content_type_dup = NULL;
	SG(request_info).current_user = NULL;
	if (SG(request_info).path_translated != NULL) {
		efree(SG(request_info).path_translated);
		SG(request_info).path_translated = NULL;
	}
	if (globals_of_boot == NULL) {
		save_superglobals();
	}
}

void sup_context_begin_between(void)
{
	php_output_activate();
	sapi_activate();
	SG(request_info).no_headers = 1;
	SG(sapi_started) = 1;
	restore_superglobals();
}

static void clear_last_error(void)
{
	zend_function *function = zend_hash_str_find_ptr(CG(function_table), ZEND_STRL("error_clear_last"));

	if (PG(last_error_message) != NULL && function != NULL) {
		zval result;
		zend_call_known_function(function, NULL, NULL, &result, 0, NULL, NULL);
	}
}

static void begin_output(void)
{
	if (PG(expose_php) && !SG(headers_sent)) {
		sapi_add_header(SAPI_PHP_VERSION_HEADER, sizeof(SAPI_PHP_VERSION_HEADER) - 1, 1);
	}
	if (PG(output_handler) != NULL && *PG(output_handler) != '\0') {
		zval handler;
		ZVAL_STRING(&handler, PG(output_handler));
		php_output_start_user(&handler, 0, PHP_OUTPUT_HANDLER_STDFLAGS);
		zval_ptr_dtor(&handler);
	} else if (PG(output_buffering)) {
		php_output_start_user(NULL, PG(output_buffering) > 1 ? PG(output_buffering) : 0, PHP_OUTPUT_HANDLER_STDFLAGS);
	} else if (PG(implicit_flush)) {
		php_output_set_implicit_flush(1);
	}
}

/* cgi.fix_pathinfo takes away a SCRIPT_FILENAME that is no file, for which php-fpm would answer 404. */
static void keep_script_filename(void)
{
	const char *original = SUP_PARAM("ORIG_SCRIPT_FILENAME");

	if (original != NULL && SUP_PARAM("SCRIPT_FILENAME") == NULL) {
		SUP_PARAM_SET("SCRIPT_FILENAME", original);
		SUP_PARAM_SET("ORIG_SCRIPT_FILENAME", NULL);
	}
}

void sup_context_begin_request(void)
{
	EG(exit_status) = 0;
	PG(in_error_log) = 0;
	PG(header_is_being_sent) = 0;
	PG(connection_status) = PHP_CONNECTION_NORMAL;
	PG(during_request_startup) = 1;
	clear_last_error();
#if PHP_VERSION_ID >= 80200
	zend_memory_reset_peak_usage();
#endif

	/* Every request is the handler's, whether or not the script in its URL is a file. */
	SG(sapi_headers).http_response_code = 200;
	keep_script_filename();

	php_output_activate();
	/* max_input_time is for reading the body. */
	if (PG(max_input_time) != -1 && SG(request_info).content_length > 0) {
		set_timer(PG(max_input_time));
	}
	sapi_activate();
	begin_output();
	fill_superglobals();
	activate_modules();
	SG(sapi_started) = 1;
	PG(during_request_startup) = 0;
	set_timer(INI_INT("max_execution_time"));
}
