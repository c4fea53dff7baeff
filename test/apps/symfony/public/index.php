<?php
// Classic mode: the application boots for this request and is thrown away after it.
use App\Kernel;
use Symfony\Component\HttpFoundation\Request;

require_once __DIR__.'/../src/bootstrap.php';

$kernel = Kernel::production();
$request = Request::createFromGlobals();
$response = $kernel->handle($request);
$response->send();
$kernel->terminate($request, $response);
