<?php
// A response of ?bytes= (default 1 MiB), written in pieces of ?chunk= bytes (default: one piece).
$left = (int) ($_GET['bytes'] ?? 1 << 20);
$chunk = min($left, (int) ($_GET['chunk'] ?? $left));
header('Content-Type: application/octet-stream');
if (isset($_GET['length'])) {
    header("Content-Length: $left");
}
$piece = str_repeat("0123456789abcdef", intdiv($chunk + 15, 16));
while ($left > 0) {
    $n = min($left, $chunk);
    echo $n === strlen($piece) ? $piece : substr($piece, 0, $n);
    $left -= $n;
}
