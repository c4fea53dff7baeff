package control

import (
	"os"
	"path/filepath"
	"strings"
)

// Path is where the socket is: where the configuration says (control); beside the pid file, with .control in place of
// .pid; else /run/php-supervisor.control for root and $XDG_RUNTIME_DIR/php-supervisor.control for others. "" is nowhere.
// The server and the commands that look for it use the same rule.
func Path(configured, pidFile string) string {
	return path(configured, pidFile, os.Getuid(), os.Getenv)
}

func path(configured, pidFile string, uid int, getenv func(string) string) string {
	const name = "php-supervisor.control"
	switch {
	case configured != "":
		return configured
	case pidFile != "":
		return strings.TrimSuffix(pidFile, ".pid") + ".control"
	case uid == 0:
		return "/run/" + name
	}
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, name)
	}
	return ""
}
