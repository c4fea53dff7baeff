<?php
header('Content-Type: application/json');
echo json_encode([
    'get' => filter_input(INPUT_GET, 'n', FILTER_VALIDATE_INT),
    'get_array' => filter_input_array(INPUT_GET),
    'bad' => filter_input(INPUT_GET, 'word', FILTER_VALIDATE_INT),
    'none' => filter_input(INPUT_GET, 'none'),
    'post' => filter_input(INPUT_POST, 'email', FILTER_VALIDATE_EMAIL),
    'cookie' => filter_input(INPUT_COOKIE, 'c', FILTER_SANITIZE_NUMBER_INT),
    'server' => filter_input(INPUT_SERVER, 'REQUEST_METHOD'),
    'has' => [filter_has_var(INPUT_GET, 'n'), filter_has_var(INPUT_POST, 'n'), filter_has_var(INPUT_SERVER, 'SCRIPT_NAME')],
]), "\n";
