--TEST--
What preloading prints arrives; php-cli's own greeting does not
--SKIPIF--
<?php
if (!getenv('TEST_PHP_EXECUTABLE') || !is_file(dirname(__DIR__) . '/modules/supervisor.so')) die('skip needs the built module');
if (!is_file(ini_get('extension_dir') . '/opcache.so')
    && !is_file(PHP_EXTENSION_DIR . '/opcache.so')) die('skip needs opcache.so');
?>
--FILE--
<?php
require __DIR__ . '/start_with.inc';

file_put_contents(__DIR__ . '/preload.php', '<?php echo PHP_SAPI, " preloads\n";');
start_with('preload', config([['pool', 'www']]), '3', [
    'zend_extension=' . PHP_EXTENSION_DIR . '/opcache.so', 'opcache.enable=1',
    'opcache.preload=' . __DIR__ . '/preload.php', 'opcache.preload_user=' . trim(shell_exec('id -un')),
]);
?>
--CLEAN--
<?php @unlink(__DIR__ . '/preload.php'); ?>
--EXPECTF--
preload: answer R %d.%d.%s, "fpm-fcgi preloads", status 0
