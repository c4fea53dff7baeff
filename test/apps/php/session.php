<?php
session_start();
$_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;
if (isset($_GET['regenerate'])) {
    session_regenerate_id(true);
}
if (isset($_GET['destroy'])) {
    session_destroy();
}
echo "visit {$_SESSION['n']} ", session_status() === PHP_SESSION_ACTIVE ? 'active' : 'closed', "\n";
