// Package e2e holds the end to end tests: real nginx, real php-fpm as the yardstick, and our
// supervisor with real php-cli workers. Most tests ask the same of both through the same nginx and
// compare the answers; what may differ is declared in the test.
//
// E2E_ONLY=fpm runs php-fpm's half alone, to see that the tests themselves hold.
// E2E_HUGE=1 moves bodies of a gigabyte instead of 200 MiB.
package e2e
