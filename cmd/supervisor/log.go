package main

import (
	"os"

	"php-supervisor/internal/config"
	"php-supervisor/internal/daemon"
	"php-supervisor/internal/logging"
)

// newLog is a log on standard error beside the daemon's, in the same format.
func newLog(cfg *config.Config) *logging.Logger {
	format, err := logging.ParseFormat(string(cfg.Global.LogFormat))
	if err != nil {
		format = logging.Auto
	}
	return logging.New(logging.Options{Format: format, Level: daemon.Level(cfg.Global.LogLevel), CalledAs: os.Args[0]})
}
