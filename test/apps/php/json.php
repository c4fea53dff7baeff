<?php
// Decodes a JSON body and answers with a JSON document made from it.
$data = json_decode(file_get_contents('php://input'), true, 64, JSON_THROW_ON_ERROR);
header('Content-Type: application/json');
echo json_encode([
    'method' => $_SERVER['REQUEST_METHOD'],
    'keys' => array_keys($data),
    'count' => count($data, COUNT_RECURSIVE),
    'data' => $data,
]), "\n";
