package config

// constants are those of PHP's that make sense in a configuration file. PHP
// itself knows hundreds; [Options.Constants] can add what a pool needs.
var constants = map[string]string{
	"E_ERROR": "1", "E_WARNING": "2", "E_PARSE": "4", "E_NOTICE": "8",
	"E_CORE_ERROR": "16", "E_CORE_WARNING": "32", "E_COMPILE_ERROR": "64", "E_COMPILE_WARNING": "128",
	"E_USER_ERROR": "256", "E_USER_WARNING": "512", "E_USER_NOTICE": "1024", "E_STRICT": "2048",
	"E_RECOVERABLE_ERROR": "4096", "E_DEPRECATED": "8192", "E_USER_DEPRECATED": "16384", "E_ALL": "32767",

	"LOG_EMERG": "0", "LOG_ALERT": "1", "LOG_CRIT": "2", "LOG_ERR": "3",
	"LOG_WARNING": "4", "LOG_NOTICE": "5", "LOG_INFO": "6", "LOG_DEBUG": "7",

	"PHP_INT_MAX": "9223372036854775807", "PHP_INT_MIN": "-9223372036854775808", "PHP_INT_SIZE": "8",
	"PHP_EOL": "\n", "PHP_OS": "Linux", "PHP_OS_FAMILY": "Linux", "PHP_SAPI": "fpm-fcgi",
	"DIRECTORY_SEPARATOR": "/", "PATH_SEPARATOR": ":", "PHP_MAXPATHLEN": "4096",
	"M_PI": "3.1415926535898", "M_E": "2.718281828459", "INF": "INF", "NAN": "NAN",
}
