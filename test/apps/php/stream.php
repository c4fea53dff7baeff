<?php
// Sends a chunk, then waits until the file named by ?gate= exists before it sends the last one:
// a client that has seen the first chunk before it made the file has proof of streaming.
header('X-Accel-Buffering: no');
header('Content-Type: text/plain');
while (ob_get_level()) {
    ob_end_flush();
}
$wait = static function (string $file): void {
    for ($i = 0; $i < 3000 && !file_exists($file); $i++) {
        usleep(10000);
        clearstatcache();
    }
};
echo "first\n";
flush();
$wait($_GET['gate']);
echo "last\n";
