<?php
// Debian's packages bring one class loader each; ours serves the application's own namespace.
require_once '/usr/share/php/Symfony/Bundle/FrameworkBundle/autoload.php';

spl_autoload_register(static function (string $class): void {
    if (0 === strncmp($class, 'App\\', 4)) {
        require __DIR__.'/'.strtr(substr($class, 4), '\\', '/').'.php';
    }
});
