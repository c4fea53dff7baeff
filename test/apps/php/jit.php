<?php
// Enough hot code for the tracing JIT to compile something.
$f = static function (int $n): int {
    $sum = 0;
    for ($i = 0; $i < $n; $i++) {
        $sum = ($sum * 31 + $i) % 1000003;
    }
    return $sum;
};
echo $f(200000), "\n";
