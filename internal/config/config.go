// Package config reads php-fpm's configuration files, with the directives that
// php-supervisor adds in the same style.
//
// What it guarantees:
//
//   - A file is read as php-fpm 8.2 reads it: the same lexer rules, the same
//     defaults, the same checks in the same order, the same message texts where
//     php-fpm has one. Where php-fpm silently accepts nonsense the value is
//     accepted too and a warning says how it was understood.
//   - Every message about a line names the file and the line it stands on. (php-fpm
//     counts wrongly after an include; this package does not.)
//   - One table ([Settings]) describes each directive. Parsing, checks of a
//     value, the dump and docs/CONFIGURATION.md are made from it.
//   - Memory and time are bounded whatever the files hold: file size, line
//     length, nesting, number of files and of pools each have a limit.
//   - Loading changes nothing outside: no file is created, no socket opened, no
//     process started, nothing logged. Messages are returned as values.
//
// What it does not do: it does not open log files or bind sockets (whoever owns
// them reports that), it does not resolve host names, and it knows PHP's own
// constants only as far as [Options.Constants] and a fixed list tell it.
//
// Use [Load] for a file, [FromFlags] for the few settings of a command line.
//
//go:generate go run ./generate -o ../../docs/CONFIGURATION.md
package config

import (
	"net/netip"
	"os"
	"time"
)

// Config is a whole configuration with every default applied and every name
// resolved. It is not changed after it was returned.
type Config struct {
	// File is the path that was loaded, "" when the settings came from flags.
	File   string
	Global Global
	Pools  []*Pool // in the order of the files, never empty
}

// PriorityUnset is the value of process.priority when nobody has set it.
const PriorityUnset = 64

// Global is the [global] section. Paths are absolute.
type Global struct {
	PID                       string // "" = no pid file
	ErrorLog                  string // a path, "syslog", or "" = stderr
	SyslogIdent               string
	SyslogFacility            int // LOG_DAEMON and so on, as in <syslog.h>
	LogBuffering              bool
	LogLevel                  Level
	LogLimit                  int // bytes
	EmergencyRestartThreshold int
	EmergencyRestartInterval  time.Duration
	ProcessControlTimeout     time.Duration
	ProcessMax                int // 0 = no limit
	ProcessPriority           int // PriorityUnset = as inherited
	Daemonize                 bool
	RlimitFiles               int // 0 = as inherited
	RlimitCore                int // bytes, 0 = as inherited, -1 = unlimited
	EventsMechanism           string
	SystemdInterval           time.Duration // negative = never set

	// Our own.
	LogFormat LogFormat
	Control   string // path of the admin socket, "" = none configured

	set origins
}

// Pool is one pool section. Paths are absolute unless said otherwise.
type Pool struct {
	Name string

	Prefix               string
	User                 string // as written; Identity is what it means
	Group                string
	Listen               string // as written, unix paths made absolute; Address is what it means
	ListenBacklog        int    // -1 = the system's largest
	ListenACLUsers       string
	ListenACLGroups      string
	ListenOwner          string
	ListenGroup          string
	ListenMode           string
	ListenAllowedClients string
	ListenSetFIB         int

	ProcessPriority int
	ProcessDumpable bool

	PM                 PM
	MaxChildren        int
	StartServers       int
	MinSpareServers    int
	MaxSpareServers    int
	MaxSpawnRate       int
	ProcessIdleTimeout time.Duration
	MaxRequests        int // 0 = no limit
	StatusPath         string
	StatusListen       string
	PingPath           string
	PingResponse       string

	AccessLog           string
	AccessFormat        string
	AccessSuppressPaths []string

	Slowlog                              string
	RequestSlowlogTimeout                time.Duration
	RequestSlowlogTraceDepth             int
	RequestTerminateTimeout              time.Duration
	RequestTerminateTimeoutTrackFinished bool

	RlimitFiles int
	RlimitCore  int
	Chroot      string
	Chdir       string // inside Chroot when that is set

	CatchWorkersOutput    bool
	DecorateWorkersOutput bool
	ClearEnv              bool
	LimitExtensions       string // as written; Extensions is what it means
	ApparmorHat           string

	// Effective values, each key once (php-fpm lets the first of several win),
	// in the order of the file. The values of Env are expanded. disable_functions
	// and disable_classes hold all values given, joined by commas; only the key
	// "extension" can appear more than once.
	Env            []KeyValue
	PHPValues      []KeyValue
	PHPAdminValues []KeyValue

	// Our own.
	PHPBinary         string // "" = look for one
	PHPIniDir         string // "" = php-fpm's of that PHP version
	WorkerScript      string // "" = classic mode
	WorkerIsolation   string // always "none" for now
	MaxRequestsJitter int    // percent, 0 to 100
	MaxMemory         uint64 // bytes of private memory, 0 = no limit
	MaxMemoryGrowth   uint64 // bytes over the worker's baseline, 0 = no limit
	MaxLifetime       time.Duration
	MaxIdle           time.Duration
	QueueLimit        int           // requests; 0 = none may wait
	QueueTimeout      time.Duration // 0 = as long as the client does
	RequestRetry      Retry
	Watch             []string // directories
	WatchIgnore       []string // globs
	WatchDebounce     time.Duration

	// What the settings above mean on this machine.
	Address        Address
	Socket         SocketPermissions
	Identity       Identity
	AllowedClients *AllowedClients // nil = everybody
	Extensions     []string        // empty = all

	set     origins
	entries []entry // env[] and php_*[] as written, for the dump
}

// KeyValue is one element of an array such as env[].
type KeyValue struct{ Key, Value string }

// Address is where a pool listens.
type Address struct {
	Network string // "unix" or "tcp"
	Path    string // unix: absolute path
	Host    string // tcp: address or name without brackets; "" = a bare port was given: [::] first, 0.0.0.0 if that fails
	Port    int    // tcp
}

// SocketPermissions are those of a unix socket. -1 leaves an id alone.
type SocketPermissions struct {
	UID, GID int
	Mode     os.FileMode
	// The ids of listen.acl_users and listen.acl_groups; UID and GID are -1 then.
	ACLUsers, ACLGroups []int
}

// Identity is who a pool's processes are.
type Identity struct {
	Switch bool // the supervisor is root: take on the ids below
	UID    int  // Switch and 0: stay root (--allow-to-run-as-root)
	GID    int
	Groups []int  // supplementary groups, GID included
	User   string // for USER in the environment, "" = leave it out
	Home   string // for HOME in the environment, "" = leave it out
}

// AllowedClients is listen.allowed_clients. An empty list admits nobody.
type AllowedClients struct{ Addrs []netip.Addr }

// Allows tells whether a client may connect. IPv4 addresses mapped into IPv6
// count as the IPv4 addresses they are.
func (a *AllowedClients) Allows(addr netip.Addr) bool {
	if a == nil {
		return true
	}
	addr = addr.Unmap().WithZone("")
	for _, allowed := range a.Addrs {
		if allowed == addr {
			return true
		}
	}
	return false
}

// IsSet says whether a global directive was set, to whatever value.
func (g *Global) IsSet(name string) bool { return g.set.has(name) }
