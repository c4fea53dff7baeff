<?php
// exit in its several forms: the output so far, and what exit prints, is the response.
register_shutdown_function(static function () {
    echo "shutdown\n";
});
echo "before\n";
if (isset($_GET['message'])) {
    exit("message\n");
}
if (isset($_GET['code'])) {
    exit((int) $_GET['code']);
}
(static function () {
    try {
        exit;
    } finally {
        echo "never: exit runs no finally\n";
    }
})();
echo "never\n";
