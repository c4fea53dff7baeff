--TEST--
phpinfo() says that there is no supervisor
--EXTENSIONS--
supervisor
--FILE--
<?php
(new ReflectionExtension('supervisor'))->info();
?>
--EXPECTF--
supervisor

supervisor => inactive (no supervisor)
version => %d.%d.%s
