package daemon

import (
	"io"
	"os"

	"github.com/hashicorp/go-hclog"

	"php-supervisor/internal/config"
	"php-supervisor/internal/logging"
)

// logs is the supervisor's log and the file behind it.
type logs struct {
	*logging.Logger
	file *logging.File
}

func openLogs(cfg *config.Config, o Options) (*logs, error) {
	var file *logging.File
	var err error
	if path := cfg.Global.ErrorLog; path == "" || path == "syslog" || o.Stderr {
		file, err = logging.OpenStderr()
	} else {
		file, err = logging.OpenFile(path)
	}
	if err != nil {
		return nil, failure(exitConfig, "failed to open error_log (%s): %w", cfg.Global.ErrorLog, err)
	}
	format, err := logging.ParseFormat(string(cfg.Global.LogFormat))
	if err != nil {
		file.Close()
		return nil, &Failure{exitConfig, err}
	}
	var out io.Writer = file
	if file.Path() == "" {
		format = format.Resolve(o.CalledAs, os.Stderr) // colours, if it is a terminal
	}
	l := logging.New(logging.Options{
		Format:   format,
		Level:    Level(cfg.Global.LogLevel),
		Output:   out,
		CalledAs: o.CalledAs,
		Limit:    cfg.Global.LogLimit,
	})
	return &logs{l, file}, nil
}

// configure applies what a reload may change, and says what it does not.
func (l *logs) configure(before, cfg *config.Config) {
	l.SetLevel(Level(cfg.Global.LogLevel))
	for _, s := range []struct {
		name    string
		changed bool
	}{
		{"error_log", before.Global.ErrorLog != cfg.Global.ErrorLog},
		{"log_format", before.Global.LogFormat != cfg.Global.LogFormat},
		{"log_limit", before.Global.LogLimit != cfg.Global.LogLimit},
		{"control", before.Global.Control != cfg.Global.Control},
	} {
		if s.changed {
			l.Warn(s.name + " has changed; that takes effect at a restart, not at a reload")
		}
	}
}

func (l *logs) messages(ms []config.Message) {
	for _, m := range ms {
		l.Log(Level(m.Level), m.Text)
	}
}

func (l *logs) reopen() error { return l.file.Reopen() }

func (l *logs) close() { l.file.Close() }

// Level is the log's level for a level of the configuration.
func Level(l config.Level) hclog.Level {
	switch l {
	case config.LevelDebug:
		return hclog.Debug
	case config.LevelWarning:
		return hclog.Warn
	case config.LevelError:
		return hclog.Error
	case config.LevelAlert:
		return logging.LevelAlert
	default:
		return hclog.Info
	}
}
