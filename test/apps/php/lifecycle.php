<?php
// The order in which PHP ends a request: shutdown functions, output handlers, destructors.
final class Lifecycle
{
    public function __destruct()
    {
        echo "destructor\n";
    }
}
$GLOBALS['kept'] = new Lifecycle();
register_shutdown_function(static function () {
    echo "shutdown 1\n";
    register_shutdown_function(static function () {
        echo "shutdown nested\n";
    });
});
register_shutdown_function(static function () {
    echo "shutdown 2\n";
});
ob_start(static fn (string $s) => strtoupper($s));
echo "body\n";
