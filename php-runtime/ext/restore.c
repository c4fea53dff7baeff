#ifdef HAVE_CONFIG_H
# include "config.h"
#endif

#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker_mode.h"
#include "zend_exceptions.h"
#include "ext/standard/basic_functions.h"
#include "ext/standard/php_filestat.h"

/* Most requests change none of this: each part notices cheaply that there is nothing to do,
 * and a mark that still holds is not made again. */

/* ---- ini settings ---- */

typedef struct {
	zend_ini_entry *entry;
	zend_string *value;
} ini_mark;

static ini_mark *ini_marks;
static size_t ini_count, ini_cap;

static void mark_ini(void)
{
	zend_ini_entry *entry;

	for (size_t i = 0; i < ini_count; i++) {
		zend_string_release(ini_marks[i].value);
	}
	ini_count = 0;
	if (EG(modified_ini_directives) == NULL) {
		return;
	}
	if (zend_hash_num_elements(EG(modified_ini_directives)) > ini_cap) {
		ini_cap = zend_hash_num_elements(EG(modified_ini_directives)) + 8;
		ini_marks = safe_erealloc(ini_marks, ini_cap, sizeof(*ini_marks), 0);
	}
	ZEND_HASH_FOREACH_PTR(EG(modified_ini_directives), entry) {
		if (entry->modified && entry->value != NULL) {
			ini_marks[ini_count].entry = entry;
			ini_marks[ini_count++].value = zend_string_copy(entry->value);
		}
	} ZEND_HASH_FOREACH_END();
}

static bool is_marked(const zend_ini_entry *entry)
{
	for (size_t i = 0; i < ini_count; i++) {
		if (ini_marks[i].entry == entry) {
			return true;
		}
	}
	return false;
}

/* Frameworks configure the session once, when they first make it, and keep the object that did: a worker
 * that forgot session.cookie_secure after the first request would send the next cookies without it. Settings
 * of the session therefore stay, as what the application is and not what a request has changed; and so do
 * the functions behind session.save_handler=user (context.c). */
static bool outlives_request(const zend_ini_entry *entry)
{
	return strncmp(ZSTR_VAL(entry->name), "session.", sizeof("session.") - 1) == 0;
}

static void restore_ini(void)
{
	zend_ini_entry *entry;

	if (EG(modified_ini_directives) != NULL) {
		ZEND_HASH_FOREACH_PTR(EG(modified_ini_directives), entry) {
			if (!is_marked(entry) && !outlives_request(entry)) {
				zend_restore_ini_entry(entry->name, ZEND_INI_STAGE_DEACTIVATE);
			}
		} ZEND_HASH_FOREACH_END();
	}
	for (size_t i = 0; i < ini_count; i++) {
		entry = ini_marks[i].entry;
		if (outlives_request(entry)) {
			continue;
		}
		if (!entry->modified || entry->value != ini_marks[i].value) {
			zend_alter_ini_entry_ex(entry->name, ini_marks[i].value, ZEND_INI_USER, ZEND_INI_STAGE_DEACTIVATE, true);
		}
	}
}

/* ---- error and exception handlers ---- */

/* What set_error_handler() or set_exception_handler() has stacked up, the current one last. */
typedef struct {
	zval *list;
	int *reporting; /* error handlers only */
	int count, cap;
} handler_mark;

/* PHP's own place for them. */
typedef struct {
	zval *current;
	zend_stack *older;
	int *current_reporting;      /* NULL for exception handlers */
	zend_stack *older_reporting;
} handler_place;

static handler_mark error_mark, exception_mark;

static handler_place error_place(void)
{
	return (handler_place) {&EG(user_error_handler), &EG(user_error_handlers),
		&EG(user_error_handler_error_reporting), &EG(user_error_handlers_error_reporting)};
}

static handler_place exception_place(void)
{
	return (handler_place) {&EG(user_exception_handler), &EG(user_exception_handlers), NULL, NULL};
}

static bool same_handler(const zval *a, const zval *b)
{
	return Z_TYPE_P(a) == Z_TYPE_P(b) && (!Z_REFCOUNTED_P(a) || Z_COUNTED_P(a) == Z_COUNTED_P(b))
		&& (Z_TYPE_P(a) != IS_STRING || Z_STR_P(a) == Z_STR_P(b));
}

/* The i-th of the place, counted from the oldest. */
static zval *handler_at(const handler_place *place, int i)
{
	return i < zend_stack_count(place->older) ? (zval *) zend_stack_base(place->older) + i : place->current;
}

