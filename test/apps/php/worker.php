<?php
// Worker mode for the scripts beside this one: stays, and includes the script of each request.
// Supervisor\handle_request() and frankenphp_handle_request() are one function with two names.
$handle = function_exists('Supervisor\handle_request') ? 'Supervisor\handle_request' : 'frankenphp_handle_request';
$boots = getmypid() . '.' . hrtime(true);
$served = 0;
$one = static function () use (&$served, $boots): void {
    $served++;
    if (isset($_GET['worker'])) {
        header('Content-Type: application/json');
        echo json_encode(['boot' => $boots, 'pid' => getmypid(), 'served' => $served]), "\n";
        return;
    }
    (static function (): void {
        chdir(dirname($_SERVER['SCRIPT_FILENAME']));
        require $_SERVER['SCRIPT_FILENAME'];
    })();
};
while ($handle($one)) {
}
