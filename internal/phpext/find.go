package phpext

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Names of PHP's command line binary, in the order of preference.
var binaryNames = []string{"php8.5", "php8.4", "php8.3", "php8.2", "php8.1", "php"}

// Where binaries are looked for besides PATH, which may be short in services.
var binaryDirs = []string{"/usr/local/bin", "/usr/bin"}

// CheckBinary says whether path can be run at all.
func CheckBinary(path string) error {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return problem("set php.binary or install php-cli", "php binary '%s' does not exist", path)
	case err != nil:
		return problem("", "php binary '%s': %v", path, errors.Unwrap(err))
	case st.IsDir():
		return problem("set php.binary to the file", "php binary '%s' is a directory", path)
	case unix.Access(path, unix.X_OK) != nil:
		return problem("", "php binary '%s' is not executable", path)
	}
	return nil
}

var calledAsFPM = regexp.MustCompile(`^php-fpm([0-9][0-9.]*)`)

// Candidates are the php binaries of this machine, the preferred one first: those in pathEnv (the value of PATH), newest
// version first, then those at the usual places. Called as php-fpm8.2 a program wants php8.2 and nothing else.
func Candidates(calledAs, pathEnv string) []string {
	names := binaryNames
	if m := calledAsFPM.FindStringSubmatch(filepath.Base(calledAs)); m != nil {
		names = []string{"php" + m[1]}
	}
	var found []string
	for _, dirs := range [][]string{filepath.SplitList(pathEnv), binaryDirs} {
		for _, name := range names {
			for _, dir := range dirs {
				path := filepath.Join(dir, name)
				if filepath.IsAbs(path) && CheckBinary(path) == nil && !slices.Contains(found, path) {
					found = append(found, path)
				}
			}
		}
	}
	return found
}

// Discover finds PHP and the extension for it. With a configured binary that one is used or the call fails. Otherwise the
// first candidate for which this program carries an extension is used; if there is none, the error is about the first
// candidate.
func Discover(ctx context.Context, run Runner, configured, calledAs string) (*PHP, *Extension, error) {
	return discoverIn(ctx, embedded, run, configured, calledAs)
}

func discoverIn(ctx context.Context, lib fs.FS, run Runner, configured, calledAs string) (*PHP, *Extension, error) {
	candidates := []string{configured}
	if configured == "" {
		if candidates = Candidates(calledAs, os.Getenv("PATH")); len(candidates) == 0 {
			return nil, nil, nothingFound(calledAs)
		}
	}
	var firstPHP *PHP
	var firstErr error
	seen := make(map[string]bool)
	for _, binary := range candidates {
		if real, err := filepath.EvalSymlinks(binary); err == nil {
			if seen[real] {
				continue
			}
			seen[real] = true
		}
		php, err := Probe(ctx, run, binary)
		if err == nil {
			var ext *Extension
			if ext, err = findIn(lib, php); err == nil {
				return php, ext, nil
			}
		}
		if firstErr == nil {
			firstPHP, firstErr = php, err
		}
	}
	return firstPHP, nil, firstErr
}

func nothingFound(calledAs string) *Problem {
	if m := calledAsFPM.FindStringSubmatch(filepath.Base(calledAs)); m != nil {
		return problem("install php"+m[1]+"-cli or set php.binary", "no php%s found, which %s needs", m[1], filepath.Base(calledAs))
	}
	return problem("install php-cli (apt-get install php-cli) or set php.binary", "no php found in PATH (%s) or %s",
		os.Getenv("PATH"), strings.Join(binaryDirs, ", "))
}

// Ini says which ini files a zygote reads. Empty fields mean what is compiled into PHP.
type Ini struct {
	RC      string // PHPRC: directory of php.ini, or a file
	ScanDir string // PHP_INI_SCAN_DIR
	Why     string // for people
}

// Env is the environment that makes PHP read these files.
func (i Ini) Env() []string {
	var env []string
	if i.RC != "" {
		env = append(env, "PHPRC="+i.RC)
	}
	if i.ScanDir != "" {
		env = append(env, "PHP_INI_SCAN_DIR="+i.ScanDir)
	}
	return env
}

// FindIni finds the ini files php-fpm would read with this PHP: dir if it is given (php.ini_dir), what the environment says
// (getenv is os.Getenv), the directory fpm beside the directory cli (Debian and its kin), or what is compiled in, which
// is the same for all SAPIs elsewhere (the official Docker image, Alpine, Fedora).
func FindIni(p *PHP, dir string, getenv func(string) string) (Ini, error) {
	if dir != "" {
		if st, err := os.Stat(dir); err != nil {
			return Ini{}, problem("", "php.ini_dir '%s': %v", dir, errors.Unwrap(err))
		} else if !st.IsDir() {
			return Ini{}, problem("", "php.ini_dir '%s' is not a directory", dir)
		}
		return iniIn(dir, "php.ini_dir"), nil
	}
	if rc, scan := getenv("PHPRC"), getenv("PHP_INI_SCAN_DIR"); rc != "" || scan != "" {
		return Ini{RC: rc, ScanDir: scan, Why: "the environment"}, nil
	}
	if filepath.Base(p.ConfigPath) == "cli" {
		fpm := filepath.Join(filepath.Dir(p.ConfigPath), "fpm")
		if exists(filepath.Join(fpm, "php.ini")) || exists(filepath.Join(fpm, "conf.d")) {
			return iniIn(fpm, "php-fpm's directory"), nil
		}
	}
	return Ini{Why: "compiled in"}, nil
}

func iniIn(dir, why string) Ini {
	ini := Ini{RC: dir, Why: why}
	if scan := filepath.Join(dir, "conf.d"); exists(scan) {
		ini.ScanDir = scan
	}
	return ini
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
