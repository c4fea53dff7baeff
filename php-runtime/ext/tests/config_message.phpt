--TEST--
A zygote refuses a malformed CONFIG message with one line and status 78
--SKIPIF--
<?php
if (!getenv('TEST_PHP_EXECUTABLE') || !is_file(dirname(__DIR__) . '/modules/supervisor.so')) die('skip needs the built module');
?>
--FILE--
<?php
require __DIR__ . '/start_with.inc';

start_with('good', config([['pool', 'www'], ['mode', 'classic']]));
start_with('nothing in it', 'C');
start_with('from a newer supervisor', config([['pool', 'www'], ['teleport', 'on']]));
start_with('another message', "S\0\0\0");
start_with('ends in a value', "Cpool\0www");
start_with('ends behind a key', "Cpool\0");
start_with('empty key', "C\0www\0");
start_with('twice', config([['pool', 'a'], ['pool', 'b']]));
start_with('mode', config([['mode', 'turbo']]));
start_with('script', config([['mode', 'worker'], ['worker.script', 'worker.php']]));
start_with('boolean', config([['clear_env', 'yes']]));
start_with('no name', config([['env[]', 'x']]));
start_with('no bracket', config([['php_value[a', 'x']]));
start_with('too long', config([['pool', str_repeat('x', 200000)]]));
start_with('directory', config([['chdir', '/nonexistent']]));
start_with('no such setting', config([['php_value[nonsense]', '1']]));
start_with('descriptor', null, '999');
start_with('not a number', null, '3x');
start_with('stdin', null, '0');
?>
--EXPECTF--
good: answer R %d.%d.%s, "", status 0
nothing in it: answer R %d.%d.%s, "", status 0
from a newer supervisor: answer R %d.%d.%s, "", status 0
another message: "supervisor: CONFIG message: the first message is something else", status 78
ends in a value: "supervisor: CONFIG message: ends within a value", status 78
ends behind a key: "supervisor: CONFIG message: key \"pool\" has no value", status 78
empty key: "supervisor: CONFIG message: empty key", status 78
twice: "supervisor: CONFIG message: key \"pool\" is there twice", status 78
mode: "supervisor: CONFIG message: mode is \"turbo\" instead of classic or worker", status 78
script: "supervisor: CONFIG message: worker.script is \"worker.php\" instead of an absolute path", status 78
boolean: "supervisor: CONFIG message: clear_env is \"yes\" instead of 1 or 0", status 78
no name: "supervisor: CONFIG message: malformed key \"env[]\"", status 78
no bracket: "supervisor: CONFIG message: malformed key \"php_value[a\"", status 78
too long: "supervisor: CONFIG message: longer than 200000 bytes", status 78
directory: "supervisor: chdir to /nonexistent: No such file or directory", status 78
no such setting: answer R %d.%d.%s, "ERROR: Unable to set php_value 'nonsense'", status 0
descriptor: "supervisor: SUPERVISOR_CONTROL=999 is not an open descriptor above 2", status 78
not a number: "supervisor: SUPERVISOR_CONTROL=3x is not an open descriptor above 2", status 78
stdin: "supervisor: SUPERVISOR_CONTROL=0 is not an open descriptor above 2", status 78
