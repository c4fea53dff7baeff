--TEST--
Outside of worker mode nothing looks like FrankenPHP's, and what is ours checks its argument
--EXTENSIONS--
supervisor
--FILE--
<?php
// Libraries take the mere existence of this function for worker mode.
var_dump(function_exists('frankenphp_handle_request'), isset($_SERVER['FRANKENPHP_WORKER']));
foreach ([[], ['no such function'], [42]] as $arguments) {
    try {
        Supervisor\handle_request(...$arguments);
    } catch (Error $e) {
        echo get_class($e), ': ', $e->getMessage(), "\n";
    }
}
?>
--EXPECT--
bool(false)
bool(false)
ArgumentCountError: Supervisor\handle_request() expects exactly 1 argument, 0 given
TypeError: Supervisor\handle_request(): Argument #1 ($callback) must be a valid callback, function "no such function" not found or invalid function name
TypeError: Supervisor\handle_request(): Argument #1 ($callback) must be a valid callback, no array or string given
