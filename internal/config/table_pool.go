package config

import "php-supervisor/internal/logging"

// poolSettings are the directives of a pool: php-fpm's in the order of its dump,
// then our own.
var poolSettings = append([]Setting{
	{
		Name: "prefix", Section: SectionPool, Kind: KindString,
		Help: "The directory at which the pool's relative paths start: `listen`, `access.log`, `slowlog`, `chroot`, `chdir`, " +
			"`watch[]`, and paths among the PHP settings.",
		pool: func(p *Pool) any { return &p.Prefix },
	},
	{
		Name: "user", Section: SectionPool, Kind: KindString,
		Help: "Who the workers are: a name or a number. Needed when the supervisor is root, without effect otherwise.",
		pool: func(p *Pool) any { return &p.User },
	},
	{
		Name: "group", Section: SectionPool, Kind: KindString,
		Help: "The workers' group, a name or a number; the user's own group when left out.",
		pool: func(p *Pool) any { return &p.Group },
	},
	{
		Name: "listen", Section: SectionPool, Kind: KindString,
		Help: "Where requests are taken: `address:port`, `[address]:port`, a port alone for all addresses, or the path of a unix socket. Needed.",
		pool: func(p *Pool) any { return &p.Listen },
	},
	{
		Name: "listen.backlog", Section: SectionPool, Kind: KindInteger, Default: "-1",
		Help: "How many connections may wait in the kernel; -1 for as many as the system allows.",
		pool: func(p *Pool) any { return &p.ListenBacklog },
	},
	{
		Name: "listen.acl_users", Section: SectionPool, Kind: KindString, Effect: EffectNotYet,
		Help: "Users who may connect to the unix socket, separated by commas, by way of POSIX ACLs.",
		pool: func(p *Pool) any { return &p.ListenACLUsers },
	},
	{
		Name: "listen.acl_groups", Section: SectionPool, Kind: KindString, Effect: EffectNotYet,
		Help: "Groups who may connect to the unix socket, separated by commas, by way of POSIX ACLs.",
		pool: func(p *Pool) any { return &p.ListenACLGroups },
	},
	{
		Name: "listen.owner", Section: SectionPool, Kind: KindString,
		Help: "The unix socket's owner, a name or a number.",
		pool: func(p *Pool) any { return &p.ListenOwner },
	},
	{
		Name: "listen.group", Section: SectionPool, Kind: KindString,
		Help: "The unix socket's group, a name or a number.",
		pool: func(p *Pool) any { return &p.ListenGroup },
	},
	{
		Name: "listen.mode", Section: SectionPool, Kind: KindString,
		Help:  "The unix socket's mode in octal; 0660 when left out.",
		pool:  func(p *Pool) any { return &p.ListenMode },
		check: checkMode,
	},
	{
		Name: "listen.allowed_clients", Section: SectionPool, Kind: KindString,
		Help: "IP addresses that may connect, separated by commas; everybody when left out. For TCP only.",
		pool: func(p *Pool) any { return &p.ListenAllowedClients },
	},
	{
		Name: "listen.setfib", Section: SectionPool, Kind: KindInteger, Default: "-1", Since: "8.2",
		Effect: EffectNone, Why: "only FreeBSD has routing tables by this number", dump: dumpWhenSet,
		Help: "The routing table of the listening socket.",
		pool: func(p *Pool) any { return &p.ListenSetFIB },
	},
	{
		Name: "process.priority", Section: SectionPool, Kind: KindInteger, Effect: EffectNotYet,
		Help: "The nice value of the workers, from -19 to 20; needs root.",
		pool: func(p *Pool) any { return &p.ProcessPriority },
	},
	{
		Name: "process.dumpable", Section: SectionPool, Kind: KindBoolean, Default: "no", Effect: EffectNotYet,
		Help: "Whether workers may be traced and may leave core files although they have changed their user.",
		pool: func(p *Pool) any { return &p.ProcessDumpable },
	},
	{
		Name: "pm", Section: SectionPool, Kind: KindPM,
		Help: "How the number of workers is kept: `static` (always `pm.max_children`), `dynamic` (by how many are idle) or `ondemand` (none while nothing is asked). Needed.",
		pool: func(p *Pool) any { return &p.PM },
	},
	{
		Name: "pm.max_children", Section: SectionPool, Kind: KindInteger,
		Help: "The largest number of workers, and with `static` the number. Needed.",
		pool: func(p *Pool) any { return &p.MaxChildren },
	},
	{
		Name: "pm.start_servers", Section: SectionPool, Kind: KindInteger,
		Help: "With `dynamic`: the workers at start; halfway between the two spare numbers when left out.",
		pool: func(p *Pool) any { return &p.StartServers },
	},
	{
		Name: "pm.min_spare_servers", Section: SectionPool, Kind: KindInteger,
		Help: "With `dynamic`: the least number of idle workers. Needed there.",
		pool: func(p *Pool) any { return &p.MinSpareServers },
	},
	{
		Name: "pm.max_spare_servers", Section: SectionPool, Kind: KindInteger,
		Help: "With `dynamic`: the largest number of idle workers. Needed there.",
		pool: func(p *Pool) any { return &p.MaxSpareServers },
	},
	{
		Name: "pm.max_spawn_rate", Section: SectionPool, Kind: KindInteger, Default: "32", Since: "8.2",
		Help: "With `dynamic`: how many workers are started at once.",
		pool: func(p *Pool) any { return &p.MaxSpawnRate },
	},
	{
		Name: "pm.process_idle_timeout", Section: SectionPool, Kind: KindTime, Default: "10s", format: "%d",
		Help: "With `ondemand`: how long a worker may be idle before it leaves.",
		pool: func(p *Pool) any { return &p.ProcessIdleTimeout },
	},
	{
		Name: "pm.max_requests", Section: SectionPool, Kind: KindInteger, Default: "0",
		Help: "How many requests a worker serves before another takes its place (see `pm.max_requests_jitter`); 0 for no limit.",
		pool: func(p *Pool) any { return &p.MaxRequests },
	},
	{
		Name: "pm.status_path", Section: SectionPool, Kind: KindString, Effect: EffectNotYet,
		Help: "The URI of the status page.",
		pool: func(p *Pool) any { return &p.StatusPath },
	},
	{
		Name: "pm.status_listen", Section: SectionPool, Kind: KindString, Effect: EffectNotYet,
		Help: "An address of its own for the status page, as in `listen`.",
		pool: func(p *Pool) any { return &p.StatusListen },
	},
	{
		Name: "ping.path", Section: SectionPool, Kind: KindString, Effect: EffectNotYet,
		Help: "The URI that is answered without PHP, to see whether the pool is there.",
		pool: func(p *Pool) any { return &p.PingPath },
	},
	{
		Name: "ping.response", Section: SectionPool, Kind: KindString, Effect: EffectNotYet,
		Help: "The answer to `ping.path`; `pong` when left out.",
		pool: func(p *Pool) any { return &p.PingResponse },
	},
	{
		Name: "access.log", Section: SectionPool, Kind: KindString,
		Help: "The file that gets a line for each request; none when left out.",
		pool: func(p *Pool) any { return &p.AccessLog },
	},
	{
		Name: "access.format", Section: SectionPool, Kind: KindString,
		Help: "The line of the access log. With `access.log` and this left out: `" + logging.DefaultAccessFormat + "`.",
		pool: func(p *Pool) any { return &p.AccessFormat },
	},
	{
		Name: "access.suppress_path", Section: SectionPool, Kind: KindList, Since: "8.2",
		Help: "`access.suppress_path[] = /ping`: successful GET and HEAD requests for this path, without query or body, are not logged.",
		pool: func(p *Pool) any { return &p.AccessSuppressPaths },
	},
	{
		Name: "slowlog", Section: SectionPool, Kind: KindString, Effect: EffectNotYet,
		Help: "The file that gets the PHP stack of slow requests.",
		pool: func(p *Pool) any { return &p.Slowlog },
	},
	{
		Name: "request_slowlog_timeout", Section: SectionPool, Kind: KindTime, Default: "0", Effect: EffectNotYet,
		Help: "When a request counts as slow; 0 for never.",
		pool: func(p *Pool) any { return &p.RequestSlowlogTimeout },
	},
	{
		Name: "request_slowlog_trace_depth", Section: SectionPool, Kind: KindInteger, Default: "20", Effect: EffectNotYet,
		Help: "The number of stack frames in the slow log.",
		pool: func(p *Pool) any { return &p.RequestSlowlogTraceDepth },
	},
	{
		Name: "request_terminate_timeout", Section: SectionPool, Kind: KindTime, Default: "0",
		Help: "How long a request may take; after that it is answered with status 504 and its worker is replaced. 0 for no limit.",
		pool: func(p *Pool) any { return &p.RequestTerminateTimeout },
	},
	{
		Name: "request_terminate_timeout_track_finished", Section: SectionPool, Kind: KindBoolean, Default: "no", Effect: EffectNotYet,
		Help: "Whether `request_terminate_timeout` goes on counting after `fastcgi_finish_request()` and in shutdown functions.",
		pool: func(p *Pool) any { return &p.RequestTerminateTimeoutTrackFinished },
	},
	{
		Name: "rlimit_files", Section: SectionPool, Kind: KindInteger, Default: "0", Effect: EffectNotYet,
		Help: "The number of files a worker may have open; 0 leaves the limit as it is.",
		pool: func(p *Pool) any { return &p.RlimitFiles },
	},
	{
		Name: "rlimit_core", Section: SectionPool, Kind: KindRlimit, Default: "0", Effect: EffectNotYet,
		Help: "The largest core file of a worker in bytes, or `unlimited`; 0 leaves the limit as it is.",
		pool: func(p *Pool) any { return &p.RlimitCore },
	},
	{
		Name: "chroot", Section: SectionPool, Kind: KindString, Effect: EffectNotYet,
		Help: "The directory that becomes the workers' root; needs root. `$prefix` at its beginning stands for the pool's prefix.",
		pool: func(p *Pool) any { return &p.Chroot },
	},
	{
		Name: "chdir", Section: SectionPool, Kind: KindString,
		Help: "The workers' current directory.",
		pool: func(p *Pool) any { return &p.Chdir },
	},
	{
		Name: "catch_workers_output", Section: SectionPool, Kind: KindBoolean, Default: "no",
		Help: "Whether what workers write to their stdout and stderr goes to the log; otherwise it is dropped.",
		pool: func(p *Pool) any { return &p.CatchWorkersOutput },
	},
	{
		Name: "decorate_workers_output", Section: SectionPool, Kind: KindBoolean, Default: "yes",
		Help: "Whether such lines get date, level, pool and process id.",
		pool: func(p *Pool) any { return &p.DecorateWorkersOutput },
	},
	{
		Name: "clear_env", Section: SectionPool, Kind: KindBoolean, Default: "yes",
		Help: "Whether workers get an empty environment, `env[]` aside.",
		pool: func(p *Pool) any { return &p.ClearEnv },
	},
	{
		Name: "security.limit_extensions", Section: SectionPool, Kind: KindString, Default: ".php .phar",
		Help: "The extensions a main script may have, separated by blanks; all when empty.",
		pool: func(p *Pool) any { return &p.LimitExtensions },
	},
	{
		Name: "apparmor_hat", Section: SectionPool, Kind: KindString, Effect: EffectNotYet, dump: dumpNever,
		Help: "The AppArmor hat the workers put on.",
		pool: func(p *Pool) any { return &p.ApparmorHat },
	},
	{
		Name: "env", Section: SectionPool, Kind: KindMap,
		Help: "`env[NAME] = value`: a variable for the workers. `$OTHER` takes the value from the supervisor's environment. Of several for one name the first counts.",
		pool: func(p *Pool) any { return &p.Env },
	},
	{
		Name: "php_value", Section: SectionPool, Kind: KindMap,
		Help: "`php_value[name] = value`: a PHP setting that scripts can change. Of several for one name the first counts.",
		pool: func(p *Pool) any { return &p.PHPValues },
	},
	{
		Name: "php_flag", Section: SectionPool, Kind: KindMap,
		Help: "As `php_value`, for settings that are on or off.",
		pool: func(p *Pool) any { return &p.PHPValues },
	},
	{
		Name: "php_admin_value", Section: SectionPool, Kind: KindMap,
		Help: "`php_admin_value[name] = value`: a PHP setting that scripts cannot change. " +
			"`disable_functions` and `disable_classes` add to what php.ini disables, `extension` loads an extension.",
		pool: func(p *Pool) any { return &p.PHPAdminValues },
	},
	{
		Name: "php_admin_flag", Section: SectionPool, Kind: KindMap,
		Help: "As `php_admin_value`, for settings that are on or off.",
		pool: func(p *Pool) any { return &p.PHPAdminValues },
	},
}, ownPoolSettings...)
