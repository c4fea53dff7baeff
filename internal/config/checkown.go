package config

import (
	"os"
	"path/filepath"
	"strings"
)

// own checks our own directives of a pool.
func (c *checker) own(p *Pool) error {
	bad := func(format string, args ...any) error {
		return failf(LevelError, "[pool %s] "+format, append([]any{p.Name}, args...)...)
	}
	if p.PHPBinary != "" {
		if p.PHPBinary[0] != '/' {
			return bad("php.binary '%s' must be an absolute path, such as /usr/bin/php8.2", p.PHPBinary)
		}
		if text := regularFile(p.PHPBinary); text != "" {
			return bad("php.binary '%s' %s: install php-cli or name the one to use", p.PHPBinary, text)
		}
		if fi, err := os.Stat(p.PHPBinary); err == nil && fi.Mode()&0o111 == 0 {
			return bad("php.binary '%s' is not executable", p.PHPBinary)
		}
	}
	if p.PHPIniDir != "" {
		if p.PHPIniDir[0] != '/' {
			return bad("php.ini_dir '%s' must be an absolute path, such as /etc/php/8.2/fpm", p.PHPIniDir)
		}
		if !isDir(p.PHPIniDir) {
			return bad("php.ini_dir '%s' does not exist or is not a directory", p.PHPIniDir)
		}
	}
	if p.WorkerScript != "" {
		if p.WorkerScript[0] != '/' {
			return bad("worker.script '%s' must be an absolute path, such as /srv/app/%s", p.WorkerScript, strings.TrimPrefix(p.WorkerScript, "./"))
		}
		if text := regularFile(p.Chroot + p.WorkerScript); text != "" {
			return bad("worker.script '%s' %s", p.WorkerScript, text)
		}
	}
	p.MaxRequests = max(p.MaxRequests, 0) // php-fpm takes less than 0 for no limit as well
	if p.set.has("pm.max_requests_jitter") && p.MaxRequests == 0 {
		c.note(LevelWarning, "[pool %s] pm.max_requests_jitter has no effect without pm.max_requests", p.Name)
	}
	if p.MaxMemory != 0 && p.MaxMemoryGrowth > p.MaxMemory {
		return bad("pm.max_memory_growth (%s) must not be greater than pm.max_memory (%s)", sizeText(p.MaxMemoryGrowth), sizeText(p.MaxMemory))
	}
	for i, dir := range p.Watch {
		dir = filepath.Clean(c.paths.full(dir, p, defaultPrefix))
		if !isDir(dir) {
			return bad("watch[] '%s' does not exist or is not a directory", dir)
		}
		p.Watch[i] = dir
	}
	if len(p.WatchIgnore) > 0 && len(p.Watch) == 0 {
		c.note(LevelWarning, "[pool %s] watch.ignore[] has no effect without watch[]", p.Name)
	}
	return nil
}
