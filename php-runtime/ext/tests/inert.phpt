--TEST--
Without a supervisor the extension changes nothing but adds its functions
--EXTENSIONS--
supervisor
--FILE--
<?php
var_dump(PHP_SAPI, php_sapi_name());
var_dump(function_exists('Supervisor\handle_request'), function_exists('frankenphp_handle_request'));
foreach (['fastcgi_finish_request', 'fpm_get_status', 'apache_request_headers', 'getallheaders'] as $function) {
    var_dump(function_exists($function));
}
var_dump(extension_loaded('cgi-fcgi'), ini_get('cgi.fix_pathinfo'));
// What php-cli forces stays forced.
var_dump(ini_get('implicit_flush'), ini_get('max_execution_time'), ini_get('html_errors'));
var_dump(function_exists('cli_set_process_title'));
?>
--EXPECT--
string(3) "cli"
string(3) "cli"
bool(true)
bool(false)
bool(false)
bool(false)
bool(false)
bool(false)
bool(false)
bool(false)
string(1) "1"
string(1) "0"
string(1) "0"
bool(true)
