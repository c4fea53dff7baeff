<?php
// The settings a pool or a .user.ini gave.
header('Content-Type: application/json');
$out = [];
foreach (explode(',', $_GET['keys']) as $key) {
    $out[$key] = ini_get($key);
}
$out['changed'] = isset($_GET['set']) ? ini_set(...explode('=', $_GET['set'], 2)) : null;
$out['prepended'] = $GLOBALS['prepended'] ?? null;
$out['env'] = getenv('E2E_GIVEN');
echo json_encode($out), "\n";
