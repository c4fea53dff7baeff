<?php
header('Content-Type: application/json');
$out = [];
foreach (explode(',', $_GET['keys']) as $key) {
    $out[$key] = ini_get($key);
}
$out['prepended'] = $GLOBALS['prepended'] ?? null;
echo json_encode($out), "\n";
