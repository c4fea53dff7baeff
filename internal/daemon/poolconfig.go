package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"php-supervisor/internal/config"
	"php-supervisor/internal/phpext"
	"php-supervisor/pool"
	"php-supervisor/recycle"
)

// php is a PHP that a pool can use: found, looked at, its extension opened. The extension's descriptor is the daemon's.
type php struct {
	php *phpext.PHP
	ext *os.File
}

// findPHP finds a pool's PHP. What was found for one pool serves the others that ask for the same binary.
func (d *Daemon) findPHP(ctx context.Context, binary string) (*php, error) {
	if known, ok := d.phps[binary]; ok {
		return known, nil
	}
	found, ext, err := phpext.Discover(ctx, d.rp.Run, binary, d.o.CalledAs)
	if err != nil {
		return nil, &Failure{exitConfig, err}
	}
	f, err := ext.Open()
	if err != nil {
		return nil, &Failure{exitSoftware, fmt.Errorf("extension for PHP %s: %w", found.Version, err)}
	}
	d.phps[binary] = &php{found, f}
	return d.phps[binary], nil
}

// forgetPHPs closes what findPHP has opened, so that the next reload looks anew: PHP may have been upgraded.
func (d *Daemon) forgetPHPs() {
	for k, p := range d.phps {
		p.ext.Close()
		delete(d.phps, k)
	}
}

// poolConfig turns a pool's settings into what package pool wants. The extension's descriptor in it is the caller's.
func (d *Daemon) poolConfig(ctx context.Context, cfg *config.Config, p *config.Pool) (pool.Config, error) {
	found, err := d.findPHP(ctx, p.PHPBinary)
	if err != nil {
		return pool.Config{}, err
	}
	ini, err := phpext.FindIni(found.php, p.PHPIniDir, os.Getenv)
	if err != nil {
		return pool.Config{}, &Failure{exitConfig, fmt.Errorf("[pool %s] %w", p.Name, err)}
	}
	if p.WorkerScript != "" {
		if err := readable(p.WorkerScript); err != nil {
			return pool.Config{}, failure(exitConfig, "[pool %s] worker.script '%s' cannot be used: %v", p.Name, p.WorkerScript, err)
		}
	}
	args, err := defines(p)
	if err != nil {
		return pool.Config{}, failure(exitConfig, "[pool %s] %w", p.Name, err)
	}
	ext, err := dupFile(found.ext) // it has to outlive the search for PHP
	if err != nil {
		return pool.Config{}, err
	}
	return pool.Config{
		Name: p.Name,
		Command: pool.Command{
			Binary:     found.php.Binary,
			Extension:  ext,
			Args:       args,
			Env:        append(inherited(), ini.Env()...),
			Credential: credential(p.Identity),
		},
		Directives:     directives(p),
		Sizing:         sizing(p),
		Recycle:        policy(p),
		QueueLimit:     p.QueueLimit,
		QueueTimeout:   p.QueueTimeout,
		RequestTimeout: p.RequestTerminateTimeout,
		DrainTimeout:   cfg.Global.ProcessControlTimeout,
		CatchOutput:    p.CatchWorkersOutput,
	}, nil
}

func readable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return errors.Unwrap(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return errors.New("it is no regular file")
	}
	return nil
}

// inherited is the environment a zygote gets, less what is meant for the supervisor alone.
func inherited() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
			"GOMAXPROCS", "PHPRC", "PHP_INI_SCAN_DIR", "SUPERVISOR_CONTROL":
			return true
		}
		return false
	})
}

func credential(id config.Identity) *syscall.Credential {
	if !id.Switch {
		return nil
	}
	c := &syscall.Credential{Uid: uint32(id.UID), Gid: uint32(id.GID)}
	for _, g := range id.Groups {
		c.Groups = append(c.Groups, uint32(g))
	}
	return c
}

