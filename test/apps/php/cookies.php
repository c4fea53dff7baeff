<?php
setcookie('plain', 'a b');
setcookie('full', 'väl;ue', ['expires' => 2000000000, 'path' => '/p', 'domain' => 'example.test', 'secure' => true, 'httponly' => true, 'samesite' => 'Strict']);
setrawcookie('raw', 'x%20y');
setcookie('gone', '', 1);
header('Content-Type: application/json');
ksort($_COOKIE);
echo json_encode($_COOKIE), "\n";
