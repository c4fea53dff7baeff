<?php
// Reads the whole body as a stream, twice when ?twice is there, and says what came.
$read = static function (): array {
    $in = fopen('php://input', 'rb');
    $hash = hash_init('crc32b');
    $n = 0;
    while (($piece = fread($in, 1 << 16)) !== false && $piece !== '') {
        $n += strlen($piece);
        hash_update($hash, $piece);
    }
    return ['bytes' => $n, 'crc32b' => hash_final($hash)];
};
$out = ['content_length' => $_SERVER['CONTENT_LENGTH'] ?? null, 'first' => $read()];
if (isset($_GET['twice'])) {
    $out['second'] = $read();
}
if (isset($_GET['post'])) {
    $out['post'] = $_POST;
}
header('Content-Type: application/json');
echo json_encode($out), "\n";
