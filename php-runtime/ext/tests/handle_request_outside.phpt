--TEST--
Supervisor\handle_request() outside of a worker throws and does not call the handler
--EXTENSIONS--
supervisor
--FILE--
<?php
try {
    var_dump(Supervisor\handle_request(function () { echo "called\n"; }));
} catch (Error $e) {
    echo get_class($e), ': ', $e->getMessage(), "\n";
}
?>
--EXPECTF--
Error: %s
