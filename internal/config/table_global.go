package config

// globalSettings are the directives of [global], in the order of php-fpm's dump.
var globalSettings = []Setting{
	{
		Name: "pid", Section: SectionGlobal, Kind: KindString,
		Help:   "The file that holds the supervisor's process id while it runs. A relative path starts at `/var`.",
		global: func(g *Global) any { return &g.PID },
	},
	{
		Name: "error_log", Section: SectionGlobal, Kind: KindString, Default: "log/php-fpm.log",
		Help:   "The log file. A relative path starts at `/var`; `syslog` means the system's log.",
		global: func(g *Global) any { return &g.ErrorLog },
	},
	{
		Name: "syslog.ident", Section: SectionGlobal, Kind: KindString, Default: "php-fpm", Effect: EffectNotYet,
		Help:   "The name before each message in the system's log.",
		global: func(g *Global) any { return &g.SyslogIdent },
	},
	{
		Name: "syslog.facility", Section: SectionGlobal, Kind: KindFacility, Default: "daemon", Effect: EffectNotYet,
		Help:   "The facility in the system's log: `daemon`, `user`, `local0` to `local7` and so on.",
		global: func(g *Global) any { return &g.SyslogFacility },
	},
	{
		Name: "log_buffering", Section: SectionGlobal, Kind: KindBoolean, Default: "yes",
		Help:   "Whether a line of a worker's output is written as a whole, when its end has come.",
		global: func(g *Global) any { return &g.LogBuffering },
	},
	{
		Name: "log_level", Section: SectionGlobal, Kind: KindLevel, Default: "notice",
		Help:   "The least important messages that are logged: `debug`, `notice`, `warning`, `error` or `alert`.",
		global: func(g *Global) any { return &g.LogLevel },
	},
	{
		Name: "log_limit", Section: SectionGlobal, Kind: KindInteger, Default: "1024",
		Help:   "The longest line in bytes when logging in php-fpm's format; longer ones are wrapped. At least 512.",
		global: func(g *Global) any { return &g.LogLimit },
	},
	{
		Name: "emergency_restart_interval", Section: SectionGlobal, Kind: KindTime, Default: "0", Effect: EffectNotYet,
		Help:   "The time in which `emergency_restart_threshold` crashes lead to a restart.",
		global: func(g *Global) any { return &g.EmergencyRestartInterval },
	},
	{
		Name: "emergency_restart_threshold", Section: SectionGlobal, Kind: KindInteger, Default: "0", Effect: EffectNotYet,
		Help:   "The number of workers that crash with SIGSEGV or SIGBUS within `emergency_restart_interval` before everything is restarted; 0 for never.",
		global: func(g *Global) any { return &g.EmergencyRestartThreshold },
	},
	{
		Name: "process_control_timeout", Section: SectionGlobal, Kind: KindTime, Default: "0",
		Help:   "How long a worker may go on with its request after it was asked to leave, before it is killed.",
		global: func(g *Global) any { return &g.ProcessControlTimeout },
	},
	{
		Name: "process.max", Section: SectionGlobal, Kind: KindInteger, Default: "0", Effect: EffectNotYet,
		Help:   "The largest number of workers of all pools together; 0 for no limit.",
		global: func(g *Global) any { return &g.ProcessMax },
	},
	{
		Name: "process.priority", Section: SectionGlobal, Kind: KindInteger, Effect: EffectNotYet,
		Help:   "The nice value of the supervisor, from -19 to 20.",
		global: func(g *Global) any { return &g.ProcessPriority },
	},
	{
		Name: "daemonize", Section: SectionGlobal, Kind: KindBoolean, Default: "yes",
		Help:   "Whether the supervisor goes into the background.",
		global: func(g *Global) any { return &g.Daemonize },
	},
	{
		Name: "rlimit_files", Section: SectionGlobal, Kind: KindInteger, Default: "0",
		Help:   "The number of files the supervisor may have open; 0 leaves the limit as it is.",
		global: func(g *Global) any { return &g.RlimitFiles },
	},
	{
		Name: "rlimit_core", Section: SectionGlobal, Kind: KindRlimit, Default: "0", Effect: EffectNotYet,
		Help:   "The largest core file of the supervisor in bytes, or `unlimited`; 0 leaves the limit as it is.",
		global: func(g *Global) any { return &g.RlimitCore },
	},
	{
		Name: "events.mechanism", Section: SectionGlobal, Kind: KindString, Default: "epoll",
		Effect: EffectNone, Why: "the Go runtime waits for events in its own way",
		Help:   "php-fpm's way to wait for events: `epoll`, `poll` or `select`.",
		global: func(g *Global) any { return &g.EventsMechanism },
	},
	{
		Name: "systemd_interval", Section: SectionGlobal, Kind: KindTime, Default: "10s", Effect: EffectNotYet,
		Help:   "How often the service manager is told the state; 0 for never.",
		global: func(g *Global) any { return &g.SystemdInterval },
	},
	{
		Name: "include", Section: SectionGlobal, Kind: KindInclude, dump: dumpNever,
		Help: "Files to read at this place, as a pattern such as `/etc/php/8.2/fpm/pool.d/*.conf`; they are read in alphabetical order. " +
			"Can stand in any section, and in included files too, up to five deep. A relative pattern starts at the prefix.",
		global: func(g *Global) any { return nil },
	},
	{
		Name: "log_format", Section: SectionGlobal, Kind: KindChoice, Own: true, Default: "auto",
		Choices: []string{"auto", "text", "json", "fpm"}, dump: dumpWhenSet,
		Help: "How the log is written: `text` for people, `json` for machines, `fpm` as php-fpm writes it; " +
			"`auto` is `fpm` when the program is called as `php-fpm…` and `text` otherwise.",
		global: func(g *Global) any { return &g.LogFormat },
	},
	{
		Name: "control", Section: SectionGlobal, Kind: KindString, Own: true, dump: dumpWhenSet,
		Help:   "The unix socket on which `supervisor status` and `supervisor reload` reach the running supervisor. A relative path starts at `/var`.",
		global: func(g *Global) any { return &g.Control },
	},
}
