#ifdef HAVE_CONFIG_H
# include "config.h"
#endif

#include <syslog.h>

#include "php_supervisor.h"
#include "SAPI.h"
#include "php_ini.h"
#include "zend_ini_scanner.h"
#include "zend_interfaces.h"
#include "ext/standard/dl.h"

/* Exported, but in no header (main/php_ini.c). */
extern PHPAPI char *php_ini_scanned_files;

/* ---- php-cli's forced settings ---- */

typedef struct {
	const char *name;
	const char *by_cli;   /* what php-cli puts before everything given with -d (sapi/cli/php_cli.c, HARDCODED_INI);
	                       * NULL: it only has another default than PHP, which the ini files may override */
	const char *by_php;   /* PHP's own default (main/main.c) */
	zend_string *value;   /* found in the ini files or behind -d; NULL: by_php */
	bool cli_seen;
} forced_setting;

static forced_setting forced[] = {
	{"display_errors", NULL, "1", NULL, false},
	{"html_errors", "0", "1", NULL, false},
	{"implicit_flush", "1", "0", NULL, false},
	{"max_execution_time", "0", "30", NULL, false},
	{"max_input_time", "-1", "-1", NULL, false},
	{"output_buffering", "0", "0", NULL, false},
#if PHP_VERSION_ID >= 80500
	{"register_argc_argv", "1", "0", NULL, false},
#else
	{"register_argc_argv", "1", "1", NULL, false},
#endif
};
#define FORCED_COUNT (sizeof(forced) / sizeof(forced[0]))

typedef struct {
	bool command_line; /* php-cli's own definitions come first there */
	bool apart;        /* within [PATH=…] or [HOST=…], which is not for everyone */
} ini_source;

static void take_forced(zval *name, zval *value, zval *index, int type, void *arg)
{
	ini_source *source = arg;

	if (name == NULL) {
		return;
	}
	if (type == ZEND_INI_PARSER_SECTION) {
		source->apart = strncasecmp(Z_STRVAL_P(name), "PATH", 4) == 0 || strncasecmp(Z_STRVAL_P(name), "HOST", 4) == 0;
		return;
	}
	if (type != ZEND_INI_PARSER_ENTRY || source->apart) {
		return;
	}
	for (forced_setting *f = forced; f < forced + FORCED_COUNT; f++) {
		const char *text = value != NULL && Z_TYPE_P(value) == IS_STRING ? Z_STRVAL_P(value) : "";

		if (strcmp(Z_STRVAL_P(name), f->name) != 0) {
			continue;
		}
		if (source->command_line && !f->cli_seen && f->by_cli != NULL && strcmp(text, f->by_cli) == 0) {
			f->cli_seen = true;
		} else {
			f->value = zend_string_init_interned(text, strlen(text), true);
		}
		return;
	}
}

static void read_file_again(const char *path)
{
	ini_source source = {0};
	zend_file_handle file;
	FILE *stream = VCWD_FOPEN(path, "r");

	if (stream != NULL) {
		zend_stream_init_fp(&file, stream, path);
		zend_parse_ini_file(&file, 0, ZEND_INI_SCANNER_NORMAL, take_forced, &source);
		zend_destroy_file_handle(&file);
	}
}

/* php.ini, then what was scanned (php_ini_scanned_files: "a,\nb,\nc\n"), in the order PHP read them. */
static void read_ini_files_again(void)
{
	/* What is wrong in them has been said when PHP read them. */
	int error_reporting = EG(error_reporting);
	const zval *php_ini = cfg_get_entry(ZEND_STRL("cfg_file_path"));

	EG(error_reporting) = 0;
	if (php_ini != NULL && Z_TYPE_P(php_ini) == IS_STRING) {
		read_file_again(Z_STRVAL_P(php_ini));
	}
	if (php_ini_scanned_files != NULL) {
		char *files = estrdup(php_ini_scanned_files);
		char *rest = NULL;
		for (char *path = strtok_r(files, "\n", &rest); path != NULL; path = strtok_r(NULL, "\n", &rest)) {
			size_t len = strlen(path);
			if (len > 0 && path[len - 1] == ',') {
				path[len - 1] = '\0';
			}
			read_file_again(path);
		}
		efree(files);
	}
	EG(error_reporting) = error_reporting;
}