static int reporting_at(const handler_place *place, int i)
{
	if (place->current_reporting == NULL) {
		return 0;
	}
	return i < zend_stack_count(place->older_reporting)
		? ((int *) zend_stack_base(place->older_reporting))[i] : *place->current_reporting;
}

static bool is_as_marked(const handler_mark *mark, const handler_place *place)
{
	if (mark->count != zend_stack_count(place->older) + 1) {
		return false;
	}
	for (int i = 0; i < mark->count; i++) {
		if (!same_handler(&mark->list[i], handler_at(place, i)) || mark->reporting[i] != reporting_at(place, i)) {
			return false;
		}
	}
	return true;
}

static void mark_handlers(handler_mark *mark, handler_place place)
{
	if (is_as_marked(mark, &place)) {
		return;
	}
	for (int i = 0; i < mark->count; i++) {
		zval_ptr_dtor(&mark->list[i]);
	}
	mark->count = zend_stack_count(place.older) + 1;
	if (mark->count > mark->cap) {
		mark->cap = mark->count;
		mark->list = safe_erealloc(mark->list, mark->cap, sizeof(*mark->list), 0);
		mark->reporting = safe_erealloc(mark->reporting, mark->cap, sizeof(*mark->reporting), 0);
	}
	for (int i = 0; i < mark->count; i++) {
		ZVAL_COPY(&mark->list[i], handler_at(&place, i));
		mark->reporting[i] = reporting_at(&place, i);
	}
}

static void restore_handlers(const handler_mark *mark, handler_place place)
{
	zval top;

	if (is_as_marked(mark, &place)) {
		return;
	}
	ZVAL_COPY_VALUE(&top, place.current);
	ZVAL_UNDEF(place.current);
	zval_ptr_dtor(&top);
	zend_stack_clean(place.older, (void (*)(void *)) zval_ptr_dtor, true);
	if (place.older_reporting != NULL) {
		zend_stack_clean(place.older_reporting, NULL, true);
	}
	for (int i = 0; i < mark->count; i++) {
		bool is_current = i == mark->count - 1;
		zval copy;

		ZVAL_COPY(&copy, &mark->list[i]);
		if (is_current) {
			ZVAL_COPY_VALUE(place.current, &copy);
		} else {
			zend_stack_push(place.older, &copy);
		}
		if (place.current_reporting == NULL) {
			continue;
		}
		if (is_current) {
			*place.current_reporting = mark->reporting[i];
		} else {
			zend_stack_push(place.older_reporting, &mark->reporting[i]);
		}
	}
}

/* ---- the process ---- */

static int umask_of_boot;
static bool locale_of_boot;
static char *locale_name;
static zend_string *ctype_of_boot;

#ifdef VIRTUAL_DIR
static char cwd_of_boot[MAXPATHLEN];
#else
static int cwd_of_boot = -1;
#endif

