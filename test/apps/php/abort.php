<?php
// Streams until the client has gone, then writes connection_status() to ?done=; with ?ignore it notices by itself.
header('X-Accel-Buffering: no');
while (ob_get_level()) {
    ob_end_flush();
}
$ignore = isset($_GET['ignore']);
ignore_user_abort($ignore);
register_shutdown_function(static function () {
    file_put_contents($_GET['done'] . '.part', json_encode(['status' => connection_status(), 'aborted' => connection_aborted()]) . "\n");
    rename($_GET['done'] . '.part', $_GET['done']);
});
for ($i = 0; $i < 6000; $i++) {
    echo str_repeat('.', 1000), "\n";
    flush();
    if ($ignore && connection_aborted()) {
        break;
    }
    usleep(5000);
}
