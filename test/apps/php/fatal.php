<?php
// ?case= chooses a way to die; the log must carry ?mark= so that a test finds its own line.
$mark = preg_replace('/\W/', '', $_GET['mark'] ?? 'unmarked');
switch ($_GET['case'] ?? '') {
    case 'undefined':
        ("no_such_function_$mark")();
        break;
    case 'memory':
        $a = str_repeat('x', 1 << 30);
        break;
    case 'parse':
        eval("this is not php $mark");
        break;
    case 'exception':
        throw new RuntimeException("uncaught $mark");
    case 'exception-after-output':
        echo "some output\n";
        while (ob_get_level()) {
            ob_end_flush();
        }
        flush();
        throw new RuntimeException("uncaught $mark");
    case 'error':
        trigger_error("user error $mark", E_USER_ERROR);
        break;
    case 'warning':
        trigger_error("user warning $mark", E_USER_WARNING);
        echo "still here\n";
        break;
    case 'handler':
        set_exception_handler(static function (Throwable $e) {
            http_response_code(503);
            echo "handled ", $e->getMessage(), "\n";
        });
        throw new RuntimeException('it');
    case 'displayed':
        ini_set('display_errors', '1');
        ini_set('html_errors', '0');
        throw new RuntimeException("shown $mark");
    case 'log':
        error_log("said with error_log $mark");
        echo "logged\n";
        break;
    case 'longlog':
        error_log("begin $mark " . str_repeat('0123456789', 1200) . " end $mark");
        echo "logged\n";
        break;
    case 'stderr':
        file_put_contents('php://stderr', "said to stderr $mark\n");
        echo "said\n";
        break;
}