static void read_command_line_again(void)
{
	ini_source source = {.command_line = true};
	char *entries;

	if (sapi_module.ini_entries != NULL) {
		entries = estrdup(sapi_module.ini_entries);
		zend_parse_ini_string(entries, 0, ZEND_INI_SCANNER_NORMAL, take_forced, &source);
		efree(entries);
	}
}

static void give_back(const forced_setting *f)
{
	zend_ini_entry *entry = zend_hash_str_find_ptr(EG(ini_directives), f->name, strlen(f->name));
	HashTable *configuration = php_ini_get_configuration_hash();
	zend_string *value = f->value;
	zval in_configuration;

	if (value != NULL) {
		ZVAL_STR(&in_configuration, value);
		zend_hash_str_update(configuration, f->name, strlen(f->name), &in_configuration);
	} else {
		zend_hash_str_del(configuration, f->name, strlen(f->name));
		value = zend_string_init_interned(f->by_php, strlen(f->by_php), true);
	}
	if (entry != NULL && (entry->on_modify == NULL || entry->on_modify(entry, value, entry->mh_arg1,
			entry->mh_arg2, entry->mh_arg3, ZEND_INI_STAGE_STARTUP) == SUCCESS)) {
		if (entry->value != NULL) {
			zend_string_release(entry->value);
		}
		entry->value = value;
	}
}

void sup_ini_undo_cli(void)
{
	read_ini_files_again();
	read_command_line_again();
	for (size_t i = 0; i < FORCED_COUNT; i++) {
		give_back(&forced[i]);
	}
}

/* ---- php_value[], php_admin_value[] ---- */

static bool load_extension(const char *name)
{
	zval loaded;

	zend_interned_strings_switch_storage(0);
	php_dl(name, MODULE_PERSISTENT, &loaded, 1);
	zend_interned_strings_switch_storage(1);
	return Z_TYPE(loaded) == IS_TRUE;
}

/* Functions and classes that are gone stay gone: for good, as in php-fpm. */
static void disable(const char *name, const char *value)
{
	if (*value == '\0') {
		return;
	}
	if (strcmp(name, "disable_functions") == 0) {
		zend_disable_functions(value);
	}
#if PHP_VERSION_ID < 80500
	if (strcmp(name, "disable_classes") == 0) {
		/* The engine keeps pointers into this list. */
		char *list = strdup(value);
		char *rest = NULL;

		PG(disable_classes) = list;
		for (char *class = strtok_r(list, " ,", &rest); class != NULL; class = strtok_r(NULL, " ,", &rest)) {
			zend_disable_class(class, strlen(class));
		}
	}
#endif
}

/* As if the setting had stood in php.ini, but past its permissions; ZEND_INI_SYSTEM locks it against
 * ini_set() and .user.ini, ZEND_INI_USER leaves its permissions as they are. */
static bool set_for_good(const char *name, const char *text, int mode)
{
	zend_ini_entry *entry = zend_hash_str_find_ptr(EG(ini_directives), name, strlen(name));
	zend_string *value;

	if (entry == NULL) {
		return false;
	}
	value = zend_string_init(text, strlen(text), true);
	if (entry->on_modify != NULL && entry->on_modify(entry, value, entry->mh_arg1, entry->mh_arg2,
			entry->mh_arg3, ZEND_INI_STAGE_ACTIVATE) != SUCCESS) {
		zend_string_release(value);
		return true; /* php-fpm does not mind either */
	}
	if (entry->value != NULL) {
		zend_string_release(entry->value);
	}
	entry->value = value;
	if (mode == ZEND_INI_SYSTEM) {
		entry->modifiable = ZEND_INI_SYSTEM;
	}
	disable(name, text);
	return true;
}

static bool apply_pairs(const sup_pairs *pairs, const char *directive, int mode)
{
	bool loaded = false;

	for (size_t i = 0; i < pairs->count; i++) {
		const sup_pair *pair = &pairs->list[i];

		if (strcmp(pair->name, "extension") == 0 && *pair->value != '\0') {
			loaded |= load_extension(pair->value);
		} else if (!set_for_good(pair->name, pair->value, mode)) {
			fprintf(stderr, "ERROR: Unable to set %s '%s'\n", directive, pair->name);
		}
	}
	return loaded;
}

