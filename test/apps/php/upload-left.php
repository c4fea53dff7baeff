<?php
// Leaves its uploaded files where they are: PHP must remove them after the request.
header('Content-Type: application/json');
echo json_encode(array_column($_FILES, 'tmp_name')), "\n";
