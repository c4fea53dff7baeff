package watch

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var chaosSeeds = flag.Uint("chaos", 3, "how many random courses of events to try")

// After any number of operations in any order, what the watcher knows is what is there, and each directory is watched: renamed
// directories, and new ones with the inodes of old ones, are where watches get lost.
func TestChaos(t *testing.T) {
	for seed := range uint64(*chaosSeeds) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			s := newSite(t)
			s.mkdir("app", "outside")
			s.watch(Config{Trees: []string{"app"}, Debounce: 5 * time.Millisecond})
			taken := make(chan struct{})
			stop := make(chan struct{})
			go func() { // nobody cares for these changes; reading them lets bursts end at any moment
				defer close(taken)
				for {
					select {
					case <-s.w.Changes():
					case <-stop:
						return
					}
				}
			}()
			r := rand.New(rand.NewPCG(seed, 0))
			for range 200 {
				s.disturb(r)
			}
			close(stop)
			<-taken

			s.present("app/!first.php") // and with it all that went before
			for _, dir := range s.directories() {
				s.present(filepath.Join(dir, "probe.php"))
			}
			s.must(s.w.Close())
			fresh := newSite(t)
			fresh.dir = s.dir
			fresh.watch(Config{Trees: []string{"app"}, Method: Polling})
			fresh.must(fresh.w.Close())
			if diff := cmp.Diff(entries(fresh.w), entries(s.w), cmp.AllowUnexported(entry{}, fileID{})); diff != "" {
				t.Errorf("what is known (-should be +is):\n%s", diff)
			}
		})
	}
}

// present puts a file and waits until it is reported, whatever else is.
func (s *site) present(name string) {
	s.t.Helper()
	s.put(name, "x")
	for deadline := time.After(patience); ; {
		select {
		case c := <-s.w.Changes():
			if slices.Contains(c.Files, s.path(name)) {
				return
			}
		case <-deadline:
			s.t.Fatalf("%s was not noticed", name)
		}
	}
}

// directories are all below app, by their names without symbolic links.
func (s *site) directories() (all []string) {
	s.t.Helper()
	s.must(filepath.WalkDir(s.path("app"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			all = append(all, path[len(s.dir)+1:])
		}
		return err
	}))
	return all
}

// disturb does something to the tree. What is impossible fails, which is fine.
func (s *site) disturb(r *rand.Rand) {
	dirs := append(s.directories(), "outside")
	at := func() string { return s.path(dirs[r.IntN(len(dirs))]) }
	name := func() string { return filepath.Join(at(), string(rune('a'+r.IntN(4)))) }
	switch r.IntN(13) {
	case 0, 1, 2:
		_ = os.MkdirAll(filepath.Join(name(), string(rune('a'+r.IntN(4)))), 0o755)
	case 3, 4, 5:
		_ = os.WriteFile(name()+".php", make([]byte, r.IntN(1000)), 0o644)
	case 6, 7:
		_ = os.Rename(name(), name())
	case 8:
		if victim := name(); r.IntN(3) == 0 {
			_ = os.RemoveAll(victim)
		}
	case 9:
		from := name()
		_ = os.Rename(from, from+"x")
		_ = os.Rename(from+"x", from)
	case 10:
		victim := name()
		if os.Remove(victim) == nil {
			_ = os.Mkdir(victim, 0o755)
		}
	case 11:
		_ = os.Symlink(at(), name())
	case 12:
		time.Sleep(time.Duration(r.IntN(10)) * time.Millisecond) // not to wait for anything, but for bursts of all lengths
	}
}

// entries is what a watcher knows of its only tree.
func entries(w *Watcher) map[string]map[string]entry {
	all := map[string]map[string]entry{}
	for path, n := range w.trees[0].nodes {
		all[path] = maps.Clone(n.entries)
	}
	return all
}
