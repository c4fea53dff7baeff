<?php
// Reports what an earlier request left behind, then leaves as much as it can.
header('Content-Type: application/json');
$seen = [
    'ini' => ini_get('precision'),
    'env' => getenv('LEFT_BEHIND'),
    'server' => $_SERVER['LEFT_BEHIND'] ?? null,
    'locale' => setlocale(LC_NUMERIC, '0'),
    'timezone' => date_default_timezone_get(),
    'encoding' => mb_internal_encoding(),
    'error_reporting' => error_reporting(),
    'handler' => set_error_handler(null) === null,
    'output' => ob_get_level(),
    'global' => isset($GLOBALS['left_behind']),
    'headers' => headers_list(),
    'code' => http_response_code(),
    'last_error' => error_get_last(),
    'time_limit' => ini_get('max_execution_time'),
    'ignore_user_abort' => ignore_user_abort(),
    'session' => session_status(),
    'wrapper' => in_array('left', stream_get_wrappers(), true),
];
if (isset($_GET['dirty'])) {
    ini_set('precision', '5');
    putenv('LEFT_BEHIND=1');
    $_SERVER['LEFT_BEHIND'] = 1;
    setlocale(LC_ALL, 'C.UTF-8');
    date_default_timezone_set('Asia/Tokyo');
    mb_internal_encoding('ISO-8859-1');
    error_reporting(E_ERROR);
    set_error_handler(static fn () => true);
    $GLOBALS['left_behind'] = 1;
    header('X-Left: behind');
    http_response_code(202);
    set_time_limit(77);
    ignore_user_abort(true);
    ob_start();
    ob_start(static fn ($s) => $s);
}
echo json_encode($seen, JSON_PRETTY_PRINT), "\n";
