package main

import (
	"path/filepath"

	"php-supervisor/internal/config"
)

// source is where run's settings come from.
type source struct {
	Config string `short:"y" type:"path" placeholder:"FILE" xor:"config" help:"Configuration file, in php-fpm's format."`

	Listen  string   `placeholder:"ADDR" group:"without a configuration file" help:"Address to listen on: HOST:PORT, :PORT or the path of a unix socket."`
	Root    string   `type:"path" placeholder:"DIR" group:"without a configuration file" help:"Document root; the current directory if not given."`
	Worker  string   `placeholder:"SCRIPT" group:"without a configuration file" help:"Worker script (below the root), which boots the application once. Without one each request starts its script anew."`
	Workers int      `placeholder:"N" group:"without a configuration file" help:"Number of workers; by need if not given."`
	Watch   []string `placeholder:"DIR" group:"without a configuration file" help:"Reload when files below this directory change."`
	User    string   `placeholder:"NAME" group:"without a configuration file" help:"User the workers are (as root only)."`
	Group   string   `placeholder:"NAME" group:"without a configuration file" help:"Group the workers are."`

	AllowToRunAsRoot bool `short:"R" help:"Let workers run as root."`

	PHP       string `placeholder:"FILE" help:"PHP's command line binary (php.binary)."`
	Control   string `type:"path" placeholder:"FILE" help:"Path of the admin socket (control)."`
	LogFormat string `placeholder:"FORMAT" enum:",auto,text,json,fpm" default:"" help:"Format of the log: auto, text, json or fpm (log_format)."`
	LogLevel  string `placeholder:"LEVEL" enum:",debug,notice,warning,error,alert" default:"" help:"Least level to log: debug, notice, warning, error or alert (log_level)."`
}

// validate reports flags that contradict each other.
func (s *source) validate() error {
	if s.Config == "" {
		return nil
	}
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"--listen", s.Listen != ""}, {"--root", s.Root != ""}, {"--worker", s.Worker != ""}, {"--workers", s.Workers != 0},
		{"--watch", len(s.Watch) > 0}, {"--user", s.User != ""}, {"--group", s.Group != ""},
	} {
		if f.set {
			return exitf(statusUsage, "%s does not go with --config: set it in %s", f.name, s.Config)
		}
	}
	return nil
}

// load is a loader.
func (s *source) load() (cfg *config.Config, messages []config.Message, err error) {
	opts := config.Options{AllowRoot: s.AllowToRunAsRoot}
	if s.Config != "" {
		cfg, messages, err = config.Load(s.Config, opts)
	} else {
		cfg, messages, err = config.FromFlags(config.Flags{
			Listen: s.Listen, Root: s.Root, Worker: s.Worker, Workers: s.Workers, Watch: s.Watch, User: s.User, Group: s.Group,
		}, opts)
	}
	if err != nil {
		return nil, messages, err
	}
	if s.LogFormat != "" {
		cfg.Global.LogFormat = config.LogFormat(s.LogFormat)
	}
	if s.LogLevel != "" {
		cfg.Global.LogLevel = levelNamed(s.LogLevel)
	}
	if s.Control != "" {
		cfg.Global.Control = s.Control
	}
	if s.PHP != "" {
		php, err := filepath.Abs(s.PHP)
		if err != nil {
			return nil, messages, err
		}
		for _, p := range cfg.Pools {
			p.PHPBinary = php
		}
	}
	return cfg, messages, nil
}

func levelNamed(name string) config.Level {
	for l := config.LevelDebug; l <= config.LevelAlert; l++ {
		if l.String() == name {
			return l
		}
	}
	return 0 // kong has checked the name
}
