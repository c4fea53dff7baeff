package watch

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to come. It is never waited out when all is well.
const patience = 20 * time.Second

// logs collects what the watcher says.
type logs struct {
	mu    sync.Mutex
	lines []string
}

func (l *logs) add(level, msg string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, level+": "+msg)
}

func (l *logs) Info(msg string, _ ...any)  { l.add("info", msg) }
func (l *logs) Warn(msg string, _ ...any)  { l.add("warn", msg) }
func (l *logs) Error(msg string, _ ...any) { l.add("error", msg) }

func (l *logs) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// site is a directory with files, and a watcher of it.
type site struct {
	t    *testing.T
	dir  string // without symbolic links
	w    *Watcher
	log  logs
	sent int // sentinels written

	again map[string]bool // files that may be reported once more
}

func newSite(t *testing.T) *site {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &site{t: t, dir: dir}
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) mkdir(names ...string) {
	s.t.Helper()
	for _, n := range names {
		s.must(os.MkdirAll(s.path(n), 0o755))
	}
}

func (s *site) write(name, text string) {
	s.t.Helper()
	s.must(os.MkdirAll(filepath.Dir(s.path(name)), 0o755))
	s.must(os.WriteFile(s.path(name), []byte(text), 0o644))
}

// put makes a file appear at once, as an editor's atomic save does.
func (s *site) put(name, text string) {
	s.t.Helper()
	s.must(os.WriteFile(s.path(name+".tmp"), []byte(text), 0o644))
	s.rename(name+".tmp", name)
}

// another replaces a file by one of the same contents and time, so that only the inode tells.
func (s *site) another(name string) {
	s.t.Helper()
	info, err := os.Stat(s.path(name))
	s.must(err)
	text, err := os.ReadFile(s.path(name))
	s.must(err)
	s.write(name+".tmp", string(text))
	s.must(os.Chtimes(s.path(name+".tmp"), time.Time{}, info.ModTime()))
	s.rename(name+".tmp", name)
}

func (s *site) rename(from, to string) {
	s.t.Helper()
	s.must(os.Rename(s.path(from), s.path(to)))
}

func (s *site) remove(name string) {
	s.t.Helper()
	s.must(os.RemoveAll(s.path(name)))
}

func (s *site) link(target, name string) {
	s.t.Helper()
	s.must(os.Symlink(target, s.path(name)))
}

// relink replaces a link at once, as deployment tools do.
func (s *site) relink(target, name string) {
	s.t.Helper()
	s.link(target, name+".new")
	s.rename(name+".new", name)
}

func (s *site) watch(cfg Config) { s.watchWith(cfg, realSystem()) }

func realSystem() system {
	return system{open: openInotify, fileSystem: fileSystem, verify: time.Hour}
}

func (s *site) watchWith(cfg Config, sys system) {
	s.t.Helper()
	if cfg.Trees == nil {
		cfg.Trees = []string{s.dir}
	}
	for i, tree := range cfg.Trees {
		if !filepath.IsAbs(tree) {
			cfg.Trees[i] = s.path(tree)
		}
	}
	if cfg.Debounce == 0 {
		cfg.Debounce = 30 * time.Millisecond
	}
	if cfg.PollInterval == 0 {
		cfg.PollInterval = 30 * time.Millisecond
	}
	cfg.Log = &s.log
	w, err := newWatcher(cfg, sys)
	if err != nil {
		s.t.Fatal(err)
	}
	s.w = w
	s.t.Cleanup(func() { s.must(w.Close()) })
}

func (s *site) next() Change {
	s.t.Helper()
	select {
	case c, ok := <-s.w.Changes():
		if !ok {
			s.t.Fatal("the channel was closed")
		}
		return c
	case <-time.After(patience):
		s.t.Fatalf("no change; the log:\n%s", s.log.all())
	}
	return Change{}
}

// expect waits until all the files have been reported, in one change or several, and nothing else. What was done to them need
// not have been one step: they may be reported once more later.
func (s *site) expect(names ...string) {
	s.t.Helper()
	s.await(names)
	for _, n := range names {
		s.again[s.path(n)] = true
	}
}

// once is expect for what is done in one step: nothing may be reported twice.
func (s *site) once(names ...string) {
	s.t.Helper()
	for f, n := range s.await(names) {
		if n != 1 {
			s.t.Errorf("%s was reported %d times", f, n)
		}
	}
}

