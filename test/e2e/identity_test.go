package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"php-supervisor/test/harness"
)

// identity is what identity.php says: which PHP this is.
type identity struct {
	Version    string
	SAPI       string
	Functions  []string
	Constants  []string
	Classes    []string
	Extensions []string
	Zend       []string `json:"zend_extensions"`
	Ini        map[string]struct {
		Global *string `json:"global_value"`
		Local  *string `json:"local_value"`
		Access int
	}
	IniFile    string `json:"ini_file"`
	IniScanned string `json:"ini_scanned"`
	GC         bool
	Wrappers   []string
	Filters    []string
	Transports []string
}

// What may be there in our workers and not in php-fpm: our own extension, and what php-cli has more.
var (
	ownFunctions = []string{"supervisor\\handle_request", "frankenphp_handle_request",
		"cli_get_process_title", "cli_set_process_title", "dl", "chroot", // php-cli's own
	}
	ownIni = []string{"cli.pager", "cli.prompt"} // of readline's and php-cli's shell
)

// ini settings that belong to the SAPI's own module.
var fpmIni = []string{}

func TestIsTheSamePHP(t *testing.T) {
	servers(t, func(t *testing.T, srv *harness.Server, site *harness.Site) {
		if srv == common.fpm {
			if got := who(t, site); got.SAPI != "fpm-fcgi" {
				t.Errorf("SAPI %s", got.SAPI)
			}
			return
		}
		want, got := who(t, common.fpmSite), who(t, site)
		for _, c := range []struct {
			what      string
			want, got any
		}{
			{"version", want.Version, got.Version},
			{"SAPI", want.SAPI, got.SAPI},
			{"Zend extensions", want.Zend, got.Zend},
			{"php.ini", want.IniFile, got.IniFile},
			{"other ini files", want.IniScanned, got.IniScanned},
			{"gc", want.GC, got.GC},
			{"functions", want.Functions, without(got.Functions, ownFunctions, want.Functions)},
			{"constants", want.Constants, without(got.Constants, []string{}, want.Constants)},
			{"classes", want.Classes, got.Classes},
			{"extensions", want.Extensions, without(got.Extensions, []string{"supervisor"}, nil)},
			{"stream wrappers", want.Wrappers, got.Wrappers},
			{"stream filters", want.Filters, got.Filters},
			{"transports", want.Transports, got.Transports},
		} {
			if d := cmp.Diff(c.want, c.got); d != "" {
				t.Errorf("%s, php-fpm (-), ours (+):\n%s", c.what, d)
			}
		}
		show := func(id identity, key string) string {
			v, ok := id.Ini[key]
			if !ok {
				return "missing"
			}
			return fmt.Sprintf("global %s, local %s, access %d", value(v.Global), value(v.Local), v.Access)
		}
		for key := range merged(want.Ini, got.Ini) {
			w, g := show(want, key), show(got, key)
			if w == g || slices.Contains(ownIni, key) && w == "missing" || slices.Contains(fpmIni, key) && g == "missing" {
				continue
			}
			t.Errorf("ini setting %s: php-fpm %s; ours %s", key, w, g)
		}
	})
}

func who(t *testing.T, site *harness.Site) (id identity) {
	t.Helper()
	if err := json.Unmarshal([]byte(newClient(t, site).get(t, "/identity.php?without=pcntl")), &id); err != nil {
		t.Fatal(err)
	}
	return id
}

// without removes what may be there besides, unless the other has it too.
func without(list, extra, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool {
		return slices.Contains(extra, strings.ToLower(s)) && !slices.Contains(other, s)
	})
}

func value(v *string) string {
	if v == nil {
		return "none"
	}
	return fmt.Sprintf("%q", *v)
}

func merged[V any](a, b map[string]V) map[string]bool {
	keys := map[string]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	return keys
}

// phpinfo() reads the same but for what names the process and the moment.
func TestPhpinfoReadsTheSame(t *testing.T) {
	ours(t)
	rows := func(site *harness.Site) map[string]string {
		t.Helper()
		page := newClient(t, site).get(t, "/phpinfo.php")
		all := map[string]string{}
		section := ""
		for line := range strings.Lines(page) {
			line = strings.TrimSpace(line)
			if name, ok := strings.CutPrefix(line, "<h2>"); ok {
				section = name
			}
			name, value, ok := strings.Cut(line, "</td>")
			if !ok {
				name, value = line, ""
			}
			if strings.HasPrefix(name, "<tr><td") {
				all[section+name] = value
			}
		}
		return all
	}
	differs := []string{"REQUEST_TIME", "REMOTE_PORT", "SERVER_PORT", "pcntl", "supervisor", "Supervisor",
		"Configuration File (php.ini) Path",                                // compiled into php-cli; the file that is loaded is the same
		"Cache hits", "Cache misses", "emory", "Cached", "OOM", "restarts", // what this OPcache has seen so far
	}
	want, got := rows(common.fpmSite), rows(common.ourSite)
	for key := range merged(want, got) {
		if want[key] != got[key] && !slices.ContainsFunc(differs, func(d string) bool { return strings.Contains(key, d) }) {
			t.Errorf("%s: php-fpm %q, ours %q", key, want[key], got[key])
		}
	}
}