static void mark_process(void)
{
	const char *name = setlocale(LC_ALL, NULL);

	umask_of_boot = BG(umask);
	BG(umask) = -1;

	if (locale_name == NULL || strcmp(locale_name, name) != 0) {
		free(locale_name);
		locale_name = strdup(name);
	}
	locale_of_boot = BG(locale_changed);
	BG(locale_changed) = false;
	ctype_of_boot = BG(ctype_string) != NULL ? zend_string_copy(BG(ctype_string)) : NULL;

#ifdef VIRTUAL_DIR
	if (VCWD_GETCWD(cwd_of_boot, sizeof(cwd_of_boot)) == NULL) {
		*cwd_of_boot = '\0';
	}
#else
	/* Once: it is the directory of the first call that counts. */
	if (cwd_of_boot == -1) {
		cwd_of_boot = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
#endif
}

static void restore_process(void)
{
	if (BG(umask) != -1) {
		umask(BG(umask)); /* what umask() found when the request first called it */
	}
	BG(umask) = umask_of_boot;

	if (BG(locale_changed)) {
		setlocale(LC_ALL, locale_name != NULL ? locale_name : "C");
		zend_update_current_locale();
		if (BG(ctype_string) != NULL) {
			zend_string_release(BG(ctype_string));
		}
		BG(ctype_string) = ctype_of_boot;
	} else if (ctype_of_boot != NULL) {
		zend_string_release(ctype_of_boot);
	}
	ctype_of_boot = NULL;
	BG(locale_changed) = locale_of_boot;

#ifdef VIRTUAL_DIR
	if (*cwd_of_boot != '\0' && VCWD_CHDIR(cwd_of_boot) != 0) {
#else
	if (cwd_of_boot != -1 && fchdir(cwd_of_boot) != 0) {
#endif
		/* Removed, or closed to us, since: there is nowhere to go back to. */
	}
}

/* ---- putenv() ---- */

static HashTable putenv_of_boot;

static void mark_environment(void)
{
	putenv_of_boot = BG(putenv_ht);
	zend_hash_init(&BG(putenv_ht), 1, NULL, putenv_of_boot.pDestructor, 0);
}

static void restore_environment(void)
{
	zend_hash_destroy(&BG(putenv_ht)); /* each entry puts back what was there before it */
	BG(putenv_ht) = putenv_of_boot;
}

/* ---- the default time zone ---- */

static zend_function *timezone_get, *timezone_set;
static zval timezone_of_boot;

static void mark_timezone(void)
{
	if (timezone_get == NULL) {
		timezone_get = zend_hash_str_find_ptr(CG(function_table), ZEND_STRL("date_default_timezone_get"));
		timezone_set = zend_hash_str_find_ptr(CG(function_table), ZEND_STRL("date_default_timezone_set"));
	}
	ZVAL_UNDEF(&timezone_of_boot);
	if (timezone_get != NULL && timezone_set != NULL) {
		zend_call_known_function(timezone_get, NULL, NULL, &timezone_of_boot, 0, NULL, NULL);
	}
}

static void restore_timezone(void)
{
	zval now, result;

	if (Z_TYPE(timezone_of_boot) == IS_STRING && EG(exception) == NULL) {
		ZVAL_UNDEF(&now);
		zend_call_known_function(timezone_get, NULL, NULL, &now, 0, NULL, NULL);
		if (Z_TYPE(now) == IS_STRING && !zend_string_equals(Z_STR(now), Z_STR(timezone_of_boot))) {
			zend_call_known_function(timezone_set, NULL, NULL, &result, 1, &timezone_of_boot, NULL);
			zval_ptr_dtor(&result);
		}
		zval_ptr_dtor(&now);
	}
	zval_ptr_dtor(&timezone_of_boot);
	ZVAL_UNDEF(&timezone_of_boot);
}

/* ---- shutdown functions ---- */

static HashTable *shutdown_of_boot;

static void mark_shutdown_functions(void)
{
	shutdown_of_boot = BG(user_shutdown_function_names);
	BG(user_shutdown_function_names) = NULL;
}

void sup_restore_run_shutdown_functions(void)
{
	php_shutdown_function_entry *entry;
	HashPosition at;

	if (BG(user_shutdown_function_names) == NULL) {
		return;
	}
	/* One may register another, which makes the table grow and move. */
	zend_hash_internal_pointer_reset_ex(BG(user_shutdown_function_names), &at);
	while ((entry = zend_hash_get_current_data_ptr_ex(BG(user_shutdown_function_names), &at)) != NULL) {
		zval result;

		ZVAL_UNDEF(&result);
		entry->fci.retval = &result;
		zend_call_function(&entry->fci, &entry->fci_cache);
		zval_ptr_dtor(&result);
		if (EG(exception) != NULL) {
			bool exited = zend_is_unwind_exit(EG(exception));
			sup_settle_exception();
			if (exited) {
				break; /* which ends the others too */
			}
		}
		zend_hash_move_forward_ex(BG(user_shutdown_function_names), &at);
	}
}

static void restore_shutdown_functions(void)
{
	php_free_shutdown_functions();
	BG(user_shutdown_function_names) = shutdown_of_boot;
	shutdown_of_boot = NULL;
}

/* ---- all of it ---- */

void sup_restore_mark(void)
{
	mark_timezone();
	mark_ini();
	mark_handlers(&error_mark, error_place());
	mark_handlers(&exception_mark, exception_place());
	mark_process();
	mark_environment();
	mark_shutdown_functions();
}

void sup_restore(void)
{
	restore_shutdown_functions();
	restore_handlers(&error_mark, error_place());
	restore_handlers(&exception_mark, exception_place());
	sup_settle_exception(); /* of a destructor of what has just been let go */
	restore_ini();
	restore_environment();
	restore_process();
	restore_timezone();
	php_clear_stat_cache(false, NULL, 0);
}

void sup_restore_abandon(void)
{
	HashTable *of_request = BG(user_shutdown_function_names);
	php_shutdown_function_entry *entry;

	if (shutdown_of_boot == NULL) {
		return;
	}
	BG(user_shutdown_function_names) = shutdown_of_boot;
	shutdown_of_boot = NULL;
	if (of_request != NULL) {
		ZEND_HASH_FOREACH_PTR(of_request, entry) {
			append_user_shutdown_function(entry); /* takes the callable over */
		} ZEND_HASH_FOREACH_END();
		of_request->pDestructor = NULL;
		zend_hash_destroy(of_request);
		FREE_HASHTABLE(of_request);
	}
}
