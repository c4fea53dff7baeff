// Package phpext knows the PHP on this machine: where its command line binary is, what that binary is able to load, which
// of the extensions built into this program fits it, and which directory of ini files php-fpm would read.
//
// Guarantees:
//   - A php binary is run once to learn what it is, without any ini file, so that a broken extension or a debugger in the
//     configuration can neither fail nor delay it. It is run through a Runner, because the daemon is its own reaper.
//   - What is wrong is said in one line, with what to do about it (Problem).
//   - An extension is handed out as a read-only descriptor whose content cannot change any more.
//
// The package does not start zygotes and reads no configuration of ours.
package phpext

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Runner runs a program to its end, with exactly this environment, and returns what it wrote to standard output (at most
// about MaxOutput bytes) and its exit status. An err says that it could not be run, or was killed.
type Runner func(ctx context.Context, argv, env []string) (stdout []byte, status int, err error)

// MaxOutput is how much of a program's output is looked at, in bytes.
const MaxOutput = 1 << 20

// ProbeTimeout bounds one run of a php binary.
const ProbeTimeout = 15 * time.Second

// Problem is what keeps PHP from being used. It is one line; programs end with status 78 on it.
type Problem struct {
	Text   string
	Remedy string // what to do; may be empty
}

func (p *Problem) Error() string {
	if p.Remedy == "" {
		return p.Text
	}
	return p.Text + "; " + p.Remedy
}

func problem(remedy, format string, args ...any) *Problem {
	return &Problem{Text: fmt.Sprintf(format, args...), Remedy: remedy}
}

// PHP is a command line binary of PHP.
type PHP struct {
	Binary       string
	Version      string // "8.2.36"
	API          int    // Zend module API number
	ZTS, Debug   bool
	SAPI         string // "Command Line Interface"
	ExtensionDir string
	ConfigPath   string // where it was built to look for php.ini
}

// Key names the kind of extension this PHP can load, as in the name of the file.
func (p *PHP) Key() string {
	k := strconv.Itoa(p.API) + "-nts"
	if p.ZTS {
		k = strconv.Itoa(p.API) + "-zts"
	}
	if p.Debug {
		k += "-debug"
	}
	return k
}

// Short is the version without the patch level: "8.2".
func (p *PHP) Short() string {
	parts := strings.SplitN(p.Version, ".", 3)
	if len(parts) < 2 {
		return p.Version
	}
	return parts[0] + "." + parts[1]
}

func (p *PHP) atLeast(major, minor int) bool {
	var a, b int
	if _, err := fmt.Sscanf(p.Version, "%d.%d", &a, &b); err != nil {
		return false
	}
	return a > major || a == major && b >= minor
}

// Probe runs the binary once and says what it is.
func Probe(ctx context.Context, run Runner, binary string) (*PHP, error) {
	if err := CheckBinary(binary); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, ProbeTimeout)
	defer cancel()
	out, status, err := run(ctx, []string{binary, "-n", "-i"}, probeEnv(os.Environ()))
	if err != nil {
		if ctx.Err() == context.DeadlineExceeded {
			return nil, problem("", "'%s -n -i' did not end within %v", binary, ProbeTimeout)
		}
		return nil, problem("", "cannot run '%s': %v", binary, err)
	}
	info := parseInfo(out[:min(len(out), MaxOutput)])
	sapi := info["Server API"]
	switch {
	case sapi == "Command Line Interface":
	case strings.Contains(sapi, "FPM"):
		return nil, notCLI(binary, "php-fpm")
	case strings.Contains(sapi, "CGI"):
		return nil, notCLI(binary, "php-cgi")
	case sapi != "":
		return nil, notCLI(binary, "PHP's "+sapi)
	case status != 0:
		return nil, problem("", "'%s -n -i' ended with status %d; it is not PHP or does not work", binary, status)
	default:
		return nil, problem("set php.binary to a php command line binary", "'%s' is not PHP", binary)
	}
	p := &PHP{
		Binary:       binary,
		Version:      info["PHP Version"],
		SAPI:         sapi,
		ZTS:          info["Thread Safety"] == "enabled",
		Debug:        info["Debug Build"] == "yes",
		ExtensionDir: info["extension_dir"],
		ConfigPath:   info["Configuration File (php.ini) Path"],
	}
	if p.API, err = strconv.Atoi(info["PHP Extension"]); err != nil || p.Version == "" {
		return nil, problem("", "'%s -n -i' does not say version and API of this PHP", binary)
	}
	if !p.atLeast(8, 1) {
		return nil, problem("PHP 8.1 or newer is needed", "'%s' is PHP %s", binary, p.Version)
	}
	return p, nil
}

