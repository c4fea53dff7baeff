package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"php-supervisor/test/harness"
)

// opcacheView is what opcache.php says.
type opcacheView struct {
	PID       int
	Enabled   bool
	StartTime int64 `json:"start_time"`
	Hits      int64
	Misses    int64
	Scripts   int
	Restarts  int
	JIT       struct {
		Enabled    bool
		On         bool
		BufferSize int64 `json:"buffer_size"`
		BufferFree int64 `json:"buffer_free"`
	}
	Preloaded      string
	PreloadClasses []string `json:"preload_classes"`
}

func opcacheViews(t *testing.T, site *harness.Site, n int) []opcacheView {
	t.Helper()
	var views []opcacheView
	for _, body := range each(t, site, n, "opcache.php") {
		var v opcacheView
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		views = append(views, v)
	}
	slices.SortFunc(views, func(a, b opcacheView) int { return a.PID - b.PID })
	return views
}

// Every worker sees one OPcache: the same start, the same scripts, and the others' hits.
func TestOPcacheIsShared(t *testing.T) {
	servers(t, func(t *testing.T, srv *harness.Server, site *harness.Site) {
		n := srv.Pool.Children
		c := newClient(t, site)
		c.get(t, "/hello.php")
		before := opcacheViews(t, site, n)
		for range 20 {
			c.get(t, "/hello.php")
		}
		after := opcacheViews(t, site, n)
		pids := map[int]bool{}
		for i := range n {
			pids[before[i].PID] = true
			if !before[i].Enabled || before[i].StartTime == 0 || before[i].StartTime != before[0].StartTime || after[i].StartTime != before[0].StartTime {
				t.Errorf("worker %d: cache %+v, want it enabled and started when the others' was (%d)", before[i].PID, before[i], before[0].StartTime)
			}
			// Whoever served them, all workers see the 20 hits. What a worker sees while others
			// answer may differ by what they have just added.
			if grown := after[i].Hits - before[i].Hits; grown < 20 {
				t.Errorf("worker %d: hits grew by %d between, want at least 20", after[i].PID, grown)
			}
			if after[i].Misses != before[i].Misses || after[i].Scripts != before[i].Scripts {
				t.Errorf("worker %d: compiled again: %+v, then %+v", after[i].PID, before[i], after[i])
			}
		}
		if len(pids) != n {
			t.Errorf("asked %d workers, want %d", len(pids), n)
		}
	})
}

// What is preloaded is there in each worker, and the JIT's buffer fills.
func TestPreloadAndJITAreShared(t *testing.T) {
	s := harness.ForTest(t)
	ini := s.Path("conf.d")
	if err := os.Mkdir(ini, 0o755); err != nil {
		t.Fatal(err)
	}
	lines := fmt.Sprintf("opcache.preload=%s/preload.php\nopcache.jit=tracing\nopcache.jit_buffer_size=16M\n", common.root)
	if os.Geteuid() == 0 {
		lines += "opcache.preload_user=" + s.User + "\n"
	}
	if err := os.WriteFile(ini+"/50-test.ini", []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	pool := harness.Pool{
		Name: "yardstick", Children: 3, Ready: common.root + "/ready.php", Lines: settings(common.tmp),
		Env: []string{"PHPRC=/etc/php/8.2/fpm", "PHP_INI_SCAN_DIR=/etc/php/8.2/fpm/conf.d:" + ini},
	}
	list := []*harness.Server{harness.Must[*harness.Server](t)(s.StartFPM(pool))}
	if !onlyFPM {
		pool.Name = "classic"
		list = append(list, harness.Must[*harness.Server](t)(s.StartSupervisor(pool)))
		pool.Name, pool.Worker = "worker", common.root+"/worker.php"
		list = append(list, harness.Must[*harness.Server](t)(s.StartSupervisor(pool)))
	}
	var sites []*harness.Site
	for _, srv := range list {
		sites = append(sites, &harness.Site{Name: srv.Name, Root: common.root, Socket: srv.Socket})
	}
	harness.Must[*harness.Nginx](t)(s.StartNginx(sites...))

	for i, srv := range list {
		t.Run(srv.Name, func(t *testing.T) {
			c := newClient(t, sites[i])
			before := opcacheViews(t, sites[i], 3)
			for range 5 {
				c.get(t, "/jit.php")
			}
			after := opcacheViews(t, sites[i], 3)
			for i, v := range after {
				if v.Preloaded != "preloaded" || !slices.Contains(v.PreloadClasses, `Preloaded\Greeting`) {
					t.Errorf("worker %d: preloaded class: %+v", v.PID, v)
				}
				if !v.JIT.On || v.JIT.BufferSize == 0 {
					t.Errorf("worker %d: JIT is off: %+v", v.PID, v.JIT)
				}
				// All see the code that one of them compiled.
				if v.JIT.BufferFree >= before[i].JIT.BufferFree {
					t.Errorf("worker %d: JIT buffer free %d, then %d: nothing was compiled", v.PID, before[i].JIT.BufferFree, v.JIT.BufferFree)
				}
			}
		})
	}
}

// A worker in worker mode is one request to OPcache, for its whole life: it makes way when OPcache is to start anew.
func TestOPcacheCanStartAnew(t *testing.T) {
	both(t, harness.Pool{Children: 2}, func(t *testing.T, s *started) {
		s.full(t, 2)
		old := s.Workers()
		before := opcacheViews(t, s.site, 2)[0]
		c := newClient(t, s.site)
		c.get(t, "/opcache-reset.php")
		harness.MustWait(t, "a new cache in all workers", func() bool {
			for _, v := range opcacheViews(t, s.site, 2) {
				if !v.Enabled || v.Restarts != before.Restarts+1 {
					return false
				}
			}
			return true
		})
		if s.Pool.Worker == "" {
			return // in classic mode nobody has to leave
		}
		s.says(t, "OPcache is to start anew") // the reason of those that held it
		s.full(t, 2, old...)
	})
}
