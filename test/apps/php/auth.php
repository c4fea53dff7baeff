<?php
header('Content-Type: application/json');
echo json_encode([
    'user' => $_SERVER['PHP_AUTH_USER'] ?? null,
    'password' => $_SERVER['PHP_AUTH_PW'] ?? null,
    'digest' => $_SERVER['PHP_AUTH_DIGEST'] ?? null,
    'header' => $_SERVER['HTTP_AUTHORIZATION'] ?? null,
]), "\n";
