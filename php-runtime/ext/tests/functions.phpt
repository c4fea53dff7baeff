--TEST--
The functions of the extension, by reflection
--EXTENSIONS--
supervisor
--FILE--
<?php
foreach ((new ReflectionExtension('supervisor'))->getFunctions() as $function) {
    echo $function->getName(), '(', implode(', ', array_map(
        fn ($p) => $p->getType() . ' $' . $p->getName(), $function->getParameters())), '): ', $function->getReturnType(), "\n";
}
?>
--EXPECT--
Supervisor\handle_request(callable $callback): bool