func sizing(p *config.Pool) pool.Sizing {
	s := pool.Sizing{
		MaxChildren:  p.MaxChildren,
		StartServers: p.StartServers,
		MinSpare:     p.MinSpareServers,
		MaxSpare:     p.MaxSpareServers,
		MaxSpawnRate: p.MaxSpawnRate,
	}
	switch p.PM {
	case config.PMStatic:
		s.Mode = pool.Static
	case config.PMOndemand:
		s.Mode = pool.OnDemand
	default:
		s.Mode = pool.Dynamic
	}
	return s
}

func policy(p *config.Pool) recycle.Policy {
	r := recycle.Policy{
		MaxRequests:       int64(p.MaxRequests),
		MaxRequestsJitter: p.MaxRequestsJitter,
		MaxMemory:         p.MaxMemory,
		MaxGrowth:         p.MaxMemoryGrowth,
		WarmupRequests:    recycle.DefaultWarmupRequests,
		MaxLifetime:       p.MaxLifetime,
		MaxLifetimeJitter: recycle.DefaultMaxLifetimeJitter,
		MaxIdle:           p.MaxIdle,
	}
	if p.PM == config.PMOndemand {
		r.MaxIdle = p.ProcessIdleTimeout
	}
	return r
}

// directives is what the extension is told; docs/PROTOCOL.md has the keys.
func directives(p *config.Pool) []pool.Directive {
	ds := []pool.Directive{
		{Key: "pool", Value: p.Name},
		{Key: "title", Value: "php-fpm: pool " + p.Name},
		{Key: "mode", Value: "classic"},
		{Key: "security.limit_extensions", Value: strings.Join(p.Extensions, " ")},
		{Key: "clear_env", Value: "0"},
	}
	if p.WorkerScript != "" {
		ds[2].Value = "worker"
		ds = append(ds, pool.Directive{Key: "worker.script", Value: p.WorkerScript})
	}
	if p.ClearEnv {
		ds[4].Value = "1"
	}
	if p.Chdir != "" {
		ds = append(ds, pool.Directive{Key: "chdir", Value: p.Chdir})
	}
	env := p.Env
	for _, kv := range []config.KeyValue{{Key: "USER", Value: p.Identity.User}, {Key: "HOME", Value: p.Identity.Home}} {
		if kv.Value != "" && !slices.ContainsFunc(env, func(e config.KeyValue) bool { return e.Key == kv.Key }) {
			env = append(env[:len(env):len(env)], kv)
		}
	}
	for _, group := range []struct {
		name string
		kvs  []config.KeyValue
	}{{"env", env}, {"php_value", p.PHPValues}, {"php_admin_value", p.PHPAdminValues}} {
		for _, kv := range group.kvs {
			ds = append(ds, pool.Directive{Key: group.name + "[" + kv.Key + "]", Value: kv.Value})
		}
	}
	return ds
}

// defines hands the pool's ini settings to PHP's start as well, where OPcache, the JIT and preloading read theirs; the
// extension applies them again with php-fpm's rules on who may change them. What those rules treat apart is left to it.
func defines(p *config.Pool) ([]string, error) {
	var args []string
	for _, kv := range append(slices.Clone(p.PHPValues), p.PHPAdminValues...) {
		switch strings.ToLower(kv.Key) {
		case "extension", "zend_extension", "disable_functions", "disable_classes":
			continue
		}
		quoted, err := iniQuote(kv.Value)
		if err != nil {
			return nil, fmt.Errorf("php_value[%s]: %w", kv.Key, err)
		}
		args = append(args, "-d", kv.Key+"="+quoted)
	}
	return args, nil
}

// iniQuote writes a value so that PHP's ini scanner reads it back as it is: in single quotes nothing has a meaning.
func iniQuote(v string) (string, error) {
	switch {
	case !strings.ContainsAny(v, "'\n\r\x00"):
		return "'" + v + "'", nil
	case !strings.ContainsAny(v, "\"\\$\n\r\x00"):
		return `"` + v + `"`, nil
	}
	return "", fmt.Errorf("%q holds both kinds of quotes, or a line break: PHP has no way to write that in an ini setting", v)
}
