<?php
// Loses ?kb= of memory of the C heap for good, as a leaking extension would: nothing PHP does at the
// end of a request gives it back. Needs ffi.enable=1.
$kb = (int) ($_GET['kb'] ?? 1024);
$p = FFI::new("char[" . ($kb << 10) . "]", false, true);
FFI::memset($p, 1, $kb << 10);
echo getmypid(), "\n";
