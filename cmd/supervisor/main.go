// Command supervisor serves PHP behind a web server, from long-lived php-cli workers.
//
// It is the outermost layer: it parses the command line, builds what was asked for, runs it as a group of actors, and
// maps the error to an exit status. It guarantees:
//   - only main exits; everything else returns, and has cleaned up when it does;
//   - errors of usage end with status 64, of configuration with 78, of software (a script that does not boot, a
//     connection that broke) with 70, and each says in a line on standard error what is wrong;
//   - one stop signal stops it in order, a second one at once, and none is lost, whenever they come.
//
// Called by a name that begins with php-fpm it has php-fpm's command line, messages and log format (fpm.go).
package main

import (
	"os"
	"path/filepath"
	"strings"
)

func main() { os.Exit(run(os.Args)) }

// run is the program, less its exit.
func run(args []string) int {
	if calledAsFPM(args[0]) {
		return runFPM(args)
	}
	err := runCommand(args[1:], os.Stdout, os.Stderr)
	complain(os.Stderr, err)
	return exitStatus(err)
}

func calledAsFPM(argv0 string) bool { return strings.HasPrefix(filepath.Base(argv0), "php-fpm") }