// await is how often each file was reported until all had been.
func (s *site) await(names []string) map[string]int {
	s.t.Helper()
	want, got := map[string]bool{}, map[string]int{}
	for _, n := range names {
		want[s.path(n)] = true
	}
	for len(got) < len(want) {
		c := s.next()
		if c.Total != len(c.Files) && c.Total <= maxFiles {
			s.t.Fatalf("%d files in all, but %d named", c.Total, len(c.Files))
		}
		for _, f := range c.Files {
			switch {
			case want[f]:
				got[f]++
			case !s.again[f]:
				s.t.Fatalf("unexpected change of %s, want %v; the log:\n%s", f, slices.Sorted(maps.Keys(want)), s.log.all())
			}
		}
	}
	s.again = map[string]bool{}
	return got
}

// nothing makes sure that nothing is waiting to be reported: of two changes the one that is made now has to be the first
// to come. The sentinel is created in the directory.
func (s *site) nothing(dir string) {
	s.t.Helper()
	s.sent++
	name := filepath.Join(dir, fmt.Sprintf("sentinel%d.php", s.sent))
	s.put(name, "x")
	s.once(name)
}

// looking gives a test the watcher's part: nothing is looked at but when it says so.
func (s *site) looking() {
	s.t.Helper()
	s.watch(Config{Method: Polling})
	s.must(s.w.Close())
}

// logged waits for a line in the log.
func (s *site) logged(part string) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if strings.Contains(s.log.all(), part) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("nothing about %q in the log:\n%s", part, s.log.all())
		}
	}
}

// both runs a test with events and with polling: they find the same.
func both(t *testing.T, test func(t *testing.T, s *site, watch func(Config))) {
	for name, method := range map[string]Method{"events": Auto, "polling": Polling} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			test(t, s, func(cfg Config) {
				t.Helper()
				cfg.Method = method
				s.watch(cfg)
			})
		})
	}
}

func TestFiles(t *testing.T) {
	both(t, func(t *testing.T, s *site, watch func(Config)) {
		s.write("src/a.php", "1")
		s.write("src/deep/down/b.php", "1")
		watch(Config{})

		s.write("src/a.php", "two")
		s.expect("src/a.php")
		s.write("src/deep/down/b.php", "two")
		s.expect("src/deep/down/b.php")
		s.put("src/new.php", "1")
		s.once("src/new.php")
		s.remove("src/new.php")
		s.once("src/new.php")
		s.rename("src/a.php", "src/c.php")
		s.expect("src/a.php", "src/c.php")
		s.must(os.Chtimes(s.path("src/c.php"), time.Time{}, time.Now().Add(time.Hour))) // touch(1)
		s.once("src/c.php")
		s.nothing("src")
	})
}

func TestBurstIsOneChange(t *testing.T) {
	s := newSite(t)
	s.mkdir("src", "lib")
	s.watch(Config{Trees: []string{"src", "lib"}, Method: Polling})
	s.must(s.w.Close())
	var want Change
	for i := range 30 {
		s.write(fmt.Sprintf("src/%02d.php", i), "1")
		if i < maxFiles {
			want.Files = append(want.Files, s.path(fmt.Sprintf("src/%02d.php", i)))
		}
	}
	want.Total, want.Trees = 30, []string{s.path("src")}
	changed := s.w.lookAtAll()
	got := changed.change()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("change (-want +got):\n%s", diff)
	}
	if got, want := got.String(), strings.Join(want.Files[:3], ", ")+" and 27 more"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}

func TestChangeString(t *testing.T) {
	for want, c := range map[string]Change{
		"":                   {},
		"a":                  {Files: []string{"a"}, Total: 1},
		"a, b, c":            {Files: []string{"a", "b", "c"}, Total: 3},
		"a, b, c and 1 more": {Files: []string{"a", "b", "c", "d"}, Total: 4},
	} {
		if got := c.String(); got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
	}
}

func TestConstantWritesAreReportedInTime(t *testing.T) {
	s := newSite(t)
	s.write("a.php", "")
	s.watch(Config{Debounce: 500 * time.Millisecond, MaxDelay: 600 * time.Millisecond})
	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				_ = os.WriteFile(s.path("a.php"), []byte(strings.Repeat("x", i)), 0o644)
			}
		}
	})
	for range 3 {
		s.expect("a.php")
	}
	close(stop)
	writing.Wait()
}

func TestEditorsThatSaveAtomically(t *testing.T) {
	both(t, func(t *testing.T, s *site, watch func(Config)) {
		s.write("a.php", "1")
		watch(Config{Debounce: 100 * time.Millisecond})

		// vim: swap file, probe, backup by renaming, new file, backup removed
		s.write(".a.php.swp", "swap")
		s.write("4913", "")
		s.remove("4913")
		s.rename("a.php", "a.php~")
		s.put("a.php", "2")
		s.remove("a.php~")
		s.remove(".a.php.swp")
		s.expect("a.php")

		// emacs: lock, autosave
		s.link("someone@host.1234", ".#a.php")
		s.write("#a.php#", "autosave")
		s.remove("#a.php#")
		s.remove(".#a.php")
		s.nothing("")

		// JetBrains, and anybody who writes beside and renames over
		s.write("a.php___jb_tmp___", "3")
		s.rename("a.php", "a.php___jb_old___")
		s.rename("a.php___jb_tmp___", "a.php")
		s.remove("a.php___jb_old___")
		s.expect("a.php")
		s.nothing("")
	})
}

