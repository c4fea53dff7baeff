<?php
// Which PHP this is: functions, classes, constants, extensions, settings.
header('Content-Type: application/json');
$functions = get_defined_functions()['internal'];
sort($functions);
$constants = get_defined_constants(true);
unset($constants['user']);
$names = array_keys(array_merge(...array_values($constants)));
sort($names);
$classes = array_values(array_filter(get_declared_classes(), static fn ($c) => (new ReflectionClass($c))->isInternal()));
sort($classes);
$extensions = get_loaded_extensions();
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
