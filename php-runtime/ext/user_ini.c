#ifdef HAVE_CONFIG_H
# include "config.h"
#endif

#include "php_supervisor.h"
#include "SAPI.h"
#include "php_ini.h"

/* What the .user.ini files on the way from the document root to one directory say together.
 * Read again after user_ini.cache_ttl seconds: nobody tells of a file that has come or gone. */
typedef struct {
	double expires;
	HashTable settings; /* persistent */
} user_config;

static HashTable cache; /* persistent; directory, with a slash at its end, to user_config */
static bool cache_there;

static void free_user_config(zval *value)
{
	user_config *config = Z_PTR_P(value);

	zend_hash_destroy(&config->settings);
	free(config);
}

static user_config *find_user_config(const char *directory, size_t len)
{
	user_config *config;

	if (!cache_there) {
		zend_hash_init(&cache, 0, NULL, free_user_config, 1);
		cache_there = true;
	}
	config = zend_hash_str_find_ptr(&cache, directory, len);
	if (config == NULL) {
		config = pemalloc(sizeof(*config), 1);
		config->expires = 0;
		zend_hash_init(&config->settings, 0, NULL, config_zval_dtor, 1);
		zend_hash_str_add_ptr(&cache, directory, len, config);
	}
	return config;
}

void sup_user_ini_shutdown(void)
{
	if (cache_there) {
		zend_hash_destroy(&cache);
		cache_there = false;
	}
}

/* directory has a slash at its end, document_root none. */
static void read_user_ini_files(user_config *config, char *directory, const char *document_root)
{
	size_t root_len = strlen(document_root);
	size_t len = strlen(directory);
	char *real = NULL;

	if (!IS_ABSOLUTE_PATH(directory, len)) {
		real = tsrm_realpath(directory, NULL);
		if (real == NULL) {
			return;
		}
		directory = real;
		len = strlen(directory);
	}
	if (strncmp(directory, document_root, len < root_len ? len : root_len) != 0) {
		php_parse_user_ini_file(directory, PG(user_ini_filename), &config->settings);
	} else if (len > root_len) {
		for (char *slash = directory + root_len; (slash = strchr(slash, DEFAULT_SLASH)) != NULL; slash++) {
			*slash = '\0';
			php_parse_user_ini_file(directory, PG(user_ini_filename), &config->settings);
			*slash = DEFAULT_SLASH;
		}
	}
	if (real != NULL) {
		efree(real);
	}
}

static void activate_user_ini(char *directory, size_t len)
{
	const char *root = SUP_PARAM("DOCUMENT_ROOT");
	double now = sapi_get_request_time();
	user_config *config;

	if (root == NULL) {
		return;
	}
	config = find_user_config(directory, len);
	if (now > config->expires) {
		size_t root_len = strlen(root);
		char *document_root = estrndup(root, root_len > 0 && IS_SLASH(root[root_len - 1]) ? root_len - 1 : root_len);

		zend_hash_clean(&config->settings);
		read_user_ini_files(config, directory, document_root);
		config->expires = now + (double) PG(user_ini_cache_ttl);
		efree(document_root);
	}
	php_ini_activate_config(&config->settings, PHP_INI_PERDIR, PHP_INI_STAGE_HTACCESS);
}

static void activate_host_section(void)
{
	const char *server_name = SUP_PARAM("SERVER_NAME");

	if (server_name != NULL) {
		size_t len = strlen(server_name);
		char *lower = zend_str_tolower_dup(server_name, len);
		php_ini_activate_per_host_config(lower, len);
		efree(lower);
	}
}

void sup_user_ini_activate(void)
{
	const char *script = SG(request_info).path_translated;
	bool user_ini = PG(user_ini_filename) != NULL && *PG(user_ini_filename) != '\0';

	if (php_ini_has_per_host_config()) {
		activate_host_section();
	}
	if (php_ini_has_per_dir_config() || user_ini) {
		size_t len = strlen(script);
		char *directory = emalloc(len + 2);

		memcpy(directory, script, len + 1);
		len = zend_dirname(directory, len);
		directory[len++] = DEFAULT_SLASH;
		directory[len] = '\0';
		php_ini_activate_per_dir_config(directory, len);
		if (user_ini) {
			activate_user_ini(directory, len);
		}
		efree(directory);
	}
}