func notCLI(binary, what string) *Problem {
	return problem("set php.binary to the command line binary (php), which belongs to the same package set",
		"'%s' is %s, not php-cli", binary, what)
}

// probeEnv is the environment without what changes how php starts.
func probeEnv(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		k, _, _ := strings.Cut(kv, "=")
		return k == "PHPRC" || k == "PHP_INI_SCAN_DIR" || k == "SUPERVISOR_CONTROL"
	})
}

var tags = regexp.MustCompile(`<[^<>]*>`)

// parseInfo reads phpinfo() as text ("name => value" or "name => local => master"); php-cgi's HTML well enough to see
// that it is php-cgi. The first value of a name counts.
func parseInfo(out []byte) map[string]string {
	if bytes.Contains(out, []byte("<td")) {
		out = bytes.ReplaceAll(out, []byte("</td><td"), []byte(" => <td"))
		out = tags.ReplaceAll(out, nil)
	}
	info := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		k, v, ok := strings.Cut(line, " => ")
		if !ok {
			continue
		}
		v, _, _ = strings.Cut(v, " => ")
		if k = strings.TrimSpace(k); info[k] == "" {
			info[k] = strings.TrimSpace(v)
		}
	}
	return info
}

//go:embed lib
var embedded embed.FS

// Extension is one of the extensions this program carries.
type Extension struct {
	Key  string // see PHP.Key
	data []byte
}

// Carried are the keys of the extensions built into this program, in order.
func Carried() []string { return carriedIn(embedded) }

func carriedIn(lib fs.FS) []string {
	names, _ := fs.Glob(lib, "lib/supervisor-*.so") // the pattern is good, and there is no other error
	keys := make([]string, 0, len(names))
	for _, n := range names {
		keys = append(keys, strings.TrimSuffix(strings.TrimPrefix(path.Base(n), "supervisor-"), ".so"))
	}
	return keys
}

// Find returns the extension for p; a Problem says which is missing and how to build it.
func Find(p *PHP) (*Extension, error) { return findIn(embedded, p) }

func findIn(lib fs.FS, p *PHP) (*Extension, error) {
	data, err := fs.ReadFile(lib, "lib/supervisor-"+p.Key()+".so")
	if err == nil && len(data) > 0 {
		return &Extension{Key: p.Key(), data: data}, nil
	}
	carried := "none"
	if keys := carriedIn(lib); len(keys) > 0 {
		carried = strings.Join(keys, ", ")
	}
	return nil, problem("to build it: "+BuildHint(p),
		"no extension for '%s' (PHP %s): %s is needed, this program carries: %s", p.Binary, p.Version, p.Key(), carried)
}

// BuildHint is the command line that builds the extension for p.
func BuildHint(p *PHP) string {
	versioned := path.Base(p.Binary) == "php"+p.Short() || strings.HasPrefix(p.ConfigPath, "/etc/php/"+p.Short())
	if _, err := os.Stat("/etc/debian_version"); err == nil && versioned {
		return fmt.Sprintf("apt-get install php%s-dev && make build", p.Short())
	}
	return "install phpize and php-config of this PHP, then: make build PHP_CONFIG=/path/to/php-config"
}
