<?php
// Ends the response early, then waits for ?gate= and writes ?done=.
header('Content-Type: text/plain');
header('X-Before: yes');
register_shutdown_function(static fn () => file_put_contents($_GET['done'], 'shutdown', FILE_APPEND));
echo "finished\n";
$first = fastcgi_finish_request();
echo "never seen\n";
$again = fastcgi_finish_request();
for ($i = 0; $i < 3000 && !file_exists($_GET['gate']); $i++) {
    usleep(10000);
    clearstatcache();
}
file_put_contents($_GET['done'], json_encode([$first, $again, connection_status()]) . "\n");
