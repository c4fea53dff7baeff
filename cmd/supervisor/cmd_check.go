package main

import (
	"fmt"
	"strings"

	"php-supervisor/internal/config"
)

type checkCmd struct {
	Config           string `short:"y" required:"" type:"path" placeholder:"FILE" help:"Configuration file."`
	AllowToRunAsRoot bool   `short:"R" help:"Let workers run as root."`
	Dump             bool   `help:"Show every setting as it was understood."`
}

func (c *checkCmd) Run(con console) error {
	cfg, messages, err := config.Load(c.Config, config.Options{AllowRoot: c.AllowToRunAsRoot, TestOnly: true})
	if err == nil {
		messages = append(messages, cfg.NotYet()...)
	}
	for _, m := range messages {
		fmt.Fprintf(con.err, "%s: %s\n", strings.ToLower(m.Level.String()), m.Text)
	}
	if err != nil {
		return err
	}
	if c.Dump {
		if err := cfg.Dump(con.out); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(con.out, "configuration file %s test is successful\n", c.Config)
	return err
}
