<?php
// A worker script that does, in one request, what must not reach the next. Which: ?do=NAME.
// "report" says what a request finds; it must say the same after anything else.
declare(strict_types=1);

ini_set('precision', '5');
putenv('BOOT=boot');
putenv('OWN');
setlocale(LC_CTYPE, 'C.UTF-8');
set_error_handler(static function (int $type, string $text): bool {
    echo "[boot's handler: $text]";
    return true;
}, E_USER_NOTICE);
header('X-Boot: nobody sees this');
register_shutdown_function(static function (): void {
    echo "[boot's shutdown function]";
});

final class InMemory implements SessionHandlerInterface
{
    private array $data = [];
    public function open(string $path, string $name): bool { return true; }
    public function close(): bool { return true; }
    public function read(string $id): string { return $this->data[$id] ?? ''; }
    public function write(string $id, string $data): bool { $this->data[$id] = $data; return true; }
    public function destroy(string $id): bool { unset($this->data[$id]); return true; }
    public function gc(int $max_lifetime): int { return 0; }
}
session_set_save_handler(new InMemory(), false);

function numbers(): Generator
{
    try {
        yield 1;
        yield 2;
    } finally {
        echo '[finally]';
    }
}

$cases = [
    'report' => static function (): void {
        $server = array_diff_key($_SERVER, array_flip(['REQUEST_TIME', 'REQUEST_TIME_FLOAT', 'REMOTE_PORT']));
        ksort($server);
        echo json_encode([
            'get' => $_GET, 'post' => $_POST, 'cookie' => $_COOKIE, 'request' => $_REQUEST, 'files' => $_FILES,
            'server' => $server, 'env' => $_ENV, 'session' => isset($_SESSION), 'session_status' => session_status(),
            'input' => file_get_contents('php://input'), 'filter' => filter_input(INPUT_POST, 'a'),
            'last_error' => error_get_last(), 'headers' => headers_list(), 'status' => http_response_code(),
            'level' => ob_get_level(), 'ini' => array_map('ini_get', ['precision', 'memory_limit', 'max_execution_time', 'display_errors']),
            'reporting' => error_reporting(), 'zone' => date_default_timezone_get(), 'cwd' => getcwd(), 'umask' => umask(),
            'locale' => setlocale(LC_ALL, '0'), 'boot' => getenv('BOOT'), 'own' => getenv('OWN'),
            'aborted' => [connection_status(), ignore_user_abort()], 'resources' => count(get_resources('stream')),
            'worker_mode' => function_exists('frankenphp_handle_request'),
        ]), "\n";
        trigger_error('noticed');
    },
    'dirty' => static function (): void {
        ini_set('precision', '9');
        ini_set('memory_limit', '90M');
        set_time_limit(77);
        error_reporting(0);
        date_default_timezone_set('America/New_York');
        chdir('/');
        umask(077);
        setlocale(LC_ALL, 'C');
        putenv('BOOT=changed');
        putenv('OWN=1');
        ignore_user_abort(true);
        set_error_handler(static fn () => print '[own handler]');
        set_error_handler(static fn () => print '[second]');
        set_exception_handler(static fn () => print '[own exception handler]');
        register_shutdown_function(static function (): void {
            echo '[first]';
            register_shutdown_function(static fn () => print '[nested]');
        });
        register_shutdown_function(static fn () => throw new LogicException('in a shutdown function'));
        ob_start(static fn (string $text) => strtoupper($text));
        ob_start();
        $_SERVER['OWN'] = $_GET['own'] = $_ENV['OWN'] = $_REQUEST['own'] = 'leak';
        $_SESSION = ['own' => 'leak'];
        $kept = fopen('php://input', 'r');
        $GLOBALS['kept'] = $kept; // the next request must not read this one's body through it
        fread($kept, 10);
        @file_get_contents('/nonexistent');
        http_response_code(202);
        header('X-Own: leak');
        echo 'dirty';
    },
    'restore' => static function (): void {
        restore_error_handler();
        restore_exception_handler();
        ini_restore('precision');
        echo 'restored ', ini_get('precision');
    },
    'session' => static function (): void {
        session_id('test');
        session_start();
        $_SESSION['count'] = ($_SESSION['count'] ?? 0) + 1;
        echo 'count ', $_SESSION['count'];
    },
    'exit' => static function (): void {
        $destroyed = new class { public function __destruct() { echo '[destroyed]'; } };
        echo 'before ';
        exit('exit');
    },
    'generator' => static function (): void {
        foreach (numbers() as $number) {
            echo $number;
            exit;
        }
    },
    'exception' => static function (): void {
        header('X-Kept: 1');
        throw new RuntimeException('nobody catches it');
    },
    'exception-handler' => static function (): void {
        set_exception_handler(static function (Throwable $e): void {
            http_response_code(418);
            echo 'handled: ', $e->getMessage();
            throw new LogicException('in the handler');
        });
        throw new RuntimeException('first');
    },
    'output-callback' => static function (): void {
        ob_start(static fn () => throw new RuntimeException('in an output callback'));
        echo 'text';
    },
    'nested' => static function (): void {
        try {
            Supervisor\handle_request(static fn () => null);
        } catch (Error $e) {
            echo get_class($e), ': ', $e->getMessage();
        }
    },
    'early' => static function (): void {
        echo 'early';
        fastcgi_finish_request();
        echo 'late';
        error_log('still here');
    },
    'pid' => static fn () => print getmypid(),
    'fatal' => static function (): void {
        register_shutdown_function(static function (): void {
            echo '[saw: ', error_get_last()['message'], ']';
        });
        trigger_error('on purpose', E_USER_ERROR);
    },
    'memory' => static fn () => str_repeat('x', 1 << 30),
    'time' => static function (): void {
        set_time_limit(1);
        while (true);
    },
];

while (Supervisor\handle_request(static function () use ($cases): void {
    $cases[$_GET['do'] ?? 'report']();
}));
