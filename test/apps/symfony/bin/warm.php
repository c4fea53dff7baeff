<?php
// Compiles the container and warms the caches, as a deployment does.
use App\Kernel;

require_once __DIR__.'/../src/bootstrap.php';

$kernel = Kernel::production();
$kernel->boot();
$warmer = $kernel->getContainer()->get('cache_warmer');
$warmer->enableOptionalWarmers(); // the compiled routes are among them
$warmer->warmUp($kernel->getCacheDir());
echo $kernel->getCacheDir(), "\n";
