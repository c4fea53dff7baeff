package config

// ownPoolSettings are the directives of a pool that php-fpm does not know.
var ownPoolSettings = own([]Setting{
	{
		Name: "php.binary", Section: SectionPool, Kind: KindString,
		Help: "The php-cli that serves the pool, as an absolute path. When left out the newest `php` on the machine that the extension fits is taken.",
		pool: func(p *Pool) any { return &p.PHPBinary },
	},
	{
		Name: "php.ini_dir", Section: SectionPool, Kind: KindString,
		Help: "The directory with php.ini and `conf.d`; php-fpm's own of the same PHP version when left out.",
		pool: func(p *Pool) any { return &p.PHPIniDir },
	},
	{
		Name: "worker.script", Section: SectionPool, Kind: KindString,
		Help: "The script that boots the application once and then serves requests in a loop (worker mode), as an absolute path. " +
			"When left out each request runs its own script, as with php-fpm (classic mode).",
		pool: func(p *Pool) any { return &p.WorkerScript },
	},
	{
		Name: "worker.isolation", Section: SectionPool, Kind: KindString, Default: "none",
		Help:  "What is kept apart between two requests of a worker in worker mode. Only `none` for now: superglobals, output, headers and session are reset, the application's own state stays.",
		pool:  func(p *Pool) any { return &p.WorkerIsolation },
		check: checkIsolation,
	},
	{
		Name: "pm.max_requests_jitter", Section: SectionPool, Kind: KindInteger, Default: "10",
		Help:  "By how many percent at most a worker leaves before `pm.max_requests`, different for each, so that they do not all go at once. 0 to 100.",
		pool:  func(p *Pool) any { return &p.MaxRequestsJitter },
		check: checkPercent,
	},
	{
		Name: "pm.max_memory", Section: SectionPool, Kind: KindSize, Default: "0",
		Help: "The private memory of a worker above which another takes its place. Memory shared with others, such as OPcache's, does not count. 0 for no limit.",
		pool: func(p *Pool) any { return &p.MaxMemory },
	},
	{
		Name: "pm.max_memory_growth", Section: SectionPool, Kind: KindSize, Default: "0",
		Help: "How far the private memory of a worker may grow over what it was when warm, before another takes its place. 0 for no limit.",
		pool: func(p *Pool) any { return &p.MaxMemoryGrowth },
	},
	{
		Name: "pm.max_lifetime", Section: SectionPool, Kind: KindTime, Default: "0",
		Help: "The age at which a worker is replaced; 0 for no limit.",
		pool: func(p *Pool) any { return &p.MaxLifetime },
	},
	{
		Name: "pm.max_idle", Section: SectionPool, Kind: KindTime, Default: "0",
		Help: "How long a worker of a `static` or `dynamic` pool may be idle before it is replaced; 0 for no limit.",
		pool: func(p *Pool) any { return &p.MaxIdle },
	},
	{
		Name: "pm.queue_limit", Section: SectionPool, Kind: KindInteger, Default: "1000",
		Help:  "How many requests may wait for a worker; what does not fit is answered with status 503 at once. 0 lets none wait.",
		pool:  func(p *Pool) any { return &p.QueueLimit },
		check: notNegative,
	},
	{
		Name: "pm.queue_timeout", Section: SectionPool, Kind: KindTime, Default: "60s",
		Help: "How long a request may wait for a worker before it is answered with status 503; 0 for as long as the client does.",
		pool: func(p *Pool) any { return &p.QueueTimeout },
	},
	{
		Name: "request_retry", Section: SectionPool, Kind: KindChoice, Default: "idempotent", Choices: []string{"idempotent", "never"},
		Help: "Which requests are tried once more on another worker when theirs has died before the first byte of the response: `idempotent` (GET, HEAD, OPTIONS, PUT, DELETE, with their body still at hand) or `never`.",
		pool: func(p *Pool) any { return &p.RequestRetry },
	},
	{
		Name: "watch", Section: SectionPool, Kind: KindList,
		Help: "`watch[] = DIR`: a directory whose files, at any depth, are watched; a change leads to new workers that have read the new files.",
		pool: func(p *Pool) any { return &p.Watch },
	},
	{
		Name: "watch.ignore", Section: SectionPool, Kind: KindList,
		Help:  "`watch.ignore[] = PATTERN`: files and directories whose changes do not count, such as `var/cache` or `*.log`.",
		pool:  func(p *Pool) any { return &p.WatchIgnore },
		check: checkPattern,
	},
	{
		Name: "watch.debounce", Section: SectionPool, Kind: KindMillis, Default: "200ms",
		Help: "How long it has to be quiet after a change before it counts, so that many changes count as one. Also in `ms`.",
		pool: func(p *Pool) any { return &p.WatchDebounce },
	},
})

func own(rows []Setting) []Setting {
	for i := range rows {
		rows[i].Own = true
		rows[i].dump = dumpWhenSet
	}
	return rows
}
