<?php
// Everything PHP knows of the request, sorted, as JSON.
header('Content-Type: application/json');
$sorted = static function (array $a): array {
    ksort($a);
    return $a;
};
$what = [
    'server' => $sorted($_SERVER),
    'get' => $_GET,
    'post' => $_POST,
    'cookie' => $_COOKIE,
    'files' => $_FILES,
    'request' => $_REQUEST,
    'env' => $sorted($_ENV),
    'getenv' => $sorted(getenv()),
    'input' => base64_encode(file_get_contents('php://input')),
    'headers' => $sorted(getallheaders()),
    'apache_request_headers' => apache_request_headers() === getallheaders(),
    'argv' => isset($GLOBALS['argv']),
    'sapi' => [PHP_SAPI, php_sapi_name()],
    'std' => [defined('STDIN'), defined('STDOUT'), defined('STDERR')],
    'cwd' => getcwd() === __DIR__,
    'script' => basename(get_included_files()[0]),
    'ignore_user_abort' => ignore_user_abort(),
    'ob' => ob_get_level(),
];
echo json_encode($what, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE), "\n";
