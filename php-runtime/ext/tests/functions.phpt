--TEST--
The functions of the extension, by reflection
--EXTENSIONS--
supervisor
--FILE--
<?php
foreach (['Supervisor\handle_request', 'frankenphp_handle_request'] as $name) {
    $function = new ReflectionFunction($name);
    echo $function->getName(), '(', implode(', ', array_map(
        fn ($p) => $p->getType() . ' $' . $p->getName(), $function->getParameters())), '): ', $function->getReturnType(), "\n";
}
?>
--EXPECT--
Supervisor\handle_request(callable $callback): bool
frankenphp_handle_request(callable $callback): bool
