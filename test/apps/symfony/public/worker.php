<?php
// Worker mode: the application boots once; each request runs the closure. The kernel resets its
// services (kernel.reset) itself when the next request comes in.
use App\Kernel;
use Symfony\Component\HttpFoundation\Request;

require_once __DIR__.'/../src/bootstrap.php';

$kernel = Kernel::production();
$kernel->boot();
$booted = hrtime(true);

$handleRequest = \function_exists('Supervisor\handle_request') ? 'Supervisor\handle_request' : 'frankenphp_handle_request';

$one = static function () use ($kernel, $booted): void {
    $_SERVER['APP_KERNEL_BOOTED'] = $booted;
    $request = Request::createFromGlobals();
    $response = $kernel->handle($request);
    $response->send(); // also fastcgi_finish_request(): the client has its answer before terminate()
    $kernel->terminate($request, $response);
};

while ($handleRequest($one)) {
}
