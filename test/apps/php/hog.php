<?php
// Uses ?mb= of memory for the length of the request.
$a = str_repeat('x', ((int) ($_GET['mb'] ?? 32)) << 20);
echo strlen($a) >> 20, " MiB, pid ", getmypid(), "\n";