// What comes and goes before anybody looks is no change.
func TestUndoneBeforeALook(t *testing.T) {
	s := newSite(t)
	s.write("pkg/a.php", "1")
	s.looking()
	s.write("sedXYZ123", "x")
	s.remove("sedXYZ123")
	s.mkdir("new/inside")
	s.remove("new")
	s.rename("pkg", "elsewhere")
	s.rename("elsewhere", "pkg")
	if changed := s.w.lookAtAll(); !changed.empty() {
		t.Errorf("unexpected changes: %v", changed.change())
	}
}

func TestAttributesAreNoChange(t *testing.T) {
	both(t, func(t *testing.T, s *site, watch func(Config)) {
		s.write("a.php", "1")
		s.mkdir("d")
		info, err := os.Stat(s.path("a.php"))
		s.must(err)
		watch(Config{})
		s.must(os.Chmod(s.path("a.php"), 0o600))
		s.must(os.Chmod(s.path("d"), 0o700))
		s.must(os.Chtimes(s.path("a.php"), time.Now().Add(time.Hour), info.ModTime()))
		_, err = os.ReadFile(s.path("a.php"))
		s.must(err)
		s.mkdir("empty")
		s.must(os.Remove(s.path("empty")))
		s.nothing("")
	})
}

func TestIgnored(t *testing.T) {
	both(t, func(t *testing.T, s *site, watch func(Config)) {
		s.mkdir("var/cache", "vendor/symfony/cache", "uploads", "node_modules")
		watch(Config{Ignore: []string{"./uploads", "*.txt", "!robots.txt"}})
		s.write("var/cache/dev/container.php", "x")
		s.write("node_modules/x/index.php", "x")
		s.write("uploads/evil.php", "x")
		s.write("debug.log", "x")
		s.write("note.txt", "x")
		s.write("new/var/cache/x.php", "x")
		s.must(os.WriteFile(s.path("storage"), nil, 0o644))
		s.expect("storage")
		s.put("robots.txt", "x")
		s.once("robots.txt")
		s.put("vendor/symfony/cache/Adapter.php", "x")
		s.once("vendor/symfony/cache/Adapter.php")
		s.nothing("")
	})
}

func TestNoDefaultIgnore(t *testing.T) {
	s := newSite(t)
	s.mkdir(".git")
	s.watch(Config{NoDefaultIgnore: true})
	s.must(os.WriteFile(s.path(".git/HEAD"), []byte("x"), 0o644))
	s.expect(".git/HEAD")
}

func TestNewDirectories(t *testing.T) {
	both(t, func(t *testing.T, s *site, watch func(Config)) {
		s.mkdir("elsewhere/pkg/src", "app")
		s.write("elsewhere/pkg/src/a.php", "1")
		s.write("elsewhere/pkg/b.php", "1")
		watch(Config{Trees: []string{"app"}})

		s.write("app/x/y/z/new.php", "1")
		s.expect("app/x/y/z/new.php")
		s.write("app/x/y/z/new.php", "two")
		s.expect("app/x/y/z/new.php")

		s.rename("elsewhere/pkg", "app/pkg")
		s.once("app/pkg/src/a.php", "app/pkg/b.php")
		s.put("app/pkg/src/c.php", "1")
		s.once("app/pkg/src/c.php")

		s.rename("app/pkg", "app/renamed")
		s.once("app/pkg/src/a.php", "app/pkg/src/c.php", "app/pkg/b.php",
			"app/renamed/src/a.php", "app/renamed/src/c.php", "app/renamed/b.php")
		s.put("app/renamed/src/a.php", "two")
		s.once("app/renamed/src/a.php")

		s.rename("app/renamed", "elsewhere/gone")
		s.once("app/renamed/src/a.php", "app/renamed/src/c.php", "app/renamed/b.php")
		s.write("elsewhere/gone/src/a.php", "not ours any more")
		s.nothing("app")

		s.remove("app/x")
		s.expect("app/x/y/z/new.php")
		s.write("app/x/y/z/new.php", "again")
		s.expect("app/x/y/z/new.php")
	})
}

