<?php
// Which PHP this is: functions, classes, constants, extensions, settings. Debian compiles pcntl into
// php-cli alone; ?without= names extensions to leave out.
header('Content-Type: application/json');
$without = explode(',', $_GET['without'] ?? '');
$functions = get_defined_functions()['internal'];
$constants = get_defined_constants(true);
$extensions = array_diff(get_loaded_extensions(), $without);
foreach ($without as $extension) {
    $functions = array_diff($functions, get_extension_funcs($extension) ?: []);
    unset($constants[$extension]);
}
sort($functions);
unset($constants['user']);
$names = array_keys(array_merge(...array_values($constants)));
sort($names);
$classes = array_values(array_filter(get_declared_classes(), static fn ($c) => (new ReflectionClass($c))->isInternal()));
sort($classes);
sort($extensions);
$ini = ini_get_all(null, true);
ksort($ini);
echo json_encode([
    'version' => PHP_VERSION,
    'sapi' => PHP_SAPI,
    'functions' => $functions,
    'constants' => $names,
    'classes' => $classes,
    'extensions' => $extensions,
    'zend_extensions' => get_loaded_extensions(true),
    'ini' => $ini,
    'ini_file' => php_ini_loaded_file(),
    'ini_scanned' => php_ini_scanned_files(),
    'gc' => gc_enabled(),
    'wrappers' => stream_get_wrappers(),
    'filters' => stream_get_filters(),
    'transports' => stream_get_transports(),
], JSON_INVALID_UTF8_SUBSTITUTE), "\n";
