<?php
// For opcache.preload.
opcache_compile_file(__DIR__ . '/hello.php');
require_once __DIR__ . '/preloaded/Greeting.php';
