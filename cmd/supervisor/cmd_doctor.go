package main

import (
	"context"
	"os"

	"php-supervisor/internal/phpext"
)

type doctorCmd struct {
	PHP    string `type:"path" placeholder:"FILE" help:"PHP's command line binary to look at; the one that would be used if not given."`
	IniDir string `type:"path" placeholder:"DIR" help:"Directory of php.ini (php.ini_dir)."`
}

func (c *doctorCmd) Run(con console) error {
	status := phpext.Doctor(context.Background(), con.out, phpext.DoctorOptions{Binary: c.PHP, IniDir: c.IniDir, CalledAs: os.Args[0]})
	if status != 0 {
		return &exit{status: status}
	}
	return nil
}
