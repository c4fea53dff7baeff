<?php
// Says in ?dir= that it has begun, and stays busy until the file "gate" is there.
// With ?flush the response has begun by then, with ?sleep the wait is one long sleep(), with ?then
// the answer is another script's; ?say goes to the error log first.
$pid = getmypid();
if (isset($_GET['flush'])) {
    while (ob_get_level()) {
        ob_end_flush();
    }
    header('X-Accel-Buffering: no');
    echo "begun\n";
    flush();
}
if (isset($_GET['say'])) {
    error_log($_GET['say']);
}
file_put_contents("{$_GET['dir']}/begun.$pid", (string) $pid);
if (isset($_GET['sleep'])) {
    sleep(3600);
}
for ($i = 0; $i < 6000 && !file_exists("{$_GET['dir']}/gate"); $i++) {
    usleep(5000);
    clearstatcache();
}
if (isset($_GET['then'])) {
    require __DIR__ . '/' . basename($_GET['then']);
    return;
}
echo "$pid\n";
