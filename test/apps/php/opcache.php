<?php
// What this worker sees of the shared OPcache.
header('Content-Type: application/json');
$s = opcache_get_status(false);
echo json_encode([
    'pid' => getmypid(),
    'enabled' => $s['opcache_enabled'] ?? false,
    'start_time' => $s['opcache_statistics']['start_time'] ?? null,
    'hits' => $s['opcache_statistics']['hits'] ?? null,
    'misses' => $s['opcache_statistics']['misses'] ?? null,
    'scripts' => $s['opcache_statistics']['num_cached_scripts'] ?? null,
    'restarts' => $s['opcache_statistics']['manual_restarts'] ?? null,
    'used_memory' => $s['memory_usage']['used_memory'] ?? null,
    'jit' => $s['jit'] ?? null,
    'preloaded' => class_exists('Preloaded\Greeting', false) ? Preloaded\Greeting::text() : null,
    'preload_classes' => $s['preload_statistics']['classes'] ?? [],
]), "\n";