void sup_ini_apply_pool(const sup_config *config)
{
	bool loaded = apply_pairs(&config->php_values, "php_value", ZEND_INI_USER);

	loaded |= apply_pairs(&config->php_admin_values, "php_admin_value", ZEND_INI_SYSTEM);
	if (loaded) {
		zend_collect_module_handlers();
	}
}

/* ---- PHP_VALUE, PHP_ADMIN_VALUE ---- */

/* In classic mode the engine puts settings changed during a request back itself. In worker mode its
 * request is the whole life of the worker, and the application may have changed them before. */
typedef struct {
	zend_ini_entry *entry;
	zend_string *previous; /* the application's own value; NULL: there was none */
	uint8_t modifiable;
} override;

static override *overrides;
static size_t override_count, override_cap;

static bool remember(zend_ini_entry *entry)
{
	if (override_count == override_cap) {
		size_t cap = override_cap * 2 + 8;
		override *grown = realloc(overrides, cap * sizeof(*grown));
		if (grown == NULL) {
			return false;
		}
		overrides = grown;
		override_cap = cap;
	}
	overrides[override_count].entry = entry;
	overrides[override_count].modifiable = (uint8_t) entry->modifiable;
	overrides[override_count].previous = entry->modified && entry->value != NULL ? zend_string_copy(entry->value) : NULL;
	override_count++;
	return true;
}

static void begin_override(zval *name, zval *text, zval *index, int type, void *arg)
{
	const int *mode = arg;
	zend_ini_entry *entry;
	zend_string *value;

	if (name == NULL) {
		return;
	}
	if (type != ZEND_INI_PARSER_ENTRY) {
		sup_log(LOG_ERR, "Passing INI directive through FastCGI: only classic entries are allowed");
		return;
	}
	if (Z_STRLEN_P(name) == 0) {
		sup_log(LOG_ERR, "Passing INI directive through FastCGI: empty key");
		return;
	}
	if (text == NULL || Z_TYPE_P(text) != IS_STRING) {
		sup_log(LOG_ERR, "Passing INI directive through FastCGI: empty value for key '%s'", Z_STRVAL_P(name));
		return;
	}
	if (strcmp(Z_STRVAL_P(name), "extension") == 0 && Z_STRLEN_P(text) > 0) {
		if (load_extension(Z_STRVAL_P(text))) {
			zend_collect_module_handlers();
		}
		return;
	}
	entry = zend_hash_find_ptr(EG(ini_directives), Z_STR_P(name));
	if (entry == NULL || !remember(entry)) {
		sup_log(LOG_ERR, "Passing INI directive through FastCGI: unable to set '%s'", Z_STRVAL_P(name));
		return;
	}
	/* ACTIVATE with SYSTEM locks the setting until it is put back. */
	value = zend_string_init(Z_STRVAL_P(text), Z_STRLEN_P(text), false);
	zend_alter_ini_entry_ex(entry->name, value, *mode, ZEND_INI_STAGE_ACTIVATE, true);
	zend_string_release(value);
	disable(Z_STRVAL_P(name), Z_STRVAL_P(text));
}

static void begin_overrides(const char *lines, int mode)
{
	if (lines != NULL) {
		zend_string *text = zend_string_concat2(lines, strlen(lines), "\n", 1);
		zend_parse_ini_string(ZSTR_VAL(text), 1, ZEND_INI_SCANNER_NORMAL, begin_override, &mode);
		zend_string_release(text);
	}
}

void sup_ini_begin_overrides(const char *php_value, const char *php_admin_value)
{
	begin_overrides(php_value, ZEND_INI_USER);
	begin_overrides(php_admin_value, ZEND_INI_SYSTEM);
}

void sup_ini_end_overrides(void)
{
	while (override_count > 0) {
		override *o = &overrides[--override_count];

		if (sup.config.mode == SUP_MODE_CLASSIC) {
			continue; /* done by the engine, and its memory has gone with the request */
		}
		if (o->previous != NULL) {
			zend_alter_ini_entry_ex(o->entry->name, o->previous, ZEND_INI_USER, ZEND_INI_STAGE_ACTIVATE, true);
			o->entry->modifiable = o->modifiable;
			zend_string_release(o->previous);
		} else {
			zend_restore_ini_entry(o->entry->name, ZEND_INI_STAGE_DEACTIVATE);
		}
	}
}
