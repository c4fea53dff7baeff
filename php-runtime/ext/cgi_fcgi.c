#ifdef HAVE_CONFIG_H
# include "config.h"
#endif

#include "php_supervisor.h"
#include "SAPI.h"
#include "php_ini.h"
#include "ext/standard/info.h"

#include "cgi_fcgi_arginfo.h"

/* The module under whose name php-fpm registers its functions and ini entries. It is there
 * only when a supervisor is: a plain php has no fastcgi_finish_request(). */

ZEND_DECLARE_MODULE_GLOBALS(supervisor)

PHP_INI_BEGIN()
	STD_PHP_INI_BOOLEAN("cgi.rfc2616_headers", "0", PHP_INI_ALL, OnUpdateBool, rfc2616_headers, zend_supervisor_globals, supervisor_globals)
	STD_PHP_INI_BOOLEAN("cgi.nph", "0", PHP_INI_ALL, OnUpdateBool, nph, zend_supervisor_globals, supervisor_globals)
	STD_PHP_INI_BOOLEAN("cgi.force_redirect", "1", PHP_INI_SYSTEM, OnUpdateBool, force_redirect, zend_supervisor_globals, supervisor_globals)
	STD_PHP_INI_ENTRY("cgi.redirect_status_env", NULL, PHP_INI_SYSTEM, OnUpdateString, redirect_status_env, zend_supervisor_globals, supervisor_globals)
	STD_PHP_INI_BOOLEAN("cgi.fix_pathinfo", "1", PHP_INI_SYSTEM, OnUpdateBool, fix_pathinfo, zend_supervisor_globals, supervisor_globals)
	STD_PHP_INI_BOOLEAN("cgi.discard_path", "0", PHP_INI_SYSTEM, OnUpdateBool, discard_path, zend_supervisor_globals, supervisor_globals)
	STD_PHP_INI_BOOLEAN("fastcgi.logging", "1", PHP_INI_SYSTEM, OnUpdateBool, fcgi_logging, zend_supervisor_globals, supervisor_globals)
#if PHP_VERSION_ID >= 80500
	STD_PHP_INI_BOOLEAN("fastcgi.script_path_encoded", "1", PHP_INI_SYSTEM, OnUpdateBool, script_path_encoded, zend_supervisor_globals, supervisor_globals)
#endif
	STD_PHP_INI_ENTRY("fastcgi.error_header", NULL, PHP_INI_SYSTEM, OnUpdateString, error_header, zend_supervisor_globals, supervisor_globals)
	STD_PHP_INI_ENTRY("fpm.config", NULL, PHP_INI_SYSTEM, OnUpdateString, fpm_config, zend_supervisor_globals, supervisor_globals)
PHP_INI_END()

static PHP_GINIT_FUNCTION(supervisor)
{
#if defined(ZTS) && defined(COMPILE_DL_SUPERVISOR)
	ZEND_TSRMLS_CACHE_UPDATE();
#endif
	memset(supervisor_globals, 0, sizeof(*supervisor_globals));
}

static PHP_MINIT_FUNCTION(cgi_fcgi)
{
	REGISTER_INI_ENTRIES();
	return SUCCESS;
}

static PHP_MSHUTDOWN_FUNCTION(cgi_fcgi)
{
	sup_user_ini_shutdown();
	UNREGISTER_INI_ENTRIES();
	return SUCCESS;
}

static PHP_MINFO_FUNCTION(cgi_fcgi)
{
	php_info_print_table_start();
	php_info_print_table_row(2, "php-fpm", "active");
	php_info_print_table_end();
	DISPLAY_INI_ENTRIES();
}

PHP_FUNCTION(fastcgi_finish_request)
{
	ZEND_PARSE_PARAMETERS_NONE();
	RETURN_BOOL(sup_request_end_response());
}

PHP_FUNCTION(apache_request_headers)
{
	ZEND_PARSE_PARAMETERS_NONE();
	array_init(return_value);
	if (SG(server_context) == NULL) {
		return;
	}
	for (size_t i = sup_wire_param_count(sup.wire); i-- > 0;) {
		const sup_param *param = sup_wire_param_at(sup.wire, i);
		char *value = sup_wire_param(sup.wire, param->name, param->name_len, NULL);

		sapi_add_request_header(param->name, (unsigned int) param->name_len, value, (unsigned int) strlen(value), return_value);
	}
}

/* Only the supervisor knows; a worker has no way to ask yet. */
PHP_FUNCTION(fpm_get_status)
{
	ZEND_PARSE_PARAMETERS_NONE();
	RETURN_FALSE;
}

zend_module_entry sup_cgi_fcgi_module_entry = {
	STANDARD_MODULE_HEADER,
	"cgi-fcgi",
	ext_functions,
	PHP_MINIT(cgi_fcgi),
	PHP_MSHUTDOWN(cgi_fcgi),
	NULL,
	NULL,
	PHP_MINFO(cgi_fcgi),
	PHP_VERSION,
	PHP_MODULE_GLOBALS(supervisor),
	PHP_GINIT(supervisor),
	NULL,
	NULL,
	STANDARD_MODULE_PROPERTIES_EX
};
