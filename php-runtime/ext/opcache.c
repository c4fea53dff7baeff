#ifdef HAVE_CONFIG_H
# include "config.h"
#endif

#include <time.h>

#include "worker_mode.h"

/* OPcache starts anew (opcache_reset(), memory full) only while no request uses it. A worker
 * script is one request for its whole life: it would put that off until OPcache kills it, in the
 * middle of whatever it does (opcache.force_restart_timeout, 180 s). So it asks to be replaced, with all
 * workers that are in the same way. */

static bool pending_at_boot;
static time_t looked_at; /* CLOCK_MONOTONIC, seconds */

static bool is_true(const zval *status, const char *key)
{
	const zval *value = zend_hash_str_find(Z_ARRVAL_P(status), key, strlen(key));

	return value != NULL && Z_TYPE_P(value) == IS_TRUE;
}

static bool restart_pending(void)
{
	zend_function *get_status = zend_hash_str_find_ptr(CG(function_table), ZEND_STRL("opcache_get_status"));
	const char *restricted = zend_ini_string("opcache.restrict_api", sizeof("opcache.restrict_api") - 1, 0);
	zval without_scripts, status;
	bool pending;

	if (get_status == NULL || get_status->type != ZEND_INTERNAL_FUNCTION || (restricted != NULL && *restricted != '\0')) {
		return false; /* no OPcache, or nobody may ask it */
	}
	ZVAL_FALSE(&without_scripts);
	ZVAL_UNDEF(&status);
	zend_call_known_function(get_status, NULL, NULL, &status, 1, &without_scripts, NULL);
	pending = Z_TYPE(status) == IS_ARRAY && (is_true(&status, "restart_pending") || is_true(&status, "restart_in_progress"));
	zval_ptr_dtor(&status);
	return pending;
}

void sup_opcache_note_boot(void)
{
	pending_at_boot = restart_pending();
}

/* One that has booted while the restart was pending runs without OPcache, and in nobody's way. */
sup_opcache_state sup_opcache_look(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (now.tv_sec == looked_at) {
		return SUP_OPCACHE_FINE;
	}
	looked_at = now.tv_sec;
	if (restart_pending()) {
		return pending_at_boot ? SUP_OPCACHE_FINE : SUP_OPCACHE_WAITS;
	}
	return pending_at_boot ? SUP_OPCACHE_MISSED : SUP_OPCACHE_FINE;
}