// A directory that is removed and made again between two looks can have the same inode, but not the same watch.
func TestDirectoryMadeAgain(t *testing.T) {
	s := newSite(t)
	s.write("app/d/e/a.php", "1")
	s.watch(Config{Trees: []string{"app"}, Debounce: 100 * time.Millisecond})
	for i := range 5 {
		s.remove("app/d/e")
		s.remove("app/d")
		s.write("app/d/e/a.php", fmt.Sprint("again", i))
		s.expect("app/d/e/a.php")
		s.put("app/d/e/a.php", fmt.Sprint("saved", i))
		s.expect("app/d/e/a.php")
		s.nothing("app")
	}
}

func TestFileAndDirectoryChangePlaces(t *testing.T) {
	both(t, func(t *testing.T, s *site, watch func(Config)) {
		s.write("app/x", "file")
		s.write("app/y/inside.php", "1")
		watch(Config{Trees: []string{"app"}, Debounce: 100 * time.Millisecond})
		s.remove("app/x")
		s.remove("app/y")
		s.write("app/x/inside.php", "1")
		s.write("app/y", "file")
		s.expect("app/x", "app/x/inside.php", "app/y", "app/y/inside.php")
		s.put("app/x/inside.php", "2")
		s.once("app/x/inside.php")
		s.nothing("app/x")
	})
}

func TestSingleFilesAndGlobs(t *testing.T) {
	both(t, func(t *testing.T, s *site, watch func(Config)) {
		s.write(".env", "A=1")
		s.write("composer.lock", "{}")
		s.write("src/a.php", "1")
		s.write("src/deep/down/a.php", "1")
		s.write("other/a.php", "1")
		watch(Config{Trees: []string{".env", "composer.lock", "src/**/*.{php,twig}", "missing.php"}})
		s.put(".env", "A=2")
		s.once(".env")
		s.remove(".env")
		s.once(".env")
		s.put("x.env", "")
		s.put(".env", "A=3")
		s.once(".env")
		s.put("other/a.php", "2")
		s.put("src/a.js", "2")
		s.put("src/a.twig", "2")
		s.once("src/a.twig")
		s.write("src/deep/down/b.php", "1")
		s.expect("src/deep/down/b.php")
		s.write("src/new/c.php", "1")
		s.expect("src/new/c.php")
		s.put("missing.php", "1")
		s.once("missing.php")
		s.put("missing.php", "2")
		s.once("missing.php")
		s.nothing("src")
	})
}

func TestOverlappingTrees(t *testing.T) {
	both(t, func(t *testing.T, s *site, watch func(Config)) {
		s.mkdir("app/src")
		watch(Config{Trees: []string{"app", "app/src", "app"}})
		s.put("app/src/a.php", "1")
		s.once("app/src/a.php")
		s.nothing("app")
	})
}

// A reader that takes its time gets all that has happened, at once or nearly so, and holds nobody up.
func TestSlowReader(t *testing.T) {
	s := newSite(t)
	s.mkdir("src")
	s.watch(Config{Debounce: time.Millisecond})
	// Another watcher tells when there has been time enough to notice.
	other, err := New(Config{Trees: []string{s.dir}, Debounce: 20 * time.Millisecond})
	s.must(err)
	defer other.Close()
	var want []string
	for i := range 5 {
		name := fmt.Sprintf("src/%d.php", i)
		s.put(name, "1")
		want = append(want, name)
		<-other.Changes()
	}
	s.once(want...)
	s.nothing("src")
}

func TestClose(t *testing.T) {
	for name, method := range map[string]Method{"events": Events, "polling": Polling} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.mkdir("a/b/c")
			s.watch(Config{Method: method}) // the runtime's own descriptors come with the first
			s.must(s.w.Close())
			before := descriptors(t)
			for range 10 {
				s.watch(Config{Method: method})
				s.write("a/b/x.php", time.Now().String())
				var both sync.WaitGroup
				for range 2 {
					both.Go(func() { s.must(s.w.Close()) })
				}
				both.Wait()
				for range s.w.Changes() {
				}
				s.must(s.w.Close())
			}
			if after := descriptors(t); after != before {
				t.Errorf("%d descriptors, want %d as before", after, before)
			}
		})
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

func TestErrors(t *testing.T) {
	for want, cfg := range map[string]Config{
		"watch: no trees":   {},
		"watch: empty tree": {Trees: []string{""}},
		`watch: ignore: pattern "[": syntax error in pattern`:              {Trees: []string{"/"}, Ignore: []string{"["}},
		`watch: tree "/srv/{a": pattern "./{a": unclosed brace`:            {Trees: []string{"/srv/{a"}},
		`watch: tree "/srv/*/[": pattern "./*/[": syntax error in pattern`: {Trees: []string{"/srv/*/["}},
	} {
		w, err := New(cfg)
		if err == nil {
			w.Close()
			t.Errorf("no error, want %q", want)
		} else if err.Error() != want {
			t.Errorf("error %q, want %q", err, want)
		}
	}
}
