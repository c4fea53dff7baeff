package main

import (
	"os"

	"php-supervisor/internal/config"
	"php-supervisor/internal/daemon"
)

type runCmd struct {
	source
	Stderr bool `short:"O" help:"Log to standard error also where the configuration names a file."`
}

func (c *runCmd) Run() error {
	if err := c.validate(); err != nil {
		return err
	}
	return serve(daemon.Options{
		Load: func() (*config.Config, []config.Message, error) {
			cfg, messages, err := c.load()
			if err == nil && !cfg.Global.IsSet("error_log") {
				cfg.Global.ErrorLog = "" // php-fpm's default is a file somewhere below /var
			}
			return cfg, messages, err
		},
		CalledAs: os.Args[0],
		// php-fpm's rule for the foreground: who sits in front of it wants to see it.
		Stderr: c.Stderr || isTerminal(os.Stderr),
	})
}
