<?php
// Takes every uploaded file, moves it, and says what PHP knew about it.
header('Content-Type: application/json');
$out = ['post' => $_POST, 'files' => []];
$flat = [];
foreach ($_FILES as $field => $f) {
    if (is_array($f['name'])) {
        foreach (array_keys($f['name']) as $i) {
            $flat["{$field}[$i]"] = array_map(static fn ($v) => $v[$i], $f);
        }
    } else {
        $flat[$field] = $f;
    }
}
foreach ($flat as $field => $f) {
    $was = $f['tmp_name'] !== '' && is_uploaded_file($f['tmp_name']);
    $to = tempnam(sys_get_temp_dir(), 'moved');
    $sha = $was ? sha1_file($f['tmp_name']) : null;
    $mode = $was ? decoct(fileperms($f['tmp_name']) & 0777) : null;
    $moved = move_uploaded_file($f['tmp_name'], $to);
    $out['files'][$field] = [
        'name' => $f['name'],
        'full_path' => $f['full_path'],
        'type' => $f['type'],
        'error' => $f['error'],
        'size' => $f['size'],
        'is_uploaded_file' => $was,
        'mode' => $mode,
        'sha1' => $sha,
        'moved' => $moved,
        'sha1_moved' => $moved ? sha1_file($to) : null,
        'gone' => !file_exists($f['tmp_name']),
        'foreign_refused' => !is_uploaded_file(__FILE__) && !move_uploaded_file(__FILE__, "$to.2"),
    ];
    unlink($to);
}
echo json_encode($out, JSON_PRETTY_PRINT), "\n";
