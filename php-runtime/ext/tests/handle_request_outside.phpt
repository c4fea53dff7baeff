--TEST--
Supervisor\handle_request() outside of a worker throws and does not call the handler
--EXTENSIONS--
supervisor
--FILE--
<?php
foreach (['Supervisor\handle_request', 'frankenphp_handle_request'] as $function) {
    try {
        var_dump($function(function () { echo "called\n"; }));
    } catch (Error $e) {
        echo get_class($e), ': ', $e->getMessage() !== '' ? 'says why' : 'silent', "\n";
    }
}
?>
--EXPECT--
Error: says why
Error: says why
